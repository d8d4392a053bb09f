//! The page, at `/web`: its files are in the binary.

use axum::Router;

use crate::app::SharedApp;

/// `/web`.
pub fn router() -> Router<SharedApp> {
    Router::new()
}
