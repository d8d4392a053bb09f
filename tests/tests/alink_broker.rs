//! A platform and devices that meet at a broker of somebody else's: mosquitto.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use onwire::alink::{DeviceRef, SyncServices, Topic};
use onwire::mqtt::{Connect, QoS, Refused};
use onwire::net::alink::{Admission, Bridge, Device, LoginRequest, Message, Platform, Publisher};
use onwire::net::{BackOff, Link, PeerEvent};
use onwire::types::DateTime;
use onwire::{CallFailure, Peer};
use onwire_tests::broker::Broker;
use onwire_tests::tracker::*;
use tokio::sync::mpsc;

const NOON: DateTime = DateTime::from_unix_millis(1_700_000_000_000);

#[derive(Clone, Default)]
struct Tracker {
    levels: Arc<Mutex<Vec<PowerLevel>>>,
}

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Tracker {
    #[on(SetPowerLevel)]
    async fn power_level(&self, req: SetPowerLevelRequest) -> SetPowerLevelResponse {
        self.levels.lock().unwrap().push(req.power_level.clone());
        SetPowerLevelResponse::new(req.power_level != PowerLevel::AlwaysOn)
    }
}

#[derive(Clone, Default)]
struct Cloud {
    posts: Arc<Mutex<Vec<(String, Properties)>>>,
    /// How many posts cannot be kept.
    failures: Arc<AtomicU32>,
}

#[onwire::handlers(onwire_tests::tracker, role = Platform)]
impl Cloud {
    #[on(PropertyPost)]
    async fn post(&self, peer: &Peer, post: Properties) {
        if self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return peer.give_up(CallFailure::TryAgainLater);
        }
        self.posts.lock().unwrap().push((peer.identity().into(), post));
    }
}

struct Hub {
    cloud: Cloud,
    seen: mpsc::UnboundedSender<Message>,
    retained: mpsc::UnboundedSender<Message>,
}

impl Hub {
    fn new(cloud: &Cloud) -> (Self, mpsc::UnboundedReceiver<Message>, mpsc::UnboundedReceiver<Message>) {
        let ((seen, to_see), (retained, kept)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        (Self { cloud: cloud.clone(), seen, retained }, to_see, kept)
    }
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

    async fn retained(&self, message: Message) {
        self.retained.send(message).unwrap();
    }
}

/// A device that listens by itself, as brokers want it.
fn device(
    url: &str,
    name: &'static str,
    received: mpsc::UnboundedSender<Message>,
) -> (Link, onwire::net::alink::Messages) {
    device_of(Tracker::default(), url, name, received)
}

fn device_of(
    tracker: Tracker,
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
        .build(tracker)
        .unwrap();
    let handles = (device.link(), device.messages());
    tokio::spawn(device.run());
    handles
}

#[tokio::test]
async fn devices_and_platform_meet_at_a_broker() {
    let broker = Broker::start().await;
    let cloud = Cloud::default();
    let (hub, mut seen, _) = Hub::new(&cloud);
    let bridge = Bridge::new(&broker.url(), Connect::new("platform"), ["a1X".to_owned()]).unwrap();
    let peers = bridge.peers();
    let mut events = peers.events();
    tokio::spawn(bridge.serve(hub));

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
    assert_eq!(post, Err(CallFailure::Timeout), "nobody answers somebody unknown");
    assert_eq!(peers.len(), 2);
}

#[tokio::test]
async fn a_device_that_is_silent_for_long_is_gone() {
    let broker = Broker::start().await;
    let (hub, _seen, _) = Hub::new(&Cloud::default());
    let bridge = Bridge::new(&broker.url(), Connect::new("platform"), []).unwrap().idle(Duration::from_millis(100));
    let peers = bridge.peers();
    let mut events = peers.events();
    tokio::spawn(bridge.serve(hub));
    let (received, _messages) = mpsc::unbounded_channel();
    let (link, _) = device(&broker.url(), "SN1", received);
    while link.call(Properties::default().at(NOON)).await.is_err() {}
    assert!(matches!(events.next().await, Some(Ok(PeerEvent::Connected(_)))));
    assert!(matches!(events.next().await, Some(Ok(PeerEvent::Disconnected(_)))));
    // And is there again when it speaks.
    link.call(Properties::default().at(NOON)).await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(PeerEvent::Connected(_)))));
}

