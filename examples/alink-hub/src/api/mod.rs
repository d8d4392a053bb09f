//! REST: `/api/v1`; and what devices fetch over HTTP.

mod device;
mod devices;
mod events;
mod extract;
mod files;
mod firmware;
mod messages;
mod observe;
pub(crate) mod problem;
mod products;
mod thing;
mod topology;
mod uploads;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use serde::Serializer;

pub(crate) use self::firmware::path as firmware_path;
use self::problem::Problem;
use crate::app::SharedApp;
use crate::security::guard::guard;
use crate::store::devices::Device;

/// The largest JSON body, in bytes.
const BODY: usize = 1024 * 1024;

/// `/api/v1`, `/files`, `/auth/register/device`, `/metrics`, `/healthz` and `/readyz`.
pub(crate) fn router(app: &SharedApp) -> Router<SharedApp> {
    let api = Router::new()
        .merge(devices::router())
        .merge(device::router())
        .merge(events::router())
        .merge(products::router())
        .merge(thing::router())
        .merge(topology::router())
        .merge(uploads::router())
        .layer(DefaultBodyLimit::max(BODY))
        .merge(firmware::router())
        .merge(messages::router())
        .fallback(|| async { Problem::not_found("there is no such path") })
        .layer(middleware::from_fn_with_state(app.clone(), guard));
    Router::new().nest("/api/v1", api).merge(files::router()).merge(observe::router())
}

/// A time, as the interface writes it.
pub(crate) fn time<S: Serializer>(millis: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&crate::time::text(*millis))
}

/// A time that may be missing.
pub(crate) fn optional_time<S: Serializer>(millis: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match millis {
        Some(millis) => time(millis, serializer),
        None => serializer.serialize_none(),
    }
}

/// The device of a path.
async fn device(app: &SharedApp, (product_key, device_name): &(String, String)) -> Result<Device, Problem> {
    let found = crate::store::devices::find(&app.store, product_key, device_name).await?;
    let found = found.ok_or_else(|| Problem::not_found("there is no such device"))?;
    Ok(Device { id: found.id, product_key: found.product_key, device_name: found.device_name })
}
