//! A device and a platform over MQTT, in one process: every way in which they talk to each other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use onwire::alink::{DeviceRef, SyncServices, Topic};
use onwire::mqtt::{Connect, QoS, Refused};
use onwire::net::alink::{Admission, Device, Listener, LoginRequest, Message, Messages, Platform, Publisher};
use onwire::net::{BackOff, ConnectError, Link, LinkState, PeerEvent, Setback};
use onwire::types::{DateTime, RawJson};
use onwire::{CallError, CallFailure, ErrorCode, Peer};
use onwire_tests::tracker::*;
use tokio::sync::mpsc;

const KEY: &str = "a1X";
const NOON: DateTime = DateTime::from_unix_millis(1_700_000_000_000);

fn topic_of(name: &str) -> DeviceRef<'_> {
    DeviceRef { product_key: KEY, device_name: name }
}

struct Tracker;

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Tracker {
    #[on(PropertySet)]
    fn set(&self, _wanted: Properties) {}

    #[on(PropertyGet)]
    fn get(&self, request: PropertyGetRequest) -> Properties {
        let all = Properties { battery_level: Some(80), report_interval: Some(60), ..Properties::default() };
        all.only(request.identifiers)
    }

    #[on(SetPowerLevel)]
    async fn power_level(&self, req: SetPowerLevelRequest) -> SetPowerLevelResponse {
        SetPowerLevelResponse::new(req.power_level != PowerLevel::AlwaysOn)
    }

    #[on(Locate)]
    async fn locate(&self) -> Result<LocateResponse, CallError> {
        let dark = CallError::new(ErrorCode::Other("100001".into()), "no \"satellites\"");
        Err(CallError { details: Some(RawJson::new(r#"{"seen":0}"#).unwrap()), ..dark })
    }
}

/// The platform's handlers: they keep what devices post.
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

    #[on(BatteryLow)]
    fn battery_low(&self, _alarm: BatteryLowOutput) -> BatteryLowResponse {
        BatteryLowResponse::new()
    }
}

struct Hub {
    cloud: Cloud,
    /// Which services wait for the answer, and how.
    sync: SyncServices,
    seen: mpsc::UnboundedSender<(String, Message)>,
}

impl Platform for Hub {
    type Router = Cloud;

    async fn login(&self, login: LoginRequest) -> Result<Admission, Refused> {
        if login.connect.client_id == "new" {
            let payload = br#"{"deviceSecret":"s3cret"}"#.to_vec();
            return Ok(Admission::Registration { topic: "/ext/register".into(), payload });
        }
        if login.connect.password.as_deref() != Some(b"right") {
            return Err(Refused::BadCredentials);
        }
        let device_name = login.connect.username.ok_or(Refused::BadCredentials)?;
        Ok(Admission::Device { product_key: KEY.into(), device_name, sync: self.sync.clone() })
    }

    fn router(&self) -> &Cloud {
        &self.cloud
    }

    async fn message(&self, device: &Peer, publisher: &Publisher, message: Message) {
        if let Some(Topic::Ntp { device, is_response: false }) = message.topic() {
            let answer = Topic::Ntp { device, is_response: true };
            publisher.publish(answer, message.payload.clone(), QoS::AtMostOnce).await.unwrap();
        }
        self.seen.send((device.identity().into(), message)).unwrap();
    }
}

struct Running {
    url: String,
    peers: onwire::net::Peers,
    cloud: Cloud,
    seen: mpsc::UnboundedReceiver<(String, Message)>,
}

async fn running(sync: SyncServices) -> Running {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    let (peers, cloud, (sender, seen)) = (listener.peers(), Cloud::default(), mpsc::unbounded_channel());
    tokio::spawn(listener.serve(Hub { cloud: cloud.clone(), sync, seen: sender }));
    Running { url, peers, cloud, seen }
}

fn connect(name: &str, password: &str) -> impl Fn() -> Connect + Send + Sync + 'static {
    let (name, password) = (name.to_owned(), password.to_owned());
    move || {
        let mut connect = Connect::new(format!("{name}|securemode=3|"));
        connect.username = Some(name.clone());
        connect.password = Some(password.clone().into());
        connect
    }
}

/// A device that runs, and what it is sent on other topics.
fn device(url: &str, name: &str) -> (Link, Messages, mpsc::UnboundedReceiver<Message>) {
    let (sender, messages) = mpsc::unbounded_channel();
    let device = Device::builder(url, topic_of(name), connect(name, "right"))
        .back_off(BackOff::new(Duration::from_millis(1), Duration::from_millis(10)))
        .on_message(move |message| {
            let sender = sender.clone();
            async move { sender.send(message).unwrap() }
        })
        .build(Tracker)
        .unwrap();
    let handles = (device.link(), device.messages(), messages);
    tokio::spawn(device.run());
    handles
}

#[tokio::test]
async fn what_a_device_posts_is_answered_and_kept() {
    let Running { url, cloud, .. } = running(SyncServices::default()).await;
    let (link, _, _) = device(&url, "SN1");
    let properties = Properties { battery_level: Some(80), ..Properties::default() };
    assert_eq!(link.call(properties.clone().at(NOON)).await, Ok(PropertyPostResponse::new()));
    assert_eq!(link.call(BatteryLowOutput::new(7).at(NOON)).await, Ok(BatteryLowResponse::new()));
    assert_eq!(*cloud.posts.lock().unwrap(), [("SN1&a1X".into(), properties)]);
    // Nobody handles it: the device is told, and asks no more.
    let fence = link.call(FenceCrossedOutput::new(true, "home").at(NOON)).await;
    assert!(matches!(fence, Err(CallFailure::Refused(error)) if error.code == ErrorCode::Other("404".into())));
}

#[tokio::test]
async fn services_reach_the_device_on_all_three_topics() {
    let sync = |extended| SyncServices { methods: vec!["thing.service.SetPowerLevel".into()], extended };
    for sync in [SyncServices::new(SYNC_SERVICES.iter().copied(), true), sync(true), sync(false)] {
        let Running { url, peers, .. } = running(sync).await;
        let (link, _, _) = device(&url, "SN1");
        link.connected().await.unwrap();
        let peer = wait_for(&peers, "SN1&a1X").await;
        assert_eq!(peer.call(SetPowerLevelRequest::new(PowerLevel::High)).await, Ok(SetPowerLevelResponse::new(true)));
        let set = Properties { report_interval: Some(60), ..Properties::default() };
        assert_eq!(peer.call(PropertySetRequest::from(set)).await, Ok(PropertySetResponse::new()));
        let got = peer.call(PropertyGetRequest::new(["BatteryLevel"])).await.unwrap();
        assert_eq!(got, Properties { battery_level: Some(80), ..Properties::default() });
        let Err(CallFailure::Refused(error)) = peer.call(LocateRequest::new()).await else { panic!("was located") };
        assert_eq!((error.code, &*error.description), (ErrorCode::Other("100001".into()), "no \"satellites\""));
        assert_eq!(error.details, Some(RawJson::new(r#"{"seen":0}"#).unwrap()));
    }
}

#[tokio::test]
async fn calls_may_be_under_way_side_by_side() {
    let Running { url, peers, .. } = running(SyncServices::default()).await;
    let (link, _, _) = device(&url, "SN1");
    link.connected().await.unwrap();
    let peer = wait_for(&peers, "SN1&a1X").await;
    let calls = (0..8).map(|_| peer.call(SetPowerLevelRequest::new(PowerLevel::High)));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer, Ok(SetPowerLevelResponse::new(true)));
    }
}

#[tokio::test]
async fn other_messages_pass_in_both_directions() {
    let mut running = running(SyncServices::default()).await;
    let (link, messages, mut received) = device(&running.url, "SN1");
    link.connected().await.unwrap();
    let device = topic_of("SN1");
    let question = Topic::Ntp { device, is_response: false };
    messages.publish(question, r#"{"deviceSendTime":"1"}"#, QoS::AtLeastOnce).await.unwrap();
    let (from, seen) = running.seen.recv().await.unwrap();
    assert_eq!((&*from, seen.topic()), ("SN1&a1X", Some(question)));
    let answer = received.recv().await.unwrap();
    assert_eq!(answer.topic(), Some(Topic::Ntp { device, is_response: true }));
    assert_eq!(answer.payload, br#"{"deviceSendTime":"1"}"#);
}

#[tokio::test]
async fn a_wrong_signature_is_refused_and_told() {
    let Running { url, .. } = running(SyncServices::default()).await;
    let device = Device::builder(&url, topic_of("SN1"), connect("SN1", "wrong")).build(Tracker).unwrap();
    let mut states = device.link().states();
    tokio::spawn(device.run());
    let state = states.wait_for(|state| matches!(state, LinkState::Waiting { .. })).await.unwrap().clone();
    let LinkState::Waiting { why: Setback::NotOpened(why), .. } = state else { panic!("{state:?}") };
    assert!(matches!(*why, ConnectError::Login(Refused::BadCredentials)), "{why}");
}

#[tokio::test]
async fn the_second_login_of_a_device_takes_the_place_of_the_first() {
    let Running { url, peers, .. } = running(SyncServices::default()).await;
    let mut events = peers.events();
    let (first, _, _) = device(&url, "SN1");
    first.connected().await.unwrap();
    first.states().wait_for(|state| matches!(state, LinkState::Connected(_))).await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(PeerEvent::Connected(_)))));
    let mut states = first.states();
    let (second, _, _) = device(&url, "SN1");
    second.connected().await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(PeerEvent::Replaced(_)))));
    states.wait_for(|state| !matches!(state, LinkState::Connected(_))).await.unwrap();
    first.stop();
    assert_eq!(peers.len(), 1);
}

