//! What charge points upload and download: firmware, diagnostics, logs; over HTTP and FTP.

use axum::Router;

use crate::app::SharedApp;

/// `/files`, for charge points.
pub fn router() -> Router<SharedApp> {
    Router::new()
}
