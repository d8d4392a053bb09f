//! Calls of a link that are under way side by side, as bytes at a server of the test's own.

use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::{TokioAdapter, accept_hdr_async};
use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use futures_util::StreamExt;
use onwire::alink::DeviceRef;
use onwire::mqtt::{self, Connect, Limits, Packet};
use onwire::net::alink::Device;
use onwire::net::{BackOff, Client, Link, WhileOffline};
use onwire::ocpp::v16::*;
use onwire::session::Config;
use onwire::types::DateTime;
use onwire::{CallFailure, Instant};
use onwire_tests::tracker::{Properties, PropertyPostResponse};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// For what has to come at all; nothing is measured by it.
async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it came in time")
}

fn at_once() -> BackOff {
    BackOff::new(Duration::from_millis(1), Duration::from_millis(10))
}

struct Tracker;

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Tracker {
    #[on(PropertySet)]
    fn set(&self, _: Properties) {}
}

/// A platform that answers when the test says so.
struct Platform {
    stream: TcpStream,
    link: mqtt::Link<mqtt::Server>,
}

impl Platform {
    /// Lets the next device in.
    async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = in_time(listener.accept()).await.unwrap();
        let mut platform = Self { stream, link: mqtt::Link::server(Limits::default(), Instant::default()) };
        let connect = platform.packet().await;
        assert!(matches!(connect, Packet::Connect(_)), "{connect:?}");
        platform.link.accept(Instant::default());
        platform.write().await;
        platform
    }

    async fn write(&mut self) {
        while let Some(bytes) = self.link.poll_transmit() {
            self.stream.write_all(&bytes).await.unwrap();
        }
    }

    async fn packet(&mut self) -> Packet {
        loop {
            if let Some(packet) = self.link.poll_packet() {
                return packet;
            }
            let mut bytes = [0; 4096];
            let read = in_time(self.stream.read(&mut bytes)).await.unwrap();
            assert_ne!(read, 0, "it is connected");
            self.link.receive(&bytes[..read], Instant::default()).unwrap();
        }
    }

    /// The next post: its id, and the battery's level.
    async fn post(&mut self) -> (String, i64) {
        let packet = self.packet().await;
        let Packet::Message { topic, payload, .. } = packet else { panic!("{packet:?}") };
        assert_eq!(topic, "/sys/a1X/SN1/thing/event/property/post");
        let message: Value = serde_json::from_slice(&payload).unwrap();
        let level = message["params"]["BatteryLevel"]["value"].as_i64().unwrap();
        (message["id"].as_str().unwrap().to_owned(), level)
    }

    async fn answer(&mut self, id: &str) {
        let answer = json!({"id": id, "code": 200, "data": {}}).to_string();
        let topic = "/sys/a1X/SN1/thing/event/property/post_reply";
        self.link.publish(topic, answer.as_bytes(), mqtt::QoS::AtMostOnce, Instant::default()).unwrap();
        self.write().await;
    }
}

async fn device(config: Option<Config>) -> (TcpListener, Link) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    let of = DeviceRef { product_key: "a1X", device_name: "SN1" };
    let builder = Device::builder(&url, of, || Connect::new("SN1")).back_off(at_once());
    let builder = if let Some(config) = config { builder.config(config) } else { builder };
    let device = builder.build(Tracker).unwrap();
    let link = device.link();
    tokio::spawn(device.run());
    (listener, link)
}

type Posting = JoinHandle<Result<PropertyPostResponse, CallFailure>>;

/// Begins posts in this order.
async fn begin(link: &Link, levels: std::ops::Range<i64>) -> Vec<Posting> {
    let mut posts = Vec::new();
    for level in levels {
        let link = link.clone();
        let noon = DateTime::from_unix_millis(1_700_000_000_000);
        let post = Properties { battery_level: Some(level), ..Properties::default() }.at(noon);
        posts.push(tokio::spawn(async move { link.call(post).await }));
        tokio::task::yield_now().await;
    }
    posts
}

#[tokio::test]
async fn four_calls_of_a_device_are_under_way_before_one_is_answered() {
    let (listener, link) = device(None).await;
    let posts = begin(&link, 0..6).await;
    let mut platform = Platform::accept(&listener).await;
    let mut ids = Vec::new();
    for expected in 0..4 {
        let (id, level) = platform.post().await;
        assert_eq!(level, expected, "they go out in the order in which they began");
        ids.push(id);
    }
    // The next one takes the place of the one that is answered, whichever that is.
    platform.answer(&ids[2]).await;
    assert_eq!(platform.post().await.1, 4);
    platform.answer(&ids[0]).await;
    let (last, level) = platform.post().await;
    assert_eq!(level, 5);
    platform.answer(&last).await;
    for (index, post) in posts.into_iter().enumerate() {
        if [0, 2, 5].contains(&index) {
            assert_eq!(in_time(post).await.unwrap(), Ok(PropertyPostResponse::new()));
        }
    }
}

