//! `examples/alink-hub` against devices that nobody here wrote: Aliyun's own Python SDK, and a plain MQTT client.
//!
//! `cargo xtask test` installs the peers, builds the programs of `examples/` and runs this.

use std::path::Path;
use std::time::Duration;

use onwire::alink::{DeviceRef, Secret};
use onwire::mqtt::Connect;
use onwire::net::BackOff;
use onwire::net::alink::{Device, Message};
use onwire::types::DateTime;
use onwire_tests::broker::Broker;
use onwire_tests::program::Program;
use onwire_tests::{socket, tracker::*};
use serde_json::{Value, json};
use tempfile::TempDir;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/thing/socket.json");

/// A hub that knows the smart socket.
struct Hub {
    program: Program,
    data: TempDir,
    port: String,
    api: String,
}

impl Hub {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(more: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), more).await
    }

    async fn start_in(data: TempDir, more: &[&str]) -> Self {
        let models = Path::new(MODEL).parent().unwrap().to_str().unwrap();
        let folder = data.path().to_str().unwrap();
        let free = "127.0.0.1:0";
        let arguments = ["--mqtt", free, "--http", free, "--data", folder, "--models", models];
        let mut program = Program::example("alink-hub", &[&arguments, more].concat());
        let mqtt = program.line().await.expect("where devices connect");
        let http = program.line().await.expect("where the page is");
        let port = mqtt.rsplit_once(':').unwrap().1.to_owned();
        let api = format!("http://{}/api/v1", http.split_once("http://").unwrap().1.trim_end_matches('/'));
        Self { program, data, port, api }
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

    async fn patch(&self, path: &str, body: Value) -> Value {
        self.send(reqwest::Client::new().patch(format!("{}{path}", self.api)).json(&body)).await
    }

    /// As if the power were cut.
    async fn killed(self) -> TempDir {
        self.program.killed().await;
        self.data
    }

    /// How often the device has told it.
    async fn told(&self, query: &str) -> usize {
        self.get(&format!("/devices/socket/SN1/history?{query}")).await.as_array().unwrap().len()
    }

    async fn add(&self, name: &str) -> String {
        let added = self.post("/devices", json!({"productKey": "socket", "deviceName": name})).await;
        added["deviceSecret"].as_str().unwrap().to_owned()
    }

    fn device(&self, mode: &str, name: &str, secret: &str) -> Program {
        Program::python("alink_device.py", &[mode, &self.port, "socket", name, secret, MODEL])
    }
}

/// What does not come at all fails.
async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it came in time")
}

#[tokio::test]
async fn aliyuns_python_sdk_posts_obeys_and_updates_itself() {
    let hub = Hub::start().await;
    let secret = hub.add("SN1").await;
    let mut device = hub.device("work", "SN1", &secret);
    device.expect("connected").await;
    assert_eq!(device.expect("posted").await["code"], 200);
    assert_eq!(device.expect("told").await, json!({"event": "told", "name": "OverTemperature", "code": 200}));
    assert_eq!(device.expect("shadow").await, json!({"event": "shadow", "status": "success", "version": 1}));
    device.expect("ready").await;

    let own = "/devices/socket/SN1";
    let properties = hub.get(&format!("{own}/properties")).await;
    assert_eq!((&properties["Power"]["value"], &properties["PowerSwitch"]["value"]), (&json!(12.5), &json!(1)));
    let events = hub.get(&format!("{own}/history?kind=event")).await;
    assert_eq!(events[0]["data"], json!({"Temperature": 91.5}));
    assert_eq!(hub.get(&format!("{own}/shadow")).await["state"]["reported"], json!({"Power": 1}));

    let set = hub.patch(&format!("{own}/properties"), json!({"PowerSwitch": false, "Countdown": 120})).await;
    assert_eq!(set["code"], 200);
    assert_eq!(device.expect("property_set").await["params"], json!({"PowerSwitch": 0, "Countdown": 120}));
    let synchronous = hub.post(&format!("{own}/services/Toggle"), json!({})).await;
    assert_eq!(synchronous["data"], json!({"PowerSwitch": 0}));
    assert_eq!(device.expect("service").await["name"], "Toggle");
    assert_eq!(hub.post(&format!("{own}/services/ResetEnergy"), json!({})).await["code"], 200);
    assert_eq!(device.expect("service").await["name"], "ResetEnergy");

    let upload = reqwest::Client::new().post(format!("{}/products/socket/firmware?version=2.0.0", hub.api));
    let file = hub.send(upload.body(vec![7_u8; 70_000])).await;
    hub.post(&format!("{own}/updates"), json!({"firmwareId": file["id"]})).await;
    let update = device.expect("update").await;
    assert_eq!((&update["version"], &update["downloaded"]), (&json!("2.0.0"), &json!(true)));
    assert_eq!(update["sign"], file["sha256"]);
    // The SDK has reported its version before it answers this.
    hub.post(&format!("{own}/services/ResetEnergy"), json!({})).await;
    assert_eq!(hub.get(&format!("{own}/updates")).await[0]["state"], "done");
    assert_eq!(hub.get(own).await["modules"], json!({"default": "2.0.0"}));
}

