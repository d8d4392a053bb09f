//! `/metrics`, `/healthz` and `/readyz`, for whoever keeps the program running.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::problem::Problem;
use crate::app::SharedApp;
use crate::security::access::Viewer;
use crate::store::{StoreError, sql};

/// What [`prometheus_client`] writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn router() -> Router<SharedApp> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// Whether the database answers and writes, and the hub is not about to end.
async fn ready(State(app): State<SharedApp>) -> Result<&'static str, Problem> {
    if *app.ends.borrow() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ending", "the hub is ending"));
    }
    sql::query("SELECT 1").execute(app.store.readers()).await.map_err(StoreError::from)?;
    if app.store.fails_to_write() || app.store.try_writing().await.is_err() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "database", "the database does not write"));
    }
    Ok("ready\n")
}

async fn metrics(_: Viewer, State(app): State<SharedApp>) -> Response {
    match app.metrics.text(app.link.count()) {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
