//! What devices and SDKs in the field send, though no document says so: each line of the table in `docs/CONFORMANCE.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]

mod support;

use onwire::alink::system::FileUploadSendRequest;
use onwire::alink::{Secret, SignMethod, UploadBlockFrame, sign};
use onwire::types::DateTime;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Hub, in_time, login, look_into, raw};

const POST: &str = "/sys/socket/SN1/thing/event/property/post";
const POSTED: &str = "/sys/socket/SN1/thing/event/property/post_reply";

/// A hub, and a device that is connected to it.
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
async fn white_space_between_the_parameters_of_a_client_id_is_no_part_of_them() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    for parameters in [
        "|securemode=3,\n   signmethod=hmacsha256,_ss=1|",
        "|\r\n\tsecuremode = 3 ,\r\n\tsignmethod = hmacsha256\r\n|",
        "|securemode=3, signmethod=hmacsha256, |\n",
    ] {
        let mut connect = login("socket", "SN1", &secret, "");
        connect.client_id = format!("test{parameters}");
        let client = raw::Client::try_connect(&hub.mqtt, &connect).await;
        assert!(client.is_ok(), "{parameters:?}: {client:?}");
    }
    // What is within a value is a part of it.
    let mut connect = login("socket", "SN1", &secret, "");
    connect.client_id = "test|securemode=3,signmethod=hmac\nsha256|".to_owned();
    assert_eq!(raw::Client::try_connect(&hub.mqtt, &connect).await.unwrap_err(), 4);
}

#[tokio::test]
async fn numbers_texts_and_booleans_stand_for_each_other_in_what_gateways_say() {
    let (hub, mut gateway) = connected().await;
    let secret = Secret::from(hub.add("S1").await);
    let pairs = [("clientId", "1"), ("deviceName", "S1"), ("productKey", "socket"), ("timestamp", "1796069158482")];
    let sign = sign(SignMethod::HmacSha1, &secret, &pairs);
    let signed = json!({"productKey": "socket", "deviceName": "S1", "clientId": 1, "timestamp": 1_796_069_158_482_i64,
        "sign": sign});
    let mut ask = async |topic: &str, mut params: Value, method: &str, is_list: bool| {
        params[method] = json!("hmacSha1");
        let params = if is_list { json!([params]) } else { params };
        gateway.publish(topic, &json!({"id": 1, "version": "1.0", "params": params}).to_string()).await;
        let reply = gateway.message(&format!("{topic}_reply")).await;
        assert_eq!((&reply["id"], &reply["code"]), (&json!(1), &json!(200)), "{topic}: {reply}");
    };
    ask("/sys/socket/SN1/thing/topo/add", signed.clone(), "signmethod", true).await;
    for clean_session in [json!(true), json!(1), json!("true"), json!(false)] {
        let mut params = signed.clone();
        params["cleanSession"] = clean_session;
        ask("/ext/session/socket/SN1/combine/login", params, "signMethod", false).await;
    }
    assert_eq!(hub.get("/devices/socket/S1").await["online"], true);
}

