//! Messages in an operator's own words: RRPC, topics of the user's own, raw bytes; and whether a device uploads its log.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use onwire::alink::{DeviceRef, RawDirection, Topic};
use onwire::mqtt::QoS;
use onwire::net::alink::{Publisher, RrpcFailure};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Json, Path, Query};
use super::problem::Problem;
use super::{DeviceKey, ProductKey};
use crate::app::SharedApp;
use crate::link::identity;
use crate::platform::calls::{CallError, push_log_settings};
use crate::security::access::{Operator, Viewer};
use crate::store::devices::{self, Device};

/// The largest message, in bytes: with its topic it fits a packet of 256 KiB, which is what devices take.
const LARGEST: usize = 250 * 1024;

/// The longest topic, in bytes.
const LONGEST_TOPIC: usize = 128;

/// How long a device may take to answer, in milliseconds, if the request does not say.
const PATIENCE: u64 = 5000;

/// How long it may take at most.
const LONGEST: u64 = 60_000;

pub(super) fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(rrpc))
        .routes(routes!(publish))
        .routes(routes!(raw))
        .routes(routes!(broadcast))
        .layer(DefaultBodyLimit::max(LARGEST))
        .routes(routes!(log_settings, set_log_settings))
}

type Key = (String, String);

/// What an answer is waited for on, and how long.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Any, with its slash; none is the system's.
    #[param(max_length = 128, pattern = "^/[^+#]*$")]
    topic: Option<String>,
    /// In milliseconds; 5000 if it is absent.
    #[param(minimum = 1, maximum = 60_000, default = 5000)]
    timeout_ms: Option<u64>,
}

/// Asks a device, and answers with its answer: bytes, as they come.
#[utoipa::path(post, path = "/devices/{product_key}/{device_name}/rrpc", tag = "calls", params(DeviceKey, Asked),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = OK, content((String = "application/octet-stream")))))]
async fn rrpc(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
    Query(asked): Query<Asked>,
    body: Bytes,
) -> Result<Response, Problem> {
    let device = super::device(&app, &key).await?;
    let publisher = app.link.session(&device).ok_or(CallError::Offline)?.publisher;
    if asked.topic.as_ref().is_some_and(|topic| topic.len() > LONGEST_TOPIC) {
        return Err(Problem::bad_request(format!("topic: {LONGEST_TOPIC} bytes at the most")));
    }
    let patience = Duration::from_millis(asked.timeout_ms.unwrap_or(PATIENCE).clamp(1, LONGEST));
    let answer = publisher.rrpc(asked.topic.as_deref(), Vec::from(body), patience).await;
    app.metrics.rrpc(match &answer {
        Ok(_) => "answered",
        Err(RrpcFailure::Timeout) => "timeout",
        Err(RrpcFailure::Expired) => "notSent",
        Err(RrpcFailure::Disconnected) => "connectionLost",
        Err(_) => "refused",
    });
    let answer = answer.map_err(|failure| match failure {
        RrpcFailure::Topic => Problem::bad_request(format!("topic: {failure}")),
        RrpcFailure::TooMany => CallError::Busy.into(),
        RrpcFailure::Timeout => CallError::Timeout.into(),
        RrpcFailure::Expired => CallError::NotSent.into(),
        _ => CallError::Lost.into(),
    })?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))], answer).into_response())
}

/// Where a message goes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct To {
    /// What follows `/{productKey}/{deviceName}/user/`, or `/broadcast/{productKey}/`.
    #[param(min_length = 1, max_length = 128)]
    topic: String,
}

/// Sends a message on a topic of the user's own; whether it arrives stays unknown.
#[utoipa::path(post, path = "/devices/{product_key}/{device_name}/messages", tag = "messages",
    params(DeviceKey, To), request_body(content = String, content_type = "application/octet-stream"),
    responses((status = ACCEPTED)))]
async fn publish(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
    Query(To { topic: rest }): Query<To>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let device = super::device(&app, &key).await?;
    let topic = Topic::User { device: of(&device), rest: &rest }.to_string();
    judge_topic(&topic, &rest)?;
    send(&app, &device, topic, body).await
}

/// Whom a message was sent to.
#[derive(Debug, Serialize, ToSchema)]
struct Told {
    /// How many devices.
    told: usize,
}

/// How many devices are told at once.
const AT_ONCE: usize = 256;

/// How long one of them may take to make room for a message.
const ROOM: Duration = Duration::from_secs(1);

/// Sends a message to all devices of a product that are connected, on `/broadcast/{productKey}/{topic}`; to how many. Whether it
/// arrives stays unknown. Behind a broker it is sent once, and the broker's matter.
#[utoipa::path(post, path = "/products/{product_key}/broadcast", tag = "messages", params(ProductKey, To),
    request_body(content = String, content_type = "application/octet-stream"), responses((status = OK, body = Told)))]
