//! The program as a whole, with the project's own device on the other side of MQTT.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]

mod support;

use std::time::Duration;

use onwire::CallFailure;
use onwire::alink::{Secret, SignMethod, sign};
use onwire::mqtt::{Connect, QoS};
use onwire::net::alink::{Device, Message, Messages};
use onwire::net::{BackOff, ClientTls};
use onwire::types::{DateTime, Decimal, RawJson};
use serde_json::{Value, json};
use sqlx::Executor;
use tokio::sync::mpsc;

use crate::support::socket::*;
use crate::support::{Hub, raw};

/// A socket that does what it is told.
struct Socket(mpsc::UnboundedSender<Properties>);

#[onwire::handlers(crate::support::socket, role = Device)]
impl Socket {
    #[on(PropertySet)]
    fn set(&self, wanted: Properties) {
        self.0.send(wanted).unwrap();
    }

    #[on(Toggle)]
    async fn toggle(&self) -> ToggleResponse {
        ToggleResponse::new(true)
    }

    #[on(ResetEnergy)]
    async fn reset(&self) -> Result<ResetEnergyResponse, onwire::CallError> {
        let sealed = onwire::CallError::new(onwire::ErrorCode::Other("100001".into()), "the meter is sealed");
        Err(onwire::CallError { details: Some(RawJson::new(r#"{"Seal":7}"#).unwrap()), ..sealed })
    }
}

struct Running {
    link: onwire::net::Link,
    messages: Messages,
    set: mpsc::UnboundedReceiver<Properties>,
    heard: mpsc::UnboundedReceiver<Message>,
}

fn login(name: &str, secret: &str) -> impl Fn() -> Connect + Send + Sync + use<> {
    let (name, secret) = (name.to_owned(), secret.to_owned());
    move || support::login("socket", &name, &secret, "")
}

fn device(hub: &Hub, name: &str, secret: &str) -> Running {
    device_at(&format!("mqtt://{}", hub.mqtt), None, name, secret)
}

fn device_at(url: &str, trusted: Option<ClientTls>, name: &str, secret: &str) -> Running {
    let (set_sender, set) = mpsc::unbounded_channel();
    let (sender, heard) = mpsc::unbounded_channel();
    let of = onwire::alink::DeviceRef { product_key: "socket", device_name: name };
    let builder = Device::builder(url, of, login(name, secret));
    let builder = if let Some(trusted) = trusted { builder.tls(trusted) } else { builder };
    let device = builder
        .back_off(BackOff::new(Duration::from_millis(10), Duration::from_millis(100)))
        .on_message(move |message| {
            let sender = sender.clone();
            async move { drop(sender.send(message)) }
        })
        .build(Socket(set_sender))
        .unwrap();
    let (link, messages) = (device.link(), device.messages());
    tokio::spawn(device.run());
    Running { link, messages, set, heard }
}

impl Running {
    async fn tell(&self, topic: &str, payload: Value) {
        self.messages.publish(topic, payload.to_string(), QoS::AtLeastOnce).await.unwrap();
    }

    async fn hear(&mut self, topic: &str) -> Value {
        loop {
            let message = support::in_time(self.heard.recv()).await.unwrap();
            if message.topic == topic {
                return serde_json::from_slice(&message.payload).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_device_posts_and_is_told() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut live = hub.listen().await;
    let mut device = device(&hub, "SN1", &secret);
    live.wait("online").await;

    let properties =
        Properties { power_switch: Some(true), power: Some("12.5".parse().unwrap()), ..Default::default() };
    let at = DateTime::from_unix_millis(1_700_000_000_000);
    device.link.call(properties.at(at)).await.unwrap();
    let shown = hub.get("/devices/socket/SN1/properties").await;
    assert_eq!(shown["Power"], json!({"value": 12.5, "time": "2023-11-14T22:13:20Z"}));
    assert_eq!(live.wait("properties").await["data"]["PowerSwitch"]["value"], 1);

    // A float is told with its fraction, a bool as a number, whatever the request has.
    hub.patch("/devices/socket/SN1/properties", json!({"PowerSwitch": false, "Countdown": 120})).await;
    let set = support::in_time(device.set.recv()).await.unwrap();
    assert_eq!((set.power_switch, set.countdown), (Some(false), Some(120)));
    let problem = hub.refused("PATCH", "/devices/socket/SN1/properties", json!({"Countdown": 61}), 422).await;
    assert_eq!(problem["pointer"], "/Countdown");
    let problem = hub.refused("PATCH", "/devices/socket/SN1/properties", json!({"Power": 1}), 422).await;
    assert_eq!((&problem["kind"], &problem["pointer"]), (&json!("invalidPayload"), &json!("/Power")));

    let answer = hub.post("/devices/socket/SN1/services/Toggle", json!({})).await;
    assert_eq!(answer["data"], json!({"PowerSwitch": 1}));
    let problem = hub.refused("POST", "/devices/socket/SN1/services/ResetEnergy", json!({}), 502).await;
    assert_eq!((&problem["kind"], &problem["code"]), (&json!("refused"), &json!(100_001)));
    assert_eq!(problem["data"], json!({"Seal": 7}), "{problem}");
    hub.refused("POST", "/devices/socket/SN1/services/Explode", json!({}), 404).await;

    // What the hub has against a message reaches whoever sent it, by name.
    let before = DateTime::from_unix_millis(-1);
    let dated = Properties { voltage: Some("230".parse().unwrap()), ..Default::default() };
    let Err(CallFailure::Refused(error)) = device.link.call(dated.at(before)).await else { panic!("it was taken") };
    let data: Value = serde_json::from_str(error.details.unwrap().as_str()).unwrap();
    assert_eq!((error.code, data["Voltage"].is_string()), (onwire::ErrorCode::Other("6332".into()), true), "{data}");

    // The typed handler that is compiled in switches it off.
    device.link.call(OverloadOutput::new("3900.0".parse::<Decimal>().unwrap()).at(at)).await.unwrap();
    assert_eq!(support::in_time(device.set.recv()).await.unwrap().power_switch, Some(false));
    let history = hub.get("/devices/socket/SN1/history?kind=event").await;
    assert_eq!((&history[0]["identifier"], &history[0]["data"]), (&json!("Overload"), &json!({"Power": 3900.0})));
    hub.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_the_model_is_refused_and_the_rest_kept() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut peer = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &secret, "")).await;
    let topic = "/sys/socket/SN1/thing/event/property/post";
    let mut post = async |params: Value| {
        let message = json!({"id": 7, "version": "1.0", "params": params, "method": "thing.event.property.post"});
        peer.publish(topic, &message.to_string()).await;
        peer.message(&format!("{topic}_reply")).await
    };
    let reply = post(json!({"Power": 1, "Voltage": 999, "Nothing": 1})).await;
    assert_eq!((&reply["id"], &reply["code"]), (&json!(7), &json!(200)));
    assert_eq!(reply["data"].as_object().unwrap().len(), 2, "{reply}");
    let reply = post(json!({"Voltage": 999})).await;
    assert_eq!((&reply["code"], &reply["data"].as_object().unwrap().len()), (&json!(6332), &1), "{reply}");
    assert_eq!(post(json!({"Power": {"value": 1, "time": -1}})).await["code"], 6332);
    assert_eq!(hub.get("/devices/socket/SN1/properties").await.as_object().unwrap().len(), 1);
    // Sent again, it is answered again and kept once.
    let dated = json!({"Current": {"value": 1, "time": 1_700_000_000_000_i64}});
    for _ in 0..2 {
        assert_eq!(post(dated.clone()).await["code"], 200);
    }
    let mut again = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &secret, "")).await;
    let message = json!({"id": 7, "version": "1.0", "params": dated, "method": "thing.event.property.post"});
    again.publish(topic, &message.to_string()).await;
    assert_eq!(again.message(&format!("{topic}_reply")).await["code"], 200);
    let history = hub.get("/devices/socket/SN1/history?kind=property&identifier=Current").await;
    assert_eq!(history.as_array().unwrap().len(), 1, "{history}");
    // What is no Alink, and what is too large, end nobody else's work and are written down.
    again.publish(topic, "{\"id\":").await;
    again.publish("/sys/socket/SN2/thing/event/property/post", "{}").await;
    hub.logged("no Alink").await;
    hub.logged("not this device's").await;
    again.publish("/socket/SN1/user/big", &"x".repeat(300 * 1024)).await;
    again.ended().await;
    hub.stop().await;
}

#[tokio::test]
async fn devices_ask_for_what_is_wanted_of_them() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut peer = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &secret, "")).await;
    let mut ask = async |path: &str, params: Value| {
        let topic = format!("/sys/socket/SN1/thing/{path}");
        let message = json!({"id": "1", "params": params, "method": format!("thing.{}", path.replace('/', "."))});
        peer.publish(&topic, &message.to_string()).await;
        peer.message(&format!("{topic}_reply")).await
    };
    hub.patch("/devices/socket/SN1/desired", json!({"Countdown": 60, "ChildLock": true})).await;
    hub.patch("/devices/socket/SN1/desired", json!({"Countdown": 120})).await;
    let desired = ask("property/desired/get", json!(["Countdown", "Nothing"])).await;
    assert_eq!(desired["data"], json!({"Countdown": {"value": 120, "version": 2}}));
    assert_eq!(ask("property/desired/delete", json!({"Countdown": {"version": 1}})).await["data"], json!({}));
    let gone = ask("property/desired/delete", json!({"Countdown": {"version": 2}, "ChildLock": {}})).await;
    assert_eq!(gone["data"].as_object().unwrap().len(), 2, "{gone}");
    assert_eq!(hub.get("/devices/socket/SN1/desired").await, json!({}));

