//! What the hub does beside the thing model: requests in one's own words, files of devices, faults, limits of logins.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]

mod support;

use std::time::Duration;

use onwire::alink::DeviceRef;
use onwire::alink::system::{FileUploadCancelRequest, FileUploadInitRequest};
use onwire::net::alink::{Device, Message, Messages, RequestFailure};
use onwire::net::{BackOff, Link};
use onwire::{CallFailure, ErrorCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::socket::*;
use crate::support::{Hub, raw};

struct Socket;

#[onwire::handlers(crate::support::socket, role = Device)]
impl Socket {
    #[on(Toggle)]
    async fn toggle(&self) -> ToggleResponse {
        ToggleResponse::new(true)
    }
}

async fn device(hub: &Hub, secret: &str) -> (Link, Messages) {
    let mut live = hub.listen().await;
    let device = DeviceRef { product_key: "socket", device_name: "SN1" };
    let secret = secret.to_owned();
    let login = move || support::login("socket", "SN1", &secret, ",ext=1");
    let device = Device::builder(&format!("mqtt://{}", hub.mqtt), device, login)
        .back_off(BackOff::new(Duration::from_millis(10), Duration::from_millis(100)))
        .on_rrpc("/socket/SN1/user/echo", |request: Message| async move { request.payload })
        // As an answer to a service would look.
        .on_rrpc("/any/topic", |_: Message| async move { r#"{"id":"1","code":200,"data":{}}"# })
        .on_system_rrpc(|_: Message| async move { r#"{"id":"1","code":200,"data":{"own":1}}"# })
        .build(Socket)
        .unwrap();
    let (link, messages) = (device.link(), device.messages());
    tokio::spawn(device.run());
    live.wait("online").await;
    (link, messages)
}

#[tokio::test]
async fn a_device_is_asked_in_ones_own_words() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let ask = async |query: &str, body: &[u8]| -> (u16, Vec<u8>) {
        hub.bytes("POST", &format!("/devices/socket/SN1/rrpc{query}"), body.to_vec()).await
    };
    assert_eq!(ask("", b"?").await.0, 409, "it is not there");
    let (_link, messages) = device(&hub, &secret).await;
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(ask("?topic=/socket/SN1/user/echo", &bytes).await, (200, bytes));
    let answer = br#"{"id":"1","code":200,"data":{}}"#;
    assert_eq!(ask("?topic=/any/topic", b"").await, (200, answer.to_vec()));
    let answer = br#"{"id":"1","code":200,"data":{"own":1}}"#;
    assert_eq!(ask("", b"own words").await, (200, answer.to_vec()));
    // Services on the same topics go their own way.
    let toggled = hub.post("/devices/socket/SN1/services/Toggle", json!({}));
    let ((status, _), toggled) = tokio::join!(ask("?topic=/any/topic", b""), toggled);
    assert_eq!((status, &toggled["data"]), (200, &json!({"PowerSwitch": 1})));

    assert_eq!(ask("?topic=/nobody/answers&timeoutMs=1", b"").await.0, 504);
    for topic in ["door", "/a/%2B", "/sys/socket/SN1/thing/service/Toggle"] {
        assert_eq!(ask(&format!("?topic={topic}"), b"").await.0, 400, "{topic}");
    }
    assert_eq!(ask("?topic=/socket/SN1/user/echo", &[0; 300 * 1024]).await.0, 413);
    assert_eq!(hub.metric("hub_rrpc_total{outcome=\"answered\"}").await, 4);
    assert_eq!(hub.metric("hub_rrpc_total{outcome=\"timeout\"}").await, 1);
    drop(messages);
    hub.stop().await;
}

#[tokio::test]
async fn messages_go_to_a_device_on_its_own_topics() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut live = hub.listen().await;
    let mut peer = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &secret, "")).await;
    live.wait("online").await;
    let own = "/devices/socket/SN1";
    assert_eq!(hub.bytes("POST", &format!("{own}/messages?topic=tariff/now"), b"{}".to_vec()).await.0, 202);
    assert_eq!(peer.message("/socket/SN1/user/tariff/now").await, json!({}));
    assert_eq!(hub.bytes("POST", &format!("{own}/messages?topic=a/%23"), Vec::new()).await.0, 400);
    assert_eq!(hub.bytes("POST", &format!("{own}/messages?topic="), Vec::new()).await.0, 400);
    assert_eq!(hub.bytes("POST", &format!("{own}/raw"), vec![1, 2, 255]).await.0, 202);
    assert_eq!(peer.message_bytes("/sys/socket/SN1/thing/model/down_raw").await, [1, 2, 255]);
    peer.publish_bytes("/sys/socket/SN1/thing/model/down_raw_reply", &[255]).await;
    assert_eq!(live.wait("message").await["data"], json!({"topic": "down_raw_reply", "data": {"base64": "/w=="}}));

    let (status, told) = hub.bytes("POST", "/products/socket/broadcast?topic=tariff", b"{}".to_vec()).await;
    assert_eq!((status, &*told), (200, br#"{"told":1}"#.as_slice()));
    assert_eq!(peer.message("/broadcast/socket/tariff").await, json!({}));
    assert_eq!(hub.bytes("POST", "/products/lamp/broadcast?topic=tariff", Vec::new()).await.0, 404);
    assert_eq!(hub.bytes("POST", "/products/socket/broadcast?topic=a/%2B", Vec::new()).await.0, 400);

    let topic = "/sys/socket/SN1/_thing/diag/post";
    peer.publish(topic, r#"{"id":"9","params":{"wifi":{"rssi":-60}}}"#).await;
    assert_eq!(peer.message(&format!("{topic}_reply")).await["id"], "9");
    assert_eq!(live.wait("message").await["data"]["topic"], "_thing/diag/post");

    let settings = format!("{own}/log-settings");
    assert_eq!(hub.get(&settings).await, json!({"upload": true}));
    let (status, told) = hub.json("PUT", &settings, json!({"upload": false})).await;
    assert_eq!((status, told), (200, json!({"upload": false, "told": true})));
    let pushed = peer.message("/sys/socket/SN1/thing/config/log/push").await;
    assert_eq!(pushed["params"], json!({"getType": "content", "content": {"mode": 0}}));
    let topic = "/sys/socket/SN1/thing/config/log/get";
    peer.publish(topic, r#"{"id":"1","params":{"configScope":"device","getType":"content"}}"#).await;
    assert_eq!(peer.message(&format!("{topic}_reply")).await["data"]["content"], json!({"mode": 0}));
    hub.stop().await;
}

#[tokio::test]
async fn a_device_uploads_files_goes_on_where_it_was_cut_and_may_not_fill_the_disk() {
    let arguments = ["--upload-quota", "1"];
    let mut hub = Hub::start(&arguments).await;
    let secret = hub.add("SN1").await;
    let (link, messages) = device(&hub, &secret).await;
    let file: Vec<u8> = (0..10_000_u32).map(|at| at.to_le_bytes()[0]).collect();
    let begin = async |name: &str, size: i64, strategy: Option<&str>| {
        let mut init = FileUploadInitRequest::new(name, size);
        init.conflict_strategy = strategy.map(Into::into);
        link.call(init).await.map(|begun| (begun.upload_id.as_str().to_owned(), begun.offset))
    };
    let code = |failure: CallFailure| match failure {
        CallFailure::Refused(error) => error.code,
        other => panic!("{other:?}"),
    };
    let refused = |failure: RequestFailure| match failure {
        RequestFailure::BlockRefused(error) => error.code,
        other => panic!("{other:?}"),
    };
    let other = |code: u16| ErrorCode::Other(code.to_string().into());
    for name in ["../hub.db", "a/b", "..", ".key", "", "a\\b"] {
        assert_eq!(code(begin(name, 10, None).await.unwrap_err()), other(460), "{name}");
    }
    let (id, offset) = begin("a.log", 10_000, None).await.unwrap();
    assert_eq!(offset, Some(0));
    for strategy in [None, Some("reject")] {
        assert_eq!(begin("a.log", 10_000, strategy).await.unwrap().0, id, "its answer was lost");
    }
    let stored = messages.upload_block(&id, 0, &file[..4096], false).await.unwrap();
    assert_eq!((stored.offset, stored.b_size, stored.complete), (Some(0), Some(4096), Some(false)));
    // Its answer may have been lost; a gap is none that can be filled later.
    messages.upload_block(&id, 0, &file[..4096], false).await.unwrap();
    assert_eq!(refused(messages.upload_block(&id, 5000, &file[5000..], true).await.unwrap_err()), other(460));
    assert_eq!(refused(messages.upload_block("none", 0, b"x", true).await.unwrap_err()), other(404));
    assert_eq!(begin("a.log", 10_000, Some("append")).await.unwrap(), (id.clone(), Some(4096)));
    let listed = hub.get("/devices/socket/SN1/files").await;
    assert_eq!((&listed[0]["received"], &listed[0]["complete"]), (&json!(4096), &json!(false)));
    assert_eq!(hub.bytes("GET", "/devices/socket/SN1/files/a.log", Vec::new()).await.0, 409);
    let mut live = hub.listen().await;
    let stored = messages.upload_block(&id, 4096, &file[4096..], true).await.unwrap();
    assert_eq!(stored.complete, Some(true));
    assert_eq!(live.wait("file").await["data"], json!({"name": "a.log", "size": 10_000}));
    let again = messages.upload_block(&id, 4096, &file[4096..], true).await.unwrap();
    assert_eq!(again.complete, Some(true), "its answer was lost");
    assert_eq!(refused(messages.upload_block(&id, 10_000, b"x", true).await.unwrap_err()), other(409));
    assert_eq!(code(begin("a.log", 10_000, Some("reject")).await.unwrap_err()), other(409));

    // One whose size is not known before, one that is given up, one that does not fit.
    let (id, _) = begin("b.wav", -1, None).await.unwrap();
    messages.upload_block(&id, 0, &file[..300], false).await.unwrap();
    assert_eq!(messages.upload_block(&id, 300, b"", true).await.unwrap().complete, Some(true));
    let (id, _) = begin("c.bin", 500, None).await.unwrap();
    messages.upload_block(&id, 0, &file[..300], false).await.unwrap();
    link.call(FileUploadCancelRequest::new(id.as_str())).await.unwrap();
    assert_eq!(refused(messages.upload_block(&id, 300, b"x", true).await.unwrap_err()), other(404));
    assert_eq!(code(begin("d.bin", 1024 * 1024, None).await.unwrap_err()), other(413));
    let (id, _) = begin("e.bin", -1, None).await.unwrap();
    let (mut offset, block) = (0, vec![1; 128 * 1024]);
    let failure = loop {
        match messages.upload_block(&id, offset, &block, false).await {
            Ok(_) => offset += 128 * 1024,
            Err(failure) => break failure,
        }
    };
    assert_eq!(refused(failure), other(413));

    // What was answered is there after a crash.
    hub.crash().await;
    hub.start_again(&arguments).await;
    let names = |listed: Value| -> Vec<String> {
        listed.as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(hub.get("/devices/socket/SN1/files").await), ["a.log", "b.wav"]);
    let uploads = || std::fs::read_dir(hub.data.path().join("uploads")).unwrap().count();
    assert_eq!(uploads(), 2);
    assert_eq!(hub.bytes("GET", "/devices/socket/SN1/files/a.log", Vec::new()).await, (200, file));
    assert_eq!(hub.bytes("GET", "/devices/socket/SN1/files/..%2Fhub.db", Vec::new()).await.0, 404);
    assert_eq!(hub.bytes("DELETE", "/devices/socket/SN1/files/a.log", Vec::new()).await.0, 204);
    assert_eq!(hub.bytes("DELETE", "/devices/socket/SN1/files/a.log", Vec::new()).await.0, 404);
    assert_eq!(uploads(), 1);
    assert_eq!(hub.bytes("DELETE", "/devices/socket/SN1", Vec::new()).await.0, 204);
    assert_eq!(uploads(), 0);
    hub.stop().await;
}

#[tokio::test]
async fn a_block_that_changed_on_its_way_is_refused_and_may_come_again() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut peer = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &secret, "")).await;
    let topic = "/sys/socket/SN1/thing/file/upload/mqtt";
    // As the vendor's C SDK writes it.
    let init = r#"{"id":"1","params":{"fileName":"a.bin","fileSize":3,"conflictStrategy":"overwrite","initUid":"u"}}"#;
    peer.publish(&format!("{topic}/init"), init).await;
    let begun = peer.message(&format!("{topic}/init_reply")).await;
    let id = begun["data"]["uploadId"].as_str().unwrap();
    let head = format!("{{\"id\":\"2\",\"params\":{{\"uploadId\":\"{id}\",\"offset\":0,\"bSize\":3}}}}");
    let length = u16::try_from(head.len()).unwrap().to_be_bytes();
    let frame = [&length, head.as_bytes(), b"abc\x38\x97"].concat();
    let mut changed = frame.clone();
    let last = changed.len() - 3;
    changed[last] ^= 1;
    for (frame, code) in [(&changed, 460), (&frame, 200)] {
        peer.publish_bytes(&format!("{topic}/send"), frame).await;
        let reply = peer.message(&format!("{topic}/send_reply")).await;
        assert_eq!((&reply["id"], &reply["code"]), (&json!("2"), &json!(code)));
    }
    hub.logged("the checksum is another").await;
    hub.stop().await;
}

#[tokio::test]
async fn what_goes_wrong_is_in_the_devices_log() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut stranger = TcpStream::connect(&hub.mqtt).await.unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n").await.unwrap();
    // It is told nothing, and its connection ends.
    let _ = support::in_time(stranger.read_to_end(&mut Vec::new())).await;
    hub.logged("a client at 127.0.0.1").await;

    let mut peer = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &secret, "")).await;
    peer.publish_bytes("/sys/socket/SN1/thing/event/property/post", &[0xff, 0xfe]).await;
    hub.logged("a message that is no text, on /sys/socket/SN1/thing/event/property/post").await;
    peer.publish("/socket/SN1/user/big", &"x".repeat(300 * 1024)).await;
    peer.ended().await;
    hub.logged("the peer sent a packet that is too large").await;
    let of_device = hub.get("/log?productKey=socket&deviceName=SN1").await;
    assert!(of_device.to_string().contains("too large"), "{of_device}");
    for reason in ["notText", "tooLarge"] {
        assert_eq!(hub.metric(&format!("hub_client_faults_total{{reason=\"{reason}\"}}")).await, 1, "{reason}");
    }
    hub.stop().await;
}