async fn broadcast(
    _: Operator,
    State(app): State<SharedApp>,
    Path(product_key): Path<String>,
    Query(To { topic }): Query<To>,
    body: Bytes,
) -> Result<axum::Json<Told>, Problem> {
    if !app.models.contains_key(&product_key) {
        return Err(Problem::not_found("there is no such product"));
    }
    let rest = judge_topic(&topic, &topic)?;
    let topic = Topic::Broadcast { product_key: &product_key, rest }.to_string();
    // Once for each connection: all devices behind a gateway share one, and the topic names none of them.
    let mut connections: HashMap<Box<str>, (Publisher, usize)> = HashMap::new();
    for session in app.link.of_product(&product_key) {
        let of = app.via(&session.device).map_or_else(|| identity(&session.device).into(), |via| Box::from(&*via));
        connections.entry(of).or_insert((session.publisher, 0)).1 += 1;
    }
    let most = if app.config.broker.is_some() { 1 } else { usize::MAX };
    let told = stream::iter(connections.into_values().take(most)).map(|(publisher, devices)| {
        let (topic, body) = (topic.clone(), body.clone());
        async move {
            let sent = publisher.publish(topic, Vec::from(body), QoS::AtMostOnce);
            let is_sent = tokio::time::timeout(ROOM, sent).await.is_ok_and(|sent| sent.is_ok());
            if is_sent { devices } else { 0 }
        }
    });
    let told = told.buffer_unordered(AT_ONCE).fold(0, |sum, devices| std::future::ready(sum + devices)).await;
    Ok(axum::Json(Told { told }))
}

/// A name that can be published on; `of` is what of it a user chose.
fn judge_topic<'t>(topic: &'t str, of: &str) -> Result<&'t str, Problem> {
    if of.is_empty() || topic.contains(['+', '#', '\0']) || topic.len() > LONGEST_TOPIC {
        let detail = format!("topic: a name without wildcards is needed, {LONGEST_TOPIC} bytes at the most");
        return Err(Problem::bad_request(detail));
    }
    Ok(topic)
}

/// Sends raw bytes (`thing/model/down_raw`); what the device answers is in its history, as a message on `down_raw_reply`.
#[utoipa::path(post, path = "/devices/{product_key}/{device_name}/raw", tag = "messages", params(DeviceKey),
    request_body(content = String, content_type = "application/octet-stream"), responses((status = ACCEPTED)))]
async fn raw(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let device = super::device(&app, &key).await?;
    let topic = Topic::Raw { device: of(&device), direction: RawDirection::Down }.to_string();
    send(&app, &device, topic, body).await
}

fn of(device: &Device) -> DeviceRef<'_> {
    DeviceRef { product_key: &device.product_key, device_name: &device.device_name }
}

async fn send(app: &SharedApp, device: &Device, topic: String, body: Bytes) -> Result<StatusCode, Problem> {
    if !app.link.publish(device, topic, Vec::from(body)).await {
        return Err(CallError::Offline.into());
    }
    Ok(StatusCode::ACCEPTED)
}

/// Whether a device uploads its log.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogSettings {
    /// Whether it does.
    upload: bool,
}

/// Settings that were kept.
#[derive(Debug, Serialize, ToSchema)]
struct NewLogSettings {
    /// Whether it uploads its log.
    upload: bool,
    /// Whether the device was told.
    told: bool,
}

/// Whether a device uploads its log.
#[utoipa::path(get, path = "/devices/{product_key}/{device_name}/log-settings", tag = "log", params(DeviceKey),
    responses((status = OK, body = LogSettings)))]
async fn log_settings(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
) -> Result<axum::Json<LogSettings>, Problem> {
    let device = super::device(&app, &key).await?;
    Ok(axum::Json(LogSettings { upload: devices::uploads_log(&app.store, device.id).await? }))
}

/// Changes it; a device that is connected is told, others when they ask.
#[utoipa::path(put, path = "/devices/{product_key}/{device_name}/log-settings", tag = "log", params(DeviceKey),
    request_body = LogSettings, responses((status = OK, body = NewLogSettings)))]
async fn set_log_settings(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
    Json(settings): Json<LogSettings>,
) -> Result<axum::Json<NewLogSettings>, Problem> {
    let device = super::device(&app, &key).await?;
    devices::set_uploads_log(&app.store, device.id, settings.upload).await?;
    let told = push_log_settings(&app, &device, settings.upload);
    Ok(axum::Json(NewLogSettings { upload: settings.upload, told }))
}