    assert_eq!(ask("deviceinfo/update", json!([{"attrKey": "SN", "attrValue": "1"}])).await["code"], 200);
    assert_eq!(ask("deviceinfo/update", json!([{"attrKey": "1", "attrValue": "1"}])).await["code"], 460);
    assert_eq!(ask("deviceinfo/get", json!([])).await["data"], json!([{"attrKey": "SN", "attrValue": "1"}]));
    assert_eq!(hub.get("/devices/socket/SN1/tags").await, json!({"SN": "1"}));

    assert_eq!(ask("config/get", json!({"configScope": "product", "getType": "file"})).await["code"], 6710);
    hub.put_text("/products/socket/config", "interval = 5\n").await;
    let config = ask("config/get", json!({"configScope": "product", "getType": "file"})).await;
    let text = reqwest::get(config["data"]["url"].as_str().unwrap()).await.unwrap().text().await.unwrap();
    assert_eq!((text.as_str(), &config["data"]["configSize"]), ("interval = 5\n", &json!(13)));

    let entry = json!([{"utcTime": "2024-01-01T00:00:00.000+0800", "logLevel": "ERROR", "module": "m", "code": "1",
        "traceContext": "t", "logContent": "out of memory"}]);
    assert_eq!(ask("log/post", entry).await["code"], 200);
    hub.logged("out of memory").await;
    let model = ask("dsltemplate/get", json!({})).await;
    assert_eq!(model["data"]["profile"]["deviceName"], "SN1");
    assert_eq!(ask("dance", json!({})).await["code"], 404);
    hub.stop().await;
}

