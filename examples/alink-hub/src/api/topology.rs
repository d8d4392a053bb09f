//! `/devices/../sub-devices`: who is behind which gateway.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Json, Path};
use super::problem::Problem;
use super::{DeviceKey, device as find_device};
use crate::app::SharedApp;
use crate::platform::topology::{ADDED, MOST, PutFailure, REMOVED, put_behind, take_away, tell};
use crate::security::access::{Operator, Viewer};
use crate::store::topology::{self, Related};
use crate::time;

pub(super) fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove)).routes(routes!(gateway))
}

/// A device on the other side of a gateway, or the gateway.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RelatedDevice {
    /// Its product.
    product_key: String,
    /// Its name.
    device_name: String,
    /// Since when one is behind the other.
    #[schema(format = DateTime)]
    since: String,
    /// Whether it is connected.
    online: bool,
}

fn shown(app: &SharedApp, Related { device, since }: &Related) -> RelatedDevice {
    RelatedDevice {
        product_key: device.product_key.clone(),
        device_name: device.device_name.clone(),
        since: time::text(*since),
        online: app.link.session(device).is_some(),
    }
}

/// The sub-devices of a gateway. `online` says whether one is, through whichever gateway or by itself.
#[utoipa::path(get, path = "/devices/{product_key}/{device_name}/sub-devices", tag = "devices", params(DeviceKey),
    responses((status = OK, body = Vec<RelatedDevice>)))]
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
) -> Result<axum::Json<Vec<RelatedDevice>>, Problem> {
    let device = find_device(&app, &key).await?;
    let all = topology::sub_devices(&app.store, device.id).await?;
    Ok(axum::Json(all.iter().map(|related| shown(&app, related)).collect()))
}

/// The gateway of a sub-device; `null` if it is behind none.
#[utoipa::path(get, path = "/devices/{product_key}/{device_name}/gateway", tag = "devices", params(DeviceKey),
    responses((status = OK, body = Option<RelatedDevice>)))]
async fn gateway(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
) -> Result<axum::Json<Option<RelatedDevice>>, Problem> {
    let device = find_device(&app, &key).await?;
    let related = topology::gateway(&app.store, device.id).await?;
    Ok(axum::Json(related.map(|related| shown(&app, &related))))
}

/// A device that is to be behind a gateway.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewSubDevice {
    /// Its product.
    product_key: String,
    /// Its name.
    device_name: String,
}

/// Puts a device behind a gateway, which is told if it is connected.
#[utoipa::path(post, path = "/devices/{product_key}/{device_name}/sub-devices", tag = "devices", params(DeviceKey),
    request_body = NewSubDevice, responses((status = OK, body = RelatedDevice)))]
async fn add(
    _: Operator,
    State(app): State<SharedApp>,
    Path(key): Path<(String, String)>,
    Json(NewSubDevice { product_key, device_name }): Json<NewSubDevice>,
) -> Result<axum::Json<RelatedDevice>, Problem> {
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
    let related = topology::gateway(&app.store, device.id).await?;
    let since = related.map_or_else(time::now, |related| related.since);
    Ok(axum::Json(shown(&app, &Related { device, since })))
}

/// Names of a sub-device in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "for the document: the handler takes them with the gateway")]
struct SubDeviceKey {
    /// The product of the sub-device.
    sub_product_key: String,
    /// Its name.
    sub_device_name: String,
}

/// Takes a device from behind a gateway, which is told if it is connected.
#[utoipa::path(delete, path = "/devices/{product_key}/{device_name}/sub-devices/{sub_product_key}/{sub_device_name}", tag = "devices",
    params(DeviceKey, SubDeviceKey), responses((status = NO_CONTENT)))]
async fn remove(
    _: Operator,
    State(app): State<SharedApp>,
    Path((product_key, device_name, sub_product_key, sub_device_name)): Path<(String, String, String, String)>,
) -> Result<StatusCode, Problem> {
    let gateway = find_device(&app, &(product_key, device_name)).await?;
    let device = find_device(&app, &(sub_product_key, sub_device_name)).await?;
    if !take_away(&app, &gateway, &device).await? {
        return Err(Problem::not_found("the device is not behind that gateway"));
    }
    tell(&app, &gateway, &device, REMOVED);
    Ok(StatusCode::NO_CONTENT)
}
