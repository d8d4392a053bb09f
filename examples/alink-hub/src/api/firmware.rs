//! `/products/{productKey}/firmware` and `/firmware/{id}`: files for updates.

use std::path::PathBuf;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use data_encoding::HEXLOWER;
use futures_util::StreamExt;
use http::StatusCode;
use md5::{Digest, Md5};
use ring::digest;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ProductKey;
use super::extract::{Path, Query};
use super::problem::Problem;
use super::products::no_product;
use crate::app::SharedApp;
use crate::platform::update::DEFAULT;
use crate::security::access::{Operator, Viewer};
use crate::security::new_secret;
use crate::store::firmware::{self, Firmware};
use crate::time::now;

/// The size of a body is judged as it comes in.
pub(super) fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(list, upload)).routes(routes!(remove)).layer(DefaultBodyLimit::disable())
}

/// Where the bytes of a file are. The id is one that was made here.
pub(crate) fn path(app: &SharedApp, id: &str) -> PathBuf {
    app.config.data.join("firmware").join(id)
}

/// Files for updates, the latest first.
#[utoipa::path(get, path = "/products/{product_key}/firmware", tag = "updates", params(ProductKey),
    responses((status = OK, body = Vec<Firmware>)))]
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(product_key): Path<String>,
) -> Result<axum::Json<Vec<Firmware>>, Problem> {
    if !app.models.contains_key(&product_key) {
        return Err(no_product());
    }
    Ok(axum::Json(firmware::list(&app.store, &product_key).await?))
}

/// What a file is.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct About {
    /// What a device reports once it runs it.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$")]
    version: String,
    /// Which part of the device it is for; `default` is the device itself.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$", default = "default")]
    module: Option<String>,
    /// The last part of its URL.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$", default = "firmware.bin")]
    file_name: Option<String>,
}

/// Keeps a file for updates: the body is the file itself.
#[utoipa::path(post, path = "/products/{product_key}/firmware", tag = "updates", params(ProductKey, About),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = OK, body = Firmware)))]
async fn upload(
    _: Operator,
    State(app): State<SharedApp>,
    Path(product_key): Path<String>,
    Query(about): Query<About>,
    body: Body,
) -> Result<axum::Json<Firmware>, Problem> {
    if !app.models.contains_key(&product_key) {
        return Err(no_product());
    }
    let is_name = |text: &str| {
        let fits = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        (1..=64).contains(&text.len()) && text.chars().all(fits) && !text.starts_with('.')
    };
    let module = about.module.unwrap_or_else(|| DEFAULT.to_owned());
    let file_name = about.file_name.unwrap_or_else(|| "firmware.bin".to_owned());
    for (name, text) in [("version", &about.version), ("module", &module), ("fileName", &file_name)] {
        if !is_name(text) {
            return Err(Problem::bad_request(format!("{name}: 1 to 64 letters, digits and -_. are needed")));
        }
    }
    let id = new_secret().map_err(Problem::internal)?;
    let path = path(&app, &id);
    let written = write(&path, body, app.config.firmware_limit).await;
    let file = match written {
        Ok((size, md5, sha256)) => {
            let version = about.version;
            Firmware { id, product_key, module, version, file_name, size, md5, sha256, created_at: now() }
        }
        Err(problem) => {
            drop(tokio::fs::remove_file(&path).await);
            return Err(problem);
        }
    };
    if let Err(error) = firmware::add(&app.store, file.clone()).await {
        drop(tokio::fs::remove_file(&path).await);
        return Err(error.into());
    }
    Ok(axum::Json(file))
}

/// Size, MD5 and SHA-256 of what was written, which is on the disk then.
async fn write(path: &std::path::Path, body: Body, limit: u64) -> Result<(i64, String, String), Problem> {
    let mut file = tokio::fs::File::create_new(path).await.map_err(Problem::internal)?;
    let (mut md5, mut sha256) = (Md5::new(), digest::Context::new(&digest::SHA256));
    let mut size: u64 = 0;
    let mut bytes = body.into_data_stream();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| Problem::bad_request(format!("the upload was cut short: {error}")))?;
        size = size.saturating_add(chunk.len() as u64);
        if size > limit {
            let detail = format!("the file is larger than {limit} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "tooLarge", detail));
        }
        md5.update(&chunk);
        sha256.update(&chunk);
        file.write_all(&chunk).await.map_err(Problem::internal)?;
    }
    if size == 0 {
        return Err(Problem::bad_request("the body is the file, and is empty"));
    }
    file.sync_all().await.map_err(Problem::internal)?;
    let size = i64::try_from(size).map_err(Problem::internal)?;
    Ok((size, HEXLOWER.encode(&md5.finalize()), HEXLOWER.encode(sha256.finish().as_ref())))
}

/// Deletes a file, unless an update with it is under way.
#[utoipa::path(delete, path = "/firmware/{id}", tag = "updates", params(("id" = String, Path)),
    responses((status = NO_CONTENT)))]
async fn remove(_: Operator, State(app): State<SharedApp>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    if firmware::remove(&app.store, &id).await? {
        drop(tokio::fs::remove_file(path(&app, &id)).await);
        return Ok(StatusCode::NO_CONTENT);
    }
    match firmware::find(&app.store, &id).await? {
        Some(_) => Err(Problem::conflict("an update with this file is under way")),
        None => Err(Problem::not_found("there is no such file")),
    }
}