#[tokio::test]
async fn aliyuns_python_sdk_registers_itself_in_both_ways() {
    let hub = Hub::start().await;
    let product = hub.get("/products/socket").await;
    let secret = product["productSecret"].as_str().unwrap();
    hub.add("SN1").await;
    hub.patch("/products/socket", json!({"dynamicRegistration": "known"})).await;
    let mut known = hub.device("register", "SN1", secret);
    known.expect("registered").await;
    known.expect("connected").await;
    known.succeeds().await;

    hub.patch("/products/socket", json!({"dynamicRegistration": "any"})).await;
    let mut unknown = hub.device("regnwl", "SN2", secret);
    unknown.expect("registered").await;
    unknown.expect("connected").await;
    unknown.succeeds().await;
    assert_ne!(hub.get("/devices/socket/SN2").await["activatedAt"], Value::Null);
    drop(hub.program);
}

#[tokio::test]
async fn aliyuns_python_sdk_is_the_gateway_of_a_socket() {
    let hub = Hub::start().await;
    let (secret, of_socket, _) = (hub.add("H1").await, hub.add("S1").await, hub.add("S2").await);
    let arguments = [&*hub.port, "socket", "H1", &secret, "socket", "S1", &of_socket];
    let mut gateway = Program::python("alink_gateway.py", &arguments);
    let named = json!([{"productKey": "socket", "deviceName": "S1"}]);
    gateway.expect("connected").await;
    assert_eq!(gateway.expect("refused").await["code"], 6401);
    let added = gateway.expect("added").await;
    assert_eq!((&added["code"], &added["data"]), (&json!(200), &named));
    let online = gateway.expect("online").await;
    assert_eq!((&online["code"], &online["data"]), (&json!(200), &named));
    let posted = gateway.expect("posted").await;
    assert_eq!(
        (&posted["topic"], &posted["code"]),
        (&json!("/sys/socket/S1/thing/event/property/post_reply"), &json!(200))
    );
    gateway.expect("ready").await;
    assert_eq!(hub.get("/devices/socket/S1/properties").await["Power"]["value"], 12.5);
    assert_eq!(hub.get("/devices/socket/S1").await["online"], true);
    assert_eq!(hub.get("/devices/socket/H1/sub-devices").await[0]["deviceName"], "S1");
    let called = hub.post("/devices/socket/S1/services/Toggle", json!({})).await;
    assert_eq!(called["data"], json!({"PowerSwitch": 1}));
    let topic = gateway.expect("called").await["topic"].as_str().unwrap().to_owned();
    assert!(topic.starts_with("/sys/socket/S1/rrpc/request/"), "{topic}");

    hub.post("/devices/socket/H1/sub-devices", json!({"productKey": "socket", "deviceName": "S2"})).await;
    assert_eq!(gateway.expect("change").await["params"]["subList"][0]["deviceName"], "S2");
    let offline = gateway.expect("offline").await;
    assert_eq!((&offline["code"], &offline["data"]), (&json!(200), &named));
    let stray = gateway.expect("stray").await;
    assert_eq!((&stray["code"], &stray["data"]), (&json!(520), &named[0]));
    assert_eq!(gateway.expect("deleted").await["code"], 200);
    gateway.succeeds().await;
    assert_eq!(hub.get("/devices/socket/H1/sub-devices").await[0]["deviceName"], "S2");
}

