//! REST: `/api/v1`, and `/api/ocpp` for users of another server.

pub mod problem;
pub mod v1;

use axum::Router;

use crate::app::SharedApp;

/// `/api`, `/healthz` and `/readyz`.
pub fn router(_app: &SharedApp) -> Router<SharedApp> {
    let documented: Router<SharedApp> = v1::router().into();
    Router::new().nest("/api/v1", documented.merge(v1::files::router()))
}
