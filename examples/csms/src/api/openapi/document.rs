//! Puts the document together.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;
use utoipa::{IntoParams, PartialSchema};

use super::ocpp;
use crate::api::problem::Problem;
use crate::api::v1::commands::CommandQuery;
use crate::ocpp::commands;

/// Which failures a request may have.
const FAILURES: [(&str, &str); 14] = [
    ("400", "The path or the query is not what it should be."),
    ("401", "Nobody has proved who they are."),
    ("403", "This needs more rights."),
    ("404", "There is nothing under this path."),
    ("409", "Something stands against it: the charge point is offline, or the thing is there already."),
    ("413", "The body is too large."),
    ("415", "The body is of another content type."),
    ("422", "The body is wrong; `pointer` says where."),
    ("429", "Too many requests."),
    ("500", "The server failed."),
    ("502", "The charge point answered with a CALLERROR, or with what the schema does not have."),
    ("503", "The database failed, or too much waits already."),
    ("504", "The charge point did not answer in time."),
    ("405", "This path does not take that method."),
];

/// The document with what the handlers do not say: commands, failures, log-in.
pub(super) fn complete(handlers: OpenApi) -> Value {
    let mut document = serde_json::to_value(handlers).unwrap_or_default();
    put(&mut document, &["openapi"], json!("3.1.0"));
    put(
        &mut document,
        &["info"],
        json!({
            "title": "csms",
            "description": "A central system for OCPP 1.6-J charge points.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        }),
    );
    put(&mut document, &["security"], json!([{}, {"token": []}, {"session": []}]));
    put(
        &mut document,
        &["components", "securitySchemes"],
        json!({
            "token": {"type": "http", "scheme": "bearer", "description": "An API token."},
            "session": {"type": "apiKey", "in": "cookie", "name": "onwire_session", "description": "A log-in of the page."},
        }),
    );
    for (name, schema) in ocpp::types() {
        put(&mut document, &["components", "schemas", &name], schema);
    }
    put(&mut document, &["components", "schemas", "Problem"], problem());
    for (status, description) in FAILURES {
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        let content = json!({"application/problem+json": {"schema": schema}});
        let response = json!({"description": description, "content": content});
        put(&mut document, &["components", "responses", &format!("Problem{status}")], response);
    }
    for action in commands::all() {
        command(&mut document, action.name);
    }
    each_operation(&mut document);
    document
}

fn problem() -> Value {
    let mut schema = serde_json::to_value(Problem::schema()).unwrap_or_default();
    if let Some(status) = schema.pointer_mut("/properties/status") {
        *status = json!({"type": "integer", "minimum": 400, "maximum": 599, "description": "HTTP status code."});
    }
    schema
}

/// One action that a central system may start.
fn command(document: &mut Value, action: &str) {
    let (request, response) = (action.to_owned(), format!("{action}Response"));
    let mut description = Value::Null;
    for (file, name) in [(&request, format!("{action}Request")), (&response, response.clone())] {
        let Some(schema) = ocpp::message(file) else { continue };
        if description.is_null() {
            description = schema.get("description").cloned().unwrap_or_default();
        }
        put(document, &["components", "schemas", &ocpp::name(&name)], schema);
    }
    let reference = |name: &str| json!({"schema": {"$ref": format!("#/components/schemas/{}", ocpp::name(name))}});
    let mut parameters = vec![json!({
        "name": "id", "in": "path", "required": true, "schema": {"type": "string"}, "description": "The charge point.",
    })];
    let query = CommandQuery::into_params(|| None).into_iter().filter_map(|query| serde_json::to_value(query).ok());
    let takes_profile = matches!(action, "SetChargingProfile" | "RemoteStartTransaction");
    // What is sent raw is not what this document says.
    parameters.extend(query.filter(|query| query["name"] != "profile" || takes_profile));
    let operation = json!({
        "tags": ["commands"],
        "summary": action,
        "description": description,
        "operationId": format!("command{action}"),
        "parameters": parameters,
        "requestBody": {"required": true, "content": {"application/json": reference(&format!("{action}Request"))}},
        "responses": {"200": {
            "description": "What the charge point answered.",
            "content": {"application/json": reference(&response)},
        }},
    });
    let path = format!("/api/v1/charge-points/{{id}}/commands/{action}");
    put(document, &["paths", &path], json!({"post": operation}));
}

/// Gives each operation its failures, and each object of the handlers' own the list of properties that are always there.
fn each_operation(document: &mut Value) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for (path, item) in paths {
        let Some(item) = item.as_object_mut() else { continue };
        for (method, operation) in item {
            let sends = path.contains("/commands/")
                || path.ends_with("/stop")
                || path.contains("/local-list")
                || path.contains("/reservations")
                || path.contains("/api/ocpp/")
                || path.contains("/update-firmware")
                || path.contains("/get-");
            let has_body = operation.get("requestBody").is_some();
            let applies = |status: &str| match status {
                "404" => path.contains('{'),
                "409" => method != "get" || path.contains("/api/ocpp/"),
                "413" | "415" | "422" => has_body,
                "500" | "502" | "504" => sends,
                "405" => false,
                _ => true,
            };
            let failures = FAILURES.iter().filter(|(status, _)| applies(status));
            let failures: Vec<_> = failures.map(|(status, _)| *status).collect();
            let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { continue };
            responses.values_mut().for_each(as_problem);
            for status in failures {
                let reference = json!({"$ref": format!("#/components/responses/Problem{status}")});
                responses.entry(status).or_insert(reference);
            }
        }
    }
}

/// A handler that names a problem itself means one of the content type that they all have.
fn as_problem(response: &mut Value) {
    let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) else { return };
    let is_problem = |kind: &Value| kind.pointer("/schema/$ref").is_some_and(|of| of == "#/components/schemas/Problem");
    if content.get("application/json").is_some_and(is_problem)
        && let Some(kind) = content.remove("application/json")
    {
        content.insert("application/problem+json".to_owned(), kind);
    }
}

fn put(value: &mut Value, path: &[&str], new: Value) {
    let mut place = value;
    for key in path {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Some(object) = place.as_object_mut() else { return };
        place = object.entry(*key).or_insert(Value::Null);
    }
    *place = new;
}
