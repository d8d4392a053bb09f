//! The server against clients that are careless, slow, silent or hostile, on real sockets.
//!
//! Where time passes it is tokio's, paused: it goes on by itself when everybody waits.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use onwire::net::{Denied, KeepAlive, Login, PeerEvent, Peers, Server, ServerConfig};
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use onwire::{CallFailure, Peer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A central system whose Authorize takes until it is told to go on.
#[derive(Default)]
struct Csms {
    go_on: std::sync::Arc<Notify>,
    begun: std::sync::Arc<Notify>,
    heartbeats: std::sync::Arc<AtomicU32>,
}

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        self.heartbeats.fetch_add(1, Ordering::Relaxed);
        HeartbeatResponse::new(DateTime::from_unix_millis(0))
    }

    #[on(Authorize)]
    async fn authorize(&self) -> AuthorizeResponse {
        self.begun.notify_one();
        self.go_on.notified().await;
        AuthorizeResponse::new(IdTagInfo::new(AuthorizationStatus::Accepted))
    }

    #[on(DataTransfer)]
    fn data_transfer(&self) -> DataTransferResponse {
        DataTransferResponse {
            data: Some("x".repeat(200_000).as_str().into()),
            ..DataTransferResponse::new(DataTransferStatus::Accepted)
        }
    }
}

/// A running server.
struct Running {
    address: std::net::SocketAddr,
    peers: Peers,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn start(config: ServerConfig) -> Running {
    start_with(config, Csms::default()).await
}

async fn start_with(config: ServerConfig, csms: Csms) -> Running {
    let server = Server::bind("127.0.0.1:0").await.unwrap().config(config);
    let (address, peers) = (server.local_addr().unwrap(), server.peers());
    Running { address, peers, task: tokio::spawn(async move { server.serve(csms).await.unwrap() }) }
}

/// The opening handshake by hand; returns the stream and the response's head.
async fn open(address: std::net::SocketAddr, path: &str, headers: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(head).unwrap())
}

