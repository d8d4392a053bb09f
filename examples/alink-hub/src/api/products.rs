//! `/products`: models, registration, configuration.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ProductKey;
use super::extract::{Json, Path, Query, Text};
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

pub(super) fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, change)).routes(routes!(
        config,
        set_config,
        delete_config
    ))
}

/// A product.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Product {
    /// What it is called.
    product_key: String,
    /// What devices register with; `null` in lists, and for who may only look.
    product_secret: Option<String>,
    /// Which devices may ask for their secret.
    dynamic_registration: Registration,
    /// The files of its thing model; `null` if there is none any more.
    files: Option<Vec<String>>,
    /// How many properties its devices have.
    properties: usize,
    /// How many events.
    events: usize,
    /// How many services.
    services: usize,
    /// How many devices were entered.
    devices: i64,
    /// The thing model (TSL); not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    tsl: Option<Map<String, Value>>,
}

pub(super) fn no_product() -> Problem {
    Problem::not_found("there is no such product")
}

async fn summary(app: &SharedApp, product_key: &str, may_see: bool) -> Result<Product, Problem> {
    let product = products::find(&app.store, &app.seal, product_key).await?.ok_or_else(no_product)?;
    let model = app.models.get(product_key);
    let count = |of: fn(&crate::model::Model) -> usize| model.map_or(0, of);
    Ok(Product {
        product_key: product_key.to_owned(),
        product_secret: may_see.then_some(product.secret),
        dynamic_registration: product.registration,
        files: model.map(|model| model.files.clone()),
        properties: count(|model| model.properties.len()),
        events: count(|model| model.events.len()),
        services: count(|model| model.services.len()),
        devices: products::device_count(&app.store, product_key).await?,
        tsl: None,
    })
}

/// Products: those of the models folder.
#[utoipa::path(get, path = "/products", tag = "products", responses((status = OK, body = Vec<Product>)))]
async fn list(_: Viewer, State(app): State<SharedApp>) -> Result<axum::Json<Vec<Product>>, Problem> {
    let mut all = Vec::new();
    for product_key in app.models.keys() {
        all.push(summary(&app, product_key, false).await?);
    }
    Ok(axum::Json(all))
}

/// A product, with its thing model.
#[utoipa::path(get, path = "/products/{product_key}", tag = "products", params(ProductKey),
    responses((status = OK, body = Product)))]
async fn show(
    Viewer(role): Viewer,
    State(app): State<SharedApp>,
    Path(product_key): Path<String>,
) -> Result<axum::Json<Product>, Problem> {
    let tsl = app.models.get(&product_key).and_then(|model| model.tsl.as_object().cloned());
    let product = summary(&app, &product_key, role == Role::Operator).await?;
    Ok(axum::Json(Product { tsl, ..product }))
}

/// What is to be changed of a product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProductChange {
    /// Which devices may ask for their secret.
    dynamic_registration: Registration,
}

/// Changes who may register.
#[utoipa::path(patch, path = "/products/{product_key}", tag = "products", params(ProductKey),
    request_body = ProductChange, responses((status = OK, body = Product)))]
async fn change(
    _: Operator,
    State(app): State<SharedApp>,
    Path(product_key): Path<String>,
    Json(change): Json<ProductChange>,
) -> Result<axum::Json<Product>, Problem> {
    if !products::set_registration(&app.store, &product_key, change.dynamic_registration).await? {
        return Err(no_product());
    }
    Ok(axum::Json(summary(&app, &product_key, true).await?))
}

/// The configuration that devices fetch.
#[utoipa::path(get, path = "/products/{product_key}/config", tag = "products", params(ProductKey),
    responses((status = OK, body = configs::Config)))]
async fn config(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(product_key): Path<String>,
) -> Result<axum::Json<configs::Config>, Problem> {
    let config = configs::find(&app.store, &product_key).await?;
    config.map(axum::Json).ok_or_else(|| Problem::not_found("the product has no configuration"))
}

/// Who is told.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Push {
    /// Whether devices that are connected are told at once.
    #[serde(default)]
    #[param(default = false)]
    push: bool,
}

/// A configuration that was put.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewConfig {
    /// What devices know it by.
    config_id: String,
    /// In bytes.
    size: usize,
    /// How many devices were told.
    told: u64,
}

/// Puts the configuration: text of at most 64 KiB.
#[utoipa::path(put, path = "/products/{product_key}/config", tag = "products", params(ProductKey, Push),
    request_body(content = String, content_type = "text/plain"), responses((status = OK, body = NewConfig)))]
async fn set_config(
    _: Operator,
    State(app): State<SharedApp>,
    Path(product_key): Path<String>,
    Query(Push { push }): Query<Push>,
    Text(content): Text,
) -> Result<axum::Json<NewConfig>, Problem> {
    if !app.models.contains_key(&product_key) {
        return Err(no_product());
    }
    if content.len() > LARGEST || content.contains('\0') {
        return Err(Problem::invalid("", format!("a configuration is text of at most {LARGEST} bytes")));
    }
    let config_id = new_secret().map_err(Problem::internal)?;
    configs::set(&app.store, &product_key, Some((config_id, content))).await?;
    let config = configs::find(&app.store, &product_key).await?;
    let config = config.ok_or_else(|| Problem::conflict("somebody else changed it meanwhile"))?;
    let told = if push { tell(&app, &product_key, &config).await? } else { 0 };
    Ok(axum::Json(NewConfig { size: config.content.len(), config_id: config.config_id, told }))
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

/// Takes the configuration away.
#[utoipa::path(delete, path = "/products/{product_key}/config", tag = "products", params(ProductKey),
    responses((status = NO_CONTENT)))]
async fn delete_config(
    _: Operator,
    State(app): State<SharedApp>,
    Path(product_key): Path<String>,
) -> Result<StatusCode, Problem> {
    if configs::find(&app.store, &product_key).await?.is_none() {
        return Err(Problem::not_found("the product has no configuration"));
    }
    configs::set(&app.store, &product_key, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
