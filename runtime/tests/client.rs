//! The client against servers that refuse, go away and come back, on real sockets.
//!
//! Time is tokio's, paused: it goes on by itself when everybody waits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use onwire::net::{
    BackOff, Client, ClientBuilder, ConnectError, Denied, Link, LinkState, Login, Peers, Server, Setback, WhileOffline,
};
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use onwire::{ActionEntry, CallFailure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A central system that never answers an Authorize, and writes down the rest.
#[derive(Clone, Default)]
struct Csms {
    authorizes: Arc<Notify>,
    tags: Arc<Mutex<Vec<String>>>,
}

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::from_unix_millis(0))
    }

    #[on(Authorize)]
    async fn authorize(&self) -> AuthorizeResponse {
        self.authorizes.notify_one();
        std::future::pending().await
    }

    #[on(DataTransfer)]
    fn data_transfer(&self, req: DataTransferRequest) -> DataTransferResponse {
        self.tags.lock().unwrap().push(req.vendor_id.to_string());
        DataTransferResponse::new(DataTransferStatus::Accepted)
    }
}

/// A charge point whose ClearCache takes until it is told to go on.
#[derive(Debug, Clone, Default)]
struct Charger {
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
}

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl Charger {
    #[on(ClearCache)]
    async fn clear_cache(&self) -> ClearCacheResponse {
        self.begun.notify_one();
        self.go_on.notified().await;
        ClearCacheResponse::new(ClearCacheStatus::Accepted)
    }
}

/// A running server.
struct Running {
    address: SocketAddr,
    peers: Peers,
    task: JoinHandle<()>,
}

async fn start_at(address: SocketAddr, csms: &Csms) -> Running {
    let server = Server::bind(address).await.unwrap();
    let (address, peers, csms) = (server.local_addr().unwrap(), server.peers(), csms.clone());
    Running { address, peers, task: tokio::spawn(async move { server.serve(csms).await.unwrap() }) }
}

async fn start(csms: &Csms) -> Running {
    start_at(SocketAddr::from(([127, 0, 0, 1], 0)), csms).await
}

impl Running {
    /// Goes away at once; returns where it was.
    async fn stop(self) -> SocketAddr {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.address
    }
}

/// A server that answers each request with the next of these heads, and closes.
async fn refusing(answers: Vec<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    address
}

fn builder(address: SocketAddr) -> ClientBuilder {
    Client::builder(&format!("ws://{address}/ocpp/CP1"))
}

/// Runs a client in the background.
fn run(builder: ClientBuilder, charger: Charger) -> (Link, JoinHandle<()>) {
    let client = builder.reconnecting(charger).unwrap();
    (client.link(), tokio::spawn(client.run()))
}

/// The next time that the client waits: how long, and why.
async fn next_wait(states: &mut watch::Receiver<LinkState>) -> (Duration, Setback) {
    states.changed().await.unwrap();
    loop {
        if let LinkState::Waiting { until, why } = &*states.borrow_and_update() {
            return (until.duration_since(Instant::now()), why.clone());
        }
        states.changed().await.unwrap();
    }
}

fn status(why: &Setback) -> u16 {
    let Setback::NotOpened(error) = why else { panic!("{why:?}") };
    let ConnectError::Status { status, .. } = **error else { panic!("{why:?}") };
    status.as_u16()
}

fn transfer(vendor: &str) -> DataTransferRequest {
    DataTransferRequest::new(vendor)
}

