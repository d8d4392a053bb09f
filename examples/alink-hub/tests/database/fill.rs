//! Fills every table by what devices and operators do.

use std::time::Duration;

use onwire::alink::system::*;
use onwire::alink::{DeviceRef, Login, RegisterOptions, RegisteredUnlisted, Secret, SecureMode, SignMethod, SubDevice};
use onwire::mqtt::{Connect, QoS};
use onwire::net::BackOff;
use onwire::net::alink::Device;
use onwire::types::{DateTime, RawJson};
use serde_json::{Value, json};

use crate::support::socket::*;
use crate::support::{self, Hub, fixture, raw};

/// What secrets are sealed with.
const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

pub(crate) const NOON: DateTime = DateTime::from_unix_millis(1_700_000_000_000);

/// A socket that obeys.
pub(crate) struct Socket;

#[onwire::handlers(crate::support::socket, role = Device, rest = System)]
impl Socket {
    #[on(Toggle)]
    fn toggle(&self) -> ToggleResponse {
        ToggleResponse::new(true)
    }

    #[on(PropertySet)]
    fn set(&self, _: Properties) {}
}

struct System;

#[onwire::handlers(onwire::alink::system, role = Device)]
impl System {
    #[on(OtaUpgrade)]
    fn upgrade(&self, _: OtaUpgradeRequest) {}

    #[on(ConfigPush)]
    fn configure(&self, _: ConfigPushRequest) {}
}

fn json_of(value: &Value) -> RawJson {
    RawJson::new(&value.to_string()).unwrap()
}

/// What the device SN1 says.
async fn speak(hub: &Hub, secret: &str) {
    let mut live = hub.listen().await;
    let device = DeviceRef { product_key: "socket", device_name: "SN1" };
    let login = {
        let secret = secret.to_owned();
        move || support::login("socket", "SN1", &secret, "")
    };
    let device = Device::builder(&format!("mqtt://{}", hub.mqtt), device, login)
        .back_off(BackOff::new(Duration::from_millis(10), Duration::from_millis(100)))
        .build(Socket)
        .unwrap();
    let (link, messages) = (device.link(), device.messages());
    let running = tokio::spawn(device.run());
    live.wait("online").await;
    let properties =
        Properties { power_switch: Some(true), power: Some("12.5".parse().unwrap()), ..Default::default() };
    link.call(properties.at(NOON)).await.unwrap();
    let hot = OverTemperatureOutput::new("91.5".parse::<onwire::types::Decimal>().unwrap());
    link.call(hot.at(NOON)).await.unwrap();
    link.call(TagsUpdateRequest::new([Tag::new("SN", "0001"), Tag::new("Hall", "7")])).await.unwrap();
    link.call(LogPostRequest::new([LogEntry::new(
        "2023-11-14T22:13:20.000+0000",
        "WARN",
        "relay",
        "7",
        "the relay is worn",
    )]))
    .await
    .unwrap();
    messages.shadow().report(&json_of(&json!({"Power": 1}))).await.unwrap();
    let peer = link.connected().await.unwrap();
    peer.send(OtaInformRequest::new("1.0.0")).unwrap();

    // A file that is complete, and one that is not.
    for (name, is_last) in [("whole.txt", true), ("part.txt", false)] {
        let mut init = FileUploadInitRequest::new(name, 1024);
        init.conflict_strategy = Some("append".into());
        let upload = link.call(init).await.unwrap();
        let block: Vec<u8> = if is_last { vec![b'w'; 1024] } else { vec![b'p'; 512] };
        messages.upload_block(&upload.upload_id, 0, &block, is_last).await.unwrap();
    }

    let path = "/devices/socket/SN1";
    hub.patch(&format!("{path}/properties"), json!({"Countdown": 120})).await;
    assert_eq!(hub.post(&format!("{path}/services/Toggle"), json!({})).await["data"], json!({"PowerSwitch": 1}));
    hub.patch(&format!("{path}/desired"), json!({"Countdown": 60})).await;
    hub.patch(&format!("{path}/shadow"), json!({"Power": 2})).await;
    messages.publish("/socket/SN1/user/update", "hello", QoS::AtLeastOnce).await.unwrap();

    // An update that is done, and one that is under way.
    for (version, content) in [("1.1.0", 1), ("2.0.0", 2)] {
        let file = hub.upload(&format!("/products/socket/firmware?version={version}"), vec![content; 400]).await;
        hub.post(&format!("{path}/updates"), json!({"firmwareId": file["id"]})).await;
        if version == "1.1.0" {
            peer.send(OtaInformRequest::new(version)).unwrap();
            while hub.get(&format!("{path}/updates")).await[0]["state"] != "done" {
                live.wait("update").await;
            }
        }
    }
    peer.send(OtaProgressRequest::new("50", "half")).unwrap();
    while hub.get(&format!("{path}/updates")).await[0]["state"] != "running" {
        live.wait("update").await;
    }
    link.stop();
    running.await.unwrap();
}