#[tokio::test]
async fn a_device_that_reads_no_port_in_urls_is_configured_and_updates_itself() {
    // What a proxy at port 80 does in the field, the device does here.
    let hub = Hub::start_with(&["--public-url", "http://127.0.0.1"]).await;
    let secret = hub.add("SN1").await;
    let configure = async |content: &str, push: bool| {
        let url = format!("{}/products/socket/config?push={push}", hub.api);
        hub.send(reqwest::Client::new().put(url).body(content.to_owned())).await
    };
    configure(r#"{"interval":60}"#, false).await;
    let files_port = hub.api.trim_end_matches("/api/v1").rsplit_once(':').unwrap().1;
    let mut device = Program::python("alink_c_device.py", &[&hub.port, files_port, "socket", "SN1", &secret]);
    device.expect("connected").await;
    assert_eq!(device.expect("configured").await["content"], r#"{"interval":60}"#);
    device.expect("ready").await;
    configure(r#"{"interval":30}"#, true).await;
    assert_eq!(device.expect("pushed").await["content"], r#"{"interval":30}"#);
    let upload = reqwest::Client::new().post(format!("{}/products/socket/firmware?version=2.0.0", hub.api));
    let file = hub.send(upload.body(vec![7; 10_000])).await;
    hub.post("/devices/socket/SN1/updates", json!({"firmwareId": file["id"]})).await;
    let updated = device.expect("updated").await;
    assert_eq!((&updated["version"], &updated["size"]), (&json!("2.0.0"), &json!(10_000)));
    device.succeeds().await;
    in_time(async { while hub.get("/devices/socket/SN1/updates").await[0]["state"] != "done" {} }).await;
}

#[tokio::test]
async fn each_of_aliyuns_node_sdks_is_the_gateway_of_a_socket() {
    let hub = Hub::start().await;
    for (number, sdk) in ["alibabacloud-iot-device-sdk", "aliyun-iot-device-sdk"].into_iter().enumerate() {
        let (gateway, socket) = (format!("H{number}"), format!("S{number}"));
        let (secret, of_socket) = (hub.add(&gateway).await, hub.add(&socket).await);
        let arguments = [sdk, &*hub.port, "socket", &gateway, &secret, "socket", &socket, &of_socket];
        let mut peer = Program::node("alink_gateway.cjs", &arguments);
        peer.expect("connected").await;
        assert_eq!(peer.expect("posted").await["code"], 200, "{sdk}");
        assert_eq!(peer.expect("added").await["code"], 200, "{sdk}");
        let behind = json!([{"productKey": "socket", "deviceName": &socket}]);
        assert_eq!(peer.expect("topology").await["data"], behind, "{sdk}");
        assert_eq!(peer.expect("online").await["code"], 200, "{sdk}");
        assert_eq!(peer.expect("told").await["code"], 200, "{sdk}");
        peer.expect("ready").await;
        for (device, power) in [(&gateway, 3.5), (&socket, 12.5)] {
            assert_eq!(
                hub.get(&format!("/devices/socket/{device}/properties")).await["Power"]["value"],
                power,
                "{sdk}"
            );
            assert_eq!(hub.get(&format!("/devices/socket/{device}")).await["online"], true, "{sdk}");
        }
        let reset = hub.post(&format!("/devices/socket/{gateway}/services/ResetEnergy"), json!({})).await;
        assert_eq!(reset["code"], 200, "{sdk}");
        peer.expect("called").await;
        assert_eq!(peer.expect("offline").await["code"], 200, "{sdk}");
        assert_eq!(peer.expect("removed").await["code"], 200, "{sdk}");
        peer.succeeds().await;
        assert_eq!(hub.get(&format!("/devices/socket/{gateway}/sub-devices")).await, json!([]), "{sdk}");
    }
}

#[tokio::test]
async fn a_gateway_behind_a_broker_has_its_sub_devices_served() {
    let broker = Broker::start().await;
    let hub = Hub::start_with(&["--broker", &broker.url()]).await;
    let secret = hub.add("S1").await;
    hub.add("H1").await;
    let gateway = DeviceRef { product_key: "socket", device_name: "H1" };
    let back_off = BackOff::new(Duration::from_millis(10), Duration::from_millis(100));
    let connect = || Connect::new("H1");
    let device =
        Device::builder(&broker.url(), gateway, connect).subscribing().back_off(back_off).build(Switch).unwrap();
    let (link, gateway) = (device.link(), device.gateway());
    tokio::spawn(device.run());
    // What is said before the hub has subscribed is lost.
    in_time(async { while tokio::time::timeout(Duration::from_secs(1), gateway.topology()).await.is_err() {} }).await;
    let of = DeviceRef { product_key: "socket", device_name: "S1" };
    let behind = gateway.sub_device(of, &Secret::from(secret.as_str())).back_off(back_off).build(Switch);
    let of_socket = behind.link();
    tokio::spawn(behind.run());
    let properties = socket::Properties { power: Some("12.5".parse().unwrap()), ..socket::Properties::default() };
    of_socket.call(properties.at(DateTime::from_unix_millis(1_700_000_000_000))).await.unwrap();
    assert_eq!(hub.get("/devices/socket/S1/properties").await["Power"]["value"], 12.5);
    let called = hub.post("/devices/socket/S1/services/Toggle", json!({})).await;
    assert_eq!(called["data"], json!({"PowerSwitch": 1}));
    let called = hub.patch("/devices/socket/S1/properties", json!({"Countdown": 120})).await;
    assert_eq!(called["code"], 200);
    assert_eq!(hub.get("/devices/socket/S1/gateway").await["deviceName"], "H1");
    link.stop();
}

struct Switch;

#[onwire::handlers(onwire_tests::socket, role = Device)]
impl Switch {
    #[on(Toggle)]
    fn toggle(&self) -> socket::ToggleResponse {
        socket::ToggleResponse::new(true)
    }

    #[on(PropertySet)]
    fn set(&self, wanted: socket::Properties) {
        assert_eq!(wanted.countdown, Some(120));
    }
}

#[tokio::test]
async fn a_plain_client_that_subscribes_is_answered() {
    let hub = Hub::start().await;
    let secret = hub.add("SN1").await;
    let mut client = Program::python("alink_subscriber.py", &[&hub.port, "socket", "SN1", &secret]);
    // Another device's topics are not granted.
    assert_eq!(client.expect("subscribed").await["granted"], json!([0, 1, 128]));
    // Each once, although the hub sends to whoever does not subscribe as well.
    assert_eq!(client.expect("posted").await["code"], 200);
    client.expect("ready").await;
    let called = hub.post("/devices/socket/SN1/services/Toggle", json!({})).await;
    assert_eq!(called["data"], json!({"PowerSwitch": 1}));
    // Without `ext`, what waits for an answer comes on the topic of the system's RRPC.
    let topic = client.expect("called").await["topic"].as_str().unwrap().to_owned();
    assert!(topic.starts_with("/sys/socket/SN1/rrpc/request/"), "{topic}");
    client.succeeds().await;
}

#[tokio::test]
async fn behind_a_broker_it_does_the_same() {
    let broker = Broker::start().await;
    let hub = Hub::start_with(&["--broker", &broker.url()]).await;
    let secret = hub.add("SN1").await;
    // What is said before the hub has subscribed is lost: a device asks again.
    let mut client = Program::python("alink_subscriber.py", &["--again", &hub.port, "socket", "SN1", &secret]);
    client.expect("subscribed").await;
    assert_eq!(client.expect("posted").await["code"], 200);
    client.expect("ready").await;
    let called = hub.post("/devices/socket/SN1/services/Toggle", json!({})).await;
    assert_eq!(called["data"], json!({"PowerSwitch": 1}));
    client.expect("called").await;
    client.succeeds().await;
    let properties = hub.get("/devices/socket/SN1/properties").await;
    assert_eq!(properties["Power"]["value"], 1.5);
}

struct Socket;

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Socket {
    #[on(PropertySet)]
    fn set(&self, _: Properties) {}
}

#[tokio::test]
async fn behind_a_broker_a_device_is_asked_in_ones_own_words() {
    let broker = Broker::start().await;
    let hub = Hub::start_with(&["--broker", &broker.url()]).await;
    hub.add("SN1").await;
    let of = DeviceRef { product_key: "socket", device_name: "SN1" };
    let device = Device::builder(&broker.url(), of, || Connect::new("device"))
        .subscribing()
        .on_rrpc("/socket/SN1/user/door", |request: Message| async move { [b"door ", &*request.payload].concat() })
        .on_system_rrpc(|_: Message| async move { "system" })
        .build(Socket)
        .unwrap();
    let messages = device.messages();
    tokio::spawn(device.run());
    // What is said before the hub has subscribed is lost: the device speaks until it is known.
    in_time(async {
        while hub.get("/devices/socket/SN1").await["online"] != true {
            let _ = messages.publish("/socket/SN1/user/hello", "{}", onwire::mqtt::QoS::AtMostOnce).await;
            tokio::task::yield_now().await;
        }
    })
    .await;
    let ask = async |query: &str| {
        let url = format!("{}/devices/socket/SN1/rrpc?timeoutMs=30000{query}", hub.api);
        let answer = reqwest::Client::new().post(url).body("open").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(ask("&topic=/socket/SN1/user/door").await, (200, "door open".to_owned()));
    assert_eq!(ask("").await, (200, "system".to_owned()));
    assert_eq!(ask("&topic=/any/topic").await.0, 400, "it would never come back");
}

const POST: &str = "/sys/socket/SN1/thing/event/property/post";

fn power(id: u32) -> String {
    json!({"id": id.to_string(), "version": "1.0", "params": {"Power": id}}).to_string()
}

/// Says something, again and again, until the hub has heard it.
async fn until_heard(broker: &Broker, hub: &Hub, word: &str) {
    in_time(async {
        while hub.told(&format!("kind=message&identifier={word}")).await == 0 {
            broker.publish(&format!("/socket/SN1/user/{word}"), "{}").await;
        }
    })
    .await;
}

#[tokio::test]
async fn behind_a_broker_what_the_broker_keeps_is_kept_once() {
    let broker = Broker::start().await;
    let arguments = ["--broker", &broker.url()];
    let hub = Hub::start_with(&arguments).await;
    hub.add("SN1").await;
    until_heard(&broker, &hub, "first").await;
    // Undated: nothing in it tells it from a new one.
    let overload = r#"{"id":"7","version":"1.0","params":{"Power":1500}}"#;
    broker.publish_retained("/sys/socket/SN1/thing/event/Overload/post", overload).await;
    broker.publish_retained(POST, &power(1)).await;
    broker.publish(POST, &power(2)).await;
    // And once more, as what was heard last may not be acknowledged yet, and then comes again.
    until_heard(&broker, &hub, "second").await;
    until_heard(&broker, &hub, "more").await;
    let data = hub.killed().await;
    // It is new to the hub, as it was away, and so is this.
    broker.publish(POST, &power(3)).await;
    broker.publish_retained("/socket/SN1/user/news", "{}").await;
    let mut data = Some(data);
    for words in [["third", "and"], ["fourth", "also"]] {
        let hub = Hub::start_in(data.take().unwrap(), &arguments).await;
        in_time(async { while hub.told("identifier=news").await == 0 {} }).await;
        for word in words {
            until_heard(&broker, &hub, word).await;
        }
        for (query, count) in [("kind=event", 1), ("identifier=Power", 3), ("identifier=news", 1)] {
            assert_eq!(hub.told(query).await, count, "{query}");
        }
        assert_eq!(hub.get("/devices/socket/SN1/properties").await["Power"]["value"], 3.0);
        data = Some(hub.killed().await);
    }
}

/// Something is done to the hub's database by somebody else.
async fn database(hub: &Hub, sql: &str) {
    let python = std::env::var_os("ONWIRE_PEERS_PYTHON").expect("ONWIRE_PEERS_PYTHON");
    let program = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=30).execute(sys.argv[2])";
    let mut command = tokio::process::Command::new(python);
    command.args(["-c", program]).arg(hub.data.path().join("hub.db")).arg(sql);
    assert!(command.status().await.unwrap().success());
}

#[tokio::test]
async fn behind_a_broker_nothing_is_lost_while_the_database_is_away() {
    let broker = Broker::start().await;
    let hub = Hub::start_with(&["--broker", &broker.url()]).await;
    hub.add("SN1").await;
    until_heard(&broker, &hub, "first").await;
    database(&hub, "ALTER TABLE history RENAME TO elsewhere").await;
    let mut events = reqwest::get(format!("{}/events", hub.api)).await.unwrap();
    for id in 1..=3 {
        broker.publish(POST, &power(id)).await;
    }
    // Its session is given up after 20 s, and begins again with what the broker sends again.
    let mut seen = String::new();
    in_time(async {
        while !seen.split_once("offline").is_some_and(|(_, after)| after.contains("online")) {
            seen += &String::from_utf8_lossy(&events.chunk().await.unwrap().expect("the hub goes on"));
        }
    })
    .await;
    database(&hub, "ALTER TABLE elsewhere RENAME TO history").await;
    in_time(async { while hub.told("identifier=Power").await < 3 {} }).await;
    until_heard(&broker, &hub, "second").await;
    assert_eq!(hub.told("identifier=Power").await, 3);
}