#[tokio::test]
async fn clock_shadow_update_and_topics_of_ones_own() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut live = hub.listen().await;
    let mut device = device(&hub, "SN1", &secret);
    live.wait("online").await;
    device.tell("/ext/ntp/socket/SN1/request", json!({"deviceSendTime": "1700000000000"})).await;
    let time = device.hear("/ext/ntp/socket/SN1/response").await;
    assert_eq!(time["deviceSendTime"], "1700000000000");

    let update = json!({"method": "update", "state": {"reported": {"Power": 1}}, "version": 1});
    device.tell("/shadow/update/socket/SN1", update.clone()).await;
    assert_eq!(device.hear("/shadow/get/socket/SN1").await["payload"], json!({"status": "success", "version": 1}));
    device.tell("/shadow/update/socket/SN1", update).await;
    assert_eq!(device.hear("/shadow/get/socket/SN1").await["payload"]["content"]["errorcode"], "409");
    hub.patch("/devices/socket/SN1/shadow", json!({"Power": 2})).await;
    let control = device.hear("/shadow/get/socket/SN1").await;
    assert_eq!((&control["method"], &control["payload"]["state"]["desired"]["Power"]), (&json!("control"), &json!(2)));

    device.tell("/socket/SN1/user/hello", json!({"a": 1})).await;
    assert_eq!(live.wait("message").await["data"], json!({"topic": "hello", "data": {"a": 1}}));

    device.tell("/ota/device/inform/socket/SN1", json!({"id": "1", "params": {"version": "1.0.0"}})).await;
    live.wait("update").await;
    let content = vec![7_u8; 40_000];
    let file = hub.upload("/products/socket/firmware?version=2.0.0&fileName=app.bin", content.clone()).await;
    hub.post("/devices/socket/SN1/updates", json!({"firmwareId": file["id"]})).await;
    let pushed = device.hear("/ota/device/upgrade/socket/SN1").await;
    assert_eq!((&pushed["code"], &pushed["data"]["size"]), (&json!("1000"), &json!(40_000)));
    assert_eq!(pushed["data"]["sign"], file["sha256"]);
    // As an SDK reads it: the id is a number, and there is no method.
    assert!(pushed["id"].is_u64() && pushed["message"] == "success" && pushed["method"].is_null(), "{pushed}");
    let url = pushed["data"]["url"].as_str().unwrap();
    let rest = reqwest::Client::new().get(url).header("range", "bytes=39000-").send().await.unwrap();
    assert_eq!((rest.status().as_u16(), rest.bytes().await.unwrap().len()), (206, 1000));
    let step = json!({"id": "2", "params": {"step": "-3", "desc": "digest mismatch", "module": "default"}});
    device.tell("/ota/device/progress/socket/SN1", step).await;
    loop {
        live.wait("update").await;
        let updates = hub.get("/devices/socket/SN1/updates").await;
        if updates[0]["state"] == "failed" {
            assert_eq!((&updates[0]["step"], &updates[0]["description"]), (&json!(-3), &json!("digest mismatch")));
            break;
        }
    }
    hub.post("/devices/socket/SN1/updates", json!({"firmwareId": file["id"]})).await;
    device.hear("/ota/device/upgrade/socket/SN1").await;
    device.tell("/ota/device/inform/socket/SN1", json!({"id": "1", "params": {"version": "2.0.0"}})).await;
    while hub.get("/devices/socket/SN1/updates").await[0]["state"] != "done" {
        live.wait("update").await;
    }
    hub.stop().await;
}

