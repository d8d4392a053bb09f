//! REST: `/api/v1`, and `/api/ocpp` for users of another server.

pub mod problem;

use axum::Router;

use crate::app::SharedApp;

/// `/api`, `/healthz` and `/readyz`.
pub fn router(_app: &SharedApp) -> Router<SharedApp> {
    Router::new()
}