#[tokio::test(start_paused = true)]
async fn waits_double_are_drawn_and_told_with_the_status() {
    let (first, max) = (Duration::from_secs(10), Duration::from_secs(70));
    let mut waits = Vec::new();
    for _ in 0..8 {
        let address =
            refusing(vec!["404 Not Found", "401 Unauthorized", "500 Oops", "302 Found", "404 Not Found"]).await;
        let (link, task) = run(builder(address).back_off(BackOff::new(first, max)), Charger::default());
        let mut states = link.states();
        for (expected, limit) in [(404, 10), (401, 20), (500, 40), (302, 70), (404, 70)] {
            let (wait, why) = next_wait(&mut states).await;
            assert_eq!(status(&why), expected);
            assert!(wait <= Duration::from_secs(limit), "{wait:?}");
            waits.push(wait);
        }
        task.abort();
    }
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 30, "they are drawn: {waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_when_to_come_back_is_left_alone_so_long() {
    let answers = vec![
        "503 Busy\r\nRetry-After: 100",
        "429 Too Many\r\nRetry-After: 7",
        "503 Busy\r\nRetry-After: 99999999999999999999",
        "503 Busy\r\nRetry-After: Fri, 31 Dec 2100 23:59:59 GMT",
        "503 Busy\r\nRetry-After: 999999999999",
    ];
    let second = Duration::from_secs(1);
    let (link, task) = run(builder(refusing(answers).await).back_off(BackOff::new(second, second)), Charger::default());
    let mut states = link.states();
    for (expected, seconds) in [(503, 100), (429, 7), (503, 0), (503, 0), (503, 3600)] {
        let (wait, why) = next_wait(&mut states).await;
        assert_eq!(status(&why), expected);
        let least = Duration::from_secs(seconds);
        assert!(wait >= least && wait <= least + second, "{wait:?}");
    }
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn credentials_are_bytes_and_a_client_that_was_refused_comes_in_later() {
    let password = [0x00, 0xff, b':', 0x80, b'x'];
    let known = Arc::new(Mutex::new(false));
    let knows = Arc::clone(&known);
    let authenticate = move |login: Login| {
        let is_right = login.identity == "RDAM 123" && login.password.as_deref() == Some(&password[..]);
        let is_known = *knows.lock().unwrap();
        async move {
            match (is_known, is_right) {
                (false, _) => Err(Denied::UnknownIdentity),
                (true, false) => Err(Denied::BadCredentials),
                (true, true) => Ok(()),
            }
        }
    };
    let server = Server::bind("127.0.0.1:0").await.unwrap().authenticate(authenticate);
    let url = format!("ws://{}/ocpp/RDAM%20123", server.local_addr().unwrap());
    let serving = tokio::spawn(server.serve(Csms::default()));

    let builder = Client::builder(&url).credentials("RDAM 123", password);
    assert!(!format!("{builder:?}").contains("255"), "{builder:?}");
    let (link, task) = run(builder, Charger::default());
    let mut states = link.states();
    assert_eq!(status(&next_wait(&mut states).await.1), 404);
    *known.lock().unwrap() = true;
    assert!(link.connected().await.is_some());
    assert!(link.call(HeartbeatRequest::default()).await.is_ok());

    let refused = Client::builder(&url).credentials("RDAM 123", *b"wrong").connect(Charger::default()).await;
    assert!(matches!(refused, Err(ConnectError::Status { status, .. }) if status == 401));
    task.abort();
    serving.abort();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_finds_the_client_and_the_calls_that_were_not_sent() {
    let csms = Csms::default();
    let server = start(&csms).await;
    let (link, task) = run(builder(server.address), Charger::default());
    let peer = link.connected().await.unwrap();
    let sent = tokio::spawn(peer.call(AuthorizeRequest::new("A")));
    csms.authorizes.notified().await;
    // The first waits in the connection, the others for their turn; in this order, since the test's tasks take turns.
    let mut waiting = Vec::new();
    for vendor in ["1", "2", "3"] {
        let link = link.clone();
        waiting.push(tokio::spawn(async move { link.call(transfer(vendor)).await }));
        tokio::task::yield_now().await;
    }
    let own = peer.call(transfer("never"));

    let address = server.stop().await;
    assert_eq!(sent.await.unwrap().unwrap_err(), CallFailure::Disconnected, "the server may have acted on it");
    assert_eq!(own.await.unwrap_err(), CallFailure::NotSent, "the peer is that of one connection");
    let mut states = link.states();
    let (_, why) = next_wait(&mut states).await;
    assert!(matches!(why, Setback::NotOpened(_) | Setback::Ended(Some(_))), "{why:?}");

    let server = start_at(address, &csms).await;
    for call in waiting {
        assert_eq!(call.await.unwrap().unwrap().status, DataTransferStatus::Accepted);
    }
    assert_eq!(*csms.tags.lock().unwrap(), ["1", "2", "3"]);
    let newer = link.connected().await.unwrap();
    assert!(!newer.is_same_connection(&peer) && !peer.is_connected());
    assert!(server.peers.get("CP1").is_some());
    task.abort();
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_tells_a_call_that_was_sent_from_one_that_was_not() {
    let csms = Csms::default();
    let server = start(&csms).await;
    let (link, task) = run(builder(server.address), Charger::default());
    let peer = link.connected().await.unwrap();
    let limit = Duration::from_secs(2);
    let started = Instant::now();
    let (sent, waits, text) = tokio::join!(
        peer.call(AuthorizeRequest::new("A")).within(limit),
        peer.call(transfer("1")).within(limit),
        peer.call_text(ActionEntry::find(ACTIONS, "Heartbeat").unwrap(), "{}").within(limit),
    );
    let (sent, waits) = (sent.unwrap_err(), waits.unwrap_err());
    assert_eq!((&sent, sent.may_have_acted()), (&CallFailure::Timeout, true));
    assert_eq!((&waits, waits.may_have_acted()), (&CallFailure::Expired, false));
    assert_eq!(text.unwrap_err(), CallFailure::Expired);
    assert!(started.elapsed() < limit * 2, "from the beginning: {:?}", started.elapsed());
    // What was taken back is never sent.
    assert!(peer.call(transfer("2")).within(Duration::from_secs(60)).await.is_ok());
    assert_eq!(*csms.tags.lock().unwrap(), ["2"]);

    // The connection ends at the very moment at which the limit passes.
    let (sent, waits) = (peer.call(AuthorizeRequest::new("A")), peer.call(transfer("3")).within(limit));
    let ended = async {
        tokio::time::sleep(limit).await;
        peer.disconnect(CallFailure::Disconnected);
    };
    let (sent, waits, ()) = tokio::join!(sent, waits, ended);
    assert_eq!(sent.unwrap_err(), CallFailure::Disconnected);
    assert!(!waits.unwrap_err().may_have_acted());
    task.abort();
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_says_when_it_is_sent_and_can_be_taken_back_before() {
    let csms = Csms::default();
    let server = start(&csms).await;
    let (link, task) = run(builder(server.address), Charger::default());
    let peer = link.connected().await.unwrap();
    let mut first = peer.call(HeartbeatRequest::default());
    let (mut second, mut third) = (peer.call(transfer("2")), peer.call(transfer("3")));
    assert!(third.withdraw() && !third.withdraw(), "once");
    assert!(first.sent().await);
    assert!(!first.withdraw(), "it is on its way");
    assert!(!third.sent().await);
    assert_eq!(third.await.unwrap_err(), CallFailure::NotSent);
    // Nobody but its own turn wakes it, which comes with the answer to the first.
    assert!(second.sent().await);
    assert!(first.await.is_ok() && second.await.is_ok());
    let blocking = peer.call(AuthorizeRequest::new("A"));
    let mut waits = peer.call(transfer("4"));
    csms.authorizes.notified().await;
    let (sent, ()) = tokio::join!(waits.sent(), async { peer.disconnect(CallFailure::Disconnected) });
    assert!(!sent);
    assert_eq!(waits.await.unwrap_err(), CallFailure::NotSent);
    assert_eq!(blocking.await.unwrap_err(), CallFailure::Disconnected);
    assert!(!peer.call(transfer("5")).sent().await);
    assert_eq!(*csms.tags.lock().unwrap(), ["2"]);
    task.abort();
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_caller_says_what_becomes_of_a_call_without_a_connection() {
    let address = refusing(vec![]).await;
    let (link, task) = run(builder(address).while_offline(WhileOffline::Fail).waiting_calls(2), Charger::default());
    assert_eq!(link.call(transfer("1")).await.unwrap_err(), CallFailure::NotSent);

    let started = Instant::now();
    let patience = Duration::from_secs(20);
    let for_ever = tokio::spawn({
        let link = link.clone();
        async move { link.call_with(transfer("2"), WhileOffline::Wait).await }
    });
    tokio::task::yield_now().await;
    let (waited, too_many) = tokio::join!(link.call_with(transfer("3"), WhileOffline::WaitFor(patience)), async {
        tokio::task::yield_now().await;
        link.call_with(transfer("4"), WhileOffline::Wait).await
    });
    assert_eq!(waited.unwrap_err(), CallFailure::NotSent);
    assert!(started.elapsed() >= patience, "{:?}", started.elapsed());
    assert_eq!(too_many.unwrap_err(), CallFailure::QueueFull);
    // The place is free again.
    assert_eq!(link.call(transfer("5")).await.unwrap_err(), CallFailure::NotSent);

    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(for_ever.await.unwrap().unwrap_err(), CallFailure::NotSent, "nobody will send it");
    assert!(matches!(link.state(), LinkState::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_at_once_does_not_wait_behind_others() {
    let csms = Csms::default();
    let server = start(&csms).await;
    let (link, task) = run(builder(server.address), Charger::default());
    assert!(link.connected().await.is_some());
    let first = tokio::spawn({
        let link = link.clone();
        async move { link.call(AuthorizeRequest::new("A")).await }
    });
    csms.authorizes.notified().await;
    let second = tokio::spawn({
        let link = link.clone();
        async move { link.call_with(transfer("1"), WhileOffline::Fail).await }
    });
    tokio::task::yield_now().await;
    assert!(!second.is_finished(), "the connection stands, so that it waits for its turn");
    server.stop().await;
    assert_eq!(first.await.unwrap().unwrap_err(), CallFailure::Disconnected);
    assert_eq!(second.await.unwrap().unwrap_err(), CallFailure::NotSent);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_outlives_its_connection_does_not_hold_up_the_next_one() {
    let (csms, charger) = (Csms::default(), Charger::default());
    let server = start(&csms).await;
    let (link, task) = run(builder(server.address), charger.clone());
    assert!(link.connected().await.is_some());
    let peer = server.peers.get("CP1").unwrap();
    let clearing = tokio::spawn(peer.call(ClearCacheRequest::default()));
    charger.begun.notified().await;
    let mut states = link.states();
    states.mark_unchanged();
    let address = server.stop().await;
    assert!(matches!(next_wait(&mut states).await.1, Setback::Ended(None)));
    assert_eq!(clearing.await.unwrap().unwrap_err(), CallFailure::Disconnected);

    let server = start_at(address, &csms).await;
    assert!(link.call(HeartbeatRequest::default()).await.is_ok());
    // It is completed at the end.
    link.stop();
    assert!(!task.is_finished());
    charger.go_on.notify_one();
    task.await.unwrap();
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_stood_for_long_makes_the_next_wait_a_first_one() {
    let mut back_off = BackOff::new(Duration::from_secs(1), Duration::from_secs(1000));
    back_off.stable_after = Duration::from_secs(60);
    let csms = Csms::default();
    let server = start(&csms).await;
    let (link, task) = run(builder(server.address).back_off(back_off), Charger::default());
    let mut states = link.states();
    let (mut longest, mut last) = (Duration::ZERO, Duration::ZERO);
    for round in 0..16 {
        let peer = link.connected().await.unwrap();
        if round == 15 {
            tokio::time::sleep(Duration::from_secs(61)).await;
        }
        peer.disconnect(CallFailure::Disconnected);
        (last, _) = next_wait(&mut states).await;
        longest = longest.max(last);
    }
    assert!(longest > Duration::from_secs(2), "the short ones count: {longest:?}");
    assert!(last <= Duration::from_secs(1), "{last:?}");
    task.abort();
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn stop_completes_what_is_under_way_and_ends_the_client() {
    let csms = Csms::default();
    let (server, charger) = (start(&csms).await, Charger::default());
    let (link, task) = run(builder(server.address), charger.clone());
    let peer = link.connected().await.unwrap();
    let clearing = tokio::spawn(server.peers.get("CP1").unwrap().call(ClearCacheRequest::default()));
    charger.begun.notified().await;
    link.stop();
    tokio::task::yield_now().await;
    assert!(peer.is_connected());
    charger.go_on.notify_one();
    assert_eq!(clearing.await.unwrap().unwrap().status, ClearCacheStatus::Accepted);
    task.await.unwrap();
    assert!(matches!(link.state(), LinkState::Stopped) && link.connected().await.is_none());
    assert_eq!(link.call(HeartbeatRequest::default()).await.unwrap_err(), CallFailure::NotSent);
    server.stop().await;

    // While it waits for the next attempt, and before it has begun.
    let hour = Duration::from_secs(3600);
    let address = refusing(vec!["404 Not Found\r\nRetry-After: 3600"]).await;
    let (link, task) = run(builder(address).back_off(BackOff::new(hour, hour)), Charger::default());
    let (_, why) = next_wait(&mut link.states()).await;
    assert_eq!(status(&why), 404);
    let started = Instant::now();
    link.stop();
    task.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
    let client = builder(address).reconnecting(Charger::default()).unwrap();
    client.link().stop();
    client.run().await;
}
