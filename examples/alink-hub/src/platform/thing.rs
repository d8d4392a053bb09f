//! Properties and events that devices post.

use serde_json::{Map, Value, json};

use super::envelope::{Reply, whole};
use crate::app::SharedApp;
use crate::model::{Invalid, Model};
use crate::store::StoreError;
use crate::store::devices::Device;
use crate::store::history::{self, Entry, Kind};
use crate::time::now;

/// How many properties, and how many events, one message may carry.
const MOST: usize = 200;

/// The longest identifier of a property without a model, in bytes. It stands in an index, and PostgreSQL rejects an index
/// entry of more than 2,704 bytes.
const LONGEST_IDENTIFIER: usize = 128;

/// What a message carries: what is to be kept, and why the rest is not.
struct Sorted<'m> {
    model: Option<&'m Model>,
    entries: Vec<Entry>,
    refused: Map<String, Value>,
    properties: usize,
    events: usize,
}

/// `{"Power":1}` or `{"Power":{"value":1,"time":..}}`.
pub(crate) async fn post(app: &SharedApp, device: &Device, params: &Value) -> Result<Reply, StoreError> {
    let Some(params) = params.as_object() else { return Ok(no_object()) };
    let mut sorted = Sorted::new(app, device);
    for (identifier, value) in params {
        sorted.property(identifier, value);
    }
    sorted.keep(app, device).await
}

/// `{"value":{..},"time":..}`, or what the event tells without more around it.
pub(super) async fn event(
    app: &SharedApp,
    device: &Device,
    identifier: &str,
    params: &Value,
) -> Result<Reply, StoreError> {
    let mut sorted = Sorted::new(app, device);
    sorted.event(identifier, params);
    sorted.keep(app, device).await
}

/// `{"properties":{"Power":[{"value":1,"time":..},..]},"events":{"Fault":[..]}}`.
pub(super) async fn batch(app: &SharedApp, device: &Device, params: &Value) -> Result<Reply, StoreError> {
    let mut sorted = Sorted::new(app, device);
    sorted.batch(params);
    sorted.keep(app, device).await
}

/// What the call on `path` posts, if it is a post. Of what the device told before nothing is kept again, and of the rest what
/// is undated was so at `received` at the latest.
pub(super) async fn post_retained(
    app: &SharedApp,
    device: &Device,
    path: &str,
    params: &Value,
    received: i64,
) -> Result<(), StoreError> {
    let mut sorted = Sorted::new(app, device);
    match path.strip_prefix("event/").and_then(|rest| rest.strip_suffix("/post")) {
        Some("property") => {
            params.as_object().into_iter().flatten().for_each(|(identifier, value)| sorted.property(identifier, value));
        }
        Some("property/batch") => sorted.batch(params),
        Some(identifier) if !identifier.contains('/') => sorted.event(identifier, params),
        _ => return Ok(()),
    }
    let mut fresh = Vec::new();
    for mut entry in std::mem::take(&mut sorted.entries) {
        if !history::is_known(&app.store, device.id, &entry).await? {
            entry.time = if entry.is_dated { entry.time } else { received };
            fresh.push(entry);
        }
    }
    sorted.entries = fresh;
    sorted.keep(app, device).await.map(drop)
}

/// `[{"identity":{..},"properties":[{"Power":{"value":1,"time":..}}],"events":[..]}]`. Those of other devices, such as
/// sub-devices, are refused.
pub(super) async fn history(app: &SharedApp, device: &Device, params: &Value) -> Result<Reply, StoreError> {
    let Some(items) = params.as_array() else { return Ok(Reply::error(460, "params is no array".to_owned())) };
    let mut sorted = Sorted::new(app, device);
    for item in items {
        let is = |key: &str, own: &str| {
            item.pointer(key).is_none_or(|of| of.as_str().is_some_and(|of| of.is_empty() || of == own))
        };
        if !is("/identity/deviceName", &device.device_name) || !is("/identity/productKey", &device.product_key) {
            sorted.refuse("identity", Invalid::new("this is another device's"));
            continue;
        }
        let of = |key: &str| item.get(key).and_then(Value::as_array).into_iter().flatten();
        for (identifier, value) in of("properties").filter_map(Value::as_object).flatten() {
            sorted.property(identifier, value);
        }
        for (identifier, value) in of("events").filter_map(Value::as_object).flatten() {
            sorted.event(identifier, value);
        }
    }
    sorted.keep(app, device).await
}

impl<'m> Sorted<'m> {
    fn new(app: &'m SharedApp, device: &Device) -> Self {
        let model = app.models.get(&device.product_key);
        Self { model, entries: Vec::new(), refused: Map::new(), properties: 0, events: 0 }
    }

    fn refuse(&mut self, identifier: &str, invalid: Invalid) {
        let Invalid { pointer, reason } = invalid;
        let text = if pointer.is_empty() { reason } else { format!("{reason} (at {pointer})") };
        self.refused.insert(identifier.to_owned(), text.into());
    }

    fn property(&mut self, identifier: &str, value: &Value) {
        self.properties += 1;
        let (value, time) = match unwrapped(value) {
            Some((inner, time)) => (inner, time),
            None => (value, None),
        };
        let judged = match self.model {
            Some(model) => model.property(identifier, value),
            None if identifier.len() > LONGEST_IDENTIFIER => Err(Invalid::new("its identifier is too long")),
            None => Ok(value.clone()),
        };
        match judged.and_then(|data| Ok((data, judge_time(time)?))) {
            Ok((data, (time, is_dated))) => self.entries.push(Entry {
                kind: Kind::Property,
                identifier: identifier.to_owned(),
                data,
                answer: None,
                time,
                is_dated,
            }),
            Err(invalid) => self.refuse(identifier, invalid),
        }
    }

