//! `/products`: models, registration, configuration.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use super::extract::{Json, Path, Query};
use super::problem::Problem;
use crate::app::SharedApp;
use crate::platform::calls::push_config;
use crate::platform::management::config_data;
use crate::security::access::{Operator, Role, Viewer};
use crate::security::new_secret;
use crate::store::devices::Device;
use crate::store::products::{self, Registration};
use crate::store::{configs, devices};

/// The largest configuration, in bytes.
const LARGEST: usize = 64 * 1024;

pub(super) fn router() -> Router<SharedApp> {
    Router::new()
        .route("/products", get(list))
        .route("/products/{product_key}", get(show).patch(change))
        .route("/products/{product_key}/config", get(config).put(set_config).delete(delete_config))
}

async fn summary(app: &SharedApp, product_key: &str, may_see: bool) -> Result<Value, Problem> {
    let product = products::find(&app.store, &app.seal, product_key).await?;
    let product = product.ok_or_else(|| Problem::not_found("there is no such product"))?;
    let model = app.models.get(product_key);
    let count = |of: fn(&crate::model::Model) -> usize| model.map_or(0, of);
    Ok(json!({
        "productKey": product_key,
        "productSecret": may_see.then_some(product.secret),
        "dynamicRegistration": product.registration,
        "files": model.map(|model| &model.files),
        "properties": count(|model| model.properties.len()),
        "events": count(|model| model.events.len()),
        "services": count(|model| model.services.len()),
        "devices": products::device_count(&app.store, product_key).await?,
    }))
}

async fn list(_: Viewer, State(app): State<SharedApp>) -> Result<axum::Json<Value>, Problem> {
    let mut all = Vec::new();
    for product_key in app.models.keys() {
        all.push(summary(&app, product_key, false).await?);
    }
    Ok(axum::Json(Value::Array(all)))
}

async fn show(
    Viewer(role): Viewer,
    State(app): State<SharedApp>,
    Path(product_key): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    let mut product = summary(&app, &product_key, role == Role::Operator).await?;
    if let Some(members) = product.as_object_mut() {
        members.insert("tsl".to_owned(), app.models.get(&product_key).map(|model| model.tsl.clone()).into());
    }
    Ok(axum::Json(product))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    dynamic_registration: Registration,
}

async fn change(
    _: Operator,
    State(app): State<SharedApp>,
    Path(product_key): Path<String>,
    Json(change): Json<Change>,
) -> Result<axum::Json<Value>, Problem> {
    if !products::set_registration(&app.store, &product_key, change.dynamic_registration).await? {
        return Err(Problem::not_found("there is no such product"));
    }
    Ok(axum::Json(summary(&app, &product_key, true).await?))
}

async fn config(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(product_key): Path<String>,
) -> Result<axum::Json<configs::Config>, Problem> {
    let config = configs::find(&app.store, &product_key).await?;
    config.map(axum::Json).ok_or_else(|| Problem::not_found("the product has no configuration"))
}

#[derive(Debug, Deserialize)]
struct Push {
    /// Whether devices that are connected are told at once.
    #[serde(default)]
    push: bool,
}

async fn set_config(
    _: Operator,
    State(app): State<SharedApp>,
    Path(product_key): Path<String>,
    Query(Push { push }): Query<Push>,
    content: String,
) -> Result<axum::Json<Value>, Problem> {
    if !app.models.contains_key(&product_key) {
        return Err(Problem::not_found("there is no such product"));
    }
    if content.len() > LARGEST || content.contains('\0') {
        return Err(Problem::invalid("", format!("a configuration is text of at most {LARGEST} bytes")));
    }
    let config_id = new_secret().map_err(Problem::internal)?;
    configs::set(&app.store, &product_key, Some((config_id, content))).await?;
    let config = configs::find(&app.store, &product_key).await?;
    let config = config.ok_or_else(|| Problem::conflict("somebody else changed it meanwhile"))?;
    let told = if push { tell(&app, &product_key, &config).await? } else { 0 };
    Ok(axum::Json(json!({"configId": config.config_id, "size": config.content.len(), "told": told})))
}

/// Tells the devices of a product that are connected; how many.
async fn tell(app: &SharedApp, product_key: &str, config: &configs::Config) -> Result<u64, Problem> {
    let (mut told, mut after) = (0, None);
    loop {
        let some = devices::list(&app.store, Some(product_key), after, 500).await?;
        let Some(last) = some.last() else { return Ok(told) };
        after = Some(last.id);
        for device in some {
            let device = Device { id: device.id, product_key: device.product_key, device_name: device.device_name };
            told += u64::from(push_config(app, &device, config_data(app, config)));
        }
    }
}

async fn delete_config(
    _: Operator,
    State(app): State<SharedApp>,
    Path(product_key): Path<String>,
) -> Result<(), Problem> {
    Ok(configs::set(&app.store, &product_key, None).await?)
}
