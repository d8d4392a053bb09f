//! Puts the document together.

use serde_json::{Map, Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::OpenApi;

use crate::api::problem::Problem;

/// Which failures a request may have.
const FAILURES: [(&str, &str); 13] = [
    ("400", "The path or the query is not what it should be."),
    ("401", "An API token is needed, or this one is not good."),
    ("403", "This needs an operator's token, or a web page of another site has sent it."),
    ("404", "There is nothing under this path."),
    ("409", "Something stands against it: the device is offline, or the thing is there already."),
    ("413", "The body is too large."),
    ("415", "The body is of another content type."),
    ("421", "Without API tokens the hub is called by its address, and by no name."),
    ("422", "The body is wrong; `pointer` says where."),
    ("500", "The hub failed."),
    ("502", "The device refused; `code` is its own. Or its connection ended before it answered."),
    ("503", "The database failed, or the device was asked too much that it has not answered."),
    ("504", "The device did not answer in time."),
];

/// What the groups of handlers are.
const TAGS: [(&str, &str); 7] = [
    ("devices", "Who there is, and what is wanted of them."),
    ("calls", "What a device is asked, and answers."),
    ("messages", "What a device is sent in an operator's own words."),
    ("files", "What devices have uploaded."),
    ("products", "Thing models, dynamic registration, configuration."),
    ("updates", "Files, and the devices that are told to fetch them."),
    ("log", "What happens, and what has happened."),
];

/// The document with what the handlers do not say: failures, log-in.
pub(super) fn complete(handlers: OpenApi) -> Value {
    let mut document = serde_json::to_value(handlers).unwrap_or_default();
    put(&mut document, &["openapi"], json!("3.1.0"));
    put(
        &mut document,
        &["info"],
        json!({
            "title": "alink-hub",
            "description": "A platform of one's own for devices that speak Alink. What properties, services and events \
                there are, each product's thing model says: `GET /api/v1/products/{product_key}`.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        }),
    );
    let tags = TAGS.map(|(name, description)| json!({"name": name, "description": description}));
    put(&mut document, &["tags"], Value::from(tags.to_vec()));
    put(&mut document, &["security"], json!([{}, {"token": []}]));
    let token =
        json!({"type": "http", "scheme": "bearer", "description": "An API token (`alink-hub token add NAME`)."});
    put(&mut document, &["components", "securitySchemes"], json!({"token": token}));
    put(&mut document, &["components", "schemas", "Problem"], problem());
    for (status, description) in FAILURES {
        let content = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
        let response = json!({"description": description, "content": content});
        put(&mut document, &["components", "responses", &format!("Problem{status}")], response);
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

/// Gives each operation its failures.
fn each_operation(document: &mut Value) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            let tags = operation.get("tags").and_then(Value::as_array);
            let waits = tags.into_iter().flatten().any(|tag| tag == "calls");
            let has_body = operation.get("requestBody").is_some();
            let applies = |status: &str| match status {
                "404" => path.contains('{'),
                "409" | "500" => method != "get",
                "413" | "415" | "422" => has_body,
                "502" | "504" => waits,
                _ => true,
            };
            let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { continue };
            responses.values_mut().for_each(as_problem);
            for (status, _) in FAILURES.iter().filter(|(status, _)| applies(status)) {
                let reference = json!({"$ref": format!("#/components/responses/Problem{status}")});
                responses.entry(*status).or_insert(reference);
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
