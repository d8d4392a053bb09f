//! `/api/v1`.

pub mod access;

use utoipa_axum::router::OpenApiRouter;

use crate::app::SharedApp;

/// All of it, with what the OpenAPI document says of it.
pub fn router() -> OpenApiRouter<SharedApp> {
    access::router()
}
