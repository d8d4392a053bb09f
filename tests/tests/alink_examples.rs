//! The programs of `examples/` that are devices, against `alink-hub`: an order across power cuts, and an update of the program
//! itself.
//!
//! `cargo xtask test` builds the programs and runs this.

use std::path::{Path, PathBuf};
use std::time::Duration;

use onwire_tests::program::Program;
use serde_json::{Value, json};

const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/thing");

struct Hub {
    _program: Program,
    port: String,
    api: String,
}

impl Hub {
    /// Starts one with that data, on the port of an earlier one if there was one.
    async fn start(data: &Path, port: &str) -> Self {
        let mqtt = format!("127.0.0.1:{port}");
        let data = data.to_str().unwrap();
        let arguments = ["--mqtt", &mqtt, "--http", "127.0.0.1:0", "--data", data, "--models", MODELS];
        let mut program = Program::example("alink-hub", &arguments);
        let mqtt = program.line().await.expect("where devices connect");
        let http = program.line().await.expect("where the page is");
        let port = mqtt.rsplit_once(':').unwrap().1.to_owned();
        let api = format!("http://{}/api/v1", http.split_once("http://").unwrap().1.trim_end_matches('/'));
        Self { _program: program, port, api }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Value {
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    async fn get(&self, path: &str) -> Value {
        self.send(reqwest::Client::new().get(format!("{}{path}", self.api))).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.send(reqwest::Client::new().post(format!("{}{path}", self.api)).json(&body)).await
    }

    async fn add(&self, product: &str, name: &str) -> String {
        let added = self.post("/devices", json!({"productKey": product, "deviceName": name})).await;
        added["deviceSecret"].as_str().unwrap().to_owned()
    }

    /// Calls a service once the device is there to answer.
    async fn call(&self, device: &str, service: &str, input: Value) -> Value {
        let path = format!("{}/devices/{device}/services/{service}", self.api);
        in_time(async {
            loop {
                let answer = reqwest::Client::new().post(&path).json(&input).send().await.unwrap();
                if answer.status() == 200 {
                    return answer.json().await.unwrap();
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    async fn orders(&self) -> Vec<String> {
        let events = self.get("/devices/pile/P1/history?kind=event&identifier=OrderUpload").await;
        let events = events.as_array().unwrap().iter().filter(|event| event["identifier"] == "OrderUpload");
        events.map(|event| event["data"]["OrderNo"].as_str().unwrap().to_owned()).collect()
    }
}

fn pile(port: &str, secret: &str, orders: &Path) -> Program {
    let url = format!("mqtt://127.0.0.1:{port}");
    let orders = orders.to_str().unwrap();
    let arguments = [&url, "--device-name", "P1", "--device-secret", secret, "--orders", orders, "--interval", "1"];
    Program::example("alink-pile", &arguments)
}

/// Reads what a program says until it says this.
async fn until(program: &mut Program, says: &str) {
    while !program.line().await.expect("it runs on").contains(says) {}
}

/// What does not come at all fails.
async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it came in time")
}

#[tokio::test]
async fn an_order_reaches_the_hub_once_though_both_lose_their_power() {
    let folder = tempfile::tempdir().unwrap();
    let (data, orders_file) = (folder.path().join("hub"), folder.path().join("orders"));
    let hub = Hub::start(&data, "0").await;
    let secret = hub.add("pile", "P1").await;
    let mut device = pile(&hub.port, &secret, &orders_file);
    let start = |number: &str| {
        json!({"OrderNo": number, "Gun": 1, "User": "u", "Limit": 0, "LimitValue": 0, "PowerLimit": 0, "Balance": 0,
            "FeeModel": "f"})
    };
    let started = hub.call("pile/P1", "StartCharging", start("O1")).await;
    assert_eq!(started["data"]["Outcome"], 0, "{started}");
    // The hub has it that it began: one thing less that is under way.
    in_time(async {
        while hub.get("/devices/pile/P1/history?kind=event").await.as_array().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let stopped = hub.call("pile/P1", "StopCharging", json!({"OrderNo": "O1", "Gun": 1, "Cause": 1})).await;
    assert_eq!(stopped["data"]["Outcome"], 0, "{stopped}");
    // Both are gone at once, by SIGKILL; the order may have come or not.
    let port = hub.port.clone();
    drop(hub);
    until(&mut device, "order O1").await;
    drop(device);

    let hub = Hub::start(&data, &port).await;
    let mut device = pile(&hub.port, &secret, &orders_file);
    until(&mut device, "connected").await;
    in_time(async {
        while hub.orders().await.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The next one comes behind it, and it does not come again.
    hub.call("pile/P1", "StartCharging", start("O2")).await;
    hub.call("pile/P1", "StopCharging", json!({"OrderNo": "O2", "Gun": 1, "Cause": 1})).await;
    in_time(async {
        while !hub.orders().await.contains(&"O2".to_owned()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The power fails while it charges, and has come back before anybody says stop.
    hub.call("pile/P1", "StartCharging", start("O3")).await;
    in_time(async {
        while hub.get("/devices/pile/P1/properties").await["Charging"]["value"]["MeterNow"].as_i64() <= Some(0) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    device.killed().await;
    let mut device = pile(&hub.port, &secret, &orders_file);
    until(&mut device, "order O3: ").await;
    in_time(async {
        while !hub.orders().await.contains(&"O3".to_owned()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let events = hub.get("/devices/pile/P1/history?kind=event&identifier=OrderUpload").await;
    let cut =
        events.as_array().unwrap().iter().map(|event| &event["data"]).find(|order| order["OrderNo"] == "O3").unwrap();
    assert!(cut["StopReason"] == 10 && cut["Energy"].as_i64() > Some(0), "{cut}");
    // And the next one begins where the meter stands.
    let started = hub.call("pile/P1", "StartCharging", start("O4")).await;
    assert_eq!(started["data"]["Outcome"], 0, "{started}");
    let mut orders = hub.orders().await;
    orders.sort();
    assert_eq!(orders, ["O1", "O2", "O3"]);
}

#[tokio::test]
async fn the_tracker_becomes_the_program_that_it_is_sent() {
    tracker_becomes_what_it_is_sent("http").await;
}

#[tokio::test]
async fn the_tracker_becomes_the_program_that_it_is_sent_in_blocks() {
    tracker_becomes_what_it_is_sent("mqtt").await;
}

async fn tracker_becomes_what_it_is_sent(protocol: &str) {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::start(&folder.path().join("hub"), "0").await;
    let secret = hub.add("tracker", "T1").await;
    let url = format!("mqtt://127.0.0.1:{}", hub.port);
    let data = folder.path().join("device");
    let arguments = [&url, "--device-name", "T1", "--device-secret", &secret, "--data", data.to_str().unwrap()];
    let mut device = Program::example("alink-device", &arguments);
    until(&mut device, "connected").await;

    // Another program that does the same: a script in front of it.
    let own = PathBuf::from(std::env::var_os("ONWIRE_PROGRAMS").unwrap()).join("alink-device");
    let image = format!("#!/bin/sh\necho the new one\nexec '{}' \"$@\"\n", own.display());
    let upload = reqwest::Client::new().post(format!("{}/products/tracker/firmware?version=9.0.0", hub.api));
    let file = hub.send(upload.body(image)).await;
    hub.post("/devices/tracker/T1/updates", json!({"firmwareId": file["id"], "protocol": protocol})).await;
    until(&mut device, "the new one").await;
    until(&mut device, "connected").await;
    let done = async {
        while hub.get("/devices/tracker/T1").await["modules"] != json!({"default": "9.0.0"}) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), done).await.expect("it reports its new version");
    assert_eq!(hub.get("/devices/tracker/T1/updates").await[0]["state"], "done");
}