async fn connected(server: &Running, identity: &str) -> TcpStream {
    let (stream, head) =
        open(server.address, &format!("/ocpp/{identity}"), "Sec-WebSocket-Protocol: ocpp1.6\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    stream
}

/// A client's frame: masked, with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65536 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// The next frame of the server: first byte and payload.
async fn read_frame(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let first = stream.read_u8().await?;
    let length = match stream.read_u8().await? {
        126 => usize::from(stream.read_u16().await?),
        127 => stream.read_u64().await? as usize,
        length => usize::from(length),
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    Ok((first, payload))
}

/// The close code of the frame that comes next.
async fn close_code(stream: &mut TcpStream) -> u16 {
    let (first, payload) = read_frame(stream).await.unwrap();
    assert_eq!(first, 0x88, "{payload:?}");
    u16::from_be_bytes([payload[0], payload[1]])
}

const HEARTBEAT: &[u8] = br#"[2,"1","Heartbeat",{}]"#;
const HEARTBEAT_ANSWER: &[u8] = br#"[3,"1",{"currentTime":"1970-01-01T00:00:00Z"}]"#;

#[tokio::test]
async fn a_message_that_comes_byte_by_byte_in_fragments_around_a_ping_is_one_message() {
    let server = start(ServerConfig::default()).await;
    let mut stream = connected(&server, "CP1").await;
    let (one, two) = HEARTBEAT.split_at(7);
    let bytes = [frame(0x01, one), frame(0x89, b"still there?"), frame(0x00, b""), frame(0x80, two)].concat();
    for byte in bytes {
        stream.write_all(&[byte]).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(read_frame(&mut stream).await.unwrap(), (0x8a, b"still there?".to_vec()));
    assert_eq!(read_frame(&mut stream).await.unwrap(), (0x81, HEARTBEAT_ANSWER.to_vec()));
}

#[tokio::test]
async fn many_messages_in_one_piece_are_answered_in_order() {
    let server = start(ServerConfig::default()).await;
    let mut stream = connected(&server, "CP1").await;
    let calls: Vec<u8> =
        (0..20).flat_map(|id| frame(0x81, format!("[2,\"{id}\",\"Heartbeat\",{{}}]").as_bytes())).collect();
    // The last frame is cut.
    let (most, rest) = calls.split_at(calls.len() - 9);
    stream.write_all(most).await.unwrap();
    for id in 0..19 {
        let (_, answer) = read_frame(&mut stream).await.unwrap();
        assert!(String::from_utf8(answer).unwrap().starts_with(&format!("[3,\"{id}\"")));
    }
    stream.write_all(rest).await.unwrap();
    let (_, answer) = read_frame(&mut stream).await.unwrap();
    assert!(String::from_utf8(answer).unwrap().starts_with("[3,\"19\""));
}

#[tokio::test]
async fn what_breaks_the_protocol_of_web_sockets_is_answered_with_a_close_code() {
    let mut config = ServerConfig::default();
    config.max_message = 1000;
    let server = start(config).await;
    for (bytes, code) in [
        (frame(0x81, &[b'x'; 1001]), 1009),
        ([frame(0x01, &[b'x'; 600]), frame(0x80, &[b'x'; 600])].concat(), 1009),
        (frame(0x81, &[0xff]), 1007),
        (frame(0x83, b""), 1002),
        (frame(0xc1, b""), 1002),
        (frame(0x80, b""), 1002),
        (vec![0x81, 0x01, b'x'], 1002),
        (frame(0x88, &1000u16.to_be_bytes()), 1000),
    ] {
        let mut stream = connected(&server, "CP1").await;
        stream.write_all(&bytes).await.unwrap();
        assert_eq!(close_code(&mut stream).await, code, "{bytes:?}");
        // So that the next connection replaces nobody.
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        gone(&server.peers, "CP1").await;
    }
}

/// Waits until the directory has forgotten a peer.
async fn gone(peers: &Peers, identity: &str) {
    let mut events = peers.events();
    while peers.get(identity).is_some() {
        events.next().await;
    }
}

#[tokio::test]
async fn only_those_who_may_connect_are_upgraded() {
    async fn authenticate(login: Login) -> Result<(), Denied> {
        assert!(login.origin.remote.is_some() && !login.origin.is_encrypted);
        if login.headers.contains_key("x-attempt") {
            return Err(Denied::TooManyAttempts(Duration::from_secs(59)));
        }
        match (login.identity.as_str(), login.password.as_deref()) {
            ("RDAM 123", Some(b"\x00\xffsecret")) => Ok(()),
            ("RDAM 123", _) => Err(Denied::BadCredentials),
            ("busy", _) => Err(Denied::Unavailable(Duration::from_secs(9))),
            ("barred", _) => Err(Denied::Forbidden),
            _ => Err(Denied::UnknownIdentity),
        }
    }
    let server = Server::bind("127.0.0.1:0").await.unwrap().authenticate(authenticate);
    let address = server.local_addr().unwrap();
    let task = tokio::spawn(server.serve(Csms::default()));
    let protocol = "Sec-WebSocket-Protocol: ocpp1.6\r\n";
    // base64 of "RDAM 123:\x00\xffsecret" and of "RDAM 123:wrong".
    let good = format!("{protocol}Authorization: Basic UkRBTSAxMjM6AP9zZWNyZXQ=\r\n");
    let wrong = format!("{protocol}Authorization: Basic UkRBTSAxMjM6d3Jvbmc=\r\n");
    for (path, headers, status, header) in [
        ("/ocpp/RDAM%20123", good.as_str(), "101", "sec-websocket-protocol: ocpp1.6"),
        ("/ocpp/RDAM%20123", &wrong, "401", "www-authenticate: Basic"),
        ("/ocpp/RDAM%20123", protocol, "401", "www-authenticate: Basic"),
        ("/ocpp/CP2", &good, "401", "www-authenticate: Basic"),
        ("/ocpp/CP2", protocol, "404", ""),
        ("/ocpp/busy", protocol, "503", "retry-after: 10"),
        ("/ocpp/barred", protocol, "403", ""),
        ("/ocpp/barred", "X-Attempt: 9\r\n", "429", "retry-after: 60"),
    ] {
        let (_, head) = open(address, path, headers).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")) && head.contains(header), "{path}: {head}");
    }
    task.abort();
}

#[tokio::test]
async fn subprotocols_are_negotiated_as_the_settings_say() {
    let mut config = ServerConfig::default();
    config.handshake.prefix = "/steve/websocket/".to_owned();
    config.handshake.without_subprotocol = Some(&DIALECT);
    config.handshake.refuse_unknown_subprotocols = true;
    let server = start(config).await;
    let (mut bare, head) = open(server.address, "/steve/websocket/CP1", "").await;
    assert!(head.starts_with("HTTP/1.1 101") && !head.contains("sec-websocket-protocol"), "{head}");
    bare.write_all(&frame(0x81, HEARTBEAT)).await.unwrap();
    assert_eq!(read_frame(&mut bare).await.unwrap().1, HEARTBEAT_ANSWER);
    assert_eq!(server.peers.find("CP1").unwrap().subprotocol, None);
    let offers = "Sec-WebSocket-Protocol: ocpp0.1, ocpp1.6.0\r\n";
    let (mut other, head) = open(server.address, "/steve/websocket/CP3", offers).await;
    assert!(head.contains("sec-websocket-protocol: ocpp1.6.0"), "{head}");
    other.write_all(&frame(0x81, HEARTBEAT)).await.unwrap();
    assert_eq!(read_frame(&mut other).await.unwrap().1, HEARTBEAT_ANSWER);
    assert_eq!(server.peers.find("CP3").unwrap().subprotocol, Some("ocpp1.6.0"));
    let (_, head) = open(server.address, "/steve/websocket/CP2", "Sec-WebSocket-Protocol: ocpp0.1\r\n").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");

    let server = start(ServerConfig::default()).await;
    for headers in ["", "Sec-WebSocket-Protocol: ocpp0.1\r\n"] {
        let (mut stream, head) = open(server.address, "/ocpp/CP1", headers).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert_eq!(close_code(&mut stream).await, 1002);
    }
}

#[tokio::test]
async fn a_newer_connection_takes_the_older_one_s_place_but_not_for_ever() {
    let csms = Csms::default();
    let (begun, go_on) = (csms.begun.clone(), csms.go_on.clone());
    let server = start_with(ServerConfig::default(), csms).await;
    let mut events = server.peers.events();
    let mut first = connected(&server, "CP1").await;
    let Some(Ok(PeerEvent::Connected(older))) = events.next().await else { panic!("no event") };
    first.write_all(&frame(0x81, br#"[2,"1","Authorize",{"idTag":"A"}]"#)).await.unwrap();
    begun.notified().await;
    let call = tokio::spawn(older.call(ClearCacheRequest::default()));
    assert!(String::from_utf8(read_frame(&mut first).await.unwrap().1).unwrap().contains("ClearCache"));

    let mut streams = vec![connected(&server, "CP1").await];
    let Some(Ok(PeerEvent::Replaced(newer))) = events.next().await else { panic!("no event") };
    assert!(!newer.is_same_connection(&older) && !older.is_connected());
    assert_eq!(call.await.unwrap().unwrap_err(), CallFailure::Replaced);
    assert!(server.peers.get("CP1").unwrap().is_same_connection(&newer));
    go_on.notify_one();

    for _ in 0..2 {
        streams.push(connected(&server, "CP1").await);
        assert!(matches!(events.next().await, Some(Ok(PeerEvent::Replaced(_)))));
    }
    let (_, head) = open(server.address, "/ocpp/CP1", "Sec-WebSocket-Protocol: ocpp1.6\r\n").await;
    assert!(head.starts_with("HTTP/1.1 429") && head.contains("retry-after: "), "{head}");
    assert!(matches!(events.next().await, Some(Ok(PeerEvent::HeldBack(identity))) if &*identity == "CP1"));
    let last = streams.last_mut().unwrap();
    last.write_all(&frame(0x81, HEARTBEAT)).await.unwrap();
    assert_eq!(read_frame(last).await.unwrap().1, HEARTBEAT_ANSWER, "the last one that was let in stands");
}

async fn failure(peer: &Peer) -> CallFailure {
    peer.call(ClearCacheRequest::default()).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_found_by_a_ping() {
    let mut config = ServerConfig::default();
    config.session.call_timeout = Duration::from_secs(3600);
    let server = start(config).await;
    let mut stream = connected(&server, "CP1").await;
    let peer = server.peers.get("CP1").unwrap();
    let started = tokio::time::Instant::now();
    // Once it answers, the second time it does not.
    let silent = tokio::spawn(async move {
        loop {
            let (first, payload) = read_frame(&mut stream).await.unwrap();
            if first == 0x89 {
                stream.write_all(&frame(0x8a, &payload)).await.unwrap();
                break;
            }
        }
        stream
    });
    assert_eq!(failure(&peer).await, CallFailure::Disconnected);
    let KeepAlive { ping_after, patience, .. } = KeepAlive::default();
    assert!(started.elapsed() >= 2 * ping_after.unwrap() + patience, "{:?}", started.elapsed());
    silent.await.unwrap();
}

/// Some implementations never answer pings. They are heard at their heartbeats.
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answered_a_ping_owes_no_pong() {
    const SILENCE: Duration = Duration::from_secs(630);
    let mut config = ServerConfig::default();
    config.session.call_timeout = Duration::from_secs(3600);
    config.keep_alive.silence = Some(SILENCE);
    let server = start(config).await;
    let (mut mute, mut answering) = (connected(&server, "CP1").await, connected(&server, "CP2").await);
    let (peer, other) = (server.peers.get("CP1").unwrap(), server.peers.get("CP2").unwrap());
    let started = tokio::time::Instant::now();
    let heartbeats = async {
        // A pong that nobody asked for is no answer.
        mute.write_all(&frame(0x8a, b"")).await.unwrap();
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_secs(300)).await;
            mute.write_all(&frame(0x81, HEARTBEAT)).await.unwrap();
            while read_frame(&mut mute).await.unwrap().1 != HEARTBEAT_ANSWER {}
        }
        let last = tokio::time::Instant::now();
        while read_frame(&mut mute).await.is_ok() {}
        last.elapsed()
    };
    // Whoever has answered once owes an answer from then on.
    let once = async {
        while read_frame(&mut answering).await.unwrap().0 != 0x89 {}
        answering.write_all(&frame(0x8a, b"")).await.unwrap();
        while read_frame(&mut answering).await.is_ok() {}
        started.elapsed()
    };
    let (of_mute, of_answering, first, second) = tokio::join!(heartbeats, once, failure(&peer), failure(&other));
    assert_eq!((first, second), (CallFailure::Disconnected, CallFailure::Disconnected));
    assert!(of_mute >= SILENCE, "{of_mute:?}");
    assert!(of_answering < SILENCE, "{of_answering:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_dropped_and_what_it_is_sent_is_bounded() {
    let csms = Csms::default();
    let server = start_with(ServerConfig::default(), csms).await;
    let mut stream = connected(&server, "CP1").await;
    let peer = server.peers.get("CP1").unwrap();
    let (mut reading, mut writing) = stream.split();
    // It asks for 200 KB again and again, and reads nothing: at some time the server stops to read.
    let asking = async {
        for id in 0.. {
            let call = format!("[2,\"{id}\",\"DataTransfer\",{{\"vendorId\":\"x\"}}]");
            if writing.write_all(&frame(0x81, call.as_bytes())).await.is_err() {
                break;
            }
        }
    };
    let ended = async {
        while peer.is_connected() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = asking => {}
        () = ended => {}
    }
    assert!(!peer.is_connected());
    let mut rest = Vec::new();
    let _ = reading.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn a_graceful_end_completes_calls_and_says_when_to_come_back() {
    let csms = Csms::default();
    let (begun, go_on) = (csms.begun.clone(), csms.go_on.clone());
    let mut config = ServerConfig::default();
    config.shutdown_spread = Duration::from_millis(10);
    let server = Server::bind("127.0.0.1:0").await.unwrap().config(config);
    let (address, peers) = (server.local_addr().unwrap(), server.peers());
    let end = std::sync::Arc::new(Notify::new());
    let signal = std::sync::Arc::clone(&end);
    let task = tokio::spawn(async move { server.serve_until(csms, signal.notified()).await });
    let running = Running { address, peers, task: tokio::spawn(async {}) };
    let mut busy = connected(&running, "CP1").await;
    let mut idle = connected(&running, "CP2").await;
    busy.write_all(&frame(0x81, br#"[2,"1","Authorize",{"idTag":"A"}]"#)).await.unwrap();
    begun.notified().await;
    end.notify_one();
    assert_eq!(close_code(&mut idle).await, 1012);
    drop(idle);
    go_on.notify_one();
    let (_, answer) = read_frame(&mut busy).await.unwrap();
    assert!(String::from_utf8(answer).unwrap().starts_with("[3,\"1\""));
    assert_eq!(close_code(&mut busy).await, 1012);
    drop(busy);
    task.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

/// After a restart all charge points come at once, before the server has accepted any.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn as_many_may_wait_to_be_accepted_as_the_system_allows() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let most: usize = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse().unwrap();
    // Nobody accepts, so that each stays in the queue although its other end is gone. One more than fits would not connect.
    for number in 0..most.min(2_000) {
        let connected = tokio::time::timeout(Duration::from_secs(30), TcpStream::connect(address)).await;
        connected.unwrap_or_else(|_| panic!("connection {number} was dropped")).unwrap();
    }
}
