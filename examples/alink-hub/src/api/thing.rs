//! What a device has and does: properties, services.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::extract::{Json, Path, Query};
use super::problem::Problem;
use crate::app::SharedApp;
use crate::platform::calls::{CallError, SET, call, set_soon};
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

pub(super) fn router() -> Router<SharedApp> {
    Router::new()
        .route("/devices/{product_key}/{device_name}/properties", get(properties).patch(set))
        .route("/devices/{product_key}/{device_name}/services/{identifier}", post(service))
        .route("/devices/{product_key}/{device_name}/history", get(list))
}

async fn properties(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
) -> Result<axum::Json<Value>, Problem> {
    let device = super::device(&app, &key).await?;
    let last = history::last(&app.store, device.id).await?.into_iter();
    let last = last.map(|(identifier, value, at)| (identifier, json!({"value": value, "time": time::text(at)})));
    Ok(axum::Json(Value::Object(last.collect())))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Patience {
    timeout_ms: Option<u64>,
    /// `false` does not wait: there are SDKs that never answer.
    wait: Option<bool>,
}

impl Patience {
    fn duration(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.unwrap_or(PATIENCE).clamp(1, LONGEST))
    }
}

/// Sets properties: the device is told, and its answer waited for.
async fn set(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
    Query(patience): Query<Patience>,
    Json(values): Json<Map<String, Value>>,
) -> Result<axum::Json<Value>, Problem> {
    let device = super::device(&app, &key).await?;
    let values = match app.models.get(&device.product_key) {
        Some(model) => model.settable(&values)?,
        None => values,
    };
    if values.is_empty() {
        return Err(Problem::invalid("", "there is nothing to set"));
    }
    let params = Value::Object(values);
    if patience.wait == Some(false) {
        if !set_soon(&app, &device, params) {
            return Err(CallError::Offline.into());
        }
        return Ok(axum::Json(json!({})));
    }
    let answer = call(&app, &device, SET, &params, patience.duration()).await;
    keep(&app, &device, "set", &params, &answer).await?;
    let answer = answer?;
    Ok(axum::Json(json!({"code": answer.code, "data": answer.data, "message": answer.message})))
}

/// Calls a service, and waits for what it gives.
async fn service(
    _: Operator,
    State(app): State<SharedApp>,
    Path((product_key, device_name, identifier)): Path<(String, String, String)>,
    Query(patience): Query<Patience>,
    Json(input): Json<Value>,
) -> Result<axum::Json<Value>, Problem> {
    let device = super::device(&app, &(product_key, device_name)).await?;
    let model = app.models.get(&device.product_key);
    let input = match model {
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
    Ok(axum::Json(json!({"code": answer.code, "data": answer.data, "message": answer.message})))
}

async fn keep(
    app: &SharedApp,
    device: &Device,
    identifier: &str,
    input: &Value,
    answer: &Result<crate::platform::envelope::Reply, CallError>,
) -> Result<(), Problem> {
    let answer = match answer {
        Ok(reply) => Some((reply.code, reply.data.clone())),
        Err(CallError::Refused(reply)) => Some((reply.code, json!({"message": reply.message, "data": reply.data}))),
        Err(error) => Some((0, json!({"message": error.to_string()}))),
    };
    let told = json!({"identifier": identifier, "input": input, "code": answer.as_ref().map(|(code, _)| code)});
    let (identifier, data) = (identifier.to_owned(), input.clone());
    let entry = Entry { kind: Kind::Service, identifier, data, answer, time: time::now() };
    history::keep(&app.store, device.id, vec![entry]).await?;
    app.live.tell("service", &device.product_key, &device.device_name, || told);
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Asked {
    kind: Option<String>,
    identifier: Option<String>,
    /// In milliseconds since 1970, inclusive.
    from: Option<i64>,
    /// Exclusive.
    to: Option<i64>,
    limit: Option<i64>,
}

/// History, the latest first.
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<axum::Json<Value>, Problem> {
    let device = super::device(&app, &key).await?;
    let wanted = Wanted {
        kind: asked.kind,
        identifier: asked.identifier,
        from: asked.from.unwrap_or(0),
        to: asked.to.unwrap_or(i64::MAX),
        limit: asked.limit.unwrap_or(100).clamp(1, MOST),
    };
    let kept = history::list(&app.store, device.id, wanted).await?.into_iter().map(|kept| {
        json!({"kind": kept.kind, "identifier": kept.identifier, "data": kept.data, "code": kept.code,
            "output": kept.output, "time": time::text(kept.time)})
    });
    Ok(axum::Json(Value::Array(kept.collect())))
}
