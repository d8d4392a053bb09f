//! A client that connects as often as it has to.

use std::convert::Infallible;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::tokio::TokioAdapter;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::builder::ClientBuilder;
use super::open::open;
use super::settings::Settings;
use super::stream::Stream;
use super::{BackOff, ConnectError, Link, LinkState, Setback, WhileOffline};
use crate::net::clock::Clock;
use crate::net::observe::Watch;
use crate::net::opened::Opened;
use crate::net::pump::{self, Witness};
use crate::net::socket::Socket;
use crate::net::{Disconnected, KeepAlive, Observe, random_first_id};
use crate::session::Config;
use crate::{Connection, Dialect, Peer, Router};

/// How long the end of a connection is waited for before the next one is thought of: so long it takes to know why it ended
/// if no handler runs.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A longer wait is none; tokio's clock has an end.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A client that opens another connection when one could not be opened or has ended, for ever, whatever the reason:
/// also after 404 and 401, since somebody may enter the charge point or its password at the server (OCPP-J 1.6 errata §3.3).
///
/// ```no_run
/// use onwire::net::{BackOff, Client};
/// use onwire::ocpp::v16::*;
/// # use std::time::Duration;
///
/// # struct Charger;
/// # #[onwire::handlers(ocpp::v16, role = ChargePoint)]
/// # impl Charger {
/// #     #[on(ClearCache)]
/// #     fn clear_cache(&self) -> ClearCacheResponse { ClearCacheResponse::new(ClearCacheStatus::Rejected) }
/// # }
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let back_off = BackOff::new(Duration::from_secs(5), Duration::from_secs(600));
/// let client = Client::builder("ws://127.0.0.1:8080/ocpp/CP1").back_off(back_off).reconnecting(Charger)?;
/// let link = client.link();
/// tokio::spawn(client.run());
/// // Waits until the server can be reached.
/// let boot = link.call(BootNotificationRequest::new("Example", "Model 1")).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Reconnecting is not rebooting
/// After a reconnect a charge point sends no BootNotification, unless something in it has changed (OCPP-J 1.6 §5.4): the
/// server knows it by its identity. So send it once after the program has started, until it is accepted, and on
/// [`LinkState::Connected`] only what changed in between: StatusNotification, transaction messages that wait.
///
/// Nothing is kept of an ended connection: calls on its [`Peer`](crate::Peer) fail, and answers to its CALLs are lost. Calls
/// of the [`Link`] wait for the next one. A handler that still runs is completed meanwhile.
#[derive(Debug)]
pub struct Reconnecting<R> {
    runner: Runner<R, Settings>,
}

/// How one connection is opened, whatever it is made of.
pub(in crate::net) trait Open {
    /// What is driven then.
    type Socket: Socket;

    /// Opens it.
    async fn open(&self, dialect: &'static Dialect) -> Result<Self::Socket, ConnectError>;

    /// The server, for people.
    fn server(&self) -> &str;

    /// What the session tolerates and holds.
    fn session(&self) -> &Config;

    /// How it is found out when it is dead.
    fn keep_alive(&self) -> KeepAlive;

    /// Who is shown every message.
    fn observe(&self) -> Option<Arc<dyn Observe>>;
}

impl Open for Settings {
    type Socket = Opened<TokioAdapter<Stream>>;

    async fn open(&self, dialect: &'static Dialect) -> Result<Self::Socket, ConnectError> {
        Ok(Opened::new(open(self, dialect.subprotocols).await?))
    }

    fn server(&self) -> &str {
        self.address.host_and_port()
    }

    fn session(&self) -> &Config {
        &self.config
    }

    fn keep_alive(&self) -> KeepAlive {
        self.keep_alive
    }

    fn observe(&self) -> Option<Arc<dyn Observe>> {
        self.observe.clone()
    }
}

/// One connection after the other, each opened by `O`.
#[derive(Debug)]
pub(in crate::net) struct Runner<R, O> {
    settings: O,
    back_off: BackOff,
    router: R,
    link: Link,
    state: State,
}

/// Tells how the client stands, and at the end that it is the end.
#[derive(Debug)]
struct State(watch::Sender<LinkState>);

impl State {
    fn set(&self, state: LinkState) {
        self.0.send_replace(state);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.set(LinkState::Stopped);
    }
}

impl<R: Router> Reconnecting<R> {
    pub(super) fn new(builder: ClientBuilder, router: R) -> Result<Self, ConnectError> {
        let settings = builder.settings()?;
        let runner = Runner::new(settings, builder.back_off, builder.while_offline, builder.waiting_calls, router);
        Ok(Self { runner })
    }

