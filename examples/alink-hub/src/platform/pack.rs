//! What a gateway posts for its sub-devices at once: packs, and histories of several devices.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::envelope::Reply;
use super::thing;
use crate::app::SharedApp;
use crate::store::devices::{self, Device};
use crate::store::{StoreError, topology};

/// How many sub-devices a pack may be of.
const MOST: usize = 20;

/// How many a history may be of.
const MOST_OF_HISTORY: usize = 200;

/// `{"properties":{..},"events":{..},"subDevices":[{"identity":{..},"properties":{..},"events":{..}}]}`. What is good is kept; what is
/// not is told in `data`, that of a sub-device under its name.
pub(super) async fn pack(app: &SharedApp, gateway: &Device, params: &Value) -> Result<Reply, StoreError> {
    let Some(own) = params.as_object() else { return Ok(Reply::error(460, "params is no object".to_owned())) };
    let packed: Vec<&Value> = own.get("subDevices").and_then(Value::as_array).into_iter().flatten().collect();
    if packed.len() > MOST {
        return Ok(Reply::error(6357, format!("more than {MOST} sub-devices")));
    }
    let mut all = Answers::default();
    if own.keys().any(|key| key != "subDevices") || packed.is_empty() {
        all.add("", thing::batch(app, gateway, params).await?);
    }
    for one in packed {
        let Some((product_key, device_name)) = names(gateway, one) else {
            all.add("", thing::batch(app, gateway, one).await?);
            continue;
        };
        let reply = match find(app, gateway, product_key, device_name).await? {
            Some(device) => thing::batch(app, &device, one).await?,
            None => Reply::error(6401, "the sub-device is not behind this gateway, or disabled".to_owned()),
        };
        all.add(&format!("{product_key}/{device_name}"), reply);
    }
    Ok(all.into_reply())
}

/// As [`thing::history`], of the gateway and of its sub-devices; others are refused.
pub(super) async fn history(app: &SharedApp, gateway: &Device, params: &Value) -> Result<Reply, StoreError> {
    let Some(items) = params.as_array() else { return thing::history(app, gateway, params).await };
    let mut of_each: BTreeMap<(&str, &str), Vec<Value>> = BTreeMap::new();
    for item in items {
        of_each.entry(names(gateway, item).unwrap_or_default()).or_default().push(item.clone());
    }
    if of_each.len() > MOST_OF_HISTORY {
        return Ok(Reply::error(6357, format!("more than {MOST_OF_HISTORY} sub-devices")));
    }
    let mut own = of_each.remove(&("", "")).unwrap_or_default();
    let mut all = Answers::default();
    for ((product_key, device_name), items) in of_each {
        match find(app, gateway, product_key, device_name).await? {
            Some(device) => {
                let reply = thing::history(app, &device, &Value::Array(items)).await?;
                all.add(&format!("{product_key}/{device_name}"), reply);
            }
            // There it is said that they are another device's.
            None => own.extend(items),
        }
    }
    if !own.is_empty() || items.is_empty() {
        all.add("", thing::history(app, gateway, &Value::Array(own)).await?);
    }
    Ok(all.into_reply())
}

/// Product and name of the sub-device that an item is of; `None` if that is the gateway, or nobody is named.
fn names<'i>(gateway: &Device, item: &'i Value) -> Option<(&'i str, &'i str)> {
    let part = |pointer| item.pointer(pointer).and_then(Value::as_str).unwrap_or("");
    let (product_key, device_name) = (part("/identity/productKey"), part("/identity/deviceName"));
    let is_own = device_name.is_empty() || (product_key == gateway.product_key && device_name == gateway.device_name);
    (!is_own).then_some((product_key, device_name))
}

/// The sub-device, if it is behind the gateway and not disabled. It need not be online: what it has measured before counts.
async fn find(
    app: &SharedApp,
    gateway: &Device,
    product_key: &str,
    device_name: &str,
) -> Result<Option<Device>, StoreError> {
    let found = devices::find(&app.store, product_key, device_name).await?;
    let Some(found) = found.filter(|found| found.disabled == 0) else { return Ok(None) };
    let related = topology::gateway(&app.store, found.id).await?;
    Ok(related.filter(|related| related.device.id == gateway.id).map(|_| found.into_device()))
}

/// One answer of several.
#[derive(Default)]
struct Answers {
    refused: Map<String, Value>,
    first: Option<Reply>,
    is_any_good: bool,
}

impl Answers {
    fn add(&mut self, name: &str, reply: Reply) {
        let is_empty = reply.data.as_object().is_some_and(Map::is_empty);
        match (reply.code, &reply.data) {
            (200, _) if is_empty => {}
            (_, Value::Object(reasons)) if name.is_empty() && !is_empty => self.refused.extend(reasons.clone()),
            (_, data) if !is_empty => drop(self.refused.insert(name.to_owned(), data.clone())),
            _ => drop(self.refused.insert(name.to_owned(), json!({"code": reply.code, "message": reply.message}))),
        }
        if reply.code == 200 {
            self.is_any_good = true;
        } else {
            self.first.get_or_insert(reply);
        }
    }

    fn into_reply(self) -> Reply {
        match self.first {
            Some(first) if !self.is_any_good => Reply { data: Value::Object(self.refused), ..first },
            _ => Reply::ok(Value::Object(self.refused)),
        }
    }
}