    fn batch(&mut self, params: &Value) {
        let of = |key: &str| params.get(key).and_then(Value::as_object).into_iter().flatten();
        for (identifier, values) in of("properties") {
            for value in values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice) {
                self.property(identifier, value);
            }
        }
        for (identifier, values) in of("events") {
            for value in values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice) {
                self.event(identifier, value);
            }
        }
    }

    fn event(&mut self, identifier: &str, params: &Value) {
        self.events += 1;
        let judge = |output: &Value, time: Option<&Value>| {
            let data = match self.model {
                Some(model) => model.event(identifier, output)?,
                None => output.clone(),
            };
            Ok((data, judge_time(time)?))
        };
        let judged = match unwrapped(params) {
            // An event may have an output that is named `value`.
            Some((inner, time)) => judge(inner, time).or_else(|invalid| judge(params, None).map_err(|_| invalid)),
            None => judge(params, None),
        };
        match judged {
            Ok((data, (time, is_dated))) => {
                let identifier = identifier.to_owned();
                self.entries.push(Entry { kind: Kind::Event, identifier, data, answer: None, time, is_dated });
            }
            Err(invalid) => self.refuse(identifier, invalid),
        }
    }

    /// Keeps what is good, and says what is not: 200 if anything was kept, with the reasons for the rest.
    async fn keep(self, app: &SharedApp, device: &Device) -> Result<Reply, StoreError> {
        let Self { entries, refused, properties, events, model } = self;
        if properties > MOST {
            return Ok(Reply::error(6106, format!("more than {MOST} properties")));
        }
        if events > MOST {
            return Ok(Reply::error(6356, format!("more than {MOST} events")));
        }
        history::keep(&app.store, device.id, entries.clone()).await?;
        tell(app, device, &entries, model);
        let kept = entries.len();
        if refused.is_empty() {
            return Ok(Reply::ok(json!({})));
        }
        let refused = Value::Object(refused);
        app.note_of("warn", device, format!("values that do not fit the model were not kept: {refused}")).await;
        Ok(match kept {
            0 => Reply { data: refused, ..Reply::error(6332, "tsl parse failed".to_owned()) },
            _ => Reply::ok(refused),
        })
    }
}

fn tell(app: &SharedApp, device: &Device, entries: &[Entry], model: Option<&Model>) {
    let mut properties = Map::new();
    for entry in entries {
        match entry.kind {
            Kind::Property => {
                let value = json!({"value": entry.data, "time": crate::time::text(entry.time)});
                properties.insert(entry.identifier.clone(), value);
            }
            _ => {
                let kind = model.and_then(|model| model.events.get(&entry.identifier)).map(|event| &event.kind);
                app.live.tell("event", &device.product_key, &device.device_name, || {
                    json!({"identifier": entry.identifier, "type": kind, "output": entry.data,
                        "time": crate::time::text(entry.time)})
                });
            }
        }
    }
    if !properties.is_empty() {
        app.live.tell("properties", &device.product_key, &device.device_name, || Value::Object(properties));
    }
}

/// A value that comes with its time: `{"value":..}` or `{"value":..,"time":..}` and nothing else.
fn unwrapped(value: &Value) -> Option<(&Value, Option<&Value>)> {
    let object = value.as_object()?;
    let is_wrapper = object.keys().all(|key| key == "value" || key == "time");
    Some((object.get("value").filter(|_| is_wrapper)?, object.get("time")))
}

/// When it was so, and whether the message says so: now, if it does not, or if it says a time that is yet to come.
fn judge_time(time: Option<&Value>) -> Result<(i64, bool), Invalid> {
    let Some(time) = time.filter(|time| !time.is_null()) else { return Ok((now(), false)) };
    let time = whole(time).ok_or_else(|| Invalid::new("its time is no number of milliseconds"))?;
    let now = now();
    match time {
        ..0 => Err(Invalid::new("its time is before 1970")),
        _ if time > now => Ok((now, false)),
        _ => Ok((time, true)),
    }
}

fn no_object() -> Reply {
    Reply::error(460, "params is no object".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_with_their_time_or_without() {
        assert_eq!(unwrapped(&json!({"value": 1, "time": 2})), Some((&json!(1), Some(&json!(2)))));
        assert_eq!(unwrapped(&json!({"value": 1})), Some((&json!(1), None)));
        for bare in [json!(1), json!({"time": 1}), json!({"value": 1, "unit": "V"})] {
            assert_eq!(unwrapped(&bare), None);
        }
        assert_eq!(judge_time(Some(&json!("1700000000000"))), Ok((1_700_000_000_000, true)));
        assert!(judge_time(None).is_ok_and(|(_, is_dated)| !is_dated));
        assert!(judge_time(Some(&json!(-1))).is_err() && judge_time(Some(&json!("x"))).is_err());
        for ahead in [json!(now() + 60_000), json!(i64::MAX)] {
            let (time, is_dated) = judge_time(Some(&ahead)).unwrap();
            assert!(time <= now() && !is_dated, "{ahead}");
        }
    }
}
