//! `/devices/../files`: what devices have uploaded.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use tower_http::services::ServeFile;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::DeviceKey;
use super::extract::Path;
use super::problem::Problem;
use crate::app::SharedApp;
use crate::platform::upload;
use crate::security::access::{Operator, Viewer};
use crate::store::uploads::{self, Upload};

pub(super) fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(download, remove))
}

/// A file that a device uploads or has uploaded.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UploadedFile {
    /// As the device calls it.
    name: String,
    /// In bytes; `null` while it is not known.
    size: Option<i64>,
    /// How many bytes there are.
    received: i64,
    /// Whether that is all of it.
    complete: bool,
    /// When the upload began.
    #[serde(serialize_with = "super::time")]
    #[schema(value_type = String, format = DateTime)]
    created_at: i64,
    /// When something last came.
    #[serde(serialize_with = "super::time")]
    #[schema(value_type = String, format = DateTime)]
    changed_at: i64,
}

impl From<Upload> for UploadedFile {
    fn from(upload: Upload) -> Self {
        let Upload { file_name, size, received, is_complete, created_at, changed_at, .. } = upload;
        let size = (size >= 0).then_some(size);
        Self { name: file_name, size, received, complete: is_complete != 0, created_at, changed_at }
    }
}

type Named = (String, String, String);

/// Name of a file in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "for the document: handlers take it with the device")]
struct FileName {
    /// The file, as the device calls it.
    name: String,
}

/// Files that a device uploads or has uploaded.
#[utoipa::path(get, path = "/devices/{product_key}/{device_name}/files", tag = "files", params(DeviceKey),
    responses((status = OK, body = Vec<UploadedFile>)))]
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
) -> Result<axum::Json<Vec<UploadedFile>>, Problem> {
    let device = super::device(&app, &key).await?;
    Ok(axum::Json(uploads::list(&app.store, device.id).await?.into_iter().map(UploadedFile::from).collect()))
}

/// The file itself, also in part (`Range`).
#[utoipa::path(get, path = "/devices/{product_key}/{device_name}/files/{name}", tag = "files",
    params(DeviceKey, FileName),
    responses((status = OK, content((String = "application/octet-stream"))), (status = CONFLICT, description = "It is not complete.", body = Problem)))]
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

/// Deletes a file, or what there is of it.
#[utoipa::path(delete, path = "/devices/{product_key}/{device_name}/files/{name}", tag = "files",
    params(DeviceKey, FileName), responses((status = NO_CONTENT)))]
async fn remove(
    _: Operator,
    State(app): State<SharedApp>,
    Path((product_key, device_name, name)): Path<Named>,
) -> Result<StatusCode, Problem> {
    let device = super::device(&app, &(product_key, device_name)).await?;
    let found = uploads::find(&app.store, device.id, &name).await?;
    let found = found.ok_or_else(|| Problem::not_found("the device has no such file"))?;
    upload::remove(&app, &device, &found.id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
