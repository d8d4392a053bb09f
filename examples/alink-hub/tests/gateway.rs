//! The program, and a gateway with sockets behind it: both ends are the project's own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]

mod support;

use std::time::Duration;

use onwire::alink::system::*;
use onwire::alink::{DeviceRef, Secret, SignMethod, SubDeviceFault};
use onwire::mqtt::QoS;
use onwire::net::alink::{Device, Gateway, Messages, SubDevice};
use onwire::net::{BackOff, ConnectError, Link, LinkState, Setback};
use onwire::types::{DateTime, RawJson};
use onwire::{CallFailure, ErrorCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::support::socket::{Properties, ToggleResponse};
use crate::support::{Hub, in_time, raw};

struct Hall(mpsc::UnboundedSender<(i64, Vec<Identity>)>);

#[onwire::handlers(onwire::alink::system, role = Device)]
impl Hall {
    #[on(TopoChange)]
    fn change(&self, change: TopoChangeRequest) {
        self.0.send((change.status, change.sub_list)).unwrap();
    }
}

struct Socket(bool, mpsc::UnboundedSender<Properties>);

#[onwire::handlers(crate::support::socket, role = Device)]
impl Socket {
    #[on(PropertySet)]
    fn set(&self, wanted: Properties) {
        self.1.send(wanted).unwrap();
    }

    #[on(Toggle)]
    fn toggle(&self) -> ToggleResponse {
        ToggleResponse::new(self.0)
    }
}

struct RunningHall {
    link: Link,
    messages: Messages,
    gateway: Gateway,
    changes: mpsc::UnboundedReceiver<(i64, Vec<Identity>)>,
}

fn at_once() -> BackOff {
    BackOff::new(Duration::from_millis(10), Duration::from_millis(50))
}

fn hall(hub: &Hub, name: &str, secret: &str) -> RunningHall {
    let (sender, changes) = mpsc::unbounded_channel();
    let (login, of) = ((name.to_owned(), secret.to_owned()), DeviceRef { product_key: "socket", device_name: name });
    let connect = move || support::login("socket", &login.0, &login.1, "");
    let builder = Device::builder(&format!("mqtt://{}", hub.mqtt), of, connect).back_off(at_once());
    let device = builder.build(Hall(sender)).unwrap();
    let (link, messages, gateway) = (device.link(), device.messages(), device.gateway());
    tokio::spawn(device.run());
    RunningHall { link, messages, gateway, changes }
}

struct RunningSocket {
    link: Link,
    set: mpsc::UnboundedReceiver<Properties>,
}

const fn named(device_name: &str) -> DeviceRef<'_> {
    DeviceRef { product_key: "socket", device_name }
}

fn socket(gateway: &Gateway, name: &str, secret: &str, toggled: bool) -> RunningSocket {
    let (sender, set) = mpsc::unbounded_channel();
    let builder = gateway.sub_device(named(name), &Secret::from(secret)).back_off(at_once());
    let device: SubDevice<Socket> = builder.build(Socket(toggled, sender));
    let link = device.link();
    tokio::spawn(device.run());
    RunningSocket { link, set }
}

async fn refused(link: &Link) -> SubDeviceFault {
    let mut states = link.states();
    let is = |state: &LinkState| matches!(state, LinkState::Waiting { why: Setback::NotOpened(_), .. });
    let state = in_time(states.wait_for(is)).await.unwrap().clone();
    let LinkState::Waiting { why: Setback::NotOpened(error), .. } = state else { unreachable!() };
    let ConnectError::SubDevice(refused) = &*error else { panic!("{error}") };
    refused.fault
}

fn power(watts: &str) -> Properties {
    Properties { power: Some(watts.parse().unwrap()), ..Properties::default() }
}

