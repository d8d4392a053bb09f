//! A platform and devices that meet at a broker of somebody else's: mosquitto.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use onwire::Peer;
use onwire::alink::{DeviceRef, SyncServices, Topic};
use onwire::mqtt::{Connect, QoS, Refused};
use onwire::net::alink::{Admission, Bridge, Device, LoginRequest, Message, Platform, Publisher};
use onwire::net::{BackOff, Link, PeerEvent};
use onwire::types::DateTime;
use onwire_tests::broker::Broker;
use onwire_tests::tracker::*;
use tokio::sync::mpsc;

const NOON: DateTime = DateTime::from_unix_millis(1_700_000_000_000);

struct Tracker;

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Tracker {
    #[on(SetPowerLevel)]
    async fn power_level(&self, req: SetPowerLevelRequest) -> SetPowerLevelResponse {
        SetPowerLevelResponse::new(req.power_level != PowerLevel::AlwaysOn)
    }
}

#[derive(Clone, Default)]
struct Cloud {
    posts: Arc<Mutex<Vec<(String, Properties)>>>,
}

#[onwire::handlers(onwire_tests::tracker, role = Platform)]
impl Cloud {
    #[on(PropertyPost)]
    async fn post(&self, peer: &Peer, post: Properties) {
        self.posts.lock().unwrap().push((peer.identity().into(), post));
    }
}

struct Hub {
    cloud: Cloud,
    seen: mpsc::UnboundedSender<Message>,
}

impl Platform for Hub {
    type Router = Cloud;

    async fn login(&self, _: LoginRequest) -> Result<Admission, Refused> {
        panic!("logins are the broker's");
    }

    fn known(&self, device: DeviceRef<'_>) -> Option<SyncServices> {
        let methods = ["thing.service.SetPowerLevel"];
        (device.device_name != "stranger").then(|| SyncServices::new(methods, device.device_name == "SN2"))
    }

    fn router(&self) -> &Cloud {
        &self.cloud
    }

    async fn message(&self, _: &Peer, publisher: &Publisher, message: Message) {
        if let Some(Topic::Ntp { device, is_response: false }) = message.topic() {
            let answer = Topic::Ntp { device, is_response: true };
            publisher.publish(answer, message.payload.clone(), QoS::AtMostOnce).await.unwrap();
        }
        self.seen.send(message).unwrap();
    }
}

/// A device that listens by itself, as brokers want it.
fn device(
    url: &str,
    name: &'static str,
    received: mpsc::UnboundedSender<Message>,
) -> (Link, onwire::net::alink::Messages) {
    let device = DeviceRef { product_key: "a1X", device_name: name };
    let device = Device::builder(url, device, move || Connect::new(name))
        .back_off(BackOff::new(Duration::from_millis(1), Duration::from_millis(10)))
        .subscribing()
        .on_message(move |message| {
            let received = received.clone();
            async move { received.send(message).unwrap() }
        })
        .build(Tracker)
        .unwrap();
    let handles = (device.link(), device.messages());
    tokio::spawn(device.run());
    handles
}

#[tokio::test]
async fn devices_and_platform_meet_at_a_broker() {
    let broker = Broker::start().await;
    let (sender, mut seen) = mpsc::unbounded_channel();
    let cloud = Cloud::default();
    let bridge = Bridge::new(&broker.url(), Connect::new("platform"), ["a1X".to_owned()]).unwrap();
    let peers = bridge.peers();
    let mut events = peers.events();
    tokio::spawn(bridge.serve(Hub { cloud: cloud.clone(), seen: sender }));

    let (received, mut messages) = mpsc::unbounded_channel();
    let (link, publisher) = device(&broker.url(), "SN1", received.clone());
    let properties = Properties { battery_level: Some(80), ..Properties::default() };
    // The platform may be the later one: nobody answers until it is there.
    while link.call(properties.clone().at(NOON)).await.is_err() {}
    assert!(cloud.posts.lock().unwrap().contains(&("SN1&a1X".into(), properties.clone())));
    assert!(matches!(events.next().await, Some(Ok(PeerEvent::Connected(_)))));
    let peer = peers.get("SN1&a1X").unwrap();
    assert_eq!(peer.call(SetPowerLevelRequest::new(PowerLevel::High)).await, Ok(SetPowerLevelResponse::new(true)));

    let (second, _) = device(&broker.url(), "SN2", received.clone());
    second.call(properties.at(NOON)).await.unwrap();
    let peer = peers.get("SN2&a1X").unwrap();
    assert_eq!(peer.call(SetPowerLevelRequest::new(PowerLevel::High)).await, Ok(SetPowerLevelResponse::new(true)));

    let asked = DeviceRef { product_key: "a1X", device_name: "SN1" };
    let question = Topic::Ntp { device: asked, is_response: false };
    publisher.publish(question, "{}", QoS::AtLeastOnce).await.unwrap();
    assert_eq!(seen.recv().await.unwrap().topic(), Some(question));
    let answer = messages.recv().await.unwrap();
    assert_eq!(answer.topic(), Some(Topic::Ntp { device: asked, is_response: true }));

    let (stranger, _) = device(&broker.url(), "stranger", received);
    let connected = stranger.connected().await.unwrap();
    let post = connected.call(Properties::default().at(NOON)).timeout(Duration::from_millis(200)).await;
    assert_eq!(post, Err(onwire::CallFailure::Timeout), "nobody answers somebody unknown");
    assert_eq!(peers.len(), 2);
}

#[tokio::test]
async fn a_device_that_is_silent_for_long_is_gone() {
    let broker = Broker::start().await;
    let (sender, _seen) = mpsc::unbounded_channel();
    let bridge = Bridge::new(&broker.url(), Connect::new("platform"), []).unwrap().idle(Duration::from_millis(100));
    let peers = bridge.peers();
    let mut events = peers.events();
    tokio::spawn(bridge.serve(Hub { cloud: Cloud::default(), seen: sender }));
    let (received, _messages) = mpsc::unbounded_channel();
    let (link, _) = device(&broker.url(), "SN1", received);
    while link.call(Properties::default().at(NOON)).await.is_err() {}
    assert!(matches!(events.next().await, Some(Ok(PeerEvent::Connected(_)))));
    assert!(matches!(events.next().await, Some(Ok(PeerEvent::Disconnected(_)))));
    // And is there again when it speaks.
    link.call(Properties::default().at(NOON)).await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(PeerEvent::Connected(_)))));
}
