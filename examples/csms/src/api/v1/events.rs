//! What happens, live, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Sse, KeepAlive};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::Query;
use crate::app::SharedApp;
use crate::observe::events::Event;
use crate::security::access::Viewer;

/// Proxies close what is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// `/events`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Which events are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Those of that charge point only.
    charge_point: Option<String>,
}

struct Listening {
    events: broadcast::Receiver<Event>,
    ends: watch::Receiver<bool>,
    charge_point: Option<String>,
}

/// What happens from now on, as server-sent events.
///
/// `event` is `connected`, `disconnected`, `booted`, `configuration` (read after a boot), `status`, `transactionStarted`,
/// `transactionStopped`, `meterValues`, `message`, `reservationExpired`, `firmwareStatus`, `diagnosticsStatus`,
/// `logStatus`, `securityEvent` or `heldBack`, and `data` is a JSON object with `chargePoint` in it. A listener that falls
/// behind gets `lagged` with how many events it lost. The stream ends when the server does. Events are not kept: whoever
/// was away (`Last-Event-ID` says nothing here) or has lost some reads the resources anew.
#[utoipa::path(get, path = "/events", tag = "events", params(Wanted),
    responses((status = OK, content_type = "text/event-stream", body = String)))]
async fn events(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(Wanted { charge_point }): Query<Wanted>,
) -> axum::response::Sse<impl Stream<Item = Result<Sse, Infallible>>> {
    told(Listening { events: app.events.listen(), ends: app.ends.clone(), charge_point })
}

fn told(listening: Listening) -> axum::response::Sse<impl Stream<Item = Result<Sse, Infallible>>> {
    // A comment at once: a listener knows that from here on nothing is lost.
    let begun = stream::once(async { Ok(Sse::default().comment("listening")) });
    let stream = begun.chain(stream::unfold(listening, next));
    axum::response::Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

async fn next(mut listening: Listening) -> Option<(Result<Sse, Infallible>, Listening)> {
    loop {
        let event = tokio::select! {
            event = listening.events.recv() => event,
            _ = listening.ends.wait_for(|ends| *ends) => return None,
        };
        let event = match event {
            Ok(event) if listening.charge_point.as_deref().is_some_and(|wanted| wanted != &*event.charge_point) => {
                continue;
            }
            Ok(event) => Sse::default().event(event.kind).data(&*event.data),
            Err(RecvError::Lagged(lost)) => Sse::default().event("lagged").data(format!("{{\"lost\":{lost}}}")),
            Err(RecvError::Closed) => return None,
        };
        return Some((Ok(event), listening));
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;
    use crate::observe::events::Events;

    #[tokio::test]
    async fn who_falls_behind_is_told_how_much_it_lost() {
        let (events, (_server, ends)) = (Events::default(), watch::channel(false));
        let behind = told(Listening { events: events.listen(), ends, charge_point: Some("CP1".into()) });
        for number in 0..1030 {
            events.tell("status", "CP1", || number);
        }
        drop(events);
        let body = axum::body::to_bytes(behind.into_response().into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let mut told = text.split_terminator("\n\n").collect::<Vec<_>>().into_iter();
        assert_eq!(told.next(), Some(": listening"));
        assert_eq!(told.next(), Some("event: lagged\ndata: {\"lost\":6}"));
        assert_eq!(told.next(), Some("event: status\ndata: 6"));
        assert_eq!((told.next_back(), told.count()), (Some("event: status\ndata: 1029"), 1022));
    }
}