#[tokio::test]
async fn sockets_behind_a_gateway_are_devices_like_any_other() {
    let hub = Hub::start(&[]).await;
    let (secret, first, second) = (hub.add("H1").await, hub.add("S1").await, hub.add("S2").await);
    let mut hall = hall(&hub, "H1", &secret);
    let (mut one, two) = (socket(&hall.gateway, "S1", &first, true), socket(&hall.gateway, "S2", &second, false));
    let noon = DateTime::from_unix_millis(1_700_000_000_000);
    one.link.call(power("12.5").at(noon)).await.unwrap();
    two.link.call(power("7.5").at(noon)).await.unwrap();
    for (name, watts, toggled) in [("S1", 12.5, 1), ("S2", 7.5, 0)] {
        let own = format!("/devices/socket/{name}");
        let shown = hub.get(&format!("{own}/properties")).await;
        assert_eq!(shown["Power"]["value"], watts);
        let answer = hub.post(&format!("{own}/services/Toggle"), json!({})).await;
        assert_eq!(answer["data"], json!({"PowerSwitch": toggled}));
        let gateway = hub.get(&format!("{own}/gateway")).await;
        assert_eq!((&gateway["deviceName"], &gateway["online"]), (&json!("H1"), &json!(true)));
        assert_eq!(hub.get(&own).await["online"], true);
    }
    hub.patch("/devices/socket/S1/properties", json!({"Countdown": 120})).await;
    assert_eq!(in_time(one.set.recv()).await.unwrap().countdown, Some(120));
    let listed = hub.get("/devices/socket/H1/sub-devices").await;
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|each| each["deviceName"].clone()).collect();
    assert_eq!(names, ["S1", "S2"]);
    assert_eq!(hub.get("/devices/socket/H1/gateway").await, Value::Null);
    assert_eq!(hall.gateway.topology().await.unwrap().len(), 2);

    // An operator takes one away and disables the other; the gateway is told.
    let gone = "/devices/socket/H1/sub-devices/socket/S2";
    assert_eq!(hub.refused("DELETE", gone, Value::Null, 204).await, Value::Null);
    assert_eq!(in_time(hall.changes.recv()).await.unwrap(), (1, vec![Identity::new("socket", "S2")]));
    assert_eq!(refused(&two.link).await, SubDeviceFault::NoTopology);
    hub.refused("DELETE", gone, Value::Null, 404).await;
    hub.patch("/devices/socket/S1", json!({"disabled": true})).await;
    assert_eq!(in_time(hall.changes.recv()).await.unwrap().0, 8);
    assert_eq!(refused(&one.link).await, SubDeviceFault::Disabled);
    hub.patch("/devices/socket/S1", json!({"disabled": false})).await;
    assert_eq!(in_time(hall.changes.recv()).await.unwrap().0, 2);
    one.link.call(power("1.5").at(noon)).await.unwrap();
    // And puts it back.
    hub.post("/devices/socket/H1/sub-devices", json!({"productKey": "socket", "deviceName": "S2"})).await;
    assert_eq!(in_time(hall.changes.recv()).await.unwrap().0, 0);
    two.link.call(power("2.5").at(noon)).await.unwrap();
    let itself = json!({"productKey": "socket", "deviceName": "H1"});
    hub.refused("POST", "/devices/socket/H1/sub-devices", itself, 422).await;
    let nobody = json!({"productKey": "socket", "deviceName": "S9"});
    hub.refused("POST", "/devices/socket/H1/sub-devices", nobody, 422).await;
    hub.stop().await;
}

#[tokio::test]
async fn one_moves_to_another_gateway_and_the_first_one_lets_it_go() {
    let hub = Hub::start(&[]).await;
    let (first, second, secret) = (hub.add("H1").await, hub.add("H2").await, hub.add("S1").await);
    let (there, here) = (hall(&hub, "H1", &first), hall(&hub, "H2", &second));
    let old = socket(&there.gateway, "S1", &secret, false);
    in_time(old.link.connected()).await.unwrap();
    let new = socket(&here.gateway, "S1", &secret, true);
    in_time(new.link.connected()).await.unwrap();
    assert_eq!(refused(&old.link).await, SubDeviceFault::NoTopology);
    let answer = hub.post("/devices/socket/S1/services/Toggle", json!({})).await;
    assert_eq!(answer["data"], json!({"PowerSwitch": 1}));
    assert_eq!(hub.get("/devices/socket/S1/gateway").await["deviceName"], "H2");
    assert_eq!(hub.get("/devices/socket/H1/sub-devices").await, json!([]));

    // The first one speaks for it all the same.
    let topic = "/sys/socket/S1/thing/event/property/post";
    let post = json!({"id": "1", "params": {"Power": 99}, "method": "thing.event.property.post"});
    there.messages.publish(topic, post.to_string(), QoS::AtLeastOnce).await.unwrap();
    hub.logged(&format!("nor that of a sub-device that is online through it: {topic}")).await;
    assert_eq!(hub.get("/devices/socket/S1/properties").await.get("Power"), None);

    // With the gateway they are gone, and come back with it.
    let mut live = hub.listen().await;
    here.link.stop();
    loop {
        if live.wait("offline").await["deviceName"] == "S1" {
            break;
        }
    }
    assert_eq!(hub.get("/devices/socket/S1").await["online"], false);
}

