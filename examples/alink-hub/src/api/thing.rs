//! What a device has and does: properties, services.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::DeviceKey;
use super::extract::{Json, Path, Query};
use super::problem::Problem;
use crate::app::SharedApp;
use crate::platform::calls::{CallError, GET, SET, call, set_soon};
use crate::platform::envelope::Reply;
use crate::platform::thing::post as posted;
use crate::security::access::{Operator, Viewer};
use crate::store::devices::Device;
use crate::store::history::{self, Entry, Kind, Wanted};
use crate::time;

/// How long a device may take, in milliseconds, if the request does not say.
const PATIENCE: u64 = 8000;

/// How long it may take at most.
const LONGEST: u64 = 60_000;

/// How many entries of the history one answer has at most.
const MOST: i64 = 1000;

pub(super) fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(properties, set))
        .routes(routes!(ask))
        .routes(routes!(service))
        .routes(routes!(list))
}

/// What a property was last.
#[derive(Debug, Serialize, ToSchema)]
struct LastValue {
    /// As the thing model says.
    value: Value,
    /// When it was so.
    #[schema(format = DateTime)]
    time: String,
}

/// Last values, by the properties' identifiers.
#[utoipa::path(get, path = "/devices/{product_key}/{device_name}/properties", tag = "devices", params(DeviceKey),
    responses((status = OK, body = BTreeMap<String, LastValue>)))]
async fn properties(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
) -> Result<axum::Json<BTreeMap<String, LastValue>>, Problem> {
    let device = super::device(&app, &key).await?;
    let last = history::last(&app.store, device.id).await?.into_iter();
    Ok(axum::Json(
        last.map(|(identifier, value, at)| (identifier, LastValue { value, time: time::text(at) })).collect(),
    ))
}

/// How long a device's answer is waited for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct Patience {
    /// In milliseconds; 8000 if it is absent.
    #[param(minimum = 1, maximum = 60_000, default = 8000)]
    timeout_ms: Option<u64>,
}

impl Patience {
    fn duration(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.unwrap_or(PATIENCE).clamp(1, LONGEST))
    }
}

/// Whether an answer is waited for at all.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Waits {
    /// `false` does not wait, and answers `{}`: there are SDKs that never answer.
    #[param(default = true)]
    wait: Option<bool>,
}

/// What a device answered; empty if it was not waited for.
#[derive(Debug, Default, Serialize, ToSchema)]
struct DeviceAnswer {
    /// 200: it did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
    /// As the thing model says.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl From<Reply> for DeviceAnswer {
    fn from(Reply { code, data, message, .. }: Reply) -> Self {
        Self { code: Some(code), data: Some(data), message: Some(message) }
    }
}

/// Sets properties: the device is told, and its answer waited for.
#[utoipa::path(patch, path = "/devices/{product_key}/{device_name}/properties", tag = "calls",
    params(DeviceKey, Patience, Waits), request_body = BTreeMap<String, Value>,
    responses((status = OK, body = DeviceAnswer)))]
async fn set(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
    Query(patience): Query<Patience>,
    Query(waits): Query<Waits>,
    Json(values): Json<Map<String, Value>>,
) -> Result<axum::Json<DeviceAnswer>, Problem> {
    let device = super::device(&app, &key).await?;
    let values = match app.models.get(&device.product_key) {
        Some(model) => model.settable(&values)?,
        None => values,
    };
    if values.is_empty() {
        return Err(Problem::invalid("", "there is nothing to set"));
    }
    let params = Value::Object(values);
    if waits.wait == Some(false) {
        if !set_soon(&app, &device, params) {
            return Err(CallError::Offline.into());
        }
        return Ok(axum::Json(DeviceAnswer::default()));
    }
    let answer = call(&app, &device, SET, &params, patience.duration()).await;
    keep(&app, &device, "set", &params, &answer).await?;
    Ok(axum::Json(answer?.into()))
}

/// Asks the device what properties are now; what it answers is kept as if it had posted it.
#[utoipa::path(post, path = "/devices/{product_key}/{device_name}/properties/get", tag = "calls",
    params(DeviceKey, Patience),
    request_body(content = Vec<String>, description = "Their identifiers, at least one."),
    responses((status = OK, body = DeviceAnswer)))]
async fn ask(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
    Query(patience): Query<Patience>,
    Json(identifiers): Json<Vec<String>>,
) -> Result<axum::Json<DeviceAnswer>, Problem> {
    let device = super::device(&app, &key).await?;
    if identifiers.is_empty() {
        return Err(Problem::invalid("", "there is nothing to ask for"));
    }
    if let Some(model) = app.models.get(&device.product_key)
        && let Some(unknown) = identifiers.iter().position(|identifier| !model.properties.contains_key(identifier))
    {
        return Err(Problem::invalid(&format!("/{unknown}"), "the model has no such property"));
    }
    let params = json!(identifiers);
    let answer = call(&app, &device, GET, &params, patience.duration()).await;
    keep(&app, &device, "get", &params, &answer).await?;
    let answer = answer?;
    if answer.data.is_object() {
        posted(&app, &device, &answer.data).await?;
    }
    Ok(axum::Json(answer.into()))
}

