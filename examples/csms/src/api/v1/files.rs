//! Files, and the orders that move them to and from charge points.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use futures_util::StreamExt;
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Request, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::problem::Problem;
use crate::app::SharedApp;
use crate::files::catalogue::{self, Entry, File, Filter};
use crate::files::http::{content, length};
use crate::files::location::is_plain;
use crate::files::order::{self, GetDiagnosticsOrder, GetLogOrder, Ordered, UpdateFirmwareOrder};
use crate::files::request::random_id;
use crate::files::upload::SILENCE;
use crate::security::access::{Admin, Operator, Viewer};

/// `/files`, and what is below `/charge-points/{id}` that concerns files.
pub fn router() -> Router<SharedApp> {
    let upload = Router::new().route("/files/firmware/{name}", put(put_firmware)).layer(DefaultBodyLimit::disable());
    Router::new()
        .route("/files", get(list))
        .route("/files/{id}", get(read).delete(remove))
        .route("/files/{id}/content", get(download))
        .route("/charge-points/{id}/update-firmware", post(update_firmware))
        .route("/charge-points/{id}/get-diagnostics", post(get_diagnostics))
        .route("/charge-points/{id}/get-log", post(get_log))
        .merge(upload)
}

/// Which files.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Which {
    kind: Option<String>,
    charge_point: Option<String>,
    cursor: Option<String>,
    limit: Option<i64>,
}

/// A page of files.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<File>,
    next_cursor: Option<String>,
}

async fn list(_: Viewer, State(app): State<SharedApp>, Query(which): Query<Which>) -> Result<Json<Page>, Problem> {
    let limit = which.limit.unwrap_or(50).clamp(1, 500);
    let after = match which.cursor.as_deref().map(cursor) {
        Some(None) => {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "badRequest", "`cursor` is no cursor of this list"));
        }
        after => after.flatten(),
    };
    let filter = Filter { kind: which.kind, charge_point: which.charge_point, after };
    let mut entries = catalogue::list(&app.store, filter, limit + 1).await?;
    let has_more = entries.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if has_more {
        entries.pop();
    }
    let next_cursor = entries.last().filter(|_| has_more).map(|last| format!("{}.{}", last.created_at, last.id));
    Ok(Json(Page { items: entries.into_iter().map(|entry| entry.shown(&app)).collect(), next_cursor }))
}

fn cursor(text: &str) -> Option<(i64, String)> {
    let (at, id) = text.split_once('.')?;
    Some((at.parse().ok()?, id.to_owned()))
}

fn no_file() -> Problem {
    Problem::not_found("there is no such file")
}

async fn read(_: Viewer, State(app): State<SharedApp>, Path(id): Path<String>) -> Result<Json<File>, Problem> {
    let entry = catalogue::find(&app.store, &id).await?.ok_or_else(no_file)?;
    Ok(Json(entry.shown(&app)))
}

async fn download(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let entry = catalogue::find(&app.store, &id).await?.filter(Entry::is_complete).ok_or_else(no_file)?;
    let mut response = content(&app.files.shelf.path(&entry.id), request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_DISPOSITION, attachment(&entry.name, &entry.id));
    // Whatever a charge point has sent, no browser is to run it.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    Ok(response)
}

/// RFC 6266: the name for those who read UTF-8, and the id for the others.
fn attachment(name: &str, id: &str) -> HeaderValue {
    let name = if name.is_empty() { id } else { name };
    let encoded = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let value = if is_plain(name) {
        format!("attachment; filename=\"{name}\"")
    } else {
        format!("attachment; filename=\"{id}\"; filename*=UTF-8''{encoded}")
    };
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

async fn remove(_: Admin, State(app): State<SharedApp>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    if !catalogue::forget(&app.store, &id).await? {
        return Err(no_file());
    }
    if let Err(error) = app.files.shelf.remove(&id).await {
        tracing::warn!(%error, id, "a deleted file stays on disk until the next start");
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn put_firmware(
    _: Operator,
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let wrong = |detail: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalidPayload", detail);
    let large = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "invalidPayload", "more than --firmware-limit allows");
    if !is_plain(&name) {
        return Err(wrong("a name has 1 to 100 letters, digits, '.', '_' and '-', and does not begin with '.'"));
    }
    if length(&headers).is_some_and(|length| length > app.config.files.firmware_limit) {
        return Err(large());
    }
    let mut draft = app.files.shelf.draft(app.config.files.firmware_limit).await.map_err(disk)?;
    let mut body = body.into_data_stream();
    loop {
        let chunk = match tokio::time::timeout(SILENCE, body.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(None) => break,
            _ => return Err(Problem::new(StatusCode::BAD_REQUEST, "invalidPayload", "the request was cut short")),
        };
        draft.write(&chunk).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::FileTooLarge => large(),
            _ => disk(error),
        })?;
    }
    let complete = draft.complete().await.map_err(disk)?;
    if complete.content.size == 0 {
        return Err(wrong("the firmware is empty"));
    }
    // To its end, whether or not the client waits: there is never a file without an entry.
    let keep = tokio::spawn(async move {
        if let Some(entry) = catalogue::firmware(&app.store, &name).await? {
            let is_same = entry.sha256.as_deref() == Some(&complete.content.sha256);
            let other = "there is other firmware of that name; delete it first, or choose another name";
            return if is_same {
                Ok((StatusCode::OK, Json(entry.shown(&app))).into_response())
            } else {
                Err(Problem::new(StatusCode::CONFLICT, "conflict", other))
            };
        }
        let id = random_id();
        let content = complete.put(&id).await.map_err(disk)?;
        catalogue::add_firmware(&app.store, &id, &name, content).await?;
        let entry = catalogue::find(&app.store, &id).await?.ok_or_else(no_file)?;
        Ok((StatusCode::CREATED, Json(entry.shown(&app))).into_response())
    });
    keep.await.map_err(|error| disk(std::io::Error::other(error)))?
}

fn disk(error: std::io::Error) -> Problem {
    tracing::error!(%error, "a file cannot be written");
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "storeUnavailable", "the file cannot be written; the log says why")
}

/// How long to wait for the charge point's answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wait {
    timeout_seconds: Option<u64>,
}

impl Wait {
    fn time(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.unwrap_or(30).clamp(1, 600))
    }
}

fn order<T: DeserializeOwned>(body: &Bytes) -> Result<T, serde_json::Error> {
    serde_json::from_slice(if body.is_empty() { b"{}" } else { body })
}

fn wrong(error: serde_json::Error) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalidPayload", error.to_string())
}

async fn update_firmware(
    _: Operator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
    body: Bytes,
) -> Result<Json<Ordered>, Problem> {
    let order: UpdateFirmwareOrder = order(&body).map_err(wrong)?;
    order::update_firmware(&app, &id, order, wait.time()).await.map(Json)
}

async fn get_diagnostics(
    _: Operator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
    body: Bytes,
) -> Result<Json<Ordered>, Problem> {
    let order: GetDiagnosticsOrder = order(&body).map_err(wrong)?;
    order::get_diagnostics(&app, &id, order, wait.time()).await.map(Json)
}

async fn get_log(
    _: Operator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
    body: Bytes,
) -> Result<Json<Ordered>, Problem> {
    let order: GetLogOrder = order(&body).map_err(wrong)?;
    order::get_log(&app, &id, order, wait.time()).await.map(Json)
}
