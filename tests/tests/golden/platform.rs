//! Alink over MQTT bytes: the library's listener, and a device of the test's own.
//!
//! `! at IDENTITY ..` addresses one of several devices. See [`crate::mqtt`] for packets; `END` is the end of the stream.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use onwire::alink::system::{self, *};
use onwire::alink::{
    Claim, DeviceRef, Secret, SubDeviceFault, SubDeviceLogin, SubDeviceRefused, SyncServices, Topic, ntp_response,
};
use onwire::codec::{Quirks, decode};
use onwire::mqtt::{QoS, Refused};
use onwire::net::Peers;
use onwire::net::alink::{Admission, Listener, ListenerConfig, LoginRequest, Message, Platform, Publisher};
use onwire::{ActionEntry, Peer, SendRouter};
use onwire_tests::{socket, tracker};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::bytes::{Wire, hex};
use crate::mqtt::{read, written};
use crate::ocpp::{NOON, call, outcome, shown};
use crate::trace::{Input, World};

/// The secret of every device.
pub(crate) const SECRET: &str = "golden secret";

/// Shows a message that is not a call.
pub(crate) fn told(topic: &str, payload: &[u8]) -> String {
    match std::str::from_utf8(payload) {
        Ok(text) if !text.contains(char::is_control) => format!("message {topic} {text}"),
        _ => format!("message {topic} hex:{}", hex(payload)),
    }
}

/// Handlers of the messages that every device has.
struct System(UnboundedSender<String>);

impl System {
    fn saw(&self, peer: &Peer, what: &str, request: &impl Serialize) {
        let _ = self.0.send(format!("{} {}", peer.identity(), shown(what, request)));
    }
}

#[onwire::handlers(onwire::alink::system, role = Platform)]
impl System {
    #[on(TagsUpdate)]
    fn tags(&self, peer: &Peer, request: TagsUpdateRequest) {
        self.saw(peer, "TagsUpdate", &request);
    }

    #[on(TopoAdd)]
    fn add(&self, peer: &Peer, request: TopoAddRequest) -> TopoAddResponse {
        self.saw(peer, "TopoAdd", &request);
        let names = request.devices.into_iter().map(|device| Identity::new(device.product_key, device.device_name));
        TopoAddResponse::new(names)
    }

    #[on(TopoGet)]
    fn topology(&self, peer: &Peer, request: TopoGetRequest) -> TopoGetResponse {
        self.saw(peer, "TopoGet", &request);
        TopoGetResponse::new([Identity::new("a1Meter", "M1")])
    }
}

/// Handlers for trackers.
struct Trackers(System);

#[onwire::handlers(onwire_tests::tracker, role = Platform, rest = self.0)]
impl Trackers {
    #[on(PropertyPost)]
    fn post(&self, peer: &Peer, properties: tracker::Properties) {
        self.0.saw(peer, "PropertyPost", &properties);
    }

    #[on(BatteryLow)]
    fn battery_low(&self, peer: &Peer, alarm: tracker::BatteryLowOutput) -> tracker::BatteryLowResponse {
        self.0.saw(peer, "BatteryLow", &alarm);
        tracker::BatteryLowResponse::new()
    }
}

/// Handlers for sockets.
struct Sockets(System);

#[onwire::handlers(onwire_tests::socket, role = Platform, rest = self.0)]
impl Sockets {
    #[on(PropertyPost)]
    fn post(&self, peer: &Peer, properties: socket::Properties) {
        self.0.saw(peer, "PropertyPost", &properties);
    }

    #[on(OverTemperature)]
    fn over_temperature(&self, peer: &Peer, alarm: socket::OverTemperatureOutput) -> socket::OverTemperatureResponse {
        self.0.saw(peer, "OverTemperature", &alarm);
        socket::OverTemperatureResponse::new()
    }
}

struct Hub<R> {
    router: R,
    sync: &'static [&'static str],
    publishers: Arc<Mutex<HashMap<String, Publisher>>>,
    saw: UnboundedSender<String>,
}

impl<R: SendRouter + Send + Sync + 'static> Platform for Hub<R> {
    type Router = R;

    async fn login(&self, login: LoginRequest) -> Result<Admission, Refused> {
        let connect = login.connect;
        let (password, username) = (connect.password.unwrap_or_default(), connect.username.unwrap_or_default());
        let claim = Claim::parse(&connect.client_id, &username, &password).map_err(|_| Refused::Identifier)?;
        claim.verify(&Secret::from(SECRET)).map_err(|_| Refused::BadCredentials)?;
        let DeviceRef { product_key, device_name } = claim.device();
        Ok(Admission::Device {
            product_key: product_key.to_owned(),
            device_name: device_name.to_owned(),
            sync: SyncServices::new(self.sync.iter().copied(), claim.takes_ext_rrpc()),
        })
    }

    fn router(&self) -> &R {
        &self.router
    }

    async fn connected(&self, peer: &Peer, publisher: &Publisher) {
        self.publishers.lock().unwrap().insert(peer.identity().to_owned(), publisher.clone());
    }

    async fn message(&self, peer: &Peer, publisher: &Publisher, message: Message) {
        let _ = self.saw.send(format!("{} {}", peer.identity(), told(&message.topic, &message.payload)));
        let Some(topic) = message.topic() else { return };
        let answer = match topic {
            Topic::Ntp { .. } => ntp_response(&String::from_utf8_lossy(&message.payload), NOON, NOON).unwrap().into(),
            Topic::ShadowUpdate { .. } => {
                br#"{"method":"reply","payload":{"status":"success","version":1},"timestamp":1700000000}"#.to_vec()
            }
            Topic::Raw { .. } => message.payload.iter().rev().copied().collect::<Vec<_>>(),
            _ => return,
        };
        publisher.publish(topic.answer().unwrap(), answer, QoS::AtMostOnce).await.unwrap();
    }

    async fn sub_device(&self, gateway: &Peer, login: &SubDeviceLogin) -> Result<SyncServices, SubDeviceRefused> {
        let device = login.device();
        let _ = self.saw.send(format!("{} login of {device}", gateway.identity()));
        login.verify(&Secret::from(SECRET)).map_err(|_| SubDeviceFault::Signature)?;
        Ok(SyncServices::default())
    }

    async fn stray(&self, sender: &Peer, device: DeviceRef<'_>, _: &Message) {
        let _ = self.saw.send(format!("{} stray of {device}", sender.identity()));
    }
}

