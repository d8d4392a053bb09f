//! Text that PostgreSQL rejects and SQLite takes: both keep the same of it, and nothing fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]

mod support;

use serde_json::{Value, json};

use crate::support::{Hub, raw};

#[tokio::test]
async fn a_message_with_u_0000_is_answered_and_kept_as_any_other() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut live = hub.listen().await;
    let mut peer = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &secret, "")).await;
    live.wait("online").await;
    let mut ask = async |path: &str, params: Value| {
        let topic = format!("/sys/socket/SN1/thing/{path}");
        let message = json!({"id": "1", "params": params, "method": format!("thing.{}", path.replace('/', "."))});
        peer.publish(&topic, &message.to_string()).await;
        peer.message(&format!("{topic}_reply")).await
    };
    for (path, params) in [
        ("property/desired/delete", json!({"Power\0": {}, "Count\0": {"version": 1}})),
        ("deviceinfo/update", json!([{"attrKey": "SN", "attrValue": "1\0"}])),
        ("deviceinfo/delete", json!([{"attrKey": "XN\0"}])),
        ("log/post", json!([{"logLevel": "W\0", "module": "m\0", "logContent": "c\0"}])),
    ] {
        let answer = ask(path, params).await;
        assert_eq!(answer["code"], 200, "{path}: {answer}");
    }
    assert_eq!(ask("file/upload/mqtt/cancel", json!({"uploadId": "u\0"})).await["code"], 404);
    assert_eq!(hub.get("/devices/socket/SN1/tags").await, json!({"SN": "1\u{fffd}"}));
    let log = hub.get("/log?source=device").await;
    assert_eq!((&log[0]["content"], &log[0]["level"]), (&json!("c\u{fffd}"), &json!("w\u{fffd}")), "{log}");

    let report = json!({"id": "1", "params": {"module": "m\0", "version": "1\0"}});
    peer.publish("/ota/device/inform/socket/SN1", &report.to_string()).await;
    live.wait("update").await;
    let modules = hub.get("/devices/socket/SN1").await["modules"].clone();
    assert_eq!(modules, json!({"m\u{fffd}": "1\u{fffd}"}));
    hub.stop().await;
}

/// PostgreSQL rejects an index entry of more than 2,704 bytes.
#[tokio::test]
async fn a_module_with_a_name_that_is_too_long_for_an_index_is_not_kept_and_told() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut peer = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &secret, "")).await;
    let report = json!({"id": "1", "params": {"module": "m".repeat(65), "version": "1"}});
    peer.publish("/ota/device/inform/socket/SN1", &report.to_string()).await;
    hub.logged("more than 64 bytes").await;
    assert_eq!(hub.get("/devices/socket/SN1").await["modules"], json!({}));
    hub.stop().await;
}
