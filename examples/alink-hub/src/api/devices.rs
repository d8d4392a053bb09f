//! `/devices`: who there is.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::device as find_device;
use super::extract::{Json, Path, Query};
use super::problem::Problem;
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

pub(super) fn router() -> Router<SharedApp> {
    Router::new()
        .route("/devices", get(list).post(add))
        .route("/devices/{product_key}/{device_name}", get(show).patch(change).delete(remove))
}

fn shown(app: &SharedApp, device: &Shown) -> Map<String, Value> {
    let key =
        Device { id: device.id, product_key: device.product_key.clone(), device_name: device.device_name.clone() };
    let session = app.link.session(&key);
    let found = session.as_ref().and_then(|session| app.peers.find(session.peer.identity()));
    let address = found.and_then(|found| found.remote).map(|remote| remote.to_string());
    let shown = json!({
        "productKey": device.product_key,
        "deviceName": device.device_name,
        "online": session.is_some(),
        "address": address,
        "disabled": device.disabled != 0,
        "activatedAt": device.activated_at.map(time::text),
        "onlineAt": device.online_at.map(time::text),
        "offlineAt": device.offline_at.map(time::text),
        "createdAt": time::text(device.created_at),
    });
    if let Value::Object(shown) = shown { shown } else { Map::new() }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    product_key: Option<String>,
    /// What `next` of the answer before said.
    after: Option<i64>,
    limit: Option<i64>,
}

async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(wanted): Query<Wanted>,
) -> Result<axum::Json<Value>, Problem> {
    let limit = wanted.limit.unwrap_or(100).clamp(1, MOST);
    let found = devices::list(&app.store, wanted.product_key.as_deref(), wanted.after, limit).await?;
    let is_full = i64::try_from(found.len()).is_ok_and(|count| count == limit);
    let next = found.last().map(|last| last.id).filter(|_| is_full);
    let items: Vec<Value> = found.iter().map(|device| shown(&app, device).into()).collect();
    Ok(axum::Json(json!({"items": items, "next": next, "online": app.link.count()})))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct New {
    product_key: String,
    device_name: String,
    /// That of a device that has one already; else one is made.
    device_secret: Option<String>,
}

async fn add(_: Operator, State(app): State<SharedApp>, Json(new): Json<New>) -> Result<axum::Json<Value>, Problem> {
    if !app.models.contains_key(&new.product_key) {
        return Err(Problem::invalid("/productKey", "there is no such product"));
    }
    let fits = |character: char| character.is_ascii_alphanumeric() || "-_@.:".contains(character);
    if !(1..=64).contains(&new.device_name.len()) || !new.device_name.chars().all(fits) {
        return Err(Problem::invalid("/deviceName", "1 to 64 letters, digits and -_@.: are needed"));
    }
    let secret = match new.device_secret {
        Some(secret) if secret.is_empty() || secret.len() > LONGEST_SECRET || !secret.is_ascii() => {
            return Err(Problem::invalid("/deviceSecret", "1 to 128 ASCII characters are needed"));
        }
        Some(secret) => secret,
        None => new_secret().map_err(Problem::internal)?,
    };
    let added = devices::add(&app.store, &app.seal, &new.product_key, &new.device_name, &secret).await;
    if added.map_err(Problem::internal)?.is_none() {
        return Err(Problem::conflict("there is a device of that name"));
    }
    app.entered.set(&new.product_key, &new.device_name, true);
    Ok(axum::Json(json!({
        "productKey": new.product_key,
        "deviceName": new.device_name,
        "deviceSecret": secret,
    })))
}

async fn show(
    Viewer(role): Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
) -> Result<axum::Json<Value>, Problem> {
    let found = devices::find(&app.store, &key.0, &key.1).await?;
    let found = found.ok_or_else(|| Problem::not_found("there is no such device"))?;
    let mut device = shown(&app, &found);
    if role == Role::Operator {
        let credentials = devices::credentials(&app.store, &app.seal, &key.0, &key.1).await?;
        device.insert("deviceSecret".to_owned(), credentials.map(|known| known.secret).into());
    }
    let modules = updates::modules(&app.store, found.id).await?;
    let modules: Map<String, Value> = modules.into_iter().map(|(module, version)| (module, version.into())).collect();
    device.insert("modules".to_owned(), modules.into());
    Ok(axum::Json(device.into()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    disabled: bool,
}

async fn change(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
    Json(change): Json<Change>,
) -> Result<(), Problem> {
    let device = find_device(&app, &key).await?;
    devices::set_disabled(&app.store, device.id, change.disabled).await?;
    app.entered.set(&device.product_key, &device.device_name, !change.disabled);
    topology::changed(&app, &device, if change.disabled { topology::DISABLED } else { topology::ENABLED }).await?;
    if change.disabled {
        app.link.kick(&device);
    }
    Ok(())
}

async fn remove(_: Operator, State(app): State<SharedApp>, Path(key): Path<(String, String)>) -> Result<(), Problem> {
    let device = find_device(&app, &key).await?;
    topology::changed(&app, &device, topology::REMOVED).await?;
    let uploaded = uploads::ids(&app.store, device.id).await?;
    devices::remove(&app.store, device.id).await?;
    app.entered.set(&device.product_key, &device.device_name, false);
    app.link.kick(&device);
    for id in uploaded {
        upload::delete_bytes(&app, &id).await;
    }
    Ok(())
}
