//! What devices and SDKs of the field send, and what becomes of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]

mod support;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Hub, in_time, login, look_into, raw};

const POST: &str = "/sys/socket/SN1/thing/event/property/post";

async fn connected() -> (Hub, raw::Client) {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let client = raw::Client::connect(&hub.mqtt, &login("socket", "SN1", &secret, "")).await;
    (hub, client)
}

async fn power(hub: &Hub) -> Value {
    hub.get("/devices/socket/SN1/properties").await["Power"].clone()
}

#[tokio::test]
async fn white_space_between_the_parameters_of_a_client_id_is_overlooked() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut connect = login("socket", "SN1", &secret, "");
    connect.client_id = "test|securemode=3,\n   signmethod = hmacsha256 ,\r\n\text=1,|\n".to_owned();
    raw::Client::connect(&hub.mqtt, &connect).await;
    connect.client_id = "test|securemode=3,signmethod=hmac\nsha256|".to_owned();
    assert_eq!(raw::Client::try_connect(&hub.mqtt, &connect).await.err(), Some(4));
    hub.stop().await;
}

#[tokio::test]
async fn a_post_without_an_id_is_kept_and_answered_without_one() {
    let (hub, mut device) = connected().await;
    for value in [7, 8, 7] {
        device.publish(POST, &json!({"version": "1.0", "params": {"Power": value}}).to_string()).await;
        let reply = device.message(&format!("{POST}_reply")).await;
        assert_eq!((&reply["code"], reply.get("id")), (&json!(200), None), "{reply}");
        assert_eq!(power(&hub).await["value"], json!(f64::from(value)));
    }
    let history = hub.get("/devices/socket/SN1/history?identifier=Power").await;
    assert_eq!(history.as_array().unwrap().len(), 3);
    device.publish(POST, &json!({"params": {"Power": "much"}}).to_string()).await;
    let reply = device.message(&format!("{POST}_reply")).await;
    assert!(reply["code"] != 200 && reply.get("id").is_none(), "{reply}");
    hub.stop().await;
}

#[tokio::test]
async fn a_time_from_the_future_keeps_out_no_later_value() {
    let (hub, mut device) = connected().await;
    let mut say = async |id: u32, value: Value| {
        device.publish(POST, &json!({"id": id.to_string(), "params": {"Power": value}}).to_string()).await;
        let reply = device.message(&format!("{POST}_reply")).await;
        assert_eq!(reply["code"], 200, "{reply}");
    };
    let ahead =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() + 23 * 3_600_000;
    say(1, json!({"value": 5, "time": u64::try_from(ahead).unwrap()})).await;
    say(2, json!(6)).await;
    assert_eq!(power(&hub).await["value"], 6.0);
    // One that was written while this machine's clock was ahead.
    let mut db = look_into(hub.data.path()).await;
    sqlx::query("UPDATE properties SET time = time + 86400000").execute(&mut db).await.unwrap();
    say(3, json!(7)).await;
    assert_eq!(power(&hub).await["value"], 7.0);
    hub.stop().await;
}

/// MQTT 3.1 had DUP in SUBSCRIBE.
#[tokio::test]
async fn a_subscribe_that_is_marked_as_a_repetition_is_answered() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut link = onwire::mqtt::Link::client(onwire::mqtt::Limits::default());
    link.connect(&login("socket", "SN1", &secret, ""), onwire::Instant::default()).unwrap();
    let mut stream = tokio::net::TcpStream::connect(&hub.mqtt).await.unwrap();
    stream.write_all(&link.poll_transmit().unwrap()).await.unwrap();
    let mut accepted = [0; 4];
    in_time(stream.read_exact(&mut accepted)).await.unwrap();
    assert_eq!(accepted, [0x20, 2, 0, 0]);
    let topic = format!("{POST}_reply");
    let length = u8::try_from(topic.len()).unwrap();
    let mut subscribe = vec![0x8a, length + 5, 0, 9, 0, length];
    subscribe.extend(topic.bytes());
    subscribe.push(0);
    stream.write_all(&subscribe).await.unwrap();
    let mut answer = [0; 5];
    in_time(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer[..4], [0x90, 3, 0, 9]);
    hub.stop().await;
}

#[tokio::test]
async fn names_that_are_paths_are_refused() {
    let hub = Hub::start(&[]).await;
    for name in [".", ".."] {
        hub.refused("POST", "/devices", json!({"productKey": "socket", "deviceName": name}), 422).await;
    }
    hub.add("..a").await;
    hub.stop().await;
}

/// The secrets in it are encrypted, but what devices have told is not.
#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_the_database() {
    use std::os::unix::fs::PermissionsExt;

    if !support::is_sqlite() {
        return;
    }
    let hub = Hub::start(&[]).await;
    for entry in std::fs::read_dir(hub.data.path()).unwrap().map(Result::unwrap) {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("alink-hub.db") {
            assert_eq!(mode, 0o600, "{name}");
        }
        if ["firmware", "uploads"].contains(&&*name) {
            assert_eq!(mode, 0o700, "{name}");
        }
    }
    hub.stop().await;
}
