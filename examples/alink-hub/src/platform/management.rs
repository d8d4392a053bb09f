//! Desired properties, tags, configuration, log, model: what devices ask for beside their data.

use serde_json::{Map, Value, json};

use super::envelope::{Reply, member, whole};
use crate::app::SharedApp;
use crate::store::devices::Device;
use crate::store::{StoreError, configs, desired, devices, log, tags};

/// How many desired properties one message may name.
const MOST_DESIRED: usize = 200;

/// How many tags a device may have, and one message may carry.
const MOST_TAGS: usize = 200;

/// How many log entries one message may carry.
const MOST_ENTRIES: usize = 40;

/// The longest key of a tag, in bytes.
const LONGEST_KEY: usize = 100;

/// Of the listed properties, or of all: `{"Power":{"value":1,"version":2}}`.
pub(super) async fn desired_get(app: &SharedApp, device: &Device, params: &Value) -> Result<Reply, StoreError> {
    let wanted: Vec<&str> = params.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if wanted.len() > MOST_DESIRED {
        return Ok(Reply::error(6104, format!("more than {MOST_DESIRED} properties")));
    }
    let all = desired::all(&app.store, device.id).await?;
    let listed = all.into_iter().filter(|(identifier, _)| wanted.is_empty() || wanted.contains(&identifier.as_str()));
    let data = listed.map(|(identifier, (value, version))| (identifier, json!({"value": value, "version": version})));
    Ok(Reply::ok(Value::Object(data.collect())))
}

/// `{"Power":{"version":2},"Mode":{}}`: those that have that version still, or any.
pub(super) async fn desired_delete(app: &SharedApp, device: &Device, params: &Value) -> Result<Reply, StoreError> {
    let Some(params) = params.as_object() else {
        return Ok(Reply::error(460, "params is no object".to_owned()));
    };
    if params.len() > MOST_DESIRED {
        return Ok(Reply::error(6104, format!("more than {MOST_DESIRED} properties")));
    }
    let wanted = params.iter().map(|(identifier, of)| (identifier.clone(), of.get("version").and_then(whole)));
    let deleted = desired::delete(&app.store, device.id, wanted.collect()).await?;
    let data = deleted.into_iter().map(|(identifier, version)| (identifier, json!({"version": version})));
    Ok(Reply::ok(Value::Object(data.collect())))
}

/// `[{"attrKey":"SN","attrValue":"1"}]`.
pub(super) async fn tags_update(app: &SharedApp, device: &Device, params: &Value) -> Result<Reply, StoreError> {
    let mut changes = Vec::new();
    for tag in params.as_array().into_iter().flatten() {
        let Some(key) = tag.get("attrKey").and_then(Value::as_str).filter(|key| is_key(key)) else {
            return Ok(Reply::error(460, "attrKey is no name of up to 100 letters, digits and _".to_owned()));
        };
        let value = match tag.get("attrValue") {
            Some(Value::String(value)) => value.clone(),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            _ => return Ok(Reply::error(460, format!("the tag {key} has no attrValue"))),
        };
        changes.push((key.to_owned(), Some(value)));
    }
    change_tags(app, device, changes).await
}

/// All tags, or those of the listed keys.
pub(super) async fn tags_get(app: &SharedApp, device: &Device, params: &Value) -> Result<Reply, StoreError> {
    // How they are named is not verified: a list, of names or of objects, or a list within an object.
    let listed = params.get("attrKeys").unwrap_or(params).as_array().into_iter().flatten();
    let keys: Vec<&str> = listed.filter_map(|tag| tag.get("attrKey").unwrap_or(tag).as_str()).collect();
    let all = tags::all(&app.store, device.id).await?;
    let wanted = all.into_iter().filter(|(key, _)| keys.is_empty() || keys.contains(&key.as_str()));
    let data = wanted.map(|(key, value)| json!({"attrKey": key, "attrValue": value}));
    Ok(Reply::ok(Value::Array(data.collect())))
}

/// `[{"attrKey":"SN"}]`.
pub(super) async fn tags_delete(app: &SharedApp, device: &Device, params: &Value) -> Result<Reply, StoreError> {
    let listed = params.as_array().into_iter().flatten();
    let keys = listed.filter_map(|tag| tag.get("attrKey").and_then(Value::as_str));
    change_tags(app, device, keys.map(|key| (key.to_owned(), None)).collect()).await
}

