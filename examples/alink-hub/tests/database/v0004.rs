//! The schema of migration 4.

use onwire::alink::DeviceRef;
use onwire::alink::{Login, LoginOptions, RegisteredUnlisted, Secret, SecureMode, SignMethod, SubDevice};
use onwire::mqtt::Connect;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fill::NOON;
use crate::support::fixture::assert_has;
use crate::support::{self, Hub, fixture, look_into, raw};

/// Flags without which a hub would delete entries by their age.
const FLAGS: [&str; 6] = ["--history-days", "0", "--log-days", "0", "--upload-days", "0"];

/// The data folder after today's migrations have run, and the secrets of the fixture.
async fn migrated() -> (TempDir, Value) {
    let data = tempfile::tempdir().unwrap();
    fixture::unpack("0004", data.path()).await;
    let tokens = support::command(&data).await.args(["token", "list"]).output().await.unwrap();
    let tokens = String::from_utf8(tokens.stdout).unwrap();
    assert!(tokens.contains("maintenance") && tokens.contains("reader"), "{tokens}");
    let secrets = std::fs::read(data.path().join("secrets.json")).unwrap();
    (data, serde_json::from_slice(&secrets).unwrap())
}

/// A hub on the fixture, and the secrets.
async fn running() -> (Hub, Value) {
    let (data, secrets) = migrated().await;
    (Hub::start_in(data, &FLAGS).await, secrets)
}

