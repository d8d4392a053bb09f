//! What a device is to be: desired properties, shadow, tags, updates.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::extract::{Json, Path};
use super::problem::Problem;
use crate::app::SharedApp;
use crate::platform::calls::set_soon;
use crate::platform::{shadow, update};
use crate::security::access::{Operator, Viewer};
use crate::store::updates::Protocol;
use crate::store::{desired, firmware, shadows, tags, updates};

pub(super) fn router() -> Router<SharedApp> {
    Router::new()
        .route("/devices/{product_key}/{device_name}/desired", get(wanted).patch(want))
        .route("/devices/{product_key}/{device_name}/shadow", get(show_shadow).patch(want_in_shadow))
        .route("/devices/{product_key}/{device_name}/tags", get(show_tags))
        .route("/devices/{product_key}/{device_name}/updates", get(show_updates))
        .route("/devices/{product_key}/{device_name}/updates", post(begin_update))
}

type Key = (String, String);

async fn show_wanted(app: &SharedApp, device: i64) -> Result<axum::Json<Value>, Problem> {
    let all = desired::all(&app.store, device).await?.into_iter();
    let all = all.map(|(identifier, (value, version))| (identifier, json!({"value": value, "version": version})));
    Ok(axum::Json(Value::Object(all.collect())))
}

async fn wanted(_: Viewer, State(app): State<SharedApp>, Path(key): Path<Key>) -> Result<axum::Json<Value>, Problem> {
    let device = super::device(&app, &key).await?;
    show_wanted(&app, device.id).await
}

/// Changes what is desired, `null` takes it away; a device that is connected is told to set what is new.
async fn want(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
    Json(changes): Json<Map<String, Value>>,
) -> Result<axum::Json<Value>, Problem> {
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
async fn want_in_shadow(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
    Json(desired): Json<Map<String, Value>>,
) -> Result<axum::Json<shadow::Shadow>, Problem> {
    let device = super::device(&app, &key).await?;
    if desired.len() > 128 {
        return Err(Problem::invalid("", "more than 128 attributes"));
    }
    Ok(axum::Json(shadow::want(&app, &device, desired).await?))
}

async fn show_tags(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
) -> Result<axum::Json<Value>, Problem> {
    let device = super::device(&app, &key).await?;
    let all = tags::all(&app.store, device.id).await?;
    Ok(axum::Json(all.into_iter().map(|(key, value)| (key, value.into())).collect::<Map<_, _>>().into()))
}

async fn show_updates(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
) -> Result<axum::Json<Vec<updates::Update>>, Problem> {
    let device = super::device(&app, &key).await?;
    Ok(axum::Json(updates::list(&app.store, device.id).await?))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Begin {
    firmware_id: String,
    /// How the device is to fetch the file.
    #[serde(default)]
    protocol: Protocol,
}

/// Begins an update; a device that is connected is told at once, others when they report their version.
async fn begin_update(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<Key>,
    Json(begin): Json<Begin>,
) -> Result<axum::Json<updates::Update>, Problem> {
    let device = super::device(&app, &key).await?;
    let file = firmware::find(&app.store, &begin.firmware_id).await?;
    let file = file.filter(|file| file.product_key == device.product_key);
    let file = file.ok_or_else(|| Problem::invalid("/firmwareId", "the product has no such file"))?;
    let update = updates::begin(&app.store, device.id, &file.id, &file.module, begin.protocol).await?;
    update::push(&app, &device, &update).await?;
    Ok(axum::Json(updates::open(&app.store, device.id, &file.module).await?.unwrap_or(update)))
}