/// Name of a service in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "for the document: the handler takes it with the device")]
struct ServiceKey {
    /// The service, as the thing model names it.
    identifier: String,
}

/// Calls a service, and waits for what it gives.
#[utoipa::path(post, path = "/devices/{product_key}/{device_name}/services/{identifier}", tag = "calls",
    params(DeviceKey, ServiceKey, Patience),
    request_body(content = BTreeMap<String, Value>, description = "Its input, as the thing model says."),
    responses((status = OK, body = DeviceAnswer)))]
async fn service(
    _: Operator,
    State(app): State<SharedApp>,
    Path((product_key, device_name, identifier)): Path<(String, String, String)>,
    Query(patience): Query<Patience>,
    Json(input): Json<Value>,
) -> Result<axum::Json<DeviceAnswer>, Problem> {
    let device = super::device(&app, &(product_key, device_name)).await?;
    let model = app.models.get(&device.product_key);
    let input = match model {
        Some(model) if !model.services.contains_key(&identifier) => return Err(CallError::Unknown.into()),
        Some(model) => model.input(&identifier, &input)?,
        None => input,
    };
    let method = format!("thing.service.{identifier}");
    let answer = call(&app, &device, &method, &input, patience.duration()).await;
    keep(&app, &device, &identifier, &input, &answer).await?;
    let mut answer = answer?;
    if let Some(model) = model {
        match model.output(&identifier, &answer.data) {
            Ok(data) => answer.data = data,
            Err(invalid) => {
                let content = format!("the output of {identifier} does not fit the model: {invalid}");
                app.note_of("warn", &device, content).await;
            }
        }
    }
    Ok(axum::Json(answer.into()))
}

async fn keep(
    app: &SharedApp,
    device: &Device,
    identifier: &str,
    input: &Value,
    answer: &Result<Reply, CallError>,
) -> Result<(), Problem> {
    let answer = match answer {
        Ok(reply) => Some((reply.code, reply.data.clone())),
        Err(CallError::Refused(reply)) => Some((reply.code, json!({"message": reply.message, "data": reply.data}))),
        Err(error) => Some((0, json!({"message": error.to_string()}))),
    };
    let told = json!({"identifier": identifier, "input": input, "code": answer.as_ref().map(|(code, _)| code)});
    let (identifier, data) = (identifier.to_owned(), input.clone());
    let entry = Entry { kind: Kind::Service, identifier, data, answer, time: time::now(), is_dated: false };
    history::keep(&app.store, device.id, vec![entry]).await?;
    app.live.tell("service", &device.product_key, &device.device_name, || told);
    Ok(())
}

/// Which part of the history is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Entries of that kind.
    #[param(inline)]
    kind: Option<Kind>,
    /// Those of that property, event, service or topic.
    identifier: Option<String>,
    /// From then on, in milliseconds since 1970.
    from: Option<i64>,
    /// Until before then, in milliseconds since 1970.
    to: Option<i64>,
    /// How many at most; 100 if it is absent.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// Something that a device told or did.
#[derive(Debug, Serialize, ToSchema)]
struct HistoryEntry {
    /// `property`, `event`, `service` or `message`.
    kind: String,
    /// Of the property, event, service or topic.
    identifier: String,
    /// A property's value, what an event told, a service's input, a message.
    data: Value,
    /// Of a service: the code of the answer, 0 if none came.
    code: Option<i64>,
    /// Of a service: what it gave, or why not.
    output: Option<Value>,
    /// When it was so.
    #[schema(format = DateTime)]
    time: String,
}

/// History, the latest first.
#[utoipa::path(get, path = "/devices/{product_key}/{device_name}/history", tag = "devices", params(DeviceKey, Asked),
    responses((status = OK, body = Vec<HistoryEntry>)))]
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<axum::Json<Vec<HistoryEntry>>, Problem> {
    let device = super::device(&app, &key).await?;
    let wanted = Wanted {
        kind: asked.kind,
        identifier: asked.identifier,
        from: asked.from.unwrap_or(0),
        to: asked.to.unwrap_or(i64::MAX),
        limit: asked.limit.unwrap_or(100).clamp(1, MOST),
    };
    let kept = history::list(&app.store, device.id, wanted).await?.into_iter().map(|kept| HistoryEntry {
        kind: kept.kind,
        identifier: kept.identifier,
        data: kept.data,
        code: kept.code,
        output: kept.output,
        time: time::text(kept.time),
    });
    Ok(axum::Json(kept.collect()))
}
