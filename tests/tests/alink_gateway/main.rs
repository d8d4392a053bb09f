//! A gateway and what is behind it, against a platform in the same process: both sides are the project's own.

mod devices;
mod platform;
mod raw;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use onwire::alink::system::*;
use onwire::alink::{
    Claim, DeviceRef, Login, LoginOptions, Secret, SignMethod, SubDevice as Signed, SubDeviceFault, SubDeviceLogin,
    SubDeviceRefused, SyncServices, Topic, ntp_response,
};
use onwire::mqtt::{self, Connect, Packet, QoS, Refused};
use onwire::net::alink::{
    Admission, Device, DeviceBuilder, Gateway, Listener, ListenerConfig, LoginRequest, Message, Messages, Platform,
    Publisher, RrpcFailure, SubDevice, ThroughGateway,
};
use onwire::net::{BackOff, ConnectError, Disconnected, Link, LinkState, Peers, Setback, WhileOffline};
use onwire::types::{DateTime, RawJson};
use onwire::{CallError, CallFailure, ErrorCode, Instant, Peer};
use onwire_tests::tracker::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

use self::devices::*;
use self::platform::*;
use self::raw::Raw;

const HALL: DeviceRef<'_> = DeviceRef { product_key: "a1Hall", device_name: "H1" };
const OTHER_HALL: DeviceRef<'_> = DeviceRef { product_key: "a1Hall", device_name: "H2" };
const NOON: DateTime = DateTime::from_unix_millis(1_700_000_000_000);

const fn meter(device_name: &str) -> DeviceRef<'_> {
    DeviceRef { product_key: "a1Meter", device_name }
}

fn secret_of(device: DeviceRef<'_>) -> Secret {
    Secret::from(format!("secret of {}", device.device_name))
}

fn identity(device: DeviceRef<'_>) -> String {
    format!("{}&{}", device.device_name, device.product_key)
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it came in time")
}

#[tokio::test]
async fn sub_devices_have_handlers_calls_and_messages_of_their_own() {
    let mut running = running().await;
    let (link, messages, gateway) = start(hall(&running, HALL));
    let mut meters: Vec<_> = ["M1", "M2", "M3"]
        .into_iter()
        .zip(1..)
        .map(|(name, number)| {
            let builder = described(&gateway, meter(name))
                .on_raw(move |bytes| async move { [bytes, vec![number as u8]].concat() });
            run(
                builder.on_rrpc(format!("/a1Meter/{name}/user/door"), move |_| async move { format!("door {number}") }),
                number,
            )
        })
        .collect();
    for (meter, number) in meters.iter().zip(1..) {
        meter.link.call(level(number)).await.unwrap();
        assert_eq!(in_time(running.posted.recv()).await, Some((format!("M{number}&a1Meter"), Some(number))));
        assert!(meter.messages.clock().await.unwrap().now() >= NOON);
        assert_eq!(meter.messages.send_raw([1, 2]).await, Ok(vec![2, 1]));
    }
    while let Ok((identity, message)) = running.seen.try_recv() {
        let device = message.topic().unwrap().device().unwrap();
        assert_eq!((device.product_key, identity), ("a1Meter", format!("{}&a1Meter", device.device_name)));
    }
    for (name, number) in ["M1", "M2", "M3"].into_iter().zip(1..) {
        let found = running.peers.find(&identity(meter(name))).unwrap();
        assert_eq!(found.gateway.as_deref(), Some("H1&a1Hall"));
        assert_eq!(found.peer.call(LocateRequest::new()).await, Ok(LocateResponse::new(true, number, 0)));
        // In words of one's own: asked, and answered, over the gateway's connection.
        let publisher = running.shared.publishers.lock().unwrap()[&identity(meter(name))].clone();
        let asked = publisher.rrpc(Some(&format!("/a1Meter/{name}/user/door")), "?", Duration::from_secs(30)).await;
        assert_eq!(asked, Ok(format!("door {number}").into_bytes()));
        let nobodys = publisher.rrpc(Some("/door"), "?", Duration::from_secs(30)).await;
        assert_eq!(nobodys, Err(RrpcFailure::Topic), "whose answer that is, nobody could say");
        found.peer.call(DisableRequest::new()).await.unwrap();
        assert_eq!(in_time(meters[number as usize - 1].told.recv()).await, Some((number, "disabled")));
    }
    // The gateway's own calls, and one for several at once.
    let mut names: Vec<_> = gateway.topology().await.unwrap().iter().map(of).collect();
    names.sort();
    assert_eq!(names, ["M1&a1Meter", "M2&a1Meter", "M3&a1Meter"]);
    let mut packed = PackedDevice::new(Identity::new("a1Meter", "M2"));
    packed.properties = Some([("Power".into(), TimedValue::new(RawJson::new("1").unwrap()))].into_iter().collect());
    let mut pack = PackPostRequest::new();
    pack.sub_devices = Some(vec![packed]);
    link.call(pack).await.unwrap();
    assert_eq!(in_time(running.posted.recv()).await.unwrap().0, "M2&a1Meter by H1&a1Hall");
    assert!(messages.clock().await.unwrap().now() >= NOON);
    assert_eq!(running.stray.try_recv().ok(), None);
}