/// The platform, with one connection of a device or gateway.
pub(crate) struct PlatformWorld {
    wire: Wire,
    peers: Peers,
    publishers: Arc<Mutex<HashMap<String, Publisher>>>,
    actions: Vec<ActionEntry>,
    identity: &'static str,
    seen: UnboundedReceiver<String>,
    saw: UnboundedSender<String>,
}

impl PlatformWorld {
    /// A platform for trackers that sends calls and answers with this quality of service.
    pub(crate) async fn trackers(qos: QoS) -> Self {
        let router = |saw| Trackers(System(saw));
        Self::new("SN1&a1X", router, tracker::ACTIONS, tracker::SYNC_SERVICES, qos).await
    }

    /// A platform for sockets.
    pub(crate) async fn sockets() -> Self {
        let router = |saw| Sockets(System(saw));
        Self::new("SN1&socket", router, socket::ACTIONS, socket::SYNC_SERVICES, QoS::AtMostOnce).await
    }

    async fn new<R: SendRouter + Send + Sync + 'static>(
        identity: &'static str,
        router: impl FnOnce(UnboundedSender<String>) -> R,
        actions: &'static [ActionEntry],
        sync: &'static [&'static str],
        qos: QoS,
    ) -> Self {
        let (saw, seen) = mpsc::unbounded_channel();
        let mut config = ListenerConfig::default();
        config.qos = qos;
        let listener = Listener::bind("127.0.0.1:0").await.unwrap().config(config);
        let (address, peers, publishers) = (listener.local_addr().unwrap(), listener.peers(), Arc::default());
        let hub = Hub { router: router(saw.clone()), sync, publishers: Arc::clone(&publishers), saw: saw.clone() };
        tokio::spawn(listener.serve(hub));
        let wire = Wire::new(TcpStream::connect(address).await.unwrap());
        let actions = actions.iter().chain(system::ACTIONS).copied().collect();
        Self { wire, peers, publishers, actions, identity, seen, saw }
    }

    /// Waits until the device is in the directory.
    async fn peer(&self, identity: &str) -> Peer {
        let mut events = self.peers.events();
        loop {
            if let Some(peer) = self.peers.get(identity) {
                return peer;
            }
            events.next().await.unwrap().unwrap();
        }
    }

    async fn do_at(&self, identity: &str, what: &str) {
        let (peer, saw) = (self.peer(identity).await, self.saw.clone());
        let publisher = || self.publishers.lock().unwrap()[identity].clone();
        let words: Vec<&str> = what.splitn(4, ' ').collect();
        match words.as_slice() {
            ["publish", qos, topic, payload] => {
                let qos = if *qos == "q1" { QoS::AtLeastOnce } else { QoS::AtMostOnce };
                publisher().publish(topic, *payload, qos).await.unwrap();
            }
            ["rrpc", topic, payload] => {
                let (publisher, payload) = (publisher(), payload.as_bytes().to_vec());
                let topic = (*topic != "-").then(|| topic.to_string());
                tokio::spawn(async move {
                    let answer = publisher.rrpc(topic.as_deref(), payload, Duration::from_secs(30)).await;
                    let answer = answer.map(|answer| String::from_utf8_lossy(&answer).into_owned());
                    let _ = saw.send(format!("rrpc {answer:?}"));
                });
            }
            ["upgrade", ..] => {
                let request: OtaUpgradeRequest = decode(what.trim_start_matches("upgrade "), Quirks::ALL).unwrap();
                peer.send(request).unwrap();
            }
            _ => {
                let (action, call) = call(&peer, &self.actions, what);
                tokio::spawn(async move {
                    let outcome = outcome(call.await, |answer| format!("answered {answer}"));
                    let _ = saw.send(format!("{action} {outcome}"));
                });
            }
        }
    }
}

impl World for PlatformWorld {
    async fn act(&mut self, input: Input, more: bool) {
        match input {
            Input::Sent(line) if line == "END" => self.wire.end().await,
            Input::Sent(line) => self.wire.send(&written(&line), more).await,
            Input::Done(what) => match what.strip_prefix("at ").and_then(|rest| rest.split_once(' ')) {
                Some((identity, what)) => self.do_at(identity, what).await,
                None => self.do_at(self.identity, &what).await,
            },
            Input::At(_) => panic!("this trace has no clock of its own"),
        }
    }

    async fn sent(&mut self, patience: Duration) -> Option<String> {
        self.wire.next(read, patience).await
    }

    async fn seen(&mut self, patience: Duration) -> Option<String> {
        tokio::time::timeout(patience, self.seen.recv()).await.ok().flatten()
    }
}
