//! What happens, live, as server-sent events; and the log.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use axum::routing::get;
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use super::extract::Query;
use super::problem::Problem;
use crate::app::SharedApp;
use crate::live::Happened;
use crate::security::access::Viewer;
use crate::store::log;
use crate::time;

/// Proxies close what is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn router() -> Router<SharedApp> {
    Router::new().route("/events", get(events)).route("/log", get(entries))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    product_key: Option<String>,
    device_name: Option<String>,
    limit: Option<i64>,
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

/// `event` is `online`, `offline`, `properties`, `event`, `service`, `update`, `message`, `log`, or `lagged` for a listener
/// that fell behind.
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

async fn entries(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(wanted): Query<Wanted>,
) -> Result<axum::Json<Value>, Problem> {
    let limit = wanted.limit.unwrap_or(200).clamp(1, 1000);
    let found = log::list(&app.store, wanted.product_key.as_deref(), wanted.device_name.as_deref(), limit).await?;
    let entry = |entry: log::Entry| {
        json!({"source": entry.source, "productKey": entry.product_key, "deviceName": entry.device_name,
            "level": entry.level, "content": entry.content, "at": time::text(entry.logged_at),
            "details": entry.details.and_then(|details| serde_json::from_str::<Value>(&details).ok())})
    };
    Ok(axum::Json(found.into_iter().map(entry).collect()))
}
