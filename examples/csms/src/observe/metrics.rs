//! Metrics in the text format of Prometheus.

use axum::Router;

use crate::app::SharedApp;

/// What is counted.
#[derive(Debug, Default)]
pub struct Metrics {}

/// `/metrics`.
pub fn router() -> Router<SharedApp> {
    Router::new()
}
