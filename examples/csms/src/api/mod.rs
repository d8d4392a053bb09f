//! REST: `/api/v1`, and `/api/ocpp` for users of another server.

pub mod problem;
pub mod v1;

use axum::Router;

use crate::app::SharedApp;

/// `/api`, `/healthz` and `/readyz`.
pub fn router(_app: &SharedApp) -> Router<SharedApp> {
    Router::new().nest("/api/v1", v1::router().into())
}
