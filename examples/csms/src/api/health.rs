//! Whether the program is up, for whoever keeps it running.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;

use super::problem::Problem;
use crate::app::SharedApp;
use crate::store::{StoreError, sql};

/// `/healthz` and `/readyz`.
pub fn router() -> Router<SharedApp> {
    Router::new().route("/healthz", get(|| async { "up\n" })).route("/readyz", get(ready))
}

/// Whether the database answers and writes, and the server is not about to end.
async fn ready(State(app): State<SharedApp>) -> Result<&'static str, Problem> {
    if *app.ends.borrow() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ending", "the server is ending"));
    }
    sql::query("SELECT 1").execute(app.store.readers()).await.map_err(StoreError::from)?;
    if app.store.try_writing().await.is_err() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "database", "the database does not write"));
    }
    Ok("ready\n")
}