#[tokio::test]
async fn they_do_so_in_all_else_that_devices_say_of_themselves() {
    let (hub, mut device) = connected().await;
    // A version that is a number, and tags that are none.
    let version = json!({"id": 1, "params": {"version": 2, "module": 7}}).to_string();
    device.publish("/ota/device/inform/socket/SN1", &version).await;
    let tags =
        json!({"id": 2, "params": [{"attrKey": "Site", "attrValue": 7}, {"attrKey": "Roof", "attrValue": false}]});
    device.publish("/sys/socket/SN1/thing/deviceinfo/update", &tags.to_string()).await;
    assert_eq!(device.message("/sys/socket/SN1/thing/deviceinfo/update_reply").await["code"], 200);
    assert_eq!(hub.get("/devices/socket/SN1").await["modules"], json!({"7": "2"}));
    // Whether an answer is wanted.
    for (id, ack) in [json!("0"), json!(false), json!("false"), json!(0)].into_iter().enumerate() {
        let post = json!({"id": id, "sys": {"ack": ack}, "params": {"Power": id}}).to_string();
        device.publish(POST, &post).await;
    }
    device.publish(POST, r#"{"id":9,"sys":{"ack":true},"params":{"Power":9}}"#).await;
    assert_eq!(device.message(POSTED).await["id"], 9, "the only one that is answered");
    // A file of unknown length that goes up: text for the number, and a number for the boolean that says it is whole.
    let upload = "/sys/socket/SN1/thing/file/upload/mqtt";
    for (number, is_complete) in ["1", "\"1\""].into_iter().enumerate() {
        let name = format!("a{number}.log");
        let init = json!({"id": 3, "params": {"fileName": name, "fileSize": "-1", "conflictStrategy": "overwrite"}});
        device.publish(&format!("{upload}/init"), &init.to_string()).await;
        let begun = device.message(&format!("{upload}/init_reply")).await;
        let mut about = FileUploadSendRequest::new(begun["data"]["uploadId"].as_str().unwrap(), 0, 3);
        about.is_complete = Some(true);
        let mut block = UploadBlockFrame { id: "4", about, block: b"abc" }.to_bytes().unwrap();
        let at = block.windows(5).position(|bytes| bytes == b":true").unwrap() + 1;
        let written = format!("{is_complete:4}");
        block[at..at + 4].copy_from_slice(written.as_bytes());
        device.publish_bytes(&format!("{upload}/send"), &block).await;
        let reply = device.message(&format!("{upload}/send_reply")).await;
        assert_eq!((&reply["code"], &reply["data"]["complete"]), (&json!(200), &json!(true)), "{is_complete}");
    }
}

#[tokio::test]
async fn a_value_from_the_future_is_of_now_and_keeps_no_later_one_out() {
    let (hub, mut client) = connected().await;
    let now = DateTime::now().unix_millis();
    let hours = 3_600_000;
    for (watts, params) in [
        (1.5, json!({"Power": {"value": 1.5, "time": now + 23 * hours}})),
        (2.5, json!({"Power": 2.5})),
        (3.5, json!({"Power": {"value": 3.5, "time": now + 300 * hours}})),
        (4.5, json!({"Power": {"value": 4.5, "time": DateTime::now().unix_millis() + hours}})),
    ] {
        client.publish(POST, &json!({"id": "1", "params": params}).to_string()).await;
        assert_eq!(client.message(POSTED).await["code"], 200);
        let shown = power(&hub).await;
        assert_eq!(shown["value"], json!(watts), "{shown}");
        let time: DateTime = DateTime::parse(shown["time"].as_str().unwrap()).unwrap();
        assert!(time.unix_millis() <= DateTime::now().unix_millis(), "{shown}");
    }
    // So does one that was kept by a clock of the hub's that was ahead.
    let mut database = look_into(hub.data.path()).await;
    let ahead = format!("UPDATE properties SET value = '9.5', time = {}", now + 1000 * hours);
    database.execute(AssertSqlSafe(ahead)).await.unwrap();
    assert_eq!(power(&hub).await["value"], json!(9.5));
    client.publish(POST, &json!({"id": "1", "params": {"Power": 5.5}}).to_string()).await;
    assert_eq!(client.message(POSTED).await["code"], 200);
    assert_eq!(power(&hub).await["value"], json!(5.5));
}

#[tokio::test]
async fn the_topic_says_what_is_meant_and_every_refusal_has_a_text() {
    let (hub, mut client) = connected().await;
    for method in ["thing.event.property.pst", "thing.event.Fault.post", "property.post", ""] {
        let post = json!({"id": "1", "params": {"Power": 1.5}, "method": method});
        client.publish(POST, &post.to_string()).await;
        let reply = client.message(POSTED).await;
        assert_eq!(reply["code"], 200, "{method}: {reply}");
    }
    assert_eq!(power(&hub).await["value"], json!(1.5));
    let unknown = "/sys/socket/SN1/thing/nothing/like/this";
    for path in [unknown, "/sys/socket/SN1/thing/topo/add", POST] {
        client.publish(path, r#"{"id":"2","params":7,"method":"other.method"}"#).await;
        let reply = client.message(&format!("{path}_reply")).await;
        assert_ne!(reply["code"], 200, "{path}: {reply}");
        assert!(!reply["message"].as_str().unwrap().is_empty(), "{path}: {reply}");
    }
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

/// MQTT 3.1 had DUP in SUBSCRIBE.
#[tokio::test]
async fn an_answer_that_belongs_to_no_call_is_written_down() {
    let (hub, mut device) = connected().await;
    let asked =
        hub.ask("POST", "/api/v1/devices/socket/SN1/services/ResetEnergy?timeoutMs=1000", None, Some(json!({})));
    let answers = async {
        device.message("/sys/socket/SN1/thing/service/ResetEnergy").await;
        for answer in [r#"{"code":200,"data":{}}"#, r#"{"id":"another","code":200,"data":{}}"#] {
            device.publish("/sys/socket/SN1/thing/service/ResetEnergy_reply", answer).await;
        }
    };
    let (answer, ()) = tokio::join!(asked, answers);
    assert_eq!(answer.status(), 504);
    let log = hub.get("/log?productKey=socket&deviceName=SN1").await;
    let has =
        |text: &str| log.as_array().unwrap().iter().any(|entry| entry["content"].as_str().unwrap().contains(text));
    assert!(has("without an id") && has("the id another"), "{log}");
}

#[tokio::test]
async fn what_a_device_says_in_its_own_words_is_bounded_and_none_of_it_is_lost_for_being_fast() {
    let hub = Hub::start(&["--message-quota", "1", "--message-rate", "5"]).await;
    let secret = hub.add("SN1").await;
    let mut device = raw::Client::connect(&hub.mqtt, &login("socket", "SN1", &secret, "")).await;
    // Two more than may come at once.
    for number in 0..52 {
        let message = json!({"number": number, "text": "x".repeat(100_000)}).to_string();
        let id = device.publish_surely("/socket/SN1/user/log", &message).await;
        assert_eq!(device.acknowledged().await, Some(id));
    }
    let kept = hub.get("/devices/socket/SN1/history?kind=message").await;
    let kept: Vec<i64> =
        kept.as_array().unwrap().iter().map(|message| message["data"]["number"].as_i64().unwrap()).collect();
    assert!(kept.len() <= 10 && kept.len() >= 8, "{kept:?}");
    assert!((0..52).rev().zip(&kept).all(|(number, kept)| *kept == number), "the latest first: {kept:?}");
    let log = hub.get("/log?productKey=socket&deviceName=SN1").await;
    assert!(log.to_string().contains("the oldest are deleted"), "{log}");
}

#[tokio::test]
async fn a_device_with_one_message_in_flight_is_not_slowed_down() {
    let (hub, mut device) = connected().await;
    // As slow as two in a second, as with acknowledgements that wait for something else, this would take five minutes.
    in_time(async {
        for number in 0..600 {
            let id = device.publish_surely(POST, &json!({"id": number, "params": {"Power": number}}).to_string()).await;
            assert_eq!(device.acknowledged().await, Some(id));
        }
    })
    .await;
    assert_eq!(power(&hub).await["value"], 599.0);
}

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