#[tokio::test]
async fn many_log_in_together_and_again_after_the_gateway_was_away() {
    let mut running = running().await;
    let (_link, _, gateway) = start(hall(&running, HALL));
    let names: Vec<_> = (0..300).map(|number| format!("M{number}")).collect();
    let meters: Vec<_> =
        names.iter().zip(0..).map(|(name, number)| run(described(&gateway, meter(name)), number)).collect();
    let mut before: Vec<Peer> = Vec::new();
    for _ in 0..3 {
        let mut sessions = Vec::new();
        for (device, meter) in names.iter().map(|name| meter(name)).zip(&meters) {
            sessions.push(in_time(meter.link.connected()).await.unwrap());
            let peer = running.comes(device, Some(HALL)).await;
            assert!(before.iter().all(|before| !before.is_same_connection(&peer)));
            before.push(peer);
        }
        assert_eq!(running.peers.len(), names.len() + 1);
        let gone = before.len() - names.len()..;
        running.peer(HALL).unwrap().disconnect(CallFailure::Disconnected);
        // All of them end with it.
        for (session, meter) in sessions.iter().zip(&meters) {
            let is_new = |state: &LinkState| match state {
                LinkState::Connected(peer) => !peer.is_same_connection(session),
                _ => true,
            };
            in_time(meter.link.states().wait_for(is_new)).await.unwrap();
            assert!(!session.is_connected());
        }
        assert!(before[gone].iter().all(|peer| !peer.is_connected()));
    }
    for (meter, number) in meters.iter().zip(0..) {
        meter.link.call(level(number % 100)).await.unwrap();
        assert_eq!(in_time(running.posted.recv()).await, Some((format!("M{number}&a1Meter"), Some(number % 100))));
    }
}

#[tokio::test]
async fn what_is_refused_says_why_and_hurts_nobody_else() {
    let running = running().await;
    let (link, _, gateway) = start(hall(&running, HALL));
    in_time(link.connected()).await.unwrap();
    let good: Vec<_> = ["M1", "M2"].into_iter().map(|name| run(described(&gateway, meter(name)), 1)).collect();
    let unknown = run(described(&gateway, meter("unknown")), 2);
    let forged = run(gateway.sub_device(meter("M3"), &Secret::from("guessed")).back_off(at_once()), 3);
    let strange = run(described(&gateway, meter("M4")).topology_is_known(), 4);
    let itself = run(gateway.sub_device(HALL, &secret_of(HALL)).back_off(at_once()), 5);
    for (meter, expected) in [
        (&unknown, SubDeviceFault::Unknown),
        (&forged, SubDeviceFault::Signature),
        (&strange, SubDeviceFault::NoTopology),
        (&itself, SubDeviceFault::IsGateway),
    ] {
        assert_eq!(fault(&setback(&meter.link).await), expected);
        let failed = meter.link.call_with(level(1), WhileOffline::Fail).await;
        assert_eq!(failed, Err(CallFailure::NotSent));
    }
    for meter in &good {
        meter.link.call(level(1)).await.unwrap();
    }
    // It is mended at the platform.
    running.shared.topology.lock().unwrap().insert(identity(meter("M4")), identity(HALL));
    strange.link.call(level(4)).await.unwrap();

    let forged = gateway.add_topology(&[(meter("M5"), &Secret::from("guessed"))]).await.unwrap_err();
    assert_eq!(SubDeviceFault::of(&forged), Some(SubDeviceFault::TopologySignature));
    gateway.add_topology(&[(meter("M5"), &secret_of(meter("M5")))]).await.unwrap();
    assert!(running.shared.topology.lock().unwrap().contains_key("M5&a1Meter"));
    gateway.delete_topology(&[meter("M5")]).await.unwrap();
    assert!(!running.shared.topology.lock().unwrap().contains_key("M5&a1Meter"));
}