#[tokio::test]
async fn who_guesses_is_not_listened_to_any_more() {
    let hub = Hub::start(&["--login-failures", "2"]).await;
    let (first, second) = (hub.add("SN1").await, hub.add("SN2").await);
    let login = async |name: &str, secret: &str| {
        raw::Client::try_connect(&hub.mqtt, &support::login("socket", name, secret, "")).await.map(drop)
    };
    // A mistake that is mended is forgotten.
    assert_eq!(login("SN2", "wrong").await, Err(4));
    assert_eq!(login("SN2", &second).await, Ok(()));
    assert_eq!(login("SN2", "wrong").await, Err(4));
    assert_eq!(login("SN2", &second).await, Ok(()));
    for _ in 0..2 {
        assert_eq!(login("SN1", "wrong").await, Err(4));
    }
    for _ in 0..2 {
        assert_eq!(login("SN1", &first).await, Err(3), "no guess is looked at, the right one included");
    }
    hub.logged("too many logins failed").await;
    // Over HTTP neither.
    let register = async |name: &str| -> Value {
        let body = format!("productKey=socket&deviceName={name}&random=r&sign=00&signMethod=hmacsha256");
        let request = reqwest::Client::new().post(format!("{}/auth/register/device", hub.http));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        request.send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(register("SN1").await["code"], 429);
    assert_eq!(register("SN3").await["code"], 6600);
    assert_eq!(register("SN3").await["code"], 6600);
    assert_eq!(register("SN3").await["code"], 429);
    // All at once neither.
    let third = hub.add("SN4").await;
    let guesses: [_; 8] = std::array::from_fn(|_| login("SN4", "wrong"));
    let mut codes = futures_util::future::join_all(guesses).await;
    codes.sort_unstable();
    assert_eq!(codes, [[Err(3); 6].as_slice(), &[Err(4); 2]].concat());
    assert_eq!(login("SN4", &third).await, Err(3));
    assert_eq!(login("SN2", &second).await, Ok(()), "others go on");
    assert_eq!(hub.metric("hub_client_faults_total{reason=\"loginsFailed\"}").await, 11);
    assert_eq!(hub.metric("hub_logins_total{outcome=\"badCredentials\"}").await, 8);
    for path in ["healthz", "readyz"] {
        assert_eq!(reqwest::get(format!("{}/{path}", hub.http)).await.unwrap().status(), 200);
    }
    hub.stop().await;
}

#[tokio::test]
async fn what_waited_in_vain_behind_other_calls_was_not_sent_and_says_so() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut device = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &secret, "")).await;
    // As many as one device may leave unanswered.
    let mut asked = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..16 {
        let url = format!("{}/api/v1/devices/socket/SN1/services/ResetEnergy?timeoutMs=60000", hub.http);
        asked.push(tokio::spawn(reqwest::Client::new().post(url).json(&json!({})).send()));
        let (topic, call) = device.any_message().await;
        assert_eq!(topic, "/sys/socket/SN1/thing/service/ResetEnergy");
        ids.push(call["id"].as_str().unwrap().to_owned());
    }
    // The time counts from the request, and not from when it is sent: these need not wait for the others.
    let own = "/devices/socket/SN1";
    let problem = hub.refused("PATCH", &format!("{own}/properties?timeoutMs=50"), json!({"Countdown": 60}), 409).await;
    assert_eq!(problem["kind"], "notSent", "{problem}");
    let problem = hub.refused("POST", &format!("{own}/services/Toggle?timeoutMs=50"), json!({}), 409).await;
    assert_eq!(problem["kind"], "notSent", "{problem}");
    assert_eq!(hub.metric("hub_calls_total{outcome=\"notSent\"}").await, 2);
    // Nor does it come later.
    let answer = json!({"id": ids[0], "code": 200, "data": {}}).to_string();
    device.publish("/sys/socket/SN1/thing/service/ResetEnergy_reply", &answer).await;
    assert_eq!(asked.remove(0).await.unwrap().unwrap().status(), 200);
    let path = format!("{own}/properties/get?timeoutMs=60000");
    let next = hub.json("POST", &path, json!(["Countdown"]));
    let answers = async {
        let (topic, call) = device.any_message().await;
        assert_eq!(topic, "/sys/socket/SN1/thing/service/property/get");
        let answer = json!({"id": call["id"], "code": 200, "data": {"Countdown": 120}}).to_string();
        device.publish(&format!("{topic}_reply"), &answer).await;
    };
    assert_eq!(tokio::join!(next, answers).0.0, 200);
    for (id, asked) in ids.into_iter().skip(1).zip(asked) {
        let answer = json!({"id": id, "code": 200, "data": {}}).to_string();
        device.publish("/sys/socket/SN1/thing/service/ResetEnergy_reply", &answer).await;
        assert_eq!(asked.await.unwrap().unwrap().status(), 200);
    }
    hub.stop().await;
}
