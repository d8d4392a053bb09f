//! What every device has beside its model, by the types of the runtime: each message reaches the hub, and its answer the device.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]

mod support;

use std::time::Duration;

use onwire::alink::DeviceRef;
use onwire::alink::system::*;
use onwire::mqtt::QoS;
use onwire::net::alink::{Device, Messages};
use onwire::net::{BackOff, Link};
use onwire::types::{DateTime, RawJson};
use onwire::{CallFailure, ErrorCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::support::{Hub, Live, socket};

const NOON: i64 = 1_700_000_000_000;

/// Says what it was told.
struct Everything(mpsc::UnboundedSender<(&'static str, String)>);

#[onwire::handlers(onwire::alink::system, role = Device)]
impl Everything {
    #[on(ConfigPush)]
    fn config(&self, config: ConfigPushRequest) {
        self.0.send(("config", config.config.url.to_string())).unwrap();
    }

    #[on(OtaUpgrade)]
    fn upgrade(&self, upgrade: OtaUpgradeRequest) {
        self.0.send(("upgrade", upgrade.package.version.unwrap().to_string())).unwrap();
    }
}

struct Socket {
    system: Everything,
}

#[onwire::handlers(crate::support::socket, role = Device, rest = self.system)]
impl Socket {
    #[on(PropertySet)]
    fn set(&self, wanted: socket::Properties) {
        self.system.0.send(("set", format!("{:?}", wanted.countdown))).unwrap();
    }

    #[on(PropertyGet)]
    fn get(&self, asked: socket::PropertyGetRequest) -> socket::Properties {
        self.system.0.send(("get", format!("{asked:?}"))).unwrap();
        socket::Properties { countdown: Some(180), ..socket::Properties::default() }
    }
}

struct Running {
    hub: Hub,
    live: Live,
    link: Link,
    messages: Messages,
    told: mpsc::UnboundedReceiver<(&'static str, String)>,
    wanted: mpsc::UnboundedReceiver<Option<RawJson>>,
}

async fn running() -> Running {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut live = hub.listen().await;
    let (sender, told) = mpsc::unbounded_channel();
    let (of_shadow, wanted) = mpsc::unbounded_channel();
    let device = DeviceRef { product_key: "socket", device_name: "SN1" };
    let login = move || support::login("socket", "SN1", &secret, "");
    let device = Device::builder(&format!("mqtt://{}", hub.mqtt), device, login)
        .back_off(BackOff::new(Duration::from_millis(10), Duration::from_millis(100)))
        .on_shadow(move |state| {
            let of_shadow = of_shadow.clone();
            async move { of_shadow.send(state.desired).unwrap() }
        })
        .build(Socket { system: Everything(sender) })
        .unwrap();
    let (link, messages) = (device.link(), device.messages());
    tokio::spawn(device.run());
    live.wait("online").await;
    Running { hub, live, link, messages, told, wanted }
}

fn timed(value: &str, time: i64) -> TimedValue {
    TimedValue { value: RawJson::new(value).unwrap(), time: Some(time) }
}

fn code(failure: CallFailure) -> ErrorCode {
    let CallFailure::Refused(error) = failure else { panic!("{failure}") };
    error.code
}

#[tokio::test]
async fn what_was_so_some_time_ago_is_posted_many_at_once() {
    let Running { hub, link, .. } = running().await;
    let batch = BatchPostRequest {
        properties: Some([("Power".into(), vec![timed("1.5", NOON), timed("2.5", NOON + 1)])].into()),
        events: Some([("Overload".into(), vec![timed(r#"{"Power":3900.0}"#, NOON + 2)])].into()),
    };
    link.call(batch).await.unwrap();
    let mut entry = HistoryEntry::new(Identity::new("socket", "SN1"));
    entry.properties = Some(vec![[("Power".into(), timed("0.5", NOON - 1))].into()]);
    entry.events = Some(vec![[("OverTemperature".into(), timed(r#"{"Temperature":91.5}"#, NOON - 2))].into()]);
    link.call(HistoryPostRequest::new([entry])).await.unwrap();

    let powers = hub.get("/devices/socket/SN1/history?kind=property&identifier=Power").await;
    let mut powers: Vec<f64> = powers.as_array().unwrap().iter().map(|one| one["data"].as_f64().unwrap()).collect();
    powers.sort_by(f64::total_cmp);
    assert_eq!(powers, [0.5, 1.5, 2.5]);
    assert_eq!(hub.get("/devices/socket/SN1/properties").await["Power"]["value"], 2.5, "the newest one");
    let events = hub.get("/devices/socket/SN1/history?kind=event").await;
    let mut events: Vec<_> = events.as_array().unwrap().iter().map(|one| one["identifier"].as_str().unwrap()).collect();
    events.sort_unstable();
    assert_eq!(events, ["OverTemperature", "Overload"]);

    // Somebody else's is refused, by name.
    let mut other = HistoryEntry::new(Identity::new("socket", "SN2"));
    other.properties = Some(vec![[("Power".into(), timed("9.5", NOON))].into()]);
    assert_eq!(code(link.call(HistoryPostRequest::new([other])).await.unwrap_err()), ErrorCode::Other("6332".into()));
    hub.stop().await;
}

#[tokio::test]
async fn a_device_is_asked_what_its_properties_are_now() {
    let Running { hub, mut told, .. } = running().await;
    let get = "/devices/socket/SN1/properties/get";
    let answer = hub.post(get, json!(["Countdown", "Power"])).await;
    assert_eq!((&answer["code"], &answer["data"]), (&json!(200), &json!({"Countdown": 180})));
    let (kind, asked) = told.recv().await.unwrap();
    assert!(kind == "get" && asked.contains("Countdown") && asked.contains("Power"), "{asked}");
    assert_eq!(hub.get("/devices/socket/SN1/properties").await["Countdown"]["value"], 180);
    assert_eq!(hub.refused("POST", get, json!(["Countdown", "Nothing"]), 422).await["pointer"], "/1");
    assert_eq!(hub.refused("POST", get, json!([]), 422).await["kind"], "invalidPayload");
    hub.stop().await;
}

#[tokio::test]
async fn wishes_tags_configuration_log_and_model_are_asked_for() {
    let Running { hub, link, mut told, .. } = running().await;
    hub.patch("/devices/socket/SN1/desired", json!({"Countdown": 60})).await;
    assert_eq!(told.recv().await.unwrap(), ("set", "Some(60)".to_owned()));
    let wished = link.call(DesiredGetRequest::new(["Countdown"])).await.unwrap();
    let Some(wish) = wished.properties.get("Countdown") else { panic!("{wished:?}") };
    assert_eq!((wish.value.as_ref().unwrap().as_str(), wish.version), ("60", Some(1)));
    let done = [("Countdown".into(), DesiredVersion { version: wish.version })].into();
    link.call(DesiredDeleteRequest { properties: done }).await.unwrap();
    assert_eq!(hub.get("/devices/socket/SN1/desired").await, json!({}));

    link.call(TagsUpdateRequest::new([Tag::new("SN", "1"), Tag::new("Floor", "2")])).await.unwrap();
    assert_eq!(link.call(TagsGetRequest::new(vec!["SN".into()])).await.unwrap().tags, [Tag::new("SN", "1")]);
    link.call(TagsDeleteRequest::new([TagKey::new("SN")])).await.unwrap();
    assert_eq!(hub.get("/devices/socket/SN1/tags").await, json!({"Floor": "2"}));

    let ask = || ConfigGetRequest::new("product", "file");
    assert_eq!(code(link.call(ask()).await.unwrap_err()), ErrorCode::Other("6710".into()));
    let put = reqwest::Client::new().put(format!("{}/api/v1/products/socket/config?push=true", hub.http));
    assert_eq!(put.body("interval = 5\n").send().await.unwrap().status(), 200);
    let (what, url) = told.recv().await.unwrap();
    assert_eq!(what, "config");
    let config = link.call(ask()).await.unwrap().config;
    assert_eq!((config.url.as_str(), config.config_size), (url.as_str(), Some(13)));
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    assert_eq!(text, "interval = 5\n");

    link.call(LogPostRequest::new([LogEntry::new("2024-01-01T00:00:00.000+0800", "ERROR", "m", "1", "no memory")]))
        .await
        .unwrap();
    hub.logged("no memory").await;
    let settings = link.call(LogConfigGetRequest::new("device", "content")).await.unwrap();
    assert_eq!(settings.config.content.unwrap().mode, 1);
    let model = link.call(DslTemplateGetRequest::default()).await.unwrap().thing_model;
    let model: Value = serde_json::from_str(model.as_str()).unwrap();
    assert_eq!(model["profile"]["deviceName"], "SN1");
    hub.stop().await;
}

#[tokio::test]
async fn clock_and_shadow_are_the_hubs() {
    let Running { hub, messages, mut wanted, .. } = running().await;
    let clock = messages.clock().await.unwrap();
    // Half of the way is added on one machine, and no more.
    assert!(clock.offset_millis().abs() < 60_000, "{}", clock.offset_millis());
    let shadow = messages.shadow();
    shadow.report(&RawJson::new(r#"{"Power":1}"#).unwrap()).await.unwrap();
    hub.patch("/devices/socket/SN1/shadow", json!({"Power": 2})).await;
    let wish: Value = serde_json::from_str(wanted.recv().await.unwrap().unwrap().as_str()).unwrap();
    assert_eq!(wish, json!({"Power": 2}));
    shadow.report(&RawJson::new(r#"{"Power":2}"#).unwrap()).await.unwrap();
    shadow.clear_desired().await.unwrap();
    let state = shadow.get().await.unwrap();
    let reported: Value = serde_json::from_str(state.reported.unwrap().as_str()).unwrap();
    assert_eq!(reported, json!({"Power": 2}));
    assert!(state.desired.is_none_or(|desired| desired.as_str() == "{}"), "nothing is wanted any more");
    shadow.delete(&["Power"]).await.unwrap();
    assert_eq!(hub.get("/devices/socket/SN1/shadow").await["state"]["reported"], json!({}));
    hub.stop().await;
}

#[tokio::test]
async fn updates_are_asked_for_in_the_new_way_and_the_old_and_events_come_raw() {
    let Running { hub, mut live, link, messages, mut told, .. } = running().await;
    let none = link.call(OtaFirmwareGetRequest::default()).await.unwrap();
    assert_eq!(none.package, OtaPackage::default());
    link.connected().await.unwrap().send(OtaInformRequest::new("1.0.0")).unwrap();
    live.wait("update").await;
    let file = hub.upload("/products/socket/firmware?version=2.0.0", vec![7; 400]).await;
    hub.post("/devices/socket/SN1/updates", json!({"firmwareId": file["id"]})).await;
    let pushed = ("upgrade", "2.0.0".to_owned());
    assert_eq!(told.recv().await.unwrap(), pushed);
    let asked = link.call(OtaFirmwareGetRequest::default()).await.unwrap();
    assert_eq!((asked.package.version.as_deref(), asked.package.size), (Some("2.0.0"), Some(400)));
    // Old devices ask, and are answered by a push.
    let old = json!({"id": "1", "params": {"version": "1.0.0"}});
    messages.publish("/ota/device/request/socket/SN1", old.to_string(), QoS::AtLeastOnce).await.unwrap();
    assert_eq!(told.recv().await.unwrap(), pushed);
    let mut progress = OtaProgressRequest::new("-2", "no route");
    progress.module = Some("default".into());
    link.connected().await.unwrap().send(progress).unwrap();
    while hub.get("/devices/socket/SN1/updates").await[0]["state"] != "failed" {
        live.wait("update").await;
    }

    // Piles have been described that send their events where others send bytes.
    let event = json!({"id": "7", "version": "1.0", "params": {"value": {"Power": 3900.0}, "time": NOON},
        "method": "thing.event.Overload.post"});
    let answer = messages.send_raw(event.to_string()).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!((&answer["id"], &answer["code"]), (&json!("7"), &json!(200)));
    let events = hub.get("/devices/socket/SN1/history?kind=event").await;
    let at = DateTime::from_unix_millis(NOON).to_string();
    assert_eq!((&events[0]["identifier"], &events[0]["time"]), (&json!("Overload"), &json!(at)), "{events}");
    hub.stop().await;
}
