//! What devices fetch over HTTP: files of updates (with `Range`), configurations, and their secret.
//!
//! Whoever has the URL gets the file: the id in it is random, and devices have nothing to log in with here.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use tower_http::services::ServeFile;

use crate::app::SharedApp;
use crate::platform::admission;
use crate::store::{configs, firmware};

pub(super) fn router() -> Router<SharedApp> {
    Router::new()
        .route("/files/firmware/{id}/{name}", get(file))
        .route("/files/config/{id}", get(config))
        .route("/auth/register/device", post(register))
        .layer(DefaultBodyLimit::max(4096))
}

async fn file(State(app): State<SharedApp>, Path((id, name)): Path<(String, String)>, request: Request) -> Response {
    let found = match firmware::find(&app.store, &id).await {
        Ok(found) => found.filter(|file| file.file_name == name),
        Err(error) => {
            tracing::error!(%error, "the database failed");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    let Some(found) = found else { return StatusCode::NOT_FOUND.into_response() };
    let (mut parts, _) = request.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    let request = Request::from_parts(parts, Body::empty());
    match ServeFile::new(super::firmware::path(&app, &found.id)).try_call(request).await {
        Ok(response) => {
            let mut response = response.map(Body::new);
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
            response
        }
        Err(error) => {
            tracing::error!(%error, file = found.id, "a file could not be read");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn config(State(app): State<SharedApp>, Path(id): Path<String>) -> Response {
    match configs::by_id(&app.store, &id).await {
        Ok(Some(config)) => config.content.into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(%error, "the database failed");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// Dynamic registration, as devices do it that have HTTP.
async fn register(State(app): State<SharedApp>, ConnectInfo(remote): ConnectInfo<SocketAddr>, body: Bytes) -> Response {
    let answer = admission::register(&app, &body, remote.ip()).await;
    ([(CONTENT_TYPE, "application/json")], answer).into_response()
}
