//! REST: `/api/v1`; and what devices fetch over HTTP.
//!
//! A new handler needs two things: `#[utoipa::path(..)]`, which is what the OpenAPI document says of it, and its name in
//! `routes!` of its module's `router()`. Handlers of one path stand in one `routes!`. One that waits for a device's answer
//! has `tag = "calls"`. What every handler may fail with, the log-in and the audit come by themselves (`openapi`,
//! `security::guard`). 404 is for what the path names; what only the query or the body names is 400 or 422.

mod device;
mod devices;
mod events;
mod extract;
mod files;
mod firmware;
mod limits;
mod messages;
mod observe;
mod openapi;
pub(crate) mod problem;
mod products;
mod thing;
mod topology;
mod uploads;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use serde::Serializer;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use self::extract::is_json;
pub(crate) use self::firmware::path as firmware_path;
use self::problem::Problem;
use crate::app::SharedApp;
use crate::store::devices::Device;

/// `/api`, `/files`, `/auth/register/device`, `/metrics`, `/healthz` and `/readyz`.
pub(crate) fn router() -> Router<SharedApp> {
    let (handlers, document) = documented().split_for_parts();
    handlers
        .merge(openapi::router(document))
        .route("/api/{*rest}", axum::routing::any(limits::no_such_path))
        .method_not_allowed_fallback(limits::no_such_method)
        .layer(middleware::from_fn(limits::without_nul))
        .merge(files::router())
        .merge(observe::router())
}

/// `/api/v1`, with what the OpenAPI document says of it.
fn documented() -> OpenApiRouter<SharedApp> {
    let handlers = OpenApiRouter::new()
        .merge(devices::router())
        .merge(device::router())
        .merge(events::router())
        .merge(products::router())
        .merge(thing::router())
        .merge(topology::router())
        .merge(uploads::router())
        .layer(DefaultBodyLimit::max(limits::BODY))
        .merge(firmware::router())
        .merge(messages::router());
    OpenApiRouter::new().nest("/api/v1", handlers)
}

/// Names of a device in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "for the document: handlers take both as a tuple")]
struct DeviceKey {
    /// The product.
    product_key: String,
    /// The device among those of the product.
    device_name: String,
}

/// Name of a product in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "for the document: handlers take it as text")]
struct ProductKey {
    /// The product.
    product_key: String,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Axum tells its paths to nobody but to whoever debugs.
    fn paths(router: &Router<SharedApp>) -> BTreeSet<String> {
        let text = format!("{router:?}");
        let quoted = text.split('"').skip(1).step_by(2);
        quoted.filter(|text| text.starts_with("/api/v1/") && !text.contains("__private")).map(str::to_owned).collect()
    }

    #[test]
    fn every_path_is_in_the_document() {
        let (handlers, document) = documented().split_for_parts();
        let documented: BTreeSet<String> = document.paths.paths.keys().cloned().collect();
        assert!(documented.len() > 15, "{documented:?}");
        assert_eq!(paths(&handlers), documented);
        let more = handlers.route("/api/v1/left-out", axum::routing::get(limits::no_such_path));
        assert_eq!(paths(&more).len(), documented.len() + 1, "what is left out is seen");
    }
}