/// The gateway H1 and the sub-device S1 behind it.
async fn behind(hub: &Hub, gateway: &str, secret: &str) {
    let mut hall = raw::Client::connect(&hub.mqtt, &support::login("socket", "H1", gateway, "")).await;
    hub.post("/devices/socket/H1/sub-devices", json!({"productKey": "socket", "deviceName": "S1"})).await;
    let device = DeviceRef { product_key: "socket", device_name: "S1" };
    let signed = SubDevice { device, client_id: "c", timestamp: None };
    let sign = signed.sign(SignMethod::HmacSha1, &Secret::from(secret));
    let params =
        json!({"productKey": "socket", "deviceName": "S1", "clientId": "c", "signMethod": "hmacSha1", "sign": sign});
    hall.publish("/ext/session/socket/H1/combine/login", &json!({"id": "1", "params": params}).to_string()).await;
    assert_eq!(hall.message("/ext/session/socket/H1/combine/login_reply").await["code"], 200);
    let post = json!({"id": "2", "version": "1.0", "method": "thing.event.property.post",
        "params": {"Voltage": {"value": 229.9, "time": NOON.unix_millis()}}});
    hall.publish("/sys/socket/S1/thing/event/property/post", &post.to_string()).await;
    assert_eq!(hall.message("/sys/socket/S1/thing/event/property/post_reply").await["code"], 200);
}

/// A device that nobody has entered registers itself, and gets a token.
async fn register(hub: &Hub) -> RegisteredUnlisted {
    hub.patch("/products/socket", json!({"dynamicRegistration": "any"})).await;
    let secret = hub.get("/products/socket").await["productSecret"].as_str().unwrap().to_owned();
    let device = DeviceRef { product_key: "socket", device_name: "NEW" };
    let mut options = RegisterOptions::default();
    options.secure_mode = SecureMode::Token;
    let login = Login::register_unlisted(device, &Secret::from(secret), "r4nd0m", &options).unwrap();
    let mut client = raw::Client::connect(&hub.mqtt, &Connect::from(login)).await;
    let answer = client.message_bytes("/ext/regnwl").await;
    RegisteredUnlisted::parse(&String::from_utf8(answer).unwrap()).unwrap()
}

#[tokio::test]
#[ignore = "records the fixture of today's schema"]
async fn record() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("key"), KEY).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(data.path().join("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let hub = Hub::start_in(data, &[]).await;
    let (own, gateway, behind_it) = (hub.add("SN1").await, hub.add("H1").await, hub.add("S1").await);
    hub.add("OFF").await;
    hub.patch("/devices/socket/OFF", json!({"disabled": true})).await;
    hub.put_text("/products/socket/config", "{\"interval\":60}").await;
    speak(&hub, &own).await;
    behind(&hub, &gateway, &behind_it).await;
    let registered = register(&hub).await;
    let product = hub.get("/products/socket").await["productSecret"].clone();
    let token = hub.token("maintenance", "operator").await;
    hub.token("reader", "viewer").await;
    let secrets = json!({"token": token, "product": product, "SN1": own, "H1": gateway, "S1": behind_it,
        "NEW": serde_json::from_str::<Value>(&registered.to_json()).unwrap()});
    let data = hub.end().await;
    std::fs::write(data.path().join("secrets.json"), secrets.to_string()).unwrap();
    // Each test has the model.
    std::fs::remove_dir_all(data.path().join("models")).unwrap();
    fixture::keep(data.path()).await;
}