#[tokio::test]
async fn sub_devices_are_registered_in_parts() {
    let running = running().await;
    let (_, _, gateway) = start(hall(&running, HALL));
    let names: Vec<_> = (0..70).map(|number| format!("M{number}")).collect();
    let devices: Vec<_> = names.iter().map(|name| meter(name)).collect();
    let registered = gateway.register(&devices).await.unwrap();
    assert_eq!(registered.len(), 70);
    assert!(registered.iter().zip(&devices).all(|(is, device)| is.device_secret == secret_of(*device)));
    let refused = gateway.register(&[meter("taken")]).await.unwrap_err();
    assert_eq!(SubDeviceFault::of(&refused), Some(SubDeviceFault::Elsewhere));
    let CallFailure::Refused(error) = refused else { panic!() };
    assert_eq!(error.code, ErrorCode::Other("6619".into()));
}

#[tokio::test]
async fn who_logs_in_elsewhere_leaves_the_first_gateway() {
    let mut running = running().await;
    let (_, _, first) = start(hall(&running, HALL));
    let (_, _, second) = start(hall(&running, OTHER_HALL));
    let slow = BackOff::new(Duration::from_secs(600), Duration::from_secs(600));
    let there = run(described(&first, meter("M1")).back_off(slow), 1);
    running.comes(meter("M1"), Some(HALL)).await;
    let here = run(described(&second, meter("M1")), 2);
    running.comes(meter("M1"), Some(OTHER_HALL)).await;
    assert_eq!(fault(&setback(&there.link).await), SubDeviceFault::Replaced);
    here.link.call(level(2)).await.unwrap();
    assert_eq!(in_time(running.posted.recv()).await, Some(("M1&a1Meter".to_owned(), Some(2))));
    let peer = running.peer(meter("M1")).unwrap();
    assert_eq!(peer.call(LocateRequest::new()).await, Ok(LocateResponse::new(true, 2, 0)));

    // By itself, without a gateway.
    let own = Device::with_secret(&running.url, meter("M1"), &secret_of(meter("M1")), LoginOptions::default()).unwrap();
    here.link.stop();
    in_time(here.ended).await.unwrap();
    running.goes(meter("M1")).await;
    let here = run(described(&second, meter("M1")).back_off(slow), 2);
    running.comes(meter("M1"), Some(OTHER_HALL)).await;
    let own = own.build(Hall).unwrap();
    tokio::spawn(own.run());
    running.comes(meter("M1"), None).await;
    assert_eq!(fault(&setback(&here.link).await), SubDeviceFault::Replaced);
}

#[tokio::test]
async fn who_is_stopped_is_logged_out_and_heard_no_more() {
    let mut running = running().await;
    let (errors, mut told) = mpsc::unbounded_channel();
    let (link, messages, gateway) = start(hall(&running, HALL).on_message(move |message| {
        errors.send(message).unwrap();
        async {}
    }));
    let (first, second) = (run(described(&gateway, meter("M1")), 1), run(described(&gateway, meter("M2")), 2));
    running.comes(meter("M1"), Some(HALL)).await;
    running.comes(meter("M2"), Some(HALL)).await;
    first.link.stop();
    in_time(first.ended).await.unwrap();
    running.goes(meter("M1")).await;
    second.link.call(level(2)).await.unwrap();

    // On a topic of one that is not online through this gateway.
    messages
        .publish(
            "/sys/a1Meter/M1/thing/event/property/post",
            r#"{"id":"1","params":{},"method":"thing.event.property.post"}"#,
            QoS::AtLeastOnce,
        )
        .await
        .unwrap();
    let error = in_time(told.recv()).await.unwrap();
    assert_eq!(error.topic, "/ext/error/a1Hall/H1");
    let error = onwire::alink::SubDeviceError::parse(&String::from_utf8(error.payload).unwrap()).unwrap();
    assert_eq!((error.device(), error.refused.fault), (meter("M1"), SubDeviceFault::NoSession));
    assert_eq!(in_time(running.stray.recv()).await, Some((identity(HALL), identity(meter("M1")))));
    assert_eq!(in_time(running.posted.recv()).await, Some(("M2&a1Meter".to_owned(), Some(2))));

    // With the gateway, all end.
    link.stop();
    in_time(second.ended).await.unwrap();
    running.goes(meter("M2")).await;
    running.goes(HALL).await;
    assert!(matches!(second.link.state(), LinkState::Stopped));
}