async fn change_tags(
    app: &SharedApp,
    device: &Device,
    changes: Vec<(String, Option<String>)>,
) -> Result<Reply, StoreError> {
    let is_fit = (1..=MOST_TAGS).contains(&changes.len());
    let most = i64::try_from(MOST_TAGS).unwrap_or(i64::MAX);
    if is_fit && tags::change(&app.store, device.id, changes, most).await? {
        return Ok(Reply::ok(json!({})));
    }
    Ok(Reply::error(460, format!("there are to be 1 to {MOST_TAGS} tags")))
}

fn is_key(key: &str) -> bool {
    let is_first = |first: char| first.is_ascii_alphabetic() || first == '_';
    key.len() <= LONGEST_KEY
        && key.starts_with(is_first)
        && key.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// Where the product's configuration is, and its digest.
pub(super) async fn config_get(app: &SharedApp, device: &Device) -> Result<Reply, StoreError> {
    let config = configs::find(&app.store, &device.product_key).await?;
    Ok(match config {
        Some(config) => Reply::ok(config_data(app, &config)),
        None => Reply::error(6710, "no configuration".to_owned()),
    })
}

/// What a device is told of a configuration.
pub(crate) fn config_data(app: &SharedApp, config: &configs::Config) -> Value {
    json!({
        "configId": config.config_id,
        "configSize": config.content.len(),
        "sign": config.digest(),
        "signMethod": "Sha256",
        "url": format!("{}/files/config/{}", app.public_url, config.config_id),
        "getType": "file",
    })
}

/// Whether the device is to upload its log.
pub(super) async fn log_settings(app: &SharedApp, device: &Device) -> Result<Reply, StoreError> {
    Ok(Reply::ok(log_data(devices::uploads_log(&app.store, device.id).await?)))
}

/// What a device is told of it. The form is not verified.
pub(crate) fn log_data(uploads: bool) -> Value {
    json!({"getType": "content", "content": {"mode": i64::from(uploads)}})
}

/// `[{"utcTime":..,"logLevel":"ERROR","module":"m","code":"1","traceContext":"t","logContent":"c"}]`.
pub(super) async fn log_post(app: &SharedApp, device: &Device, params: &Value) -> Result<Reply, StoreError> {
    let entries = params.as_array().map_or(&[][..], Vec::as_slice);
    if entries.is_empty() || entries.len() > MOST_ENTRIES {
        return Ok(Reply::error(460, format!("there are to be 1 to {MOST_ENTRIES} entries")));
    }
    let text = |entry: &Value, key: &str| member(entry, key).unwrap_or_default().into_owned();
    let entry = |entry: &Value| log::New {
        source: log::Source::Device,
        level: text(entry, "logLevel").to_ascii_lowercase(),
        content: text(entry, "logContent"),
        details: entry.as_object().map(|whole| {
            let rest = whole.iter().filter(|(key, _)| *key != "logLevel" && *key != "logContent");
            Value::Object(rest.map(|(key, value)| (key.clone(), value.clone())).collect())
        }),
    };
    let entries: Vec<log::New> = entries.iter().map(entry).collect();
    log::add(&app.store, (&device.product_key, &device.device_name), entries.clone()).await?;
    for entry in entries {
        let tell = || json!({"level": entry.level, "content": entry.content, "source": "device"});
        app.live.tell("log", &device.product_key, &device.device_name, tell);
    }
    Ok(Reply::ok(json!({})))
}

/// The thing model, with whose it is.
pub(super) fn model(app: &SharedApp, device: &Device) -> Reply {
    let Some(model) = app.models.get(&device.product_key) else {
        return Reply::error(5159, "the product has no model".to_owned());
    };
    let mut tsl = model.tsl.clone();
    if let Some(whole) = tsl.as_object_mut() {
        let profile = whole.entry("profile").or_insert_with(|| Value::Object(Map::new()));
        if let Some(profile) = profile.as_object_mut() {
            profile.insert("productKey".into(), device.product_key.as_str().into());
            profile.insert("deviceName".into(), device.device_name.as_str().into());
        }
        let link = format!("/sys/{}/{}/thing/", device.product_key, device.device_name);
        whole.insert("link".into(), link.into());
    }
    Reply::ok(tsl)
}