#[tokio::test]
async fn a_registration_tells_the_secret_without_a_subscription() {
    use onwire::mqtt::{Limits, Link, Packet};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let Running { url, peers, .. } = running(SyncServices::default()).await;
    let mut stream = tokio::net::TcpStream::connect(url.trim_start_matches("mqtt://")).await.unwrap();
    let mut link = Link::client(Limits::default());
    let now = onwire::Instant::default();
    link.connect(&Connect::new("new"), now).unwrap();
    stream.write_all(&link.poll_transmit().unwrap()).await.unwrap();
    let mut packets = Vec::new();
    while packets.len() < 2 {
        let mut bytes = [0; 256];
        let read = stream.read(&mut bytes).await.unwrap();
        link.receive(&bytes[..read], now).unwrap();
        packets.extend(std::iter::from_fn(|| link.poll_packet()));
    }
    let secret = Packet::Message {
        topic: "/ext/register".into(),
        payload: br#"{"deviceSecret":"s3cret"}"#.to_vec(),
        id: None,
        is_duplicate: false,
        is_retained: false,
    };
    assert_eq!(packets, [Packet::Accepted { session_present: false }, secret]);
    assert!(peers.is_empty(), "it is no device yet");
}

async fn wait_for(peers: &onwire::net::Peers, identity: &str) -> Peer {
    let mut events = peers.events();
    loop {
        if let Some(peer) = peers.get(identity) {
            return peer;
        }
        events.next().await.unwrap().unwrap();
    }
}
