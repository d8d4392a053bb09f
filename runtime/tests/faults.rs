//! Client and server with a bad network between them: a proxy that delays, swallows, cuts, half-closes and resets.
//!
//! Time is tokio's, paused: it goes on by itself when everybody waits.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::net::SocketAddr;
use std::time::Duration;

use onwire::net::{Client, Peers, Server, ServerConfig};
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use onwire::{CallFailure, Peer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::from_unix_millis(0))
    }
}

#[derive(Default)]
struct Charger;

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl Charger {
    #[on(ClearCache)]
    fn clear_cache(&self) -> ClearCacheResponse {
        ClearCacheResponse::new(ClearCacheStatus::Accepted)
    }
}

/// What happens to the bytes of both directions.
#[derive(Clone, Copy)]
enum Network {
    /// One by one.
    BytesOneByOne,
    /// Each piece comes that much later.
    Late(Duration),
    /// From the signal on, nothing comes through, and nobody is told.
    BlackHole,
    /// At the signal, the server is told that the client writes no more.
    HalfClosed,
    /// At the signal, both sides are reset.
    Reset,
}

/// A proxy for one connection; it changes when it is told to.
struct Proxy {
    address: SocketAddr,
    signal: std::sync::Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn proxy(target: SocketAddr, network: Network) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, signal) = (listener.local_addr().unwrap(), std::sync::Arc::new(Notify::new()));
    let told = std::sync::Arc::clone(&signal);
    let task = tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(target).await.unwrap();
        carry(client, server, network, &told).await;
    });
    Proxy { address, signal, task }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, network: Network, told: &Notify) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let both = async {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let up = forward(&mut from_client, &mut to_server, network);
        let down = forward(&mut from_server, &mut to_client, network);
        tokio::join!(up, down);
    };
    tokio::select! {
        () = both => return,
        () = told.notified() => {}
    }
    match network {
        Network::BlackHole => std::future::pending().await,
        Network::HalfClosed => {
            server.shutdown().await.unwrap();
            let mut rest = Vec::new();
            let _ = server.read_to_end(&mut rest).await;
        }
        Network::Reset => {
            for stream in [client, server] {
                // A linger of zero turns the close into a reset.
                stream.set_zero_linger().unwrap();
            }
        }
        Network::BytesOneByOne | Network::Late(_) => {}
    }
}

