//! What a peer says right before its connection ends is handled, once and in order, however it ends.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use onwire::CallFailure;
use onwire::net::{PeerEvent, Peers, Server, ServerConfig};
use onwire::ocpp::v16::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

/// A central system that stops a transaction for each permit that it is given.
#[derive(Clone)]
struct Csms {
    permits: Arc<Semaphore>,
    stopped: Arc<Mutex<Vec<i64>>>,
    begun: Arc<Semaphore>,
    done: Arc<Semaphore>,
}

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(StopTransaction)]
    async fn stop(&self, request: StopTransactionRequest) -> StopTransactionResponse {
        self.begun.add_permits(1);
        self.permits.acquire().await.unwrap().forget();
        self.stopped.lock().unwrap().push(request.transaction_id);
        self.done.add_permits(1);
        StopTransactionResponse::new()
    }
}

struct Running {
    address: SocketAddr,
    peers: Peers,
    csms: Csms,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn start(permits: usize) -> Running {
    let csms = Csms {
        permits: Arc::new(Semaphore::new(permits)),
        stopped: Arc::default(),
        begun: Arc::new(Semaphore::new(0)),
        done: Arc::new(Semaphore::new(0)),
    };
    let mut config = ServerConfig::default();
    config.shutdown_spread = Duration::ZERO;
    let server = Server::bind("127.0.0.1:0").await.unwrap().config(config);
    let (address, peers) = (server.local_addr().unwrap(), server.peers());
    let (end, ends) = oneshot::channel();
    let router = csms.clone();
    let task = tokio::spawn(async move {
        let ended = async { drop(ends.await) };
        server.serve_until(router, ended).await.unwrap();
    });
    Running { address, peers, csms, end: Some(end), task }
}

impl Running {
    async fn connect(&self, identity: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "GET /ocpp/{identity} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101"));
        stream
    }

    /// Which transactions were stopped, once so many were.
    async fn stopped(&self, count: u32) -> Vec<i64> {
        self.csms.done.acquire_many(count).await.unwrap().forget();
        self.csms.stopped.lock().unwrap().clone()
    }

    /// Waits until a handler has begun.
    async fn begun(&self) {
        self.csms.begun.acquire().await.unwrap().forget();
    }
}

/// A client's text frame: masked, with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => bytes.push(0x80 | length),
        _ => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn stop(transaction: i64) -> Vec<u8> {
    let call = format!(
        r#"[2,"{transaction}","StopTransaction",{{"transactionId":{transaction},"meterStop":1,"timestamp":"2025-01-01T00:00:00Z"}}]"#
    );
    frame(0x81, call.as_bytes())
}

fn stops(transactions: impl IntoIterator<Item = i64>) -> Vec<u8> {
    transactions.into_iter().flat_map(stop).collect()
}

const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];

#[tokio::test]
async fn a_close_behind_messages_loses_none_of_them() {
    for pipelined in [1, 3, 40] {
        for _ in 0..50 {
            let server = start(1000).await;
            let mut stream = server.connect("CP1").await;
            stream.write_all(&[stops(0..pipelined), CLOSE.to_vec()].concat()).await.unwrap();
            let stopped = server.stopped(u32::try_from(pipelined).unwrap()).await;
            assert_eq!(stopped, (0..pipelined).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn messages_that_wait_for_a_slow_handler_outlive_the_connection() {
    for is_reset in [false, true] {
        let server = start(0).await;
        let mut stream = server.connect("CP1").await;
        stream.write_all(&stops(0..5)).await.unwrap();
        // All of them are read as soon as one is: they came together.
        server.begun().await;
        let mut events = server.peers.events();
        if is_reset {
            stream.set_zero_linger().unwrap();
        }
        drop(stream);
        let gone = events.next().await.unwrap().unwrap();
        assert!(matches!(gone, PeerEvent::Disconnected(_)), "{gone:?}");
        server.csms.permits.add_permits(5);
        assert_eq!(server.stopped(5).await, [0, 1, 2, 3, 4]);
    }
}

#[tokio::test]
async fn what_the_transport_holds_when_its_peer_has_gone_is_read_on() {
    let server = start(0).await;
    let mut stream = server.connect("CP1").await;
    // More than the inbox: the rest stays in the transport, with the end behind it.
    stream.write_all(&stops(0..60)).await.unwrap();
    stream.shutdown().await.unwrap();
    server.csms.permits.add_permits(60);
    assert_eq!(server.stopped(60).await, (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_first_message_of_a_newer_connection_waits_for_those_of_the_older_one() {
    let server = start(0).await;
    let mut older = server.connect("CP1").await;
    older.write_all(&stops(0..20)).await.unwrap();
    server.begun().await;
    let mut newer = server.connect("CP1").await;
    newer.write_all(&stops(100..103)).await.unwrap();
    server.csms.permits.add_permits(23);
    assert_eq!(server.stopped(23).await, (0..20).chain(100..103).collect::<Vec<_>>());
    let mut answer = [0; 4];
    newer.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[2..], *b"[3", "the newer one is answered");
}

#[tokio::test]
async fn messages_that_come_right_before_a_newer_connection_are_received() {
    for _ in 0..20 {
        let server = start(1000).await;
        let mut older = server.connect("CP1").await;
        // Packets of their own, which a look at the socket sees some of.
        older.set_nodelay(true).unwrap();
        for transaction in 0..20 {
            older.write_all(&stop(transaction)).await.unwrap();
        }
        let mut newer = server.connect("CP1").await;
        newer.write_all(&stop(100)).await.unwrap();
        assert_eq!(server.stopped(21).await, (0..20).chain([100]).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_connection_that_this_side_ends_loses_nothing_that_had_come() {
    for graceful in [false, true] {
        let mut server = start(0).await;
        let mut stream = server.connect("CP1").await;
        stream.write_all(&stops(0..30)).await.unwrap();
        server.begun().await;
        if graceful {
            server.end.take().unwrap().send(()).unwrap();
        } else {
            server.peers.get("CP1").unwrap().disconnect(CallFailure::Disconnected);
        }
        server.csms.permits.add_permits(30);
        let mut heard = Vec::new();
        // It is closed by the server; the client answers the Close by going.
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            heard.extend_from_slice(&buffer[..read]);
            if read == 0 || heard.windows(2).any(|bytes| bytes == [0x88, 2]) {
                break;
            }
        }
        drop(stream);
        assert_eq!(server.stopped(30).await, (0..30).collect::<Vec<_>>());
        if graceful {
            let answers = heard.windows(3).filter(|bytes| bytes == b"[3,").count();
            assert_eq!(answers, 30, "a graceful end answers what it takes");
        }
    }
}
