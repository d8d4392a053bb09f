//! `/files/{token}/..`: what charge points download and upload over HTTP.
//!
//! Downloads may be resumed (`Range`, `If-Range`, `ETag`). Uploads come by PUT or POST, as a body or as the first file of a
//! form, to the folder's URL or to a name below it: charge points do all of that. Whoever has no valid token learns nothing
//! but 404.

use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::{Stream, StreamExt};
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tower_http::services::ServeFile;

use super::location::upload_name;
use super::request::{self, Purpose, Transport};
use super::upload::{SILENCE, Upload, UploadError};
use crate::app::SharedApp;

/// `/files`. The size of a body is judged as it comes in, not by axum's general limit.
pub fn router() -> Router<SharedApp> {
    Router::new()
        .route("/files/{token}", any(folder))
        .route("/files/{token}/", any(folder))
        .route("/files/{token}/{*path}", any(file))
        .layer(DefaultBodyLimit::disable())
}

async fn folder(app: State<SharedApp>, Path(token): Path<String>, request: Request) -> Response {
    answer(app, token, String::new(), request).await
}

async fn file(app: State<SharedApp>, Path((token, path)): Path<(String, String)>, request: Request) -> Response {
    answer(app, token, path, request).await
}

async fn answer(State(app): State<SharedApp>, token: String, path: String, http: Request) -> Response {
    let served = serve(&app, &token, &path, http).await;
    let mut response = served.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

async fn serve(app: &SharedApp, token: &str, path: &str, http: Request) -> Result<Response, Refusal> {
    let request = request::find(&app.store, Transport::Http, token).await.map_err(UploadError::from)?;
    let request = request.ok_or(UploadError::Gone)?;
    let is_read = matches!(*http.method(), Method::GET | Method::HEAD);
    match (request.purpose, http.method()) {
        (Purpose::Download, _) if is_read && path == request.name => {
            let (mut parts, _) = http.into_parts();
            parts.headers.remove(CONTENT_LENGTH);
            let response =
                content(&app.files.shelf.path(&request.file), Request::from_parts(parts, Body::empty())).await;
            tracing::info!(
                charge_point = request.charge_point,
                file = request.file,
                "a charge point downloads firmware"
            );
            Ok(response)
        }
        (Purpose::Download, _) if is_read => Err(Refusal::Upload(UploadError::Gone)),
        (Purpose::Upload, &Method::PUT | &Method::POST) => receive(app, &request, path, http).await,
        (purpose, _) => {
            let allowed = if purpose == Purpose::Upload { "PUT, POST" } else { "GET, HEAD" };
            Ok((StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, allowed)]).into_response())
        }
    }
}

/// A file's content, or the part that is asked for.
pub async fn content(path: &std::path::Path, mut request: Request) -> Response {
    let condition = request.headers_mut().remove(IF_RANGE);
    let (parts, _) = request.into_parts();
    let again = || Request::from_parts(parts.clone(), Body::empty());
    let mut response = serve_file(path, again()).await;
    if let Some(condition) = condition
        && ![ETAG, LAST_MODIFIED].iter().any(|name| response.headers().get(name) == Some(&condition))
    {
        // What the peer has is part of something else.
        let mut whole = again();
        whole.headers_mut().remove(RANGE);
        response = serve_file(path, whole).await;
    }
    response
}

async fn serve_file(path: &std::path::Path, request: Request) -> Response {
    match ServeFile::new(path).try_call(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => Refusal::Upload(UploadError::Disk(error)).into_response(),
    }
}

async fn receive(app: &SharedApp, request: &request::Request, path: &str, http: Request) -> Result<Response, Refusal> {
    let headers = http.headers();
    if headers.contains_key(CONTENT_RANGE) {
        return Err(Refusal::Wrong("an upload is sent as a whole"));
    }
    if length(headers).is_some_and(|length| length > app.config.files.upload_limit) {
        return Err(Refusal::Upload(UploadError::TooLarge));
    }
    let name = upload_name(path).ok_or(Refusal::Wrong("no such name"))?;
    let is_form = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/form-data"));
    if is_form {
        let mut form = Multipart::from_request(http, &()).await.map_err(|_| Refusal::Wrong("no such form"))?;
        while let Some(field) = patient(form.next_field()).await? {
            let field_name = field.file_name().map(str::to_owned);
            let Some(field_name) = field_name.or_else(|| (field.name() == Some("file")).then(String::new)) else {
                continue;
            };
            let field_name = upload_name(&field_name).ok_or(Refusal::Wrong("no such name"))?;
            let mut upload = Upload::begin(app, request, if name.is_empty() { field_name } else { name }).await?;
            fill(&mut upload, field).await?;
            // The form's end proves that the file came as a whole.
            while patient(form.next_field()).await?.is_some() {}
            upload.finish().await?;
            return Ok(StatusCode::CREATED.into_response());
        }
        return Err(Refusal::Wrong("a form without a file"));
    }
    let mut upload = Upload::begin(app, request, name).await?;
    fill(&mut upload, http.into_body().into_data_stream()).await?;
    upload.finish().await?;
    Ok(StatusCode::CREATED.into_response())
}

/// The length that a request says it has.
pub fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn fill<S, E>(upload: &mut Upload, mut bytes: S) -> Result<(), Refusal>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: fmt::Display,
{
    while let Some(chunk) = patient(async { bytes.next().await.transpose() }).await? {
        upload.write(&chunk).await?;
    }
    Ok(())
}

/// Waits for what comes next of a request, but not for ever.
async fn patient<T, E: fmt::Display>(next: impl Future<Output = Result<T, E>>) -> Result<T, Refusal> {
    match tokio::time::timeout(SILENCE, next).await {
        Ok(Ok(came)) => Ok(came),
        Ok(Err(error)) => {
            tracing::info!(%error, "an upload was cut short");
            Err(Refusal::Wrong("the request was cut short"))
        }
        Err(_) => Err(Refusal::Silence),
    }
}

/// Why a charge point gets no file, or its file is not taken.
#[derive(Debug)]
enum Refusal {
    Upload(UploadError),
    Wrong(&'static str),
    Silence,
}

impl From<UploadError> for Refusal {
    fn from(error: UploadError) -> Self {
        Self::Upload(error)
    }
}

/// When to come again.
const LATER: Duration = Duration::from_secs(30);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Wrong(why) => return (StatusCode::BAD_REQUEST, *why).into_response(),
            Self::Silence => StatusCode::REQUEST_TIMEOUT,
            Self::Upload(UploadError::Gone) => StatusCode::NOT_FOUND,
            Self::Upload(UploadError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Upload(UploadError::Busy | UploadError::Store(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Upload(UploadError::Disk(_)) => StatusCode::INSUFFICIENT_STORAGE,
        };
        if let Self::Upload(error @ (UploadError::Disk(_) | UploadError::Store(_))) = &self {
            tracing::error!(%error, "a file could not be served");
        }
        let mut response = status.into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert("retry-after", HeaderValue::from(LATER.as_secs()));
        }
        response
    }
}