#[tokio::test]
async fn who_is_not_who_they_say_does_not_get_in() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let refused = async |name: &str, secret: &str| {
        raw::Client::try_connect(&hub.mqtt, &support::login("socket", name, secret, "")).await.unwrap_err()
    };
    assert_eq!(refused("SN1", "wrong").await, 4);
    assert_eq!(refused("SN2", &secret).await, 4);
    hub.logged("the signature is wrong").await;
    hub.logged("no such device").await;
    hub.patch("/devices/socket/SN1", json!({"disabled": true})).await;
    assert_eq!(refused("SN1", &secret).await, 5);
    hub.patch("/devices/socket/SN1", json!({"disabled": false})).await;

    let mut first = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &secret, "")).await;
    let second = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &secret, "")).await;
    first.ended().await;
    hub.logged("took the first one's place").await;
    drop(second);
    hub.stop().await;
}

#[tokio::test]
async fn a_device_registers_over_http() {
    let hub = Hub::start(&[]).await;
    let product = hub.get("/products/socket").await;
    let product_secret = product["productSecret"].as_str().unwrap();
    let register = async |secret: &str| -> Value {
        let pairs = [("deviceName", "NEW"), ("productKey", "socket"), ("random", "r4nd0m")];
        let sign = sign(SignMethod::HmacSha256, &Secret::from(secret), &pairs);
        let body = format!("productKey=socket&deviceName=NEW&random=r4nd0m&sign={sign}&signMethod=hmacsha256");
        let request = reqwest::Client::new().post(format!("{}/auth/register/device", hub.http));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        request.send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(register(product_secret).await["code"], 6288);
    hub.patch("/products/socket", json!({"dynamicRegistration": "known"})).await;
    assert_eq!(register(product_secret).await["code"], 6288);
    let secret = hub.add("NEW").await;
    assert_eq!(register("wrong").await["code"], 6600);
    assert_eq!(register(product_secret).await["data"]["deviceSecret"], json!(secret));
    let mut live = hub.listen().await;
    let running = device(&hub, "NEW", &secret);
    live.wait("online").await;
    assert_eq!(register(product_secret).await["code"], 6289);
    drop(running);
    hub.stop().await;
}

#[tokio::test]
async fn what_was_answered_survives_a_crash() {
    let mut hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let running = device(&hub, "SN1", &secret);
    let mut live = hub.listen().await;
    if hub.get("/devices/socket/SN1").await["online"] != true {
        live.wait("online").await;
    }
    let voltage = Properties { voltage: Some("229.9".parse().unwrap()), ..Default::default() };
    running.link.call(voltage.at(DateTime::from_unix_millis(1_700_000_000_000))).await.unwrap();
    hub.crash().await;
    hub.start_again(&[]).await;
    assert_eq!(hub.get("/devices/socket/SN1/properties").await["Voltage"]["value"], 229.9);
    // No secret is in the database as it is.
    if support::is_sqlite() {
        let database = std::fs::read(hub.data.path().join("alink-hub.db")).unwrap();
        assert!(!database.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    hub.stop().await;
}

#[tokio::test]
async fn beyond_loopback_it_wants_a_token() {
    let refused = Hub::try_start(&["--http", "0.0.0.0:0"]).await.unwrap_err();
    assert!(refused.contains("there is no API token"), "{refused}");
    Hub::start(&["--http", "0.0.0.0:0", "--insecure"]).await.stop().await;

    let hub = Hub::start(&[]).await;
    let token = hub.token("reader", "viewer").await;
    let get = async |token: Option<&str>| {
        let request = reqwest::Client::new().get(format!("{}/api/v1/products/socket", hub.http));
        let request = token.map(|token| request.try_clone().unwrap().bearer_auth(token)).unwrap_or(request);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(get(None).await.0, 401);
    assert_eq!(get(Some("hub_wrong")).await.0, 401);
    let (status, product) = get(Some(&token)).await;
    assert_eq!((status, &product["productSecret"]), (200, &Value::Null), "who may only look sees no secret");
    let request = reqwest::Client::new().post(format!("{}/api/v1/devices", hub.http)).bearer_auth(&token);
    let body = json!({"productKey": "socket", "deviceName": "SN1"});
    assert_eq!(request.json(&body).send().await.unwrap().status(), 403);
    hub.stop().await;
}

#[tokio::test]
async fn with_tls_a_device_has_one_connection_whichever_way_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("server.pem"), folder.path().join("server.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let [certificate, key] = [certificate, key].map(|path| path.to_str().unwrap().to_owned());
    let arguments = ["--mqtts", "127.0.0.1:0", "--tls-certificate", &certificate, "--tls-key", &key];
    let hub = Hub::start(&arguments).await;
    let secret = hub.add("SN1").await;
    let mut plain = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &secret, "")).await;
    let url = format!("mqtts://{}", hub.mqtts.as_ref().unwrap());
    let trusted = ClientTls::new(made.cert.pem()).unwrap();
    let device = device_at(&url, Some(trusted), "SN1", &secret);
    let lock = Properties { child_lock: Some(true), ..Default::default() };
    device.link.call(lock.at(DateTime::from_unix_millis(1_700_000_000_000))).await.unwrap();
    assert_eq!(hub.get("/devices/socket/SN1/properties").await["ChildLock"]["value"], 1);
    plain.ended().await;
    hub.stop().await;
}

/// It is judged, and the hub waits to write that it has come; then it is disabled, and whoever did that has found no connection
/// to end.
#[tokio::test]
async fn a_device_that_is_disabled_while_it_is_let_in_does_not_stay() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut db = support::look_into(hub.data.path()).await;
    db.execute(if support::is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" }).await.unwrap();
    db.execute("UPDATE devices SET disabled = 1").await.unwrap();
    let (mqtt, connect) = (hub.mqtt.clone(), support::login("socket", "SN1", &secret, ""));
    let letting_in = tokio::spawn(async move { raw::Client::try_connect(&mqtt, &connect).await });
    // Enough for the hub to judge it, which others' requests show.
    for _ in 0..20 {
        hub.get("/devices").await;
    }
    db.execute("COMMIT").await.unwrap();
    match letting_in.await.unwrap() {
        Ok(mut client) => support::in_time(client.ended()).await,
        Err(code) => assert_eq!(code, 5),
    }
    assert_eq!(hub.get("/devices/socket/SN1").await["online"], false);
    hub.stop().await;
}