const POST: &str = "/sys/a1X/SN1/thing/event/property/post";
const SET: &str = "/sys/a1X/SN1/thing/service/SetPowerLevel";
const FULL: &str = r#"{"id":"1","version":"1.0","params":{"BatteryLevel":100},"method":"thing.event.property.post"}"#;

#[tokio::test]
async fn what_the_broker_had_kept_is_told_apart_on_both_sides() {
    let broker = Broker::start().await;
    broker.publish_retained(POST, FULL).await;
    broker.publish_retained("/sys/a1X/stranger/thing/event/property/post", FULL).await;
    let called = r#"{"id":"1","version":"1.0","params":{"PowerLevel":0},"method":"thing.service.SetPowerLevel"}"#;
    broker.publish_retained(SET, called).await;
    let cloud = Cloud::default();
    let (hub, _seen, mut kept) = Hub::new(&cloud);
    let bridge = Bridge::new(&broker.url(), Connect::new("platform"), ["a1X".to_owned()]).unwrap();
    let peers = bridge.peers();
    tokio::spawn(bridge.serve(hub));
    let mut messages = [kept.recv().await.unwrap(), kept.recv().await.unwrap()];
    messages.sort_by(|one, other| one.topic.cmp(&other.topic));
    let messages = messages.each_ref().map(|message| (&*message.topic, &*message.payload));
    assert_eq!(messages, [(POST, FULL.as_bytes()), (SET, called.as_bytes())], "and a stranger's is not");
    assert!(peers.is_empty(), "it is no sign of life");

    let (received, _messages) = mpsc::unbounded_channel();
    let tracker = Tracker::default();
    let (link, _) = device_of(tracker.clone(), &broker.url(), "SN1", received);
    link.call(Properties::default().at(NOON)).await.unwrap();
    let peer = peers.get("SN1&a1X").unwrap();
    peer.call(SetPowerLevelRequest::new(PowerLevel::High)).await.unwrap();
    assert_eq!(*tracker.levels.lock().unwrap(), [PowerLevel::High], "and not what was asked once");
    assert_eq!(cloud.posts.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_kept_comes_again_from_a_broker_that_keeps_the_session() {
    let broker = Broker::start().await;
    let cloud = Cloud::default();
    cloud.failures.store(2, Ordering::Relaxed);
    let (hub, _seen, _) = Hub::new(&cloud);
    let mut connect = Connect::new("platform");
    connect.clean_session = false;
    let bridge = Bridge::new(&broker.url(), connect, ["a1X".to_owned()]).unwrap();
    let back_off = BackOff::new(Duration::from_millis(1), Duration::from_millis(10));
    let peers = bridge.peers();
    let mut events = peers.events();
    tokio::spawn(bridge.back_off(back_off).serve(hub));
    // Nobody listens before the bridge has subscribed.
    while peers.is_empty() {
        broker.publish("/a1X/SN1/user/hello", "").await;
    }
    assert!(matches!(events.next().await, Some(Ok(PeerEvent::Connected(_)))));
    broker.publish(POST, FULL).await;
    for _ in 0..2 {
        assert!(matches!(events.next().await, Some(Ok(PeerEvent::Disconnected(_)))));
        assert!(matches!(events.next().await, Some(Ok(PeerEvent::Connected(_)))));
    }
    // It is handled before this, which is of the same device.
    let (received, _messages) = mpsc::unbounded_channel();
    device(&broker.url(), "SN1", received).0.call(Properties::default().at(NOON)).await.unwrap();
    let posts: Vec<_> = cloud.posts.lock().unwrap().iter().map(|(_, post)| post.battery_level).collect();
    assert_eq!(posts, [Some(100), None]);
}