#[tokio::test]
async fn somebody_elses_sub_device_cannot_be_spoken_for() {
    let mut running = running().await;
    let (_, _, gateway) = start(hall(&running, HALL));
    let victim = run(described(&gateway, meter("M1")), 1);
    running.comes(meter("M1"), Some(HALL)).await;
    let (link, messages, thief) = start(hall(&running, OTHER_HALL));
    in_time(link.connected()).await.unwrap();
    for topic in [
        "/sys/a1Meter/M1/thing/event/property/post",
        "/sys/a1Meter/M1/thing/model/up_raw",
        "/shadow/update/a1Meter/M1",
        "/ext/session/a1Hall/H1/combine/logout",
        "/ota/device/inform/a1Meter/M1",
        "/ext/rrpc/1/sys/a1Meter/M1/thing/service/Locate",
    ] {
        let payload = r#"{"id":"1","params":{"productKey":"a1Meter","deviceName":"M1"}}"#;
        messages.publish(topic, payload, QoS::AtLeastOnce).await.unwrap();
        let owner = if topic.starts_with("/ext/session") { HALL } else { meter("M1") };
        assert_eq!(in_time(running.stray.recv()).await, Some((identity(OTHER_HALL), identity(owner))));
    }
    // Neither may it be logged out by who has not logged it in.
    let logout = CombineLogoutRequest::new("a1Meter", "M1");
    link.call(logout).await.unwrap();
    // Nor is its name enough.
    let forged = run(thief.sub_device(meter("M1"), &Secret::from("guessed")).back_off(at_once()), 9);
    assert_eq!(fault(&setback(&forged.link).await), SubDeviceFault::Signature);
    victim.link.call(level(1)).await.unwrap();
    assert_eq!(in_time(running.posted.recv()).await, Some(("M1&a1Meter".to_owned(), Some(1))));
    assert_eq!(running.peers.find("M1&a1Meter").unwrap().gateway.as_deref(), Some("H1&a1Hall"));
    assert!(running.posted.try_recv().is_err() && running.seen.try_recv().is_err());
}

#[tokio::test]
async fn one_that_the_platform_lets_go_logs_in_again() {
    let running = running().await;
    let (_, _, gateway) = start(hall(&running, HALL));
    let first = run(described(&gateway, meter("M1")), 1);
    let peer = running.comes(meter("M1"), Some(HALL)).await;
    let mut states = first.link.states();
    peer.close();
    let ended = in_time(states.wait_for(|state| matches!(state, LinkState::Waiting { .. }))).await.unwrap().clone();
    let LinkState::Waiting { why, .. } = ended else { unreachable!() };
    assert_eq!(fault(&why), SubDeviceFault::NoSession);
    first.link.call(level(1)).await.unwrap();
    let again = running.peer(meter("M1")).unwrap();
    assert!(!again.is_same_connection(&peer));
}

#[tokio::test]
async fn a_slow_one_does_not_hold_up_the_others() {
    let running = running().await;
    let (_, _, gateway) = start(hall(&running, HALL));
    let (slow, quick) = (run(described(&gateway, meter("M1")), 1), run(described(&gateway, meter("M2")), 2));
    let (of_slow, of_quick) =
        (running.comes(meter("M1"), Some(HALL)).await, running.comes(meter("M2"), Some(HALL)).await);
    let held = slow.may.acquire().await.unwrap();
    let waiting: Vec<_> = (0..4).map(|_| tokio::spawn(of_slow.call(LocateRequest::new()))).collect();
    for _ in 0..100 {
        assert_eq!(of_quick.call(LocateRequest::new()).await, Ok(LocateResponse::new(true, 2, 0)));
    }
    quick.link.call(level(2)).await.unwrap();
    drop(held);
    for call in waiting {
        assert_eq!(call.await.unwrap(), Ok(LocateResponse::new(true, 1, 0)));
    }
}

