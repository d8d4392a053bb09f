//! REST: `/api/v1`, and `/api/ocpp` for users of another server.

mod change;
pub mod extract;
pub mod health;
pub mod legacy;
pub mod limits;
pub mod openapi;
pub mod page;
pub mod problem;
pub mod v1;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use utoipa_axum::router::OpenApiRouter;

use crate::app::SharedApp;

/// `/api`, `/healthz` and `/readyz`.
pub fn router(_app: &SharedApp) -> Router<SharedApp> {
    let handlers = OpenApiRouter::new().nest("/api/v1", v1::router()).nest("/api/ocpp", legacy::router());
    let (handlers, document) = handlers.split_for_parts();
    handlers
        .merge(openapi::router(document))
        .route("/api/{*rest}", axum::routing::any(limits::no_such_path))
        .method_not_allowed_fallback(limits::no_such_method)
        .layer(middleware::from_fn(limits::without_nul))
        .layer(DefaultBodyLimit::max(limits::BODY))
        .merge(health::router())
}
