//! The shadow: what a device last said of itself and what is wanted of it, in one document with a version.
//!
//! Each change needs a version above the shadow's; -1 begins anew. Error codes are the vendor's.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::envelope::whole;
use crate::app::SharedApp;
use crate::store::devices::Device;
use crate::store::shadows;
use crate::time::now;

/// How many attributes a section may have.
const MOST: usize = 128;

/// Why a request is refused: code and reason.
type Refusal = (u16, &'static str);

/// The document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Shadow {
    /// Values of attributes.
    state: Sections,
    /// Of each attribute, when it was set, in seconds since 1970.
    metadata: Sections,
    /// When it was changed, in seconds since 1970.
    timestamp: i64,
    /// One more with each change.
    version: i64,
}

/// One part for each of the two who speak of the device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
struct Sections {
    /// What the device said.
    reported: Map<String, Value>,
    /// What is wanted of it.
    desired: Map<String, Value>,
}

#[derive(Debug, Clone, Copy)]
enum Name {
    Reported,
    Desired,
}

impl Sections {
    fn of(&mut self, name: Name) -> &mut Map<String, Value> {
        match name {
            Name::Reported => &mut self.reported,
            Name::Desired => &mut self.desired,
        }
    }
}

/// A message on `/shadow/update/..`; the answer goes to `/shadow/get/..`.
pub(super) async fn receive(app: &SharedApp, device: &Device, payload: &[u8]) {
    let request: Result<Value, Refusal> = serde_json::from_slice(payload).map_err(|_| (400, "no JSON"));
    let request = request.and_then(|request| if request.is_object() { Ok(request) } else { Err((400, "no object")) });
    let answer = match request {
        Err(refusal) => refused(refusal),
        Ok(request) => {
            let seconds = now() / 1000;
            let changed = shadows::change(&app.store, device.id, move |shadow| serve(shadow, &request, seconds)).await;
            changed.unwrap_or_else(|error| {
                tracing::error!(%error, device = device.device_name, "the database failed");
                refused((500, "the platform failed"))
            })
        }
    };
    let reply = json!({"method": "reply", "payload": answer, "timestamp": now() / 1000});
    let topic = format!("/shadow/get/{}/{}", device.product_key, device.device_name);
    app.link.publish(device, topic, reply.to_string()).await;
}

/// Changes what is wanted of a device, and tells it if it is connected. The document then; `None`, and nothing is changed, if
/// it would have too many attributes.
pub(crate) async fn want(
    app: &SharedApp,
    device: &Device,
    desired: Map<String, Value>,
) -> Result<Option<Shadow>, crate::store::StoreError> {
    let seconds = now() / 1000;
    let changed = shadows::change(&app.store, device.id, move |shadow| {
        let mut shadow: Shadow = shadow.unwrap_or_default();
        shadow.set(Name::Desired, &desired, seconds);
        (shadow.version, shadow.timestamp) = (shadow.version.saturating_add(1), seconds);
        let shadow = Some(shadow).filter(|shadow| shadow.state.desired.len() <= MOST);
        (shadow.clone(), shadow)
    });
    let Some(shadow) = changed.await? else { return Ok(None) };
    let control = json!({
        "method": "control",
        "payload": {"state": shadow.state, "metadata": shadow.metadata},
        "version": shadow.version,
        "timestamp": seconds,
    });
    let topic = format!("/shadow/get/{}/{}", device.product_key, device.device_name);
    app.link.publish(device, topic, control.to_string()).await;
    Ok(Some(shadow))
}

fn refused((code, reason): Refusal) -> Value {
    json!({"status": "error", "content": {"errorcode": code.to_string(), "errormessage": reason}})
}

/// What a request makes of the document, and the payload of its answer.
fn serve(shadow: Option<Shadow>, request: &Value, seconds: i64) -> (Option<Shadow>, Value) {
    let change = match request.get("method").and_then(Value::as_str) {
        None => return (None, refused((401, "no method"))),
        Some("get") => {
            let Some(shadow) = shadow else { return (None, refused((407, "the shadow is empty"))) };
            let Shadow { state, metadata, version, .. } = shadow;
            return (None, json!({"status": "success", "state": state, "metadata": metadata, "version": version}));
        }
        Some("update") => Shadow::update,
        Some("delete") => Shadow::delete,
        Some(_) => return (None, refused((406, "no such method"))),
    };
    let shadow = shadow.unwrap_or_default();
    let changed = judge_version(&shadow, request).and_then(|version| {
        let begins = version == -1;
        let mut shadow = if begins { Shadow::default() } else { shadow };
        change(&mut shadow, request, seconds)?;
        (shadow.version, shadow.timestamp) = (if begins { 0 } else { version }, seconds);
        Ok(shadow)
    });
    match changed {
        Ok(shadow) => {
            let payload = json!({"status": "success", "version": shadow.version});
            (Some(shadow), payload)
        }
        Err(refusal) => (None, refused(refusal)),
    }
}

fn judge_version(shadow: &Shadow, request: &Value) -> Result<i64, Refusal> {
    let version = request.get("version").and_then(whole).ok_or((403, "the version is no number"))?;
    if version != -1 && version <= shadow.version {
        return Err((409, "the version is not above the shadow's"));
    }
    Ok(version)
}