#[tokio::test]
async fn sub_devices_are_registered_as_the_product_allows() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("H1").await;
    let hall = hall(&hub, "H1", &secret);
    let fault = |failure: CallFailure| SubDeviceFault::of(&failure).unwrap();
    let s1 = [named("S1")];
    let register = || hall.gateway.register(&s1);
    assert_eq!(register().await.map_err(fault), Err(SubDeviceFault::RegistrationOff));
    hub.patch("/products/socket", json!({"dynamicRegistration": "known"})).await;
    assert_eq!(register().await.map_err(fault), Err(SubDeviceFault::RegistrationOff), "it was not entered");
    let entered = hub.add("S1").await;
    assert_eq!(register().await.map_err(fault), Err(SubDeviceFault::NoTopology), "anybody could ask for its secret");
    hub.post("/devices/socket/H1/sub-devices", json!({"productKey": "socket", "deviceName": "S1"})).await;
    let registered = register().await.unwrap();
    assert_eq!(registered[0].device_secret, Secret::from(entered.as_str()));
    let one = socket(&hall.gateway, "S1", &entered, true);
    in_time(one.link.connected()).await.unwrap();
    assert_eq!(register().await.map_err(fault), Err(SubDeviceFault::AlreadyActive));
    hall.gateway.unregister(&[named("S1")]).await.unwrap();
    assert_eq!(refused(&one.link).await, SubDeviceFault::NoTopology);

    hub.patch("/products/socket", json!({"dynamicRegistration": "any"})).await;
    let first = hall.gateway.register(&[named("S2"), named("S3")]).await.unwrap();
    // The answer may have been lost.
    let registered = hall.gateway.register(&[named("S2"), named("S3")]).await.unwrap();
    assert!(first.iter().zip(&registered).all(|(first, again)| first.device_secret == again.device_secret));
    for RegisteredDevice { device_name, device_secret, .. } in registered {
        let link = socket(&hall.gateway, &device_name, device_secret.expose(), true).link;
        in_time(link.connected()).await.unwrap();
    }
    let odd = hall.gateway.register(&[named("S/4")]).await.map_err(fault);
    assert_eq!(odd, Err(SubDeviceFault::Name));

    // By the product's secret, each on its own.
    let of_product = hub.get("/products/socket").await["productSecret"].as_str().unwrap().to_owned();
    let other = hub.add("H2").await;
    let mut peer = raw::Client::connect(&hub.mqtt, &support::login("socket", "H2", &other, "")).await;
    let signed = |name: &str, secret: &str| {
        let pairs = [("deviceName", name), ("productKey", "socket"), ("random", "r")];
        let sign = onwire::alink::sign(SignMethod::HmacSha256, &Secret::from(secret), &pairs);
        json!({"productKey": "socket", "deviceName": name, "random": "r", "signMethod": "hmacSha256", "sign": sign})
    };
    let params = json!({"proxieds": [signed("S5", &of_product), signed("S6", "guessed")]});
    let topic = "/sys/socket/H2/thing/proxy/provisioning/product_register";
    peer.publish(topic, &json!({"id": "1", "version": "1.0", "params": params}).to_string()).await;
    let answer = peer.message(&format!("{topic}_reply")).await;
    assert_eq!(answer["data"]["successes"][0]["deviceName"], "S5");
    let failed = &answer["data"]["failures"][0];
    assert_eq!((&failed["deviceName"], &failed["code"]), (&json!("S6"), &json!(6287)));
}

