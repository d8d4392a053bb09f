//! What devices say again: because an answer was lost, or because it is so again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]

mod support;

use serde_json::{Value, json};

use crate::support::{Hub, login, raw};

const POST: &str = "/sys/socket/SN1/thing/event/property/post";
const EVENT: &str = "/sys/socket/SN1/thing/event/OverTemperature/post";

struct Device {
    hub: Hub,
    secret: String,
}

impl Device {
    async fn new() -> Self {
        let hub = Hub::start(&[]).await;
        let secret = hub.add("SN1").await;
        Self { hub, secret }
    }

    async fn connect(&self) -> raw::Client {
        raw::Client::connect(&self.hub.mqtt, &login("socket", "SN1", &self.secret, "")).await
    }

    async fn history(&self, identifier: &str) -> Vec<Value> {
        let history = self.hub.get(&format!("/devices/socket/SN1/history?identifier={identifier}")).await;
        history.as_array().unwrap().iter().map(|entry| entry["data"].clone()).collect()
    }

    async fn power(&self) -> Value {
        self.hub.get("/devices/socket/SN1/properties").await["Power"]["value"].clone()
    }
}

/// Says it, and hears that it was taken.
async fn say(client: &mut raw::Client, topic: &str, params: Value) {
    client.publish(topic, &json!({"id": "123", "version": "1.0", "params": params}).to_string()).await;
    let reply = client.message(&format!("{topic}_reply")).await;
    assert_eq!((&reply["id"], &reply["code"]), (&json!("123"), &json!(200)), "{reply}");
}

#[tokio::test]
async fn a_value_that_is_so_again_is_the_current_one_though_all_have_one_id() {
    let device = Device::new().await;
    let mut client = device.connect().await;
    for power in [30, 31, 30] {
        say(&mut client, POST, json!({"Power": power})).await;
        assert_eq!(device.power().await, json!(power as f64));
    }
    // Its ids mean nothing, so that the same is something new each time.
    for _ in 0..2 {
        say(&mut client, POST, json!({"Power": 30})).await;
    }
    assert_eq!(device.history("Power").await.len(), 5);
    // A connection for each, as scripts do it.
    for power in [31, 32, 31] {
        say(&mut device.connect().await, POST, json!({"Power": power})).await;
        assert_eq!(device.power().await, json!(power as f64));
    }
    assert_eq!(device.history("Power").await.len(), 8);
    device.hub.stop().await;
}

#[tokio::test]
async fn equal_events_of_three_connections_are_three() {
    let device = Device::new().await;
    for _ in 0..3 {
        say(&mut device.connect().await, EVENT, json!({"value": {"Temperature": 90.0}})).await;
    }
    assert_eq!(device.history("OverTemperature").await.len(), 3);
    device.hub.stop().await;
}

#[tokio::test]
async fn what_is_sent_again_because_its_answer_was_lost_acts_once() {
    let device = Device::new().await;
    let mut live = device.hub.listen().await;
    let event = |temperature: f64, time: i64| json!({"value": {"Temperature": temperature}, "time": time});
    let mut first = device.connect().await;
    let lost = json!({"id": "123", "version": "1.0", "params": event(90.0, 1_700_000_000_000)});
    first.publish(EVENT, &lost.to_string()).await;
    assert_eq!(live.wait("event").await["data"]["output"]["Temperature"], 90.0);
    // Before it has read the answer.
    drop(first);
    let mut again = device.connect().await;
    say(&mut again, EVENT, event(90.0, 1_700_000_000_000)).await;
    say(&mut again, EVENT, event(91.0, 1_700_000_001_000)).await;
    assert_eq!(live.wait("event").await["data"]["output"]["Temperature"], 91.0, "the other one was not told again");
    assert_eq!(device.history("OverTemperature").await.len(), 2);
    drop(live);
    device.hub.stop().await;
}
