//! `/devices/../files`: what devices have uploaded.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use tower_http::services::ServeFile;

use super::extract::Path;
use super::problem::Problem;
use crate::app::SharedApp;
use crate::platform::upload;
use crate::security::access::{Operator, Viewer};
use crate::store::uploads::{self, Upload};

pub(super) fn router() -> Router<SharedApp> {
    Router::new()
        .route("/devices/{product_key}/{device_name}/files", get(list))
        .route("/devices/{product_key}/{device_name}/files/{name}", get(download).delete(remove))
}

/// A file that a device uploads or has uploaded.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: String,
    /// In bytes; `null` while it is not known.
    size: Option<i64>,
    /// How many bytes there are.
    received: i64,
    complete: bool,
    #[serde(serialize_with = "super::time")]
    created_at: i64,
    #[serde(serialize_with = "super::time")]
    changed_at: i64,
}

impl From<Upload> for Shown {
    fn from(upload: Upload) -> Self {
        let Upload { file_name, size, received, is_complete, created_at, changed_at, .. } = upload;
        let size = (size >= 0).then_some(size);
        Self { name: file_name, size, received, complete: is_complete != 0, created_at, changed_at }
    }
}

type Named = (String, String, String);

async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
) -> Result<axum::Json<Vec<Shown>>, Problem> {
    let device = super::device(&app, &key).await?;
    Ok(axum::Json(uploads::list(&app.store, device.id).await?.into_iter().map(Shown::from).collect()))
}

/// The file itself, also in part (`Range`).
async fn download(
    _: Viewer,
    State(app): State<SharedApp>,
    Path((product_key, device_name, name)): Path<Named>,
    request: Request,
) -> Result<Response, Problem> {
    let device = super::device(&app, &(product_key, device_name)).await?;
    let found = uploads::find(&app.store, device.id, &name).await?;
    let found = found.ok_or_else(|| Problem::not_found("the device has no such file"))?;
    if found.is_complete == 0 {
        return Err(Problem::conflict("the file is not complete"));
    }
    let (mut parts, _) = request.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    let request = Request::from_parts(parts, Body::empty());
    let served = ServeFile::new(upload::path(&app.config.data, &found.id)).try_call(request).await;
    let mut response = served.map_err(Problem::internal)?.map(Body::new);
    let headers = response.headers_mut();
    // A device says what is in it: no browser is to show it.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    let disposition = format!("attachment; filename=\"{}\"", found.file_name);
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).map_err(Problem::internal)?);
    Ok(response.into_response())
}

async fn remove(
    _: Operator,
    State(app): State<SharedApp>,
    Path((product_key, device_name, name)): Path<Named>,
) -> Result<(), Problem> {
    let device = super::device(&app, &(product_key, device_name)).await?;
    let found = uploads::find(&app.store, device.id, &name).await?;
    let found = found.ok_or_else(|| Problem::not_found("the device has no such file"))?;
    upload::remove(&app, &device, &found.id, false).await?;
    Ok(())
}
