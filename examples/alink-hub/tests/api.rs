//! The REST interface: its document, what it refuses, and what it writes down of who changed what.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{Hub, login, raw};

/// Every `$ref`.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get("$ref") {
                found.insert(target.clone());
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

async fn document(hub: &Hub) -> Value {
    hub.ask("GET", "/api/openapi.json", None, None).await.json().await.unwrap()
}

#[tokio::test]
async fn the_document_has_each_method_with_its_problems_and_leads_nowhere_wrong() {
    let hub = Hub::start(&[]).await;
    let document = document(&hub).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    let lost: Vec<_> =
        found.iter().filter(|target| document.pointer(target.trim_start_matches('#')).is_none()).collect();
    assert!(lost.is_empty() && found.len() > 20, "{lost:?}");
    for (path, methods) in document["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap();
        let answer = hub.ask("TRACE", path, None, None).await;
        assert_eq!(answer.status(), 405, "{path}");
        let allowed = answer.headers()["allow"].to_str().unwrap().split(',').map(str::to_lowercase);
        let allowed: BTreeSet<String> = allowed.filter(|method| method != "head").collect();
        assert_eq!(allowed, methods.keys().cloned().collect(), "{path}");
        assert_eq!(answer.json::<Value>().await.unwrap()["kind"], "methodNotAllowed");
        for (method, operation) in methods {
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("401") && responses.contains_key("503"), "{method} {path}");
            assert!(operation["tags"][0].is_string() && operation["summary"].is_string(), "{method} {path}");
        }
    }
    let set = &document["paths"]["/api/v1/devices/{product_key}/{device_name}/properties"]["patch"]["responses"];
    let statuses: Vec<_> = set.as_object().unwrap().keys().map(String::as_str).collect();
    for status in ["200", "404", "409", "422", "502", "504"] {
        assert!(statuses.contains(&status), "{statuses:?}");
    }
    hub.stop().await;
}

const SET: &str = "/sys/socket/SN1/thing/service/property/set";

/// Has the device asked to switch on, and leaves once it is; the call's id.
async fn ask_and_leave(hub: &Hub, device: &mut raw::Client) -> Value {
    let host = hub.http.trim_start_matches("http://");
    let mut client = TcpStream::connect(host).await.unwrap();
    let body = json!({"PowerSwitch": 1}).to_string();
    let head = format!("PATCH /api/v1/devices/socket/SN1/properties?timeoutMs=60000 HTTP/1.1\r\nHost: {host}");
    let request = format!("{head}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    client.write_all(request.as_bytes()).await.unwrap();
    let asked = device.message(SET).await;
    client.set_zero_linger().unwrap();
    drop(client);
    // The hub has seen the end of that connection when it has answered on others that were made later.
    for _ in 0..10 {
        hub.ask("GET", "/healthz", None, None).await;
    }
    asked["id"].clone()
}

async fn assert_written_down(hub: &Hub) {
    hub.logged("PATCH /devices/socket/SN1/properties?timeoutMs=60000: 200").await;
    let history = hub.get("/devices/socket/SN1/history?kind=service").await;
    assert_eq!((&history[0]["data"], &history[0]["code"]), (&json!({"PowerSwitch": 1}), &json!(200)), "{history}");
}

#[tokio::test]
async fn what_a_device_did_is_written_down_though_whoever_asked_has_gone() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut device = raw::Client::connect(&hub.mqtt, &login("socket", "SN1", &secret, "")).await;
    let mut live = hub.listen().await;
    let id = ask_and_leave(&hub, &mut device).await;
    device.publish(&format!("{SET}_reply"), &json!({"id": id, "code": 200, "data": {}}).to_string()).await;
    assert_eq!(live.wait("service").await["data"]["code"], 200);
    assert_written_down(&hub).await;
    drop(live);
    hub.stop().await;
}

#[tokio::test]
async fn the_hub_ends_when_what_was_asked_is_done_and_written_down() {
    let mut hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut device = raw::Client::connect(&hub.mqtt, &login("socket", "SN1", &secret, "")).await;
    let live = hub.listen().await;
    let id = ask_and_leave(&hub, &mut device).await;
    hub.ask_to_end().await;
    live.ended().await;
    device.publish(&format!("{SET}_reply"), &json!({"id": id, "code": 200, "data": {}}).to_string()).await;
    hub.ended().await;
    hub.start_again(&[]).await;
    assert_written_down(&hub).await;
    hub.stop().await;
}

