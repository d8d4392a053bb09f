//! What a device says right before its connection ends is handled, once and in order, and acknowledged when it is.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use onwire::alink::SyncServices;
use onwire::mqtt::{Client, Connect, Limits, Link, Packet, QoS, Refused};
use onwire::net::alink::{Admission, Listener, ListenerConfig, LoginRequest, Message, Platform, Publisher};
use onwire::net::{PeerEvent, Peers};
use onwire::{CallId, Instant, Peer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

const TAGS: &str = "/sys/a1/SN1/thing/deviceinfo/update";
const DELETE: &str = "/sys/a1/SN1/thing/deviceinfo/delete";

/// A platform that handles a message for each permit that it is given.
#[derive(Clone)]
struct Hub {
    permits: Arc<Semaphore>,
    begun: Arc<Semaphore>,
    done: Arc<Semaphore>,
    handled: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    async fn handle(&self, what: &str) {
        self.begun.add_permits(1);
        self.permits.acquire().await.unwrap().forget();
        self.handled.lock().unwrap().push(what.to_owned());
        self.done.add_permits(1);
    }
}

#[onwire::handlers(onwire::alink::system, role = Platform)]
impl Hub {
    #[on(TagsUpdate)]
    async fn update(&self, id: CallId<'_>) {
        self.handle(&id).await;
    }

    #[on(TagsDelete)]
    async fn delete(&self, id: CallId<'_>) {
        self.handle(&format!("{id} deleted")).await;
    }
}

impl Platform for Hub {
    type Router = Self;

    async fn login(&self, login: LoginRequest) -> Result<Admission, Refused> {
        let device_name = login.connect.username.ok_or(Refused::BadCredentials)?;
        Ok(Admission::Device { product_key: "a1".into(), device_name, sync: SyncServices::default() })
    }

    fn router(&self) -> &Self {
        self
    }

    async fn message(&self, _: &Peer, _: &Publisher, message: Message) {
        self.handle(&String::from_utf8(message.payload).unwrap()).await;
    }
}

struct Running {
    address: SocketAddr,
    peers: Peers,
    hub: Hub,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn start(permits: usize) -> Running {
    let [permits, begun, done] = [permits, 0, 0].map(|permits| Arc::new(Semaphore::new(permits)));
    let hub = Hub { permits, begun, done, handled: Arc::default() };
    let mut config = ListenerConfig::default();
    config.shutdown_spread = Duration::ZERO;
    let listener = Listener::bind("127.0.0.1:0").await.unwrap().config(config);
    let (address, peers) = (listener.local_addr().unwrap(), listener.peers());
    let (end, ends) = oneshot::channel();
    let platform = hub.clone();
    let task = tokio::spawn(async move { listener.serve_until(platform, async { drop(ends.await) }).await });
    Running { address, peers, hub, end: Some(end), task }
}

impl Running {
    async fn connect(&self) -> Device {
        let mut limits = Limits::default();
        limits.in_flight = 64;
        let (stream, link) = (TcpStream::connect(self.address).await.unwrap(), Link::client(limits));
        let mut device = Device { stream, link, packets: Vec::new() };
        let mut connect = Connect::new("SN1");
        connect.username = Some("SN1".into());
        device.link.connect(&connect, Instant::default()).unwrap();
        device.flush().await;
        assert_eq!(device.packet().await, Some(Packet::Accepted { session_present: false }));
        device
    }

    /// Once as much is handled as was sent, it is the same, calls and other messages each in their order.
    async fn handles(&self, sent: Vec<String>) {
        self.hub.done.acquire_many(u32::try_from(sent.len()).unwrap()).await.unwrap().forget();
        let is_call = |name: &String| name.parse::<u32>().unwrap() % 3 != 2;
        let by_kind = |names: Vec<String>| names.into_iter().partition::<Vec<_>, _>(is_call);
        assert_eq!(by_kind(self.hub.handled.lock().unwrap().clone()), by_kind(sent));
    }

    async fn begun(&self) {
        self.hub.begun.acquire().await.unwrap().forget();
    }
}

struct Device {
    stream: TcpStream,
    link: Link<Client>,
    packets: Vec<Packet>,
}

impl Device {
    fn publish(&mut self, topic: &str, payload: &str, qos: QoS) -> Option<u16> {
        self.link.publish(topic, payload.as_bytes(), qos, Instant::default()).unwrap()
    }

    fn post(&mut self, topic: &str, id: &str, qos: QoS) -> Option<u16> {
        self.publish(topic, &format!(r#"{{"id":"{id}","version":"1.0","params":[]}}"#), qos)
    }

    /// Numbers from `from` on, every third in words of the user's own.
    fn posts(&mut self, from: u32, count: u32, qos: QoS) -> Vec<String> {
        (from..from + count)
            .map(|number| {
                let name = number.to_string();
                match number % 3 {
                    2 => self.publish("/a1/SN1/user/log", &name, qos),
                    _ => self.post(TAGS, &name, qos),
                };
                name
            })
            .collect()
    }

    async fn flush(&mut self) {
        let bytes = self.link.poll_transmit().unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// The next packet; `None` when the platform has closed the connection.
    async fn packet(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.link.poll_packet() {
                return Some(packet);
            }
            let mut bytes = [0; 4096];
            let read = self.stream.read(&mut bytes).await.unwrap_or(0);
            if read == 0 {
                return None;
            }
            self.link.receive(&bytes[..read], Instant::default()).unwrap();
        }
    }
}

#[tokio::test]
async fn a_goodbye_behind_messages_loses_none_of_them() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        for count in [1, 3, 40] {
            for _ in 0..20 {
                let running = start(1000).await;
                let mut device = running.connect().await;
                let posts = device.posts(0, count, qos);
                device.link.disconnect();
                device.flush().await;
                running.handles(posts).await;
            }
        }
    }
}

#[tokio::test]
async fn messages_before_any_other_end_are_handled_too() {
    let broken: [&[u8]; 3] = [b"", &[0x30, 0xff, 0xff, 0xff, 0xff], &[0x32, 3, 0, 1, b'#']];
    for end in broken {
        let running = start(0).await;
        let mut device = running.connect().await;
        let posts = device.posts(0, 40, QoS::AtLeastOnce);
        let bytes = [device.link.poll_transmit().unwrap(), end.to_vec()].concat();
        device.stream.write_all(&bytes).await.unwrap();
        running.begun().await;
        device.stream.shutdown().await.unwrap();
        running.hub.permits.add_permits(40);
        running.handles(posts).await;
    }
}

#[tokio::test]
async fn an_acknowledgement_leaves_when_its_message_is_handled_and_in_order() {
    for user in [false, true] {
        let running = start(0).await;
        let mut device = running.connect().await;
        let ids: Vec<u16> = (0..3)
            .map(|number| match user {
                true => device.publish("/a1/SN1/user/log", &number.to_string(), QoS::AtLeastOnce),
                false => device.post(TAGS, &number.to_string(), QoS::AtLeastOnce),
            })
            .map(Option::unwrap)
            .collect();
        device.flush().await;
        running.begun().await;
        // A ping is answered meanwhile, and nothing comes before its answer.
        if !user {
            device.link.ping(Instant::default());
            device.flush().await;
            assert_eq!(device.packet().await, Some(Packet::Ping));
        }
        for id in ids {
            running.hub.permits.add_permits(1);
            let mut packets = Vec::new();
            while !packets.contains(&Packet::Acknowledged { id }) {
                let packet = device.packet().await.unwrap();
                assert!(!matches!(packet, Packet::Acknowledged { id: other } if other != id));
                packets.push(packet);
            }
        }
    }
}

#[tokio::test]
async fn a_message_that_is_refused_is_acknowledged_as_well() {
    let running = start(0).await;
    let mut device = running.connect().await;
    let odd = ["not JSON", "\u{1}", r#"{"id":"9","code":200,"data":{}}"#];
    for (topic, payload) in odd.map(|payload| (TAGS, payload)).into_iter().chain([("/sys/a1/SN1/thing/none", "{}")]) {
        let id = device.publish(topic, payload, QoS::AtLeastOnce).unwrap();
        device.flush().await;
        while device.packet().await.unwrap() != (Packet::Acknowledged { id }) {}
    }
}

#[tokio::test]
async fn a_graceful_end_handles_answers_and_acknowledges_what_had_come() {
    let mut running = start(0).await;
    let mut device = running.connect().await;
    let posts = device.posts(0, 40, QoS::AtLeastOnce);
    device.flush().await;
    running.begun().await;
    running.end.take().unwrap().send(()).unwrap();
    running.hub.permits.add_permits(40);
    let (mut acknowledged, mut answered) = (0, 0);
    while let Some(packet) = device.packet().await {
        match packet {
            Packet::Acknowledged { .. } => acknowledged += 1,
            Packet::Message { topic, .. } => answered += usize::from(topic.ends_with("_reply")),
            _ => {}
        }
    }
    let calls = posts.iter().filter(|name| name.parse::<u32>().unwrap() % 3 != 2).count();
    assert_eq!((acknowledged, answered), (40, calls));
    running.handles(posts).await;
}

#[tokio::test]
async fn the_first_message_of_a_newer_connection_waits_for_those_of_the_older_one() {
    let running = start(0).await;
    let mut events = running.peers.events();
    let mut older = running.connect().await;
    let mut posts = older.posts(0, 7, QoS::AtMostOnce);
    older.flush().await;
    running.begun().await;
    let mut newer = running.connect().await;
    assert!(matches!(events.next().await, Some(Ok(PeerEvent::Connected(_)))));
    assert!(matches!(events.next().await, Some(Ok(PeerEvent::Replaced(_)))));
    posts.extend(newer.posts(99, 3, QoS::AtMostOnce));
    newer.flush().await;
    running.hub.permits.add_permits(10);
    running.handles(posts).await;
    assert!(matches!(newer.packet().await, Some(Packet::Message { .. })), "the newer one is answered");
}

#[tokio::test]
async fn an_answer_goes_to_the_topic_of_its_own_call_though_ids_are_reused() {
    let running = start(1000).await;
    let mut device = running.connect().await;
    // The very same message several times, then others with its id.
    let topics = [TAGS, TAGS, TAGS, DELETE, TAGS, DELETE, DELETE];
    for topic in topics {
        device.post(topic, "123", QoS::AtMostOnce);
        device.flush().await;
        loop {
            let packet = device.packet().await.unwrap();
            device.packets.push(packet.clone());
            if let Packet::Message { topic: reply, payload, .. } = packet {
                assert_eq!(reply, format!("{topic}_reply"));
                assert!(String::from_utf8(payload).unwrap().contains(r#""id":"123""#));
                break;
            }
        }
    }
    // Once it is clear that ids mean nothing, nothing is a repetition.
    let handled = running.hub.handled.lock().unwrap().clone();
    assert_eq!(handled[handled.len() - 4..], ["123 deleted", "123", "123 deleted", "123 deleted"]);
}
