//! `/devices`: who there is.

use std::collections::BTreeMap;

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Json, Path, Query};
use super::problem::Problem;
use super::{DeviceKey, device as find_device};
use crate::app::SharedApp;
use crate::platform::{topology, upload};
use crate::security::access::{Operator, Role, Viewer};
use crate::security::new_secret;
use crate::store::devices::{self, Device, Shown};
use crate::store::{updates, uploads};
use crate::time;

/// How many devices one answer has at most.
const MOST: i64 = 1000;

/// The longest secret that an operator may give, in characters.
const LONGEST_SECRET: usize = 128;

pub(super) fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(show, change, remove))
}

/// A device.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeviceState {
    /// Its product.
    product_key: String,
    /// Its name among those of the product.
    device_name: String,
    /// Whether it is connected.
    online: bool,
    /// From where; unknown behind a broker.
    address: Option<String>,
    /// Whether it is kept out.
    disabled: bool,
    /// When it logged in for the first time.
    #[schema(format = DateTime)]
    activated_at: Option<String>,
    /// When it last came.
    #[schema(format = DateTime)]
    online_at: Option<String>,
    /// When it last went.
    #[schema(format = DateTime)]
    offline_at: Option<String>,
    /// When it was entered.
    #[schema(format = DateTime)]
    created_at: String,
}

fn state(app: &SharedApp, device: &Shown) -> DeviceState {
    let key =
        Device { id: device.id, product_key: device.product_key.clone(), device_name: device.device_name.clone() };
    let session = app.link.session(&key);
    let found = session.as_ref().and_then(|session| app.peers.find(session.peer.identity()));
    DeviceState {
        online: session.is_some(),
        address: found.and_then(|found| found.remote).map(|remote| remote.to_string()),
        disabled: device.disabled != 0,
        activated_at: device.activated_at.map(time::text),
        online_at: device.online_at.map(time::text),
        offline_at: device.offline_at.map(time::text),
        created_at: time::text(device.created_at),
        product_key: key.product_key,
        device_name: key.device_name,
    }
}

/// Which devices are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Those of that product.
    product_key: Option<String>,
    /// What `next` of the answer before said.
    after: Option<i64>,
    /// How many at most; 100 if it is absent.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// A page of devices.
#[derive(Debug, Serialize, ToSchema)]
struct Devices {
    /// What is on it, in the order in which they were entered.
    items: Vec<DeviceState>,
    /// `after` of the next page; `null` on the last one.
    next: Option<i64>,
    /// How many devices are connected, of all.
    online: usize,
}

/// Devices.
#[utoipa::path(get, path = "/devices", tag = "devices", params(Wanted), responses((status = OK, body = Devices)))]
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(wanted): Query<Wanted>,
) -> Result<axum::Json<Devices>, Problem> {
    let limit = wanted.limit.unwrap_or(100).clamp(1, MOST);
    let found = devices::list(&app.store, wanted.product_key.as_deref(), wanted.after, limit).await?;
    let is_full = i64::try_from(found.len()).is_ok_and(|count| count == limit);
    let next = found.last().map(|last| last.id).filter(|_| is_full);
    let items = found.iter().map(|device| state(&app, device)).collect();
    Ok(axum::Json(Devices { items, next, online: app.link.count() }))
}

/// A device that is to be entered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewDevice {
    /// Its product; there is a thing model of it.
    product_key: String,
    /// Its name among those of the product.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_@.:-]+$")]
    device_name: String,
    /// That of a device that has one already; else one is made.
    #[schema(min_length = 1, max_length = 128, pattern = "^[ -~]+$")]
    device_secret: Option<String>,
}

/// What a device logs in with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    /// Its product.
    product_key: String,
    /// Its name.
    device_name: String,
    /// Its secret.
    device_secret: String,
}

/// Enters a device.
#[utoipa::path(post, path = "/devices", tag = "devices", request_body = NewDevice,
    responses((status = OK, body = Credentials)))]