async fn forward(from: &mut (impl AsyncReadExt + Unpin), to: &mut (impl AsyncWriteExt + Unpin), network: Network) {
    let mut buffer = [0; 4096];
    for first in std::iter::once(true).chain(std::iter::repeat(false)) {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { break };
        let bytes = &buffer[..length];
        match network {
            // The handshake comes whole: clients take it for an attack otherwise.
            Network::BytesOneByOne if !first => {
                for byte in bytes {
                    if to.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            }
            Network::Late(delay) if !first => {
                tokio::time::sleep(delay).await;
                if to.write_all(bytes).await.is_err() {
                    return;
                }
            }
            _ => {
                if to.write_all(bytes).await.is_err() {
                    return;
                }
            }
        }
    }
    let _ = to.shutdown().await;
}

/// Both programs, and the proxy between them.
struct Scene {
    proxy: Proxy,
    peers: Peers,
    /// The charger's handle of the server.
    server: Peer,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn scene(network: Network) -> Scene {
    let server = Server::bind("127.0.0.1:0").await.unwrap().config(ServerConfig::default());
    let (address, peers) = (server.local_addr().unwrap(), server.peers());
    let serving = tokio::spawn(async move { server.serve(Csms).await.unwrap() });
    let proxy = proxy(address, network).await;
    let mut events = peers.events();
    let client = Client::connect(&format!("ws://{}/ocpp/CP1", proxy.address), Charger).await.unwrap();
    let server = client.peer();
    let running = tokio::spawn(async move {
        client.run().await;
    });
    while peers.get("CP1").is_none() {
        events.next().await;
    }
    Scene { proxy, peers, server, tasks: [serving, running] }
}

impl Scene {
    async fn heartbeat(&self) -> Result<(), CallFailure> {
        self.server.call(HeartbeatRequest::new()).await.map(|_| ())
    }

    async fn clear_cache(&self) -> Result<(), CallFailure> {
        let Some(charger) = self.peers.get("CP1") else { return Err(CallFailure::NotSent) };
        charger.call(ClearCacheRequest::new()).await.map(|_| ())
    }

    async fn server_forgets(&self) {
        let mut events = self.peers.events();
        while self.peers.get("CP1").is_some() {
            events.next().await;
        }
    }
}

#[tokio::test]
async fn bytes_that_come_one_by_one_make_the_same_messages() {
    let scene = scene(Network::BytesOneByOne).await;
    for _ in 0..10 {
        let (up, down) = tokio::join!(scene.heartbeat(), scene.clear_cache());
        assert_eq!((up, down), (Ok(()), Ok(())));
    }
}

#[tokio::test(start_paused = true)]
async fn answers_within_the_time_out_count_and_later_ones_hurt_nobody() {
    let slow = scene(Network::Late(Duration::from_secs(9))).await;
    assert_eq!(tokio::join!(slow.heartbeat(), slow.clear_cache()), (Ok(()), Ok(())));

    let too_slow = scene(Network::Late(Duration::from_secs(16))).await;
    let started = tokio::time::Instant::now();
    assert_eq!(too_slow.heartbeat().await, Err(CallFailure::Timeout));
    assert_eq!(started.elapsed().as_secs(), 30);
    // The late answer to the first call is not taken for the answer to the second one.
    assert_eq!(too_slow.heartbeat().await, Err(CallFailure::Timeout));
    assert!(too_slow.server.is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_longer_or_shorter_than_others_says_so_itself() {
    let scene = scene(Network::Late(Duration::from_secs(16))).await;
    let started = tokio::time::Instant::now();
    let heartbeat = || scene.server.call(HeartbeatRequest::new());
    assert_eq!(heartbeat().timeout(Duration::from_secs(5)).await, Err(CallFailure::Timeout));
    assert_eq!(started.elapsed().as_secs(), 5);
    assert!(heartbeat().timeout(Duration::from_secs(60)).await.is_ok());
    // Also once it is under way: the pump's timer is set for later then.
    let call = heartbeat();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let started = tokio::time::Instant::now();
    assert_eq!(call.timeout(Duration::from_secs(3)).await, Err(CallFailure::Timeout));
    assert_eq!(started.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_swallows_everything_is_found_by_both_sides() {
    let scene = scene(Network::BlackHole).await;
    assert_eq!(scene.heartbeat().await, Ok(()));
    scene.proxy.signal.notify_one();
    tokio::task::yield_now().await;
    let (up, down) = tokio::join!(scene.heartbeat(), scene.clear_cache());
    assert_eq!((up, down), (Err(CallFailure::Timeout), Err(CallFailure::Timeout)));
    scene.server_forgets().await;
    while scene.server.is_connected() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn a_client_that_writes_no_more_is_forgotten() {
    let scene = scene(Network::HalfClosed).await;
    assert_eq!(scene.heartbeat().await, Ok(()));
    scene.proxy.signal.notify_one();
    scene.server_forgets().await;
}

#[tokio::test]
async fn a_reset_ends_calls_of_both_sides() {
    let scene = scene(Network::Reset).await;
    assert_eq!(scene.heartbeat().await, Ok(()));
    scene.proxy.signal.notify_one();
    scene.server_forgets().await;
    let failure = loop {
        if let Err(failure) = scene.heartbeat().await {
            break failure;
        }
    };
    assert!(matches!(failure, CallFailure::Disconnected | CallFailure::NotSent), "{failure}");
}

#[tokio::test]
async fn ten_thousand_reconnects_leave_nothing_behind() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let (address, peers) = (server.local_addr().unwrap(), server.peers());
    let serving = tokio::spawn(async move { server.serve(Csms).await.unwrap() });
    let mut before = 0;
    for round in 0..10_000 {
        // Each of five identities in turn, so that none is held back.
        let url = format!("ws://{address}/ocpp/CP{}", round % 5);
        let client = Client::connect(&url, Charger).await.unwrap();
        let peer = client.peer();
        let done = client.run_until(async { peer.call(HeartbeatRequest::new()).await }).await;
        assert!(done.unwrap().is_ok());
        if round == 2_000 {
            before = resident_kib();
        }
    }
    let mut events = peers.events();
    while !peers.is_empty() {
        events.next().await;
    }
    let grown = resident_kib().saturating_sub(before);
    // 8,000 connections that leave a hundred bytes each would be 800.
    assert!(grown < 500, "{grown} KiB more than after the first 2,000");
    serving.abort();
}

/// Memory of this process; 0 where the system does not tell.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
