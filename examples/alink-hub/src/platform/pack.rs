//! What a gateway posts for its sub-devices at once: packs, and histories of several devices.

use serde_json::{Map, Value, json};

use super::envelope::Reply;
use super::thing;
use crate::app::SharedApp;
use crate::store::devices::{self, Device};
use crate::store::{StoreError, topology};

/// How many sub-devices a pack may be of.
const MOST: usize = 20;

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
        let (name, device) = sub_device(app, gateway, one).await?;
        let reply = match device {
            Some(device) => thing::batch(app, &device, one).await?,
            None => Reply::error(6401, "the sub-device is not behind this gateway".to_owned()),
        };
        all.add(&name, reply);
    }
    Ok(all.into_reply())
}

/// As [`thing::history`], of the gateway and of its sub-devices; others are refused.
pub(super) async fn history(app: &SharedApp, gateway: &Device, params: &Value) -> Result<Reply, StoreError> {
    let Some(items) = params.as_array() else { return thing::history(app, gateway, params).await };
    let mut all = Answers::default();
    let mut own = Vec::new();
    for item in items {
        let (name, device) = sub_device(app, gateway, item).await?;
        match device {
            Some(device) if !name.is_empty() => {
                all.add(&name, thing::history(app, &device, &json!([item])).await?);
            }
            _ => own.push(item.clone()),
        }
    }
    if !own.is_empty() || items.is_empty() {
        all.add("", thing::history(app, gateway, &Value::Array(own)).await?);
    }
    Ok(all.into_reply())
}

/// The name, and the device if it is behind the gateway. Without a name it is the gateway.
async fn sub_device(app: &SharedApp, gateway: &Device, item: &Value) -> Result<(String, Option<Device>), StoreError> {
    let part = |pointer| item.pointer(pointer).and_then(Value::as_str).unwrap_or("");
    let (product_key, device_name) = (part("/identity/productKey"), part("/identity/deviceName"));
    if device_name.is_empty() || (product_key == gateway.product_key && device_name == gateway.device_name) {
        return Ok((String::new(), Some(gateway.clone())));
    }
    let name = format!("{product_key}/{device_name}");
    let Some(found) = devices::find(&app.store, product_key, device_name).await? else { return Ok((name, None)) };
    let related = topology::gateway(&app.store, found.id).await?;
    let device = Device { id: found.id, product_key: found.product_key, device_name: found.device_name };
    Ok((name, related.filter(|related| related.device.id == gateway.id).map(|_| device)))
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