async fn add(
    _: Operator,
    State(app): State<SharedApp>,
    Json(new): Json<NewDevice>,
) -> Result<axum::Json<Credentials>, Problem> {
    if !app.models.contains_key(&new.product_key) {
        return Err(Problem::invalid("/productKey", "there is no such product"));
    }
    let fits = |character: char| character.is_ascii_alphanumeric() || "-_@.:".contains(character);
    // Two names would mean something else in the path of a URL.
    let is_a_path = matches!(&*new.device_name, "." | "..");
    if !(1..=64).contains(&new.device_name.len()) || !new.device_name.chars().all(fits) || is_a_path {
        return Err(Problem::invalid("/deviceName", "1 to 64 letters, digits and -_@.: are needed"));
    }
    let is_printable = |character: char| matches!(character, ' '..='~');
    let secret = match new.device_secret {
        Some(secret) if !(1..=LONGEST_SECRET).contains(&secret.len()) || !secret.chars().all(is_printable) => {
            return Err(Problem::invalid("/deviceSecret", "1 to 128 printable ASCII characters are needed"));
        }
        Some(secret) => secret,
        None => new_secret().map_err(Problem::internal)?,
    };
    let added = devices::add(&app.store, &app.seal, &new.product_key, &new.device_name, &secret).await;
    if added.map_err(Problem::internal)?.is_none() {
        return Err(Problem::conflict("there is a device of that name"));
    }
    app.entered.refresh(&app.store, &new.product_key, &new.device_name).await?;
    Ok(axum::Json(Credentials { product_key: new.product_key, device_name: new.device_name, device_secret: secret }))
}

/// A device, with what it logs in with and what it runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeviceDetails {
    #[serde(flatten)]
    state: DeviceState,
    /// For operators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_secret: Option<String>,
    /// Versions by module, as the device reported them.
    modules: BTreeMap<String, String>,
}

async fn details(app: &SharedApp, role: Role, key: &(String, String)) -> Result<DeviceDetails, Problem> {
    let found = devices::find(&app.store, &key.0, &key.1).await?;
    let found = found.ok_or_else(|| Problem::not_found("there is no such device"))?;
    let device_secret = match role {
        Role::Operator => devices::credentials(&app.store, &app.seal, &key.0, &key.1).await?.map(|known| known.secret),
        Role::Viewer => None,
    };
    let modules = updates::modules(&app.store, found.id).await?.into_iter().collect();
    Ok(DeviceDetails { state: state(app, &found), device_secret, modules })
}

/// A device.
#[utoipa::path(get, path = "/devices/{product_key}/{device_name}", tag = "devices", params(DeviceKey),
    responses((status = OK, body = DeviceDetails)))]
async fn show(
    Viewer(role): Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
) -> Result<axum::Json<DeviceDetails>, Problem> {
    details(&app, role, &key).await.map(axum::Json)
}

/// What is to be changed of a device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeviceChange {
    /// Whether it is kept out; a connection that it has ends.
    disabled: bool,
}

/// Keeps a device out, or lets it in again.
#[utoipa::path(patch, path = "/devices/{product_key}/{device_name}", tag = "devices", params(DeviceKey),
    request_body = DeviceChange, responses((status = OK, body = DeviceDetails)))]
async fn change(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
    Json(change): Json<DeviceChange>,
) -> Result<axum::Json<DeviceDetails>, Problem> {
    let device = find_device(&app, &key).await?;
    devices::set_disabled(&app.store, device.id, change.disabled).await?;
    app.entered.refresh(&app.store, &device.product_key, &device.device_name).await?;
    topology::changed(&app, &device, if change.disabled { topology::DISABLED } else { topology::ENABLED }).await?;
    if change.disabled {
        app.link.kick(&device);
    }
    details(&app, Role::Operator, &key).await.map(axum::Json)
}

/// Deletes a device, and all that is known of it.
#[utoipa::path(delete, path = "/devices/{product_key}/{device_name}", tag = "devices", params(DeviceKey),
    responses((status = NO_CONTENT)))]
async fn remove(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let device = find_device(&app, &key).await?;
    topology::changed(&app, &device, topology::REMOVED).await?;
    let uploaded = uploads::ids(&app.store, device.id).await?;
    devices::remove(&app.store, device.id).await?;
    app.entered.refresh(&app.store, &device.product_key, &device.device_name).await?;
    app.link.kick(&device);
    for id in uploaded {
        upload::delete_bytes(&app, &id).await;
    }
    Ok(StatusCode::NO_CONTENT)
}
