//! A database that fails for a while, and one that does for long: what devices say is not acknowledged before it is kept. Where
//! a table should be there is none, so that every statement fails at once, on both databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]

mod support;

use serde_json::json;

use crate::support::{Hub, in_time, login, look_into, raw};

const AWAY: &str = "ALTER TABLE history RENAME TO elsewhere";
const BACK: &str = "ALTER TABLE elsewhere RENAME TO history";

const POST: &str = "/sys/socket/SN1/thing/event/property/post";
const OWN: &str = "/socket/SN1/user/log";

fn post(id: u32) -> String {
    json!({"id": id.to_string(), "version": "1.0", "params": {"Power": id}}).to_string()
}

async fn values(hub: &Hub) -> usize {
    hub.get("/devices/socket/SN1/history?identifier=Power").await.as_array().unwrap().len()
}

#[tokio::test]
async fn messages_wait_for_the_database_and_are_acknowledged_when_they_are_kept() {
    let mut hub = Hub::try_start_logging(&[], "alink_hub=warn").await.unwrap();
    let secret = hub.add("SN1").await;
    let mut db = look_into(hub.data.path()).await;
    let mut device = raw::Client::connect(&hub.mqtt, &login("socket", "SN1", &secret, "")).await;
    sqlx::query(AWAY).execute(&mut db).await.unwrap();
    // More than wait at once: the rest is not read.
    let mut sent = Vec::new();
    for number in 1..=15 {
        sent.push(device.publish_surely(POST, &post(number)).await);
    }
    sent.push(device.publish_surely(OWN, "a word").await);
    hub.written("waits for its answer").await;
    let ready = async |hub: &Hub| hub.ask("GET", "/readyz", None, None).await.status().as_u16();
    assert_eq!(ready(&hub).await, 503, "whoever balances load is told");
    sqlx::query(BACK).execute(&mut db).await.unwrap();
    for id in sent {
        assert_eq!(device.acknowledged().await, Some(id), "in order, and not before");
    }
    assert_eq!(ready(&hub).await, 200);
    assert_eq!(values(&hub).await, 15);
    hub.stop().await;
}

#[tokio::test]
async fn a_database_that_does_not_write_is_found_before_anybody_is_told_so() {
    let hub = Hub::start(&[]).await;
    let ready = async || hub.ask("GET", "/readyz", None, None).await.status().as_u16();
    let mut db = look_into(hub.data.path()).await;
    sqlx::query("ALTER TABLE probe RENAME TO elsewhere").execute(&mut db).await.unwrap();
    assert_eq!(ready().await, 503, "it reads, and no device has said anything");
    sqlx::query("ALTER TABLE elsewhere RENAME TO probe").execute(&mut db).await.unwrap();
    in_time(async { while ready().await != 200 {} }).await;
    hub.stop().await;
}

#[tokio::test]
async fn after_20_s_the_connection_ends_without_an_acknowledgement() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut db = look_into(hub.data.path()).await;
    let connect = login("socket", "SN1", &secret, "");
    for (topic, message) in [(POST, post(7)), (OWN, "a word".to_owned())] {
        let mut device = raw::Client::connect(&hub.mqtt, &connect).await;
        sqlx::query(AWAY).execute(&mut db).await.unwrap();
        device.publish_surely(topic, &message).await;
        assert_eq!(device.acknowledged().await, None, "nothing was kept");
        sqlx::query(BACK).execute(&mut db).await.unwrap();
        let mut device = raw::Client::connect(&hub.mqtt, &connect).await;
        let again = device.publish_surely(topic, &message).await;
        assert_eq!(device.acknowledged().await, Some(again));
    }
    assert_eq!(values(&hub).await, 1);
    hub.stop().await;
}
