//! `/devices/../sub-devices`: who is behind which gateway.

use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get};
use serde::Deserialize;
use serde_json::{Value, json};

use super::device as find_device;
use super::extract::{Json, Path};
use super::problem::Problem;
use crate::app::SharedApp;
use crate::platform::topology::{ADDED, MOST, PutFailure, REMOVED, put_behind, take_away, tell};
use crate::security::access::{Operator, Viewer};
use crate::store::topology::{self, Related};
use crate::time;

pub(super) fn router() -> Router<SharedApp> {
    Router::new()
        .route("/devices/{product_key}/{device_name}/sub-devices", get(list).post(add))
        .route("/devices/{product_key}/{device_name}/sub-devices/{sub_product_key}/{sub_device_name}", delete(remove))
        .route("/devices/{product_key}/{device_name}/gateway", get(gateway))
}

fn shown(app: &SharedApp, Related { device, since }: &Related) -> Value {
    json!({
        "productKey": device.product_key,
        "deviceName": device.device_name,
        "since": time::text(*since),
        "online": app.link.session(device).is_some(),
    })
}

/// The sub-devices of a gateway. `online` says whether one is, through whichever gateway or by itself.
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
) -> Result<axum::Json<Value>, Problem> {
    let device = find_device(&app, &key).await?;
    let all = topology::sub_devices(&app.store, device.id).await?;
    Ok(axum::Json(all.iter().map(|related| shown(&app, related)).collect()))
}

/// The gateway of a sub-device.
async fn gateway(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
) -> Result<axum::Json<Value>, Problem> {
    let device = find_device(&app, &key).await?;
    let related = topology::gateway(&app.store, device.id).await?;
    let related = related.ok_or_else(|| Problem::not_found("the device is behind no gateway"))?;
    Ok(axum::Json(shown(&app, &related)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct New {
    product_key: String,
    device_name: String,
}

/// Puts a device behind a gateway, which is told if it is connected.
async fn add(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
    Json(New { product_key, device_name }): Json<New>,
) -> Result<(), Problem> {
    let gateway = find_device(&app, &key).await?;
    let unknown = |_| Problem::invalid("/deviceName", "there is no such device");
    let device = find_device(&app, &(product_key, device_name)).await.map_err(unknown)?;
    if device.id == gateway.id {
        return Err(Problem::invalid("/deviceName", "a gateway is not its own sub-device"));
    }
    put_behind(&app, &gateway, std::slice::from_ref(&device)).await.map_err(|failure| match failure {
        PutFailure::TooMany => Problem::conflict(format!("a gateway has {MOST} sub-devices at the most")),
        PutFailure::Store(error) => error.into(),
    })?;
    tell(&app, &gateway, &device, ADDED);
    Ok(())
}

/// Takes a device from behind a gateway, which is told if it is connected.
async fn remove(
    _: Operator,
    State(app): State<SharedApp>,
    Path((product_key, device_name, sub_product_key, sub_device_name)): Path<(String, String, String, String)>,
) -> Result<(), Problem> {
    let gateway = find_device(&app, &(product_key, device_name)).await?;
    let device = find_device(&app, &(sub_product_key, sub_device_name)).await?;
    if !take_away(&app, &gateway, &device).await? {
        return Err(Problem::not_found("the device is not behind that gateway"));
    }
    tell(&app, &gateway, &device, REMOVED);
    Ok(())
}
