//! HTTP beside the charge points on one port, and the observer of messages, on real sockets.
//!
//! Where time passes it is tokio's, paused: it goes on by itself when everybody waits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use onwire::net::{Client, Direction, MessageKind, Observe, Observed, Origin, Peers, Refusal, Server, ServerConfig};
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use onwire::{CallError, ErrorCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::from_unix_millis(0))
    }

    #[on(Authorize)]
    fn authorize(&self) -> Result<AuthorizeResponse, CallError> {
        Err(CallError::new(ErrorCode::SecurityError, "not yet"))
    }
}

struct Charger;

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl Charger {
    #[on(ChangeConfiguration)]
    fn change(&self) -> ChangeConfigurationResponse {
        ChangeConfigurationResponse::new(ConfigurationStatus::Accepted)
    }
}

struct Running {
    address: SocketAddr,
    peers: Peers,
    /// Lets slow answers go on.
    go_on: Arc<Notify>,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A server whose HTTP service tells what it saw; `/slow` waits until it is told to go on.
async fn start(config: ServerConfig) -> Running {
    let server = Server::bind("127.0.0.1:0").await.unwrap().config(config);
    let (address, peers) = (server.local_addr().unwrap(), server.peers());
    let go_on = Arc::new(Notify::new());
    let slow = Arc::clone(&go_on);
    let service = service_fn(move |request: Request<Incoming>| {
        let slow = Arc::clone(&slow);
        async move {
            let has_origin = request.extensions().get::<Origin>().is_some_and(|origin| origin.remote.is_some());
            let path = request.uri().path().to_owned();
            if path == "/slow" {
                slow.notified().await;
            }
            let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let text = format!("{path} {has_origin} {}", body.len());
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
        }
    });
    let (end, ends) = oneshot::channel();
    let serve = server.http(service).serve_until(Csms, async { drop(ends.await) });
    Running { address, peers, go_on, end: Some(end), task: tokio::spawn(async { serve.await.unwrap() }) }
}

/// Sends a request and reads the answer: its first line and its body.
async fn ask(stream: &mut TcpStream, request: &str) -> (String, String) {
    stream.write_all(request.as_bytes()).await.unwrap();
    answer(stream).await
}

async fn answer(stream: &mut TcpStream) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.unwrap();
    (head.lines().next().unwrap().to_owned(), String::from_utf8(body).unwrap())
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

#[tokio::test(start_paused = true)]
async fn what_is_no_handshake_goes_to_the_http_service_for_as_long_as_it_likes() {
    let server = start(ServerConfig::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let ok = "HTTP/1.1 200 OK".to_owned();
    assert_eq!(ask(&mut stream, &get("/")).await, (ok.clone(), "/ true 0".to_owned()));
    let post = "POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(ask(&mut stream, post).await, (ok.clone(), "/api true 3".to_owned()));
    // An answer that takes longer than a handshake may.
    stream.write_all(get("/slow").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    server.go_on.notify_one();
    assert_eq!(answer(&mut stream).await, (ok, "/slow true 0".to_owned()));
    // A path of the charge points stays theirs.
    let (status, _) = ask(&mut stream, &get("/ocpp/CP1")).await;
    assert_eq!(status, "HTTP/1.1 426 Upgrade Required");
}

#[tokio::test(start_paused = true)]
async fn charge_points_come_in_beside_http_connections_that_hold_no_place_of_theirs() {
    let mut config = ServerConfig::default();
    (config.max_handshakes, config.max_http_connections) = (1, 2);
    let server = start(config).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        assert_eq!(ask(&mut stream, &get("/")).await.0, "HTTP/1.1 200 OK");
        streams.push(stream);
    }
    let mut third = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(ask(&mut third, &get("/")).await.0, "HTTP/1.1 503 Service Unavailable");
    let client = Client::connect(&format!("ws://{}/ocpp/CP1", server.address), Charger).await.unwrap();
    let peer = client.peer();
    assert!(client.run_until(peer.call(HeartbeatRequest::new())).await.unwrap().is_ok());
    // One that says nothing at all is let go, and the next one comes in.
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    assert!(Client::connect(&format!("ws://{}/ocpp/CP1", server.address), Charger).await.is_ok());
}

/// A connection from 127.0.0.2, which Linux has without being told.
#[cfg(target_os = "linux")]
async fn from_elsewhere(address: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
    socket.connect(address).await.unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn no_address_takes_the_places_of_the_others() {
    let mut config = ServerConfig::default();
    (config.max_handshakes_per_address, config.max_http_connections_per_address) = (2, 1);
    let server = start(config).await;
    let silent = [TcpStream::connect(server.address).await.unwrap(), TcpStream::connect(server.address).await.unwrap()];
    let mut third = TcpStream::connect(server.address).await.unwrap();
    // Long before the silent ones have to go.
    let gone = tokio::time::timeout(Duration::from_secs(1), third.read(&mut [0])).await.unwrap();
    assert_eq!(gone.unwrap_or(0), 0);
    let mut other = from_elsewhere(server.address).await;
    assert_eq!(ask(&mut other, &get("/")).await.0, "HTTP/1.1 200 OK");
    let mut another = from_elsewhere(server.address).await;
    assert_eq!(ask(&mut another, &get("/")).await.0, "HTTP/1.1 503 Service Unavailable");
    drop((silent, other));
    let mut again = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(ask(&mut again, &get("/")).await.0, "HTTP/1.1 200 OK");
}

#[tokio::test(start_paused = true)]
async fn a_graceful_end_completes_the_answers_that_are_under_way() {
    let mut server = start(ServerConfig::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(get("/slow").as_bytes()).await.unwrap();
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    ask(&mut idle, &get("/")).await;
    server.end.take().unwrap().send(()).unwrap();
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0, "nothing is under way there");
    server.go_on.notify_one();
    assert_eq!(answer(&mut stream).await.1, "/slow true 0");
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    (&mut server.task).await.unwrap();
}

/// Direction, kind, id, action, whether the time is known, and the masked text.
type Seen = (Direction, MessageKind, String, Option<String>, bool, String);

#[derive(Debug, Default)]
struct Log(Mutex<Vec<Seen>>, Mutex<Vec<Refusal>>);

impl Observe for Log {
    fn message(&self, message: &Observed<'_>) {
        self.0.lock().unwrap().push((
            message.direction,
            message.kind.clone(),
            message.id.to_owned(),
            message.action.map(str::to_owned),
            message.elapsed.is_some(),
            message.masked().into_owned(),
        ));
    }

    fn refused(&self, refusal: &Refusal) {
        self.1.lock().unwrap().push(*refusal);
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_every_message_with_its_action_and_without_secrets() {
    let log = Arc::new(Log::default());
    let mut config = ServerConfig::default();
    config.observe = Some(log.clone());
    config.session.first_id = 7;
    let server = start(config).await;
    let client = Client::connect(&format!("ws://{}/ocpp/CP1", server.address), Charger).await.unwrap();
    let peer = client.peer();
    let work = async {
        peer.call(HeartbeatRequest::new()).await.unwrap();
        peer.call(AuthorizeRequest::new("TAG")).await.unwrap_err();
        let key = ChangeConfigurationRequest::new("AuthorizationKey", "00112233445566778899");
        server.peers.get("CP1").unwrap().call(key).await.unwrap();
    };
    client.run_until(work).await.unwrap();
    let seen = std::mem::take(&mut *log.0.lock().unwrap());
    let kinds: Vec<_> =
        seen.iter().map(|(way, kind, _, action, timed, _)| (*way, kind.clone(), action.as_deref(), *timed)).collect();
    use Direction::{Received, Sent};
    assert_eq!(
        kinds,
        [
            (Received, MessageKind::Call, Some("Heartbeat"), false),
            (Sent, MessageKind::CallResult, Some("Heartbeat"), true),
            (Received, MessageKind::Call, Some("Authorize"), false),
            (Sent, MessageKind::CallError(ErrorCode::SecurityError), Some("Authorize"), true),
            (Sent, MessageKind::Call, Some("ChangeConfiguration"), false),
            (Received, MessageKind::CallResult, Some("ChangeConfiguration"), true),
        ]
    );
    assert_eq!(seen[0].2, seen[1].2, "ids without their quotes");
    assert!(seen[4].5.contains(r#""value":"***""#), "{}", seen[4].5);
}

#[tokio::test(start_paused = true)]
async fn an_observer_is_told_who_was_not_let_in() {
    let log = Arc::new(Log::default());
    let mut config = ServerConfig::default();
    config.observe = Some(log.clone());
    let server = start(config).await;
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\n";
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET /ocpp/CP1 HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.0.contains(" 400 "));
    let refused = std::mem::take(&mut *log.1.lock().unwrap());
    assert_eq!(refused, [Refusal::Broken("Sec-WebSocket-Version is not 13")]);
    assert!(log.0.lock().unwrap().is_empty());
}