impl Shadow {
    fn update(&mut self, request: &Value, seconds: i64) -> Result<(), Refusal> {
        let state = request.get("state").and_then(Value::as_object).ok_or((404, "no state"))?;
        let (reported, desired) = (state.get("reported"), state.get("desired"));
        if reported.or(desired).is_none() {
            return Err((404, "neither reported nor desired"));
        }
        if reported.and_then(Value::as_object).is_some_and(Map::is_empty) {
            return Err((405, "reported is empty"));
        }
        for (name, new) in [(Name::Reported, reported), (Name::Desired, desired)] {
            match new {
                None => {}
                // A device says so when it has done what was wanted.
                Some(new) if new.is_null() || new.as_str() == Some("null") => self.clear(name),
                Some(new) => self.set(name, new.as_object().ok_or((404, "an object is needed"))?, seconds),
            }
            if self.state.of(name).len() > MOST {
                return Err((408, "more than 128 attributes"));
            }
        }
        Ok(())
    }

    /// Takes away attributes that are named, or all.
    fn delete(&mut self, request: &Value, _: i64) -> Result<(), Refusal> {
        let state = request.get("state").and_then(Value::as_object).ok_or((404, "no state"))?;
        let (reported, desired) = (state.get("reported"), state.get("desired"));
        for (name, old) in [(Name::Reported, reported), (Name::Desired, desired)] {
            match old {
                None => {}
                Some(Value::Object(attributes)) => {
                    self.state.of(name).retain(|key, _| !attributes.contains_key(key));
                    self.metadata.of(name).retain(|key, _| !attributes.contains_key(key));
                }
                Some(_) => self.clear(name),
            }
        }
        reported.or(desired).map(|_| ()).ok_or((404, "neither reported nor desired"))
    }

    fn clear(&mut self, name: Name) {
        self.state.of(name).clear();
        self.metadata.of(name).clear();
    }

    /// Sets attributes, each with its time; `null` takes one away.
    fn set(&mut self, name: Name, new: &Map<String, Value>, seconds: i64) {
        for (key, value) in new {
            if value.is_null() {
                self.state.of(name).remove(key);
                self.metadata.of(name).remove(key);
            } else {
                self.state.of(name).insert(key.clone(), value.clone());
                self.metadata.of(name).insert(key.clone(), json!({"timestamp": seconds}));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(request: Value, document: Option<Shadow>) -> String {
        let (kept, payload) = serve(document, &request, 1);
        assert!(kept.is_none());
        payload["content"]["errorcode"].as_str().unwrap().to_owned()
    }

    fn update(version: i64, reported: Value, document: Option<Shadow>) -> (Option<Shadow>, Value) {
        serve(document, &json!({"method": "update", "state": {"reported": reported}, "version": version}), 1)
    }

    #[test]
    fn a_shadow_is_updated_read_and_deleted() {
        let (document, payload) = update(1, json!({"Power": 1, "Mode": 2}), None);
        assert_eq!(payload, json!({"status": "success", "version": 1}));
        let (none, payload) = serve(document.clone(), &json!({"method": "get"}), 2);
        assert!(none.is_none());
        assert_eq!(payload["state"]["reported"], json!({"Power": 1, "Mode": 2}));
        assert_eq!(payload["metadata"]["reported"]["Power"], json!({"timestamp": 1}));
        let request = json!({"method": "delete", "state": {"reported": {"Power": "null"}}, "version": 2});
        let (document, _) = serve(document, &request, 3);
        assert_eq!(Value::from(document.clone().unwrap().state.reported), json!({"Mode": 2}));
        let request = json!({"method": "delete", "state": {"reported": "null"}, "version": 3});
        let (document, payload) = serve(document, &request, 4);
        assert_eq!(payload["version"], 3);
        assert!(document.as_ref().unwrap().state.reported.is_empty());
        let (document, payload) = update(-1, json!({"New": 1}), document);
        assert_eq!((payload["version"].as_i64(), document.unwrap().version), (Some(0), 0));
    }

    #[test]
    fn what_is_wrong_has_its_code() {
        let (document, _) = update(5, json!({"Power": 1}), None);
        assert_eq!(code(json!({}), None), "401");
        assert_eq!(code(json!({"method": "update", "state": {"reported": {"a": 1}}, "version": "x"}), None), "403");
        assert_eq!(code(json!({"method": "update", "version": 1}), None), "404");
        assert_eq!(code(json!({"method": "update", "state": {}, "version": 1}), None), "404");
        assert_eq!(code(json!({"method": "update", "state": {"reported": {}}, "version": 1}), None), "405");
        assert_eq!(code(json!({"method": "dance"}), None), "406");
        assert_eq!(code(json!({"method": "get"}), None), "407");
        assert_eq!(code(json!({"method": "update", "state": {"reported": {"a": 1}}, "version": 5}), document), "409");
        let many: Map<String, Value> = (0..129).map(|number| (format!("a{number}"), 1.into())).collect();
        assert_eq!(code(json!({"method": "update", "state": {"reported": many}, "version": 1}), None), "408");
    }
}
