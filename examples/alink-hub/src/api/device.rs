//! What a device is to be: desired properties, shadow, tags, updates.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::DeviceKey;
use super::extract::{Json, Path};
use super::problem::Problem;
use crate::app::SharedApp;
use crate::platform::calls::set_soon;
use crate::platform::{shadow, update};
use crate::security::access::{Operator, Viewer};
use crate::store::updates::Protocol;
use crate::store::{desired, firmware, shadows, tags, updates};

pub(super) fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(wanted, want))
        .routes(routes!(show_shadow, want_in_shadow))
        .routes(routes!(show_tags))
        .routes(routes!(show_updates, begin_update))
}

type Key = (String, String);

/// What a property is to be.
#[derive(Debug, Serialize, ToSchema)]
struct Desired {
    /// As the thing model says.
    value: Value,
    /// Which change of it this is; the device takes a value away by its version.
    version: i64,
}

type AllDesired = BTreeMap<String, Desired>;

async fn show_wanted(app: &SharedApp, device: i64) -> Result<axum::Json<AllDesired>, Problem> {
    let all = desired::all(&app.store, device).await?.into_iter();
    Ok(axum::Json(all.map(|(identifier, (value, version))| (identifier, Desired { value, version })).collect()))
}

/// Desired properties.
#[utoipa::path(get, path = "/devices/{product_key}/{device_name}/desired", tag = "devices", params(DeviceKey),
    responses((status = OK, body = BTreeMap<String, Desired>)))]
async fn wanted(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
) -> Result<axum::Json<AllDesired>, Problem> {
    let device = super::device(&app, &key).await?;
    show_wanted(&app, device.id).await
}

/// Changes what is desired, `null` takes it away; a device that is connected is told to set what is new.
#[utoipa::path(patch, path = "/devices/{product_key}/{device_name}/desired", tag = "devices", params(DeviceKey),
    request_body = BTreeMap<String, Value>, responses((status = OK, body = BTreeMap<String, Desired>)))]
async fn want(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
    Json(changes): Json<Map<String, Value>>,
) -> Result<axum::Json<AllDesired>, Problem> {
    let device = super::device(&app, &key).await?;
    let (gone, new): (Map<String, Value>, Map<String, Value>) =
        changes.into_iter().partition(|(_, value)| value.is_null());
    let new = match app.models.get(&device.product_key) {
        Some(model) => model.settable(&new)?,
        None => new,
    };
    let mut changes = new.clone();
    changes.extend(gone);
    desired::change(&app.store, device.id, changes).await?;
    if !new.is_empty() {
        set_soon(&app, &device, Value::Object(new));
    }
    show_wanted(&app, device.id).await
}

/// The shadow: what the device last said of itself, and what is wanted of it.
#[utoipa::path(get, path = "/devices/{product_key}/{device_name}/shadow", tag = "devices", params(DeviceKey),
    responses((status = OK, body = shadow::Shadow)))]
async fn show_shadow(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
) -> Result<axum::Json<shadow::Shadow>, Problem> {
    let device = super::device(&app, &key).await?;
    let document = shadows::find(&app.store, device.id).await?;
    document.map(axum::Json).ok_or_else(|| Problem::not_found("the device has no shadow"))
}

/// Changes what is wanted in the shadow, `null` takes it away; a device that is connected is told.
#[utoipa::path(patch, path = "/devices/{product_key}/{device_name}/shadow", tag = "devices", params(DeviceKey),
    request_body = BTreeMap<String, Value>, responses((status = OK, body = shadow::Shadow)))]
async fn want_in_shadow(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
    Json(desired): Json<Map<String, Value>>,
) -> Result<axum::Json<shadow::Shadow>, Problem> {
    let device = super::device(&app, &key).await?;
    let shadow = shadow::want(&app, &device, desired).await?;
    shadow.map(axum::Json).ok_or_else(|| Problem::invalid("", "the shadow would have more than 128 attributes"))
}

/// Tags, which devices set themselves.
#[utoipa::path(get, path = "/devices/{product_key}/{device_name}/tags", tag = "devices", params(DeviceKey),
    responses((status = OK, body = BTreeMap<String, String>)))]
async fn show_tags(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
) -> Result<axum::Json<BTreeMap<String, String>>, Problem> {
    let device = super::device(&app, &key).await?;
    Ok(axum::Json(tags::all(&app.store, device.id).await?.into_iter().collect()))
}

/// The last 100 updates, the latest first.
#[utoipa::path(get, path = "/devices/{product_key}/{device_name}/updates", tag = "updates", params(DeviceKey),
    responses((status = OK, body = Vec<updates::Update>)))]
async fn show_updates(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
) -> Result<axum::Json<Vec<updates::Update>>, Problem> {
    let device = super::device(&app, &key).await?;
    Ok(axum::Json(updates::list(&app.store, device.id).await?))
}

/// An update that is to begin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewUpdate {
    /// The file; one of the device's product.
    firmware_id: String,
    /// How the device is to fetch the file.
    #[serde(default)]
    protocol: Protocol,
}

/// Begins an update; a device that is connected is told at once, others when they report their version.
#[utoipa::path(post, path = "/devices/{product_key}/{device_name}/updates", tag = "updates", params(DeviceKey),
    request_body = NewUpdate, responses((status = OK, body = updates::Update)))]
async fn begin_update(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
    Json(begin): Json<NewUpdate>,
) -> Result<axum::Json<updates::Update>, Problem> {
    let device = super::device(&app, &key).await?;
    let file = firmware::find(&app.store, &begin.firmware_id).await?;
    let file = file.filter(|file| file.product_key == device.product_key);
    let file = file.ok_or_else(|| Problem::invalid("/firmwareId", "the product has no such file"))?;
    let update = updates::begin(&app.store, device.id, &file.id, &file.module, begin.protocol).await?;
    update::push(&app, &device, &update).await?;
    Ok(axum::Json(updates::open(&app.store, device.id, &file.module).await?.unwrap_or(update)))
}