#[tokio::test]
async fn the_page_to_try_it_needs_nothing_from_elsewhere() {
    let hub = Hub::start(&[]).await;
    let page = hub.ask("GET", "/api/docs/", None, None).await;
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("http"), "{policy}");
    let text = page.text().await.unwrap();
    assert!(!text.contains("https://") && !text.contains("http://"), "{text}");
    let scripts = text.split("src=\"./").skip(1).map(|rest| rest.split('"').next().unwrap());
    let styles = text.split("href=\"./").skip(1).map(|rest| rest.split('"').next().unwrap());
    for file in scripts.chain(styles) {
        assert_eq!(hub.ask("GET", &format!("/api/docs/{file}"), None, None).await.status(), 200, "{file}");
    }
    hub.stop().await;
}

#[tokio::test]
async fn only_what_the_path_names_is_not_found() {
    let hub = Hub::start(&[]).await;
    hub.add("SN1").await;
    for path in ["/products/none/firmware", "/products/none/config", "/devices/none/SN1", "/devices/socket/SN1/shadow"]
    {
        assert_eq!(hub.ask("GET", &format!("/api/v1{path}"), None, None).await.status(), 404, "{path}");
    }
    hub.refused("POST", "/devices/socket/SN1/services/Explode", json!({}), 404).await;
    let none = hub.refused("POST", "/devices", json!({"productKey": "none", "deviceName": "a"}), 422).await;
    assert_eq!(none["pointer"], "/productKey");
    let none = hub.refused("POST", "/devices/socket/SN1/updates", json!({"firmwareId": "none"}), 422).await;
    assert_eq!(none["pointer"], "/firmwareId");
    let nul = hub.refused("PATCH", "/devices/socket/SN1/shadow", json!({"a": ["b\0"]}), 422).await;
    assert_eq!(nul["pointer"], "/a/0");
    for query in ["history?kind=dance", "history?limit=x", "desired?%00"] {
        let answer = hub.ask("GET", &format!("/api/v1/devices/socket/SN1/{query}"), None, None).await;
        assert_eq!(answer.status(), 400, "{query}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    let many: serde_json::Map<_, _> = (0..100).map(|number| (format!("a{number}"), 1.into())).collect();
    hub.patch("/devices/socket/SN1/shadow", Value::Object(many.clone())).await;
    let more: serde_json::Map<_, _> = many.into_iter().map(|(name, value)| (format!("b{name}"), value)).collect();
    hub.refused("PATCH", "/devices/socket/SN1/shadow", Value::Object(more), 422).await;
    hub.stop().await;
}

#[tokio::test]
async fn who_changed_what_is_in_the_log() {
    let hub = Hub::start(&[]).await;
    let viewer = hub.token("reader", "viewer").await;
    let operator = hub.token("deploy", "operator").await;
    let secret = "0123456789abcdef";
    let new = json!({"productKey": "socket", "deviceName": "S@1", "deviceSecret": secret});
    assert_eq!(hub.ask("POST", "/api/v1/devices", Some(&operator), Some(new)).await.status(), 200);
    let device = "/api/v1/devices/socket/S%401";
    let change = json!({"disabled": true});
    assert_eq!(hub.ask("PATCH", device, Some(&viewer), Some(change.clone())).await.status(), 403);
    assert_eq!(hub.ask("PATCH", device, Some(&operator), Some(change)).await.status(), 200);
    let refused = hub.ask("DELETE", device, Some("hub_wrong"), None).await;
    assert_eq!((refused.status().as_u16(), refused.headers()["www-authenticate"].len() > 6), (401, true));
    let log = hub.ask("GET", "/api/v1/log?source=api&productKey=socket&deviceName=S%401", Some(&viewer), None).await;
    let log: Value = log.json().await.unwrap();
    let told: BTreeSet<&str> = log.as_array().unwrap().iter().map(|entry| entry["content"].as_str().unwrap()).collect();
    let expected = [
        "deploy: PATCH /devices/socket/S%401: 200",
        "deploy: POST /devices: 200",
        "reader: PATCH /devices/socket/S%401: 403",
    ];
    assert_eq!(told, expected.into());
    assert!(!log.to_string().contains(secret) && log.to_string().contains("\"disabled\":true"), "{log}");
    let all: Value = hub.ask("GET", "/api/v1/log", Some(&viewer), None).await.json().await.unwrap();
    let made = "command line: a token deploy (operator) was made";
    assert!(all.as_array().unwrap().iter().any(|entry| entry["content"] == made), "{all}");
    assert!(!all.to_string().contains(&operator));
    hub.stop().await;
}

#[tokio::test]
async fn browsers_are_told_what_they_may_do() {
    let hub = Hub::start(&[]).await;
    for path in ["/", "/web/main.js", "/api/v1/devices", "/api/docs/", "/healthz", "/none"] {
        let answer = hub.ask("GET", path, None, None).await;
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers()[name], value, "{path}");
        }
    }
    // What the browser has still is not sent again.
    let script = format!("{}/web/main.js", hub.http);
    let tag = hub.ask("GET", "/web/main.js", None, None).await.headers()["etag"].clone();
    let again = reqwest::Client::new().get(script).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    hub.stop().await;
}
