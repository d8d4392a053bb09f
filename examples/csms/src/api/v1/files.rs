//! Files, and the orders that move them to and from charge points.

use std::str::FromStr;

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Request, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::commands::seconds;
use super::transactions::Waiting;
use crate::api::extract::{Json, Path, Query};
use crate::api::page::{Page, Paging};
use crate::api::problem::Problem;
use crate::app::SharedApp;
use crate::files::catalogue::{self, Entry, File, Filter};
use crate::files::http::{content, length};
use crate::files::location::is_plain;
use crate::files::order::{self, GetDiagnosticsOrder, GetLogOrder, Ordered, UpdateFirmwareOrder};
use crate::files::request::random_id;
use crate::files::upload::SILENCE;
use crate::security::access::{Admin, Operator, Viewer};
use crate::store::records::audit::{self, NewEntry};

/// `/files`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read, remove))
}

/// What waits for a charge point, and what takes as long as its content.
pub fn patient_router() -> OpenApiRouter<SharedApp> {
    // Firmware has a limit of its own.
    let firmware = OpenApiRouter::new().routes(routes!(put_firmware)).layer(DefaultBodyLimit::disable());
    OpenApiRouter::new()
        .routes(routes!(download))
        .routes(routes!(update_firmware))
        .routes(routes!(get_diagnostics))
        .routes(routes!(get_log))
        .merge(firmware)
}

/// Which files are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `firmware`, `diagnostics` or `log`.
    kind: Option<String>,
    /// Those of that charge point.
    charge_point: Option<String>,
}

/// Where a file stands in the list.
struct Place(i64, String);

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, id) = text.split_once('.').ok_or(())?;
        Ok(Self(at.parse().map_err(|_| ())?, id.to_owned()))
    }
}

/// Files, the newest first.
#[utoipa::path(get, path = "/files", tag = "files", params(Wanted, Paging),
    responses((status = OK, body = Page<File>)))]
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<File>>, Problem> {
    let limit = paging.limit()?;
    let after = paging.after()?.map(|Place(at, id)| (at, id));
    let filter = Filter { kind: wanted.kind, charge_point: wanted.charge_point, after };
    let total = catalogue::count(&app.store, filter.clone()).await?;
    let items = catalogue::list(&app.store, filter, limit + 1).await?;
    let page = paging.page(items, Some(total), |last| format!("{}.{}", last.created_at, last.id))?;
    let Page { items, next_cursor, total } = page;
    Ok(Answer(Page { items: items.into_iter().map(|entry| entry.shown(&app)).collect(), next_cursor, total }))
}

fn no_file() -> Problem {
    Problem::not_found("there is no such file")
}

/// A file.
#[utoipa::path(get, path = "/files/{id}", tag = "files", params(("id" = String, Path)),
    responses((status = OK, body = File)))]
async fn read(_: Viewer, State(app): State<SharedApp>, Path(id): Path<String>) -> Result<Answer<File>, Problem> {
    let entry = catalogue::find(&app.store, &id).await?.ok_or_else(no_file)?;
    Ok(Answer(entry.shown(&app)))
}

/// A file's content, or the part that `Range` asks for.
#[utoipa::path(get, path = "/files/{id}/content", tag = "files", params(("id" = String, Path)),
    responses((status = OK, content((String = "application/octet-stream")))))]
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

/// Deletes a file, and with it what charge points may do with it.
#[utoipa::path(delete, path = "/files/{id}", tag = "files", params(("id" = String, Path)),
    responses((status = NO_CONTENT)))]
async fn remove(
    Admin(actor): Admin,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let entry = catalogue::find(&app.store, &id).await?.ok_or_else(no_file)?;
    let detail = json!({"kind": entry.kind, "name": entry.name, "chargePoint": entry.charge_point});
    let audit = NewEntry::done(&actor, "delete", format!("files/{id}"), &detail);
    if !catalogue::forget(&app.store, &id).await? {
        return Err(no_file());
    }
    app.store.write(|db| Box::pin(audit::enter(db, audit))).await?;
    if let Err(error) = app.files.shelf.remove(&id).await {
        tracing::warn!(%error, id, "a deleted file stays on disk until the next start");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Keeps firmware under that name: the body is the image. Firmware of one name does not change: the same content again is
/// no error, other content is.
#[utoipa::path(put, path = "/files/firmware/{name}", tag = "files",
    params(("name" = String, Path, description = "1 to 100 letters, digits, `.`, `_` and `-`.")),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = OK, body = File), (status = CREATED, body = File)))]
async fn put_firmware(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let wrong = |detail: &str| Problem::invalid_payload("", detail);
    let large = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "tooLarge", "more than --firmware-limit allows");
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
            _ => return Err(Problem::bad_request("the request was cut short")),
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
                Ok((StatusCode::OK, Answer(entry.shown(&app))).into_response())
            } else {
                Err(Problem::conflict(other))
            };
        }
        let id = random_id();
        let detail = json!({"name": name, "size": complete.content.size, "sha256": complete.content.sha256});
        let audit = NewEntry::done(&actor, "put", format!("files/{id}"), &detail);
        let content = complete.put(&id).await.map_err(disk)?;
        catalogue::add_firmware(&app.store, &id, &name, content).await?;
        app.store.write(|db| Box::pin(audit::enter(db, audit))).await?;
        let entry = catalogue::find(&app.store, &id).await?.ok_or_else(no_file)?;
        Ok((StatusCode::CREATED, Answer(entry.shown(&app))).into_response())
    });
    keep.await.map_err(|error| disk(std::io::Error::other(error)))?
}

fn disk(error: std::io::Error) -> Problem {
    tracing::error!(%error, "a file cannot be written");
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "storeUnavailable", "the file cannot be written; the log says why")
}

/// Tells a charge point to install firmware (UpdateFirmware, or SignedUpdateFirmware), from a URL of its own.
#[utoipa::path(post, path = "/charge-points/{id}/update-firmware", tag = "files", params(("id" = String, Path), Waiting),
    request_body = UpdateFirmwareOrder, responses((status = OK, body = Ordered)))]
async fn update_firmware(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(waiting): Query<Waiting>,
    Json(order): Json<UpdateFirmwareOrder>,
) -> Result<Answer<Ordered>, Problem> {
    let timeout = seconds(waiting.timeout_seconds)?;
    order::update_firmware(&app, &actor, &id, order, timeout).await.map(Answer)
}

/// Asks a charge point for its diagnostics (GetDiagnostics), which it uploads to a URL of its own.
#[utoipa::path(post, path = "/charge-points/{id}/get-diagnostics", tag = "files", params(("id" = String, Path), Waiting),
    request_body = GetDiagnosticsOrder, responses((status = OK, body = Ordered)))]
async fn get_diagnostics(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(waiting): Query<Waiting>,
    Json(order): Json<GetDiagnosticsOrder>,
) -> Result<Answer<Ordered>, Problem> {
    let timeout = seconds(waiting.timeout_seconds)?;
    order::get_diagnostics(&app, &actor, &id, order, timeout).await.map(Answer)
}

/// Asks a charge point for a log (GetLog), which it uploads to a URL of its own.
#[utoipa::path(post, path = "/charge-points/{id}/get-log", tag = "files", params(("id" = String, Path), Waiting),
    request_body = GetLogOrder, responses((status = OK, body = Ordered)))]
async fn get_log(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(waiting): Query<Waiting>,
    Json(order): Json<GetLogOrder>,
) -> Result<Answer<Ordered>, Problem> {
    let timeout = seconds(waiting.timeout_seconds)?;
    order::get_log(&app, &actor, &id, order, timeout).await.map(Answer)
}