#[tokio::test]
async fn there_may_be_so_many_online_at_one_gateway() {
    let mut running = running_with(|config| config.max_sub_devices = 1).await;
    let (link, _, gateway) = start(hall(&running, HALL));
    let first = run(described(&gateway, meter("M1")), 1);
    let peer = running.comes(meter("M1"), Some(HALL)).await;
    let second = run(described(&gateway, meter("M2")), 2);
    assert_eq!(fault(&setback(&second.link).await), SubDeviceFault::TooManyOnline);
    // Who logs in again, since it has not heard the answer, stays as it is.
    let login = |name| {
        let (device, client_id) = (meter(name), "c");
        let sign = Signed { device, client_id, timestamp: None }.sign(SignMethod::HmacMd5, &secret_of(device));
        LoginEntry::new(device.product_key, device.device_name, client_id, sign.as_str())
    };
    while running.judged.try_recv().is_ok() {}
    link.call(CombineBatchLoginRequest::new("hmacMd5", vec![login("M1")])).await.unwrap();
    assert_eq!(in_time(running.judged.recv()).await.as_deref(), Some("M1&a1Meter"));
    assert!(peer.is_connected() && running.peer(meter("M1")).unwrap().is_same_connection(&peer));
    // All or none.
    let refused = link.call(CombineBatchLoginRequest::new("hmacMd5", vec![login("M1"), login("M2")])).await;
    assert_eq!(SubDeviceFault::of(&refused.unwrap_err()), Some(SubDeviceFault::TooManyOnline));
    first.link.stop();
    in_time(first.ended).await.unwrap();
    second.link.call(level(2)).await.unwrap();
}

#[tokio::test]
async fn a_gateway_may_listen_to_what_those_are_told_that_are_online_through_it() {
    let running = running().await;
    let mut raw = Raw::connect(&running, HALL).await;
    raw.login(&running, "M1").await;
    let filters = [
        "/sys/a1Meter/M1/thing/#",
        "/a1Meter/M1/user/+",
        "/ota/device/upgrade/a1Meter/M1",
        "/sys/a1Meter/M2/thing/#",
        "/sys/a1Meter/+/thing/#",
        "/ext/session/a1Hall/H1/#",
    ];
    let asked = filters.map(|filter| (filter, QoS::AtLeastOnce));
    raw.link.subscribe(&asked, Instant::default()).unwrap();
    let granted = loop {
        if let Packet::Subscribed { granted, .. } = raw.packet().await {
            break granted;
        }
    };
    let granted: Vec<_> = granted.iter().map(Option::is_some).collect();
    assert_eq!(granted, [true, true, true, false, false, true]);
}

#[tokio::test]
async fn one_that_says_more_than_is_handled_is_told_so_and_the_others_are_heard() {
    let mut running = running().await;
    let mut raw = Raw::connect(&running, HALL).await;
    raw.login(&running, "M1").await;
    raw.login(&running, "M2").await;
    let post = |name: &str, id: usize| {
        let text = json!({"id": id.to_string(), "params": {"BatteryLevel": 7}, "method": "thing.event.property.post"});
        (format!("/sys/a1Meter/{name}/thing/event/property/post"), text.to_string())
    };
    // In one write, so that nothing is handled in between.
    const COUNT: usize = 300;
    for id in 0..COUNT {
        let (topic, text) = post("M1", id);
        raw.publish(&topic, &text);
    }
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..COUNT {
        match raw.message("/sys/a1Meter/M1/thing/event/property/post_reply").await["code"].as_i64() {
            Some(200) => taken += 1,
            Some(429) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(taken >= 32, "{taken} of {COUNT}");
    assert_eq!(taken + refused, COUNT);
    for _ in 0..taken {
        assert_eq!(in_time(running.posted.recv()).await.unwrap().0, "M1&a1Meter");
    }
    let (topic, text) = post("M2", 1);
    raw.publish(&topic, &text);
    assert_eq!(raw.message(&format!("{topic}_reply")).await["code"], 200);
    assert_eq!(in_time(running.posted.recv()).await.unwrap().0, "M2&a1Meter");
}

#[tokio::test]
async fn a_connection_ends_though_all_that_were_behind_it_have_something_left_to_say() {
    let running = running().await;
    let mut raw = Raw::connect(&running, HALL).await;
    let held = running.shared.gate.acquire().await.unwrap();
    // More than wait for the connection at once.
    let names: Vec<String> = (0..50).map(|number| format!("M{number}")).collect();
    for name in &names {
        raw.login(&running, name).await;
    }
    let mut behind: Vec<Peer> = Vec::new();
    for name in &names {
        behind.push(running.comes(meter(name), Some(HALL)).await);
    }
    raw.stream.shutdown().await.unwrap();
    running.goes(HALL).await;
    for peer in &behind {
        peer.disconnect(CallFailure::ShuttingDown);
    }
    drop(held);
    // Nobody waits for ever for a place among messages that nobody sends.
    let publisher = running.shared.publishers.lock().unwrap()[&identity(HALL)].clone();
    in_time(async { while publisher.publish("/any/topic", "", QoS::AtMostOnce).await.is_ok() {} }).await;
}
