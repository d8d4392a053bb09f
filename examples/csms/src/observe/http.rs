//! `/metrics`, and the layer that counts HTTP requests.

use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::app::SharedApp;
use crate::security::access::Viewer;

/// What [`prometheus_client`] writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `/metrics`, for whoever may look.
pub fn router() -> Router<SharedApp> {
    Router::new().route("/metrics", get(metrics))
}

/// The routes, counted.
pub fn counted(router: Router<SharedApp>, app: &SharedApp) -> Router<SharedApp> {
    router.layer(from_fn_with_state(app.clone(), count))
}

async fn metrics(_: Viewer, State(app): State<SharedApp>) -> Response {
    match app.metrics.text(&app) {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn count(State(app): State<SharedApp>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let began = Instant::now();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    app.metrics.count_request(&method, route, response.status().as_u16(), began.elapsed());
    response
}