/// Asks with the token of the fixture.
async fn get(hub: &Hub, secrets: &Value, path: &str) -> Value {
    let answer = hub.ask("GET", &format!("/api/v1{path}"), secrets["token"].as_str(), None).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

#[tokio::test]
async fn every_row_is_kept() {
    let (data, _) = migrated().await;
    let rows = fixture::rows("0004", &mut look_into(data.path()).await).await;
    let rows: Vec<_> = rows.iter().map(|(table, rows)| (table.as_str(), *rows)).collect();
    let expected = [
        ("api_tokens", 2),
        ("configs", 1),
        ("counters", 1),
        ("desired", 1),
        ("devices", 5),
        ("firmware", 2),
        ("history", 7),
        ("log", 21),
        ("modules", 1),
        ("products", 1),
        ("properties", 3),
        ("shadows", 1),
        ("tags", 2),
        ("topology", 1),
        ("updates", 2),
        ("uploads", 2),
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn what_devices_said_reads_as_before() {
    let (hub, secrets) = running().await;
    let get = async |path: &str| get(&hub, &secrets, path).await;
    let own = "/devices/socket/SN1";
    let noon = "2023-11-14T22:13:20Z";
    let expected = json!({"Power": {"value": 12.5, "time": noon}, "PowerSwitch": {"value": 1, "time": noon}});
    assert_eq!(get(&format!("{own}/properties")).await, expected);
    let history = get(&format!("{own}/history")).await;
    let expected = json!([
        {"kind": "message", "identifier": "update", "data": "hello"},
        {"kind": "service", "identifier": "Toggle", "data": {}, "code": 200, "output": {"PowerSwitch": 1}},
        {"kind": "service", "identifier": "set", "data": {"Countdown": 120}, "code": 200, "output": {}}]);
    assert_has(&json!(history.as_array().unwrap()[..3]), &expected);
    let events = get(&format!("{own}/history?kind=event")).await;
    assert_has(&events, &json!([{"identifier": "OverTemperature", "data": {"Temperature": 91.5}, "time": noon}]));
    assert_eq!(get(&format!("{own}/history?kind=property")).await.as_array().unwrap().len(), 2);
    assert_eq!(get(&format!("{own}/tags")).await, json!({"Hall": "7", "SN": "0001"}));
    let shadow = get(&format!("{own}/shadow")).await;
    assert_has(&shadow, &json!({"state": {"reported": {"Power": 1}, "desired": {"Power": 2}}, "version": 2}));
    let files = get(&format!("{own}/files")).await;
    let expected = json!([
        {"name": "part.txt", "size": 1024, "received": 512, "complete": false},
        {"name": "whole.txt", "size": 1024, "received": 1024, "complete": true}]);
    assert_has(&files, &expected);
    let whole = hub.ask("GET", &format!("/api/v1{own}/files/whole.txt"), secrets["token"].as_str(), None).await;
    assert_eq!(whole.bytes().await.unwrap(), vec![b'w'; 1024]);
    let log = get("/log?limit=100").await;
    let of_device: Vec<_> = log.as_array().unwrap().iter().filter(|entry| entry["source"] == "device").collect();
    assert_has(
        &json!(of_device),
        &json!([{"level": "warn", "content": "the relay is worn", "details": {"module": "relay"}}]),
    );
    hub.stop().await;
}

#[tokio::test]
async fn what_operators_entered_reads_as_before() {
    let (hub, secrets) = running().await;
    let get = async |path: &str| get(&hub, &secrets, path).await;
    let devices = get("/devices").await;
    let device = |name: &str, disabled: bool| json!({"deviceName": name, "disabled": disabled, "online": false});
    let expected =
        [device("SN1", false), device("H1", false), device("S1", false), device("OFF", true), device("NEW", false)];
    assert_has(&devices["items"], &json!(expected));
    let product = get("/products/socket").await;
    assert_eq!((&product["productSecret"], &product["dynamicRegistration"]), (&secrets["product"], &json!("any")));
    assert_has(&get("/products/socket/config").await, &json!({"content": "{\"interval\":60}"}));
    let firmware = get("/products/socket/firmware").await;
    let expected = json!([
        {"version": "2.0.0", "module": "default", "size": 400, "md5": "3efeb1634a12f0bb63791f7eb200ac14"},
        {"version": "1.1.0", "module": "default", "size": 400, "md5": "63f9cab7450fd696cbb9f19c2cecf534"}]);
    assert_has(&firmware, &expected);
    let own = get("/devices/socket/SN1").await;
    assert_has(&own, &json!({"deviceSecret": secrets["SN1"], "modules": {"default": "1.1.0"}}));
    assert_eq!(get("/devices/socket/SN1/desired").await, json!({"Countdown": {"value": 60, "version": 1}}));
    let expected = json!([
        {"firmwareId": firmware[0]["id"], "state": "running", "step": 50, "description": "half"},
        {"firmwareId": firmware[1]["id"], "state": "done", "step": 100}]);
    assert_has(&get("/devices/socket/SN1/updates").await, &expected);
    assert_has(&get("/devices/socket/H1/sub-devices").await, &json!([{"deviceName": "S1"}]));
    assert_has(&get("/devices/socket/S1/gateway").await, &json!({"deviceName": "H1"}));
    hub.stop().await;
}

#[tokio::test]
async fn secrets_open_as_before_and_repeats_are_known_again() {
    let (hub, secrets) = running().await;
    let secret = |name: &str| secrets[name].as_str().unwrap().to_owned();
    let wrong = support::login("socket", "SN1", &secret("H1"), "");
    assert_eq!(raw::Client::try_connect(&hub.mqtt, &wrong).await.err(), Some(4));
    let disabled = get(&hub, &secrets, "/devices/socket/OFF").await["deviceSecret"].as_str().unwrap().to_owned();
    let disabled = support::login("socket", "OFF", &disabled, "");
    assert_eq!(raw::Client::try_connect(&hub.mqtt, &disabled).await.err(), Some(5));
    // With a token in place of a secret.
    let registered = RegisteredUnlisted::parse(&secrets["NEW"].to_string()).unwrap();
    let RegisteredUnlisted { client_id, product_key, device_name, device_token } = &registered;
    let device = DeviceRef { product_key, device_name };
    let mut options = LoginOptions::default();
    options.secure_mode = SecureMode::Token;
    let login = Login::with_token(device, client_id, device_token, &options).unwrap();
    raw::Client::connect(&hub.mqtt, &Connect::from(login)).await;

    // What it said before is known again, by its time.
    let mut own = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &secret("SN1"), "")).await;
    for (time, entries) in [(NOON.unix_millis(), 2), (NOON.unix_millis() + 1000, 3)] {
        let post = json!({"id": time.to_string(), "version": "1.0", "method": "thing.event.property.post",
            "params": {"Power": {"value": 12.5, "time": time}}});
        own.publish("/sys/socket/SN1/thing/event/property/post", &post.to_string()).await;
        assert_eq!(own.message("/sys/socket/SN1/thing/event/property/post_reply").await["code"], 200);
        let history = get(&hub, &secrets, "/devices/socket/SN1/history?kind=property").await;
        assert_eq!(history.as_array().unwrap().len(), entries, "{history}");
    }
    // A gateway brings its sub-device online again.
    let mut hall = raw::Client::connect(&hub.mqtt, &support::login("socket", "H1", &secret("H1"), "")).await;
    let device = DeviceRef { product_key: "socket", device_name: "S1" };
    let signed = SubDevice { device, client_id: "c", timestamp: None };
    let sign = signed.sign(SignMethod::HmacSha1, &Secret::from(secret("S1")));
    let params =
        json!({"productKey": "socket", "deviceName": "S1", "clientId": "c", "signMethod": "hmacSha1", "sign": sign});
    hall.publish("/ext/session/socket/H1/combine/login", &json!({"id": "1", "params": params}).to_string()).await;
    assert_eq!(hall.message("/ext/session/socket/H1/combine/login_reply").await["code"], 200);
    hub.stop().await;
}