    /// The handle to watch it and to call through.
    pub fn link(&self) -> Link {
        self.runner.link()
    }

    /// Connects, again and again, until [`Link::stop`]; then until the last connection and its handlers have ended.
    pub async fn run(self) {
        self.runner.run().await;
    }
}

impl<R: Router, O: Open> Runner<R, O> {
    /// A runner whose link holds so many calls.
    pub(in crate::net) fn new(
        settings: O,
        back_off: BackOff,
        while_offline: WhileOffline,
        waiting_calls: usize,
        router: R,
    ) -> Self {
        let (state, states) = watch::channel(LinkState::Connecting);
        let link = Link::new(states, while_offline, waiting_calls);
        Self { settings, back_off, router, link, state: State(state) }
    }

    pub(in crate::net) fn link(&self) -> Link {
        self.link.clone()
    }

    pub(in crate::net) async fn run(self) {
        let Self { settings, back_off, router, link, state } = self;
        // Connections that have ended while a handler runs.
        let mut ending = FuturesUnordered::new();
        let mut failures = 0;
        loop {
            state.set(LinkState::Connecting);
            let opening = unless_stopped(&link, settings.open(R::DIALECT));
            let Some(opened) = beside(&mut ending, opening).await else { break };
            let (why, retry_after) = match opened {
                Err(error) => {
                    let retry_after = error.retry_after();
                    (Setback::NotOpened(Arc::new(error)), retry_after)
                }
                Ok(socket) => {
                    let since = Instant::now();
                    let config = Config { first_id: random_first_id(), ..settings.session().clone() };
                    let connection = Connection::new(settings.server(), R::DIALECT, config);
                    let peer = connection.peer().clone();
                    let (witness, lost) = oneshot::channel();
                    // Boxed, so that it can be put aside; of its own type, so that it stays `Send` if it is.
                    let mut run = Box::pin(run_one(socket, connection, &router, &settings, Lost(witness)));
                    tracing::info!(server = peer.identity(), "connected");
                    state.set(LinkState::Connected(peer.clone()));
                    let ended = beside(&mut ending, end_of(run.as_mut(), lost, &link, &peer)).await;
                    if ended.is_none() {
                        ending.push(run);
                    }
                    if since.elapsed() >= back_off.stable_after {
                        failures = 0;
                    }
                    (Setback::Ended(ended.map(Arc::new)), None)
                }
            };
            if link.is_stopped() {
                break;
            }
            let random = RandomState::new().hash_one(());
            let wait = back_off.wait(failures, retry_after, random).min(LONGEST);
            failures = failures.saturating_add(1);
            let until = Instant::now() + wait;
            tracing::info!(server = settings.server(), %why, ?wait, "not connected");
            state.set(LinkState::Waiting { until, why });
            if beside(&mut ending, unless_stopped(&link, sleep_until(until))).await.is_none() {
                break;
            }
        }
        state.set(LinkState::Stopped);
        while ending.next().await.is_some() {}
    }
}

/// `None` if the client is told to stop first.
async fn unless_stopped<T>(link: &Link, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = link.stopped() => None,
        done = work => Some(done),
    }
}

/// Does `work` while others come to their end.
async fn beside<T, F: Future>(others: &mut FuturesUnordered<F>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(_) = others.next() => {}
        }
    }
}

/// One connection and its handlers, to their end.
async fn run_one<R: Router, O: Open>(
    mut socket: O::Socket,
    connection: Connection,
    router: &R,
    settings: &O,
    witness: Lost,
) -> Disconnected {
    let watch = settings.observe().map(Watch::new);
    let handlers = pin!(connection.serve(router));
    pump::run(&mut socket, &connection, Clock::start(), settings.keep_alive(), handlers, witness, watch).await
}

/// Waits for the end of a connection, or ends it when the client is told to stop. `None` if a handler outlives it.
async fn end_of(
    mut run: Pin<&mut impl Future<Output = Disconnected>>,
    lost: oneshot::Receiver<Infallible>,
    link: &Link,
    peer: &Peer,
) -> Option<Disconnected> {
    tokio::select! {
        biased;
        ended = &mut run => Some(ended),
        _ = lost => timeout(LAST_WORDS, run).await.ok(),
        () = link.stopped() => {
            peer.close();
            Some(run.await)
        }
    }
}

/// The pump drops it when the connection has ended, before the last handler has.
struct Lost(#[allow(dead_code, reason = "only dropping it says something")] oneshot::Sender<Infallible>);

impl Witness for Lost {
    type Aftermath = ();

    fn heard(&self, _now: crate::Instant) {}

    fn ended(self) {}
}