#[tokio::test]
async fn no_secret_of_a_sub_device_stands_in_the_log() {
    let mut hub = Hub::try_start_logging(&[], "error,onwire::messages=debug").await.unwrap();
    let secret = hub.add("H1").await;
    let hall = hall(&hub, "H1", &secret);
    hub.patch("/products/socket", json!({"dynamicRegistration": "any"})).await;
    let registered = hall.gateway.register(&[named("S1")]).await.unwrap();
    let secret = registered[0].device_secret.expose();
    let one = socket(&hall.gateway, "S1", secret, true);
    in_time(one.link.connected()).await.unwrap();
    hall.link.call(TagsUpdateRequest::new([Tag::new("last", "1")])).await.unwrap();
    let log = hub.written("thing.deviceinfo.update").await;
    assert!(log.contains("thing.sub.register") && log.contains(r#""deviceSecret":"***""#), "{log}");
    assert!(!log.contains(secret), "{log}");
}

#[tokio::test]
async fn what_a_gateway_posts_for_several_is_kept_for_each() {
    let hub = Hub::start(&[]).await;
    let (secret, own, _) = (hub.add("H1").await, hub.add("S1").await, hub.add("S2").await);
    let hall = hall(&hub, "H1", &secret);
    hall.gateway.add_topology(&[(named("S1"), &Secret::from(own.as_str()))]).await.unwrap();
    let value = |json: &str| TimedValue::new(RawJson::new(json).unwrap());
    let packed = |name: &str| {
        let mut packed = PackedDevice::new(Identity::new("socket", name));
        packed.properties = Some([("Power".into(), value("3.5"))].into_iter().collect());
        packed
    };
    let mut pack = PackPostRequest::new();
    pack.properties = Some([("Power".into(), value("1.5"))].into_iter().collect());
    pack.sub_devices = Some(vec![packed("S1"), packed("S2")]);
    // S2 is not behind it.
    hall.link.call(pack).await.unwrap();
    for (name, power) in [("H1", json!(1.5)), ("S1", json!(3.5)), ("S2", Value::Null)] {
        let shown = hub.get(&format!("/devices/socket/{name}/properties")).await;
        assert_eq!(shown.get("Power").map_or(&Value::Null, |power| &power["value"]), &power, "{name}");
    }
    let mut pack = PackPostRequest::new();
    pack.sub_devices = Some(vec![packed("S2")]);
    let CallFailure::Refused(error) = hall.link.call(pack).await.unwrap_err() else { panic!() };
    assert_eq!(error.code, ErrorCode::Other("6401".into()));

    let entry = |name: &str| {
        let mut entry = HistoryEntry::new(Identity::new("socket", name));
        entry.properties = Some(vec![[("Voltage".into(), value("230.5"))].into_iter().collect()]);
        entry
    };
    hall.link.call(HistoryPostRequest::new([entry("H1"), entry("S1"), entry("S2")])).await.unwrap();
    for (name, voltage) in [("H1", json!(230.5)), ("S1", json!(230.5)), ("S2", Value::Null)] {
        let shown = hub.get(&format!("/devices/socket/{name}/properties")).await;
        assert_eq!(shown.get("Voltage").map_or(&Value::Null, |voltage| &voltage["value"]), &voltage, "{name}");
    }
    // What is wrong with several entries of one is told of each, and one that is disabled is kept out.
    let mut bad = HistoryEntry::new(Identity::new("socket", "S1"));
    bad.properties = Some(vec![[("Nothing".into(), value("1"))].into_iter().collect()]);
    let mut worse = HistoryEntry::new(Identity::new("socket", "S1"));
    worse.properties = Some(vec![[("Power".into(), value("\"much\""))].into_iter().collect()]);
    let CallFailure::Refused(error) = hall.link.call(HistoryPostRequest::new([bad, worse])).await.unwrap_err() else {
        panic!()
    };
    let reasons = error.details.unwrap();
    assert!(reasons.as_str().contains("\"Nothing\"") && reasons.as_str().contains("\"Power\""), "{reasons:?}");
    hub.patch("/devices/socket/S1", json!({"disabled": true})).await;
    let mut pack = PackPostRequest::new();
    pack.sub_devices = Some(vec![packed("S1")]);
    let CallFailure::Refused(error) = hall.link.call(pack).await.unwrap_err() else { panic!() };
    assert_eq!(error.code, ErrorCode::Other("6401".into()));
    hall.link.call(ListFoundRequest::new([Identity::new("socket", "S7")])).await.unwrap();
    hub.logged("it has found sub-devices").await;
}