#[tokio::test]
async fn what_was_not_sent_goes_first_on_the_next_connection_and_in_its_order() {
    let mut config = Config::default();
    config.outstanding = 2;
    let (listener, link) = device(Some(config)).await;
    let mut posts = begin(&link, 0..6).await;
    let mut platform = Platform::accept(&listener).await;
    assert_eq!((platform.post().await.1, platform.post().await.1), (0, 1));
    drop(platform);
    for post in posts.drain(..2) {
        assert_eq!(in_time(post).await.unwrap(), Err(CallFailure::Disconnected), "the platform may have acted on it");
    }
    // This one begins later.
    posts.extend(begin(&link, 6..7).await);
    let mut platform = Platform::accept(&listener).await;
    for expected in 2..7 {
        let (id, level) = platform.post().await;
        assert_eq!(level, expected);
        platform.answer(&id).await;
    }
    for post in posts {
        assert_eq!(in_time(post).await.unwrap(), Ok(PropertyPostResponse::new()));
    }
}

#[tokio::test]
async fn a_call_that_waits_only_so_long_is_not_sent_afterwards() {
    let mut config = Config::default();
    config.outstanding = 1;
    let (listener, link) = device(Some(config)).await;
    let first = begin(&link, 0..1).await.remove(0);
    let mut platform = Platform::accept(&listener).await;
    let (id, _) = platform.post().await;
    let noon = DateTime::from_unix_millis(1_700_000_000_000);
    let post = Properties { battery_level: Some(1), ..Properties::default() }.at(noon);
    let waited = link.call_with(post, WhileOffline::WaitFor(Duration::from_millis(1))).await;
    assert_eq!(waited, Err(CallFailure::NotSent));
    platform.answer(&id).await;
    assert_eq!(in_time(first).await.unwrap(), Ok(PropertyPostResponse::new()));
    let third = begin(&link, 2..3).await.remove(0);
    let (id, level) = platform.post().await;
    assert_eq!(level, 2);
    platform.answer(&id).await;
    assert_eq!(in_time(third).await.unwrap(), Ok(PropertyPostResponse::new()));
}

struct Charger;

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl Charger {
    #[on(ClearCache)]
    fn clear_cache(&self) -> ClearCacheResponse {
        ClearCacheResponse::new(ClearCacheStatus::Accepted)
    }
}

type Socket = WebSocketStream<TokioAdapter<TcpStream>>;

async fn accept(listener: &TcpListener) -> Socket {
    let (stream, _) = in_time(listener.accept()).await.unwrap();
    #[allow(clippy::result_large_err, reason = "tungstenite's own")]
    let agree = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        response.headers_mut().insert("Sec-WebSocket-Protocol", "ocpp1.6".parse().unwrap());
        Ok(response)
    };
    in_time(accept_hdr_async(stream, agree)).await.unwrap()
}

async fn receive(socket: &mut Socket) -> Value {
    let message = in_time(socket.next()).await.unwrap().unwrap();
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

#[tokio::test]
async fn of_ocpp_one_call_is_under_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ocpp/CP1", listener.local_addr().unwrap());
    let client = Client::builder(&url).back_off(at_once()).reconnecting(Charger).unwrap();
    let link = client.link();
    tokio::spawn(client.run());
    let mut calls = Vec::new();
    for tag in ["A", "B"] {
        let link = link.clone();
        calls.push(tokio::spawn(async move { link.call(AuthorizeRequest::new(tag)).await }));
        tokio::task::yield_now().await;
    }
    let mut socket = accept(&listener).await;
    for tag in ["A", "B"] {
        let call = receive(&mut socket).await;
        assert_eq!(call[3]["idTag"], tag);
        // What follows it on the wire is the answer to a call of ours, and no other call.
        socket.send(Message::text(json!([2, tag, "ClearCache", {}]).to_string())).await.unwrap();
        assert_eq!(receive(&mut socket).await[1], tag);
        let answer = json!([3, call[1], {"idTagInfo": {"status": "Accepted"}}]);
        socket.send(Message::text(answer.to_string())).await.unwrap();
    }
    for call in calls {
        assert_eq!(in_time(call).await.unwrap().unwrap().id_tag_info.status, AuthorizationStatus::Accepted);
    }
}
