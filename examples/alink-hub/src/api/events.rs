//! What happens, live, as server-sent events; and the log.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Query;
use super::problem::Problem;
use crate::app::SharedApp;
use crate::live::Happened;
use crate::security::access::Viewer;
use crate::store::log::{self, Source};
use crate::time;

/// Proxies close what is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(events)).routes(routes!(entries))
}

/// Whose events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Those of that product.
    product_key: Option<String>,
    /// Those of devices of that name.
    device_name: Option<String>,
}

impl Wanted {
    fn has(&self, happened: &Happened) -> bool {
        self.product_key.as_deref().is_none_or(|wanted| wanted == &*happened.product_key)
            && self.device_name.as_deref().is_none_or(|wanted| wanted == &*happened.device_name)
    }
}

struct Listening {
    live: broadcast::Receiver<Happened>,
    ends: watch::Receiver<bool>,
    wanted: Wanted,
}

/// What happens from now on, as server-sent events.
///
/// `event` is `online`, `offline`, `properties`, `event`, `service`, `update`, `message` or `log`, and `data` is a JSON
/// object with `productKey`, `deviceName`, `at` and `data`. A listener that falls behind gets `lagged` with how many events
/// it lost. The stream ends when the hub does. Events are not kept: whoever was away reads the resources anew.
#[utoipa::path(get, path = "/events", tag = "log", params(Wanted),
    responses((status = OK, content_type = "text/event-stream", body = String)))]
async fn events(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(wanted): Query<Wanted>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let listening = Listening { live: app.live.listen(), ends: app.ends.clone(), wanted };
    // A comment at once: a listener knows that from here on nothing is lost.
    let begun = stream::once(async { Ok(Event::default().comment("listening")) });
    Sse::new(begun.chain(stream::unfold(listening, next))).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

async fn next(mut listening: Listening) -> Option<(Result<Event, Infallible>, Listening)> {
    loop {
        let happened = tokio::select! {
            happened = listening.live.recv() => happened,
            _ = listening.ends.wait_for(|ends| *ends) => return None,
        };
        let event = match happened {
            Ok(happened) if !listening.wanted.has(&happened) => continue,
            Ok(happened) => Event::default().event(happened.kind).data(&*happened.data),
            Err(RecvError::Lagged(lost)) => Event::default().event("lagged").data(format!("{{\"lost\":{lost}}}")),
            Err(RecvError::Closed) => return None,
        };
        return Some((Ok(event), listening));
    }
}

/// Which entries of the log are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Those of that product.
    product_key: Option<String>,
    /// Those of devices of that name.
    device_name: Option<String>,
    /// `device` (it said so), `hub`, or `api` (who changed what).
    #[param(inline)]
    source: Option<Source>,
    /// How many at most; 200 if it is absent.
    #[param(minimum = 1, maximum = 1000, default = 200)]
    limit: Option<i64>,
}

/// An entry of the log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LogEntry {
    /// `device` (it said so), `hub`, or `api` (who changed what).
    source: String,
    /// Empty if it is of no product.
    product_key: String,
    /// Empty if it is of no device.
    device_name: String,
    /// `info`, `warn` or `error` of the hub's own; of a device what it said.
    level: String,
    /// In words.
    content: String,
    /// When it was written down.
    #[schema(format = DateTime)]
    at: String,
    /// Of a device: module, code, traceContext and utcTime. Of `api`: the request.
    details: Option<Map<String, Value>>,
}

/// The log, the latest first.
#[utoipa::path(get, path = "/log", tag = "log", params(Asked), responses((status = OK, body = Vec<LogEntry>)))]
async fn entries(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(asked): Query<Asked>,
) -> Result<axum::Json<Vec<LogEntry>>, Problem> {
    let limit = asked.limit.unwrap_or(200).clamp(1, 1000);
    let wanted = log::Wanted { product_key: asked.product_key, device_name: asked.device_name, source: asked.source };
    let found = log::list(&app.store, wanted, limit).await?;
    let entry = |entry: log::Entry| LogEntry {
        source: entry.source,
        product_key: entry.product_key,
        device_name: entry.device_name,
        level: entry.level,
        content: entry.content,
        at: time::text(entry.logged_at),
        details: entry.details.and_then(|details| serde_json::from_str(&details).ok()),
    };
    Ok(axum::Json(found.into_iter().map(entry).collect()))
}
