//! Who is connected.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use super::pump::{Aftermath, Witness};
use crate::types::DateTime;
use crate::{CallFailure, Instant, Peer};
use tokio::sync::{Semaphore, broadcast};

/// How many connections of one identity may take each other's place within [`REPLACEMENT_WINDOW`].
const REPLACEMENTS: usize = 3;

/// Two chargers with one identity replace each other for ever; one charger with a bad network does so now and then.
const REPLACEMENT_WINDOW: Duration = Duration::from_secs(60);

/// How many events wait for a slow watcher before it loses the oldest.
const EVENTS: usize = 1024;

/// The connected peers by identity; clones are handles of the same directory.
#[derive(Debug, Clone)]
pub struct Peers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    entries: Mutex<HashMap<Arc<str>, Entry>>,
    events: broadcast::Sender<PeerEvent>,
}

#[derive(Debug)]
struct Entry {
    peer: Peer,
    info: Arc<Info>,
    /// When connections of this identity took an older one's place, the latest ones.
    replaced: Vec<tokio::time::Instant>,
}

/// What is known of a connection. It lives beside the connection's future, which would keep it twice.
#[derive(Debug)]
pub(super) struct Info {
    since: DateTime,
    remote: Option<SocketAddr>,
    clock: Clock,
    /// Milliseconds of that clock.
    last_message: AtomicU64,
    /// Which of its dialect's subprotocols was agreed on, if it is one of them.
    spelling: Option<u8>,
    /// Over whose connection it is reached.
    gateway: Option<Arc<str>>,
    /// Closed when the connection has ended and what had come on it is handled.
    settled: Semaphore,
}

impl Info {
    /// Of a connection that begins now.
    pub(super) fn new(remote: Option<SocketAddr>, spelling: Option<u8>, clock: Clock) -> Self {
        let last_message = AtomicU64::new(clock.now().as_millis());
        let settled = Semaphore::const_new(0);
        Self { since: DateTime::now(), remote, clock, last_message, spelling, gateway: None, settled }
    }

    /// One that is reached over another's connection.
    #[cfg(feature = "alink")]
    pub(super) fn through(self, gateway: Arc<str>) -> Self {
        Self { gateway: Some(gateway), ..self }
    }

    fn last_message(&self) -> DateTime {
        let ago = self.clock.now().as_millis().saturating_sub(self.last_message.load(Ordering::Relaxed));
        let now = DateTime::now().unix_millis();
        DateTime::from_unix_millis(now.saturating_sub_unsigned(ago)).max(self.since)
    }
}

/// A connected peer, as [`Peers::list`] shows it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectedPeer {
    /// Its handle.
    pub peer: Peer,
    /// When it connected.
    pub since: DateTime,
    /// When its last message came in; the time of the connection before the first one.
    pub last_message: DateTime,
    /// Where the connection comes from, if the server knows it.
    pub remote: Option<SocketAddr>,
    /// The WebSocket subprotocol that was agreed on, as the peer spells it: one of its dialect's
    /// [`subprotocols`](crate::Dialect::subprotocols). `None` if it offered none, or one that only the server's own
    /// [`Versions`](super::Versions) know, and of peers that speak without WebSocket.
    pub subprotocol: Option<&'static str>,
    /// The identity of the gateway over whose connection it is reached, if it is a sub-device.
    pub gateway: Option<Arc<str>>,
}

/// Something that happened to a peer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PeerEvent {
    /// It connected.
    Connected(Peer),
    /// Its connection ended, and no newer one of its identity has taken the place.
    Disconnected(Peer),
    /// It connected while an older connection of its identity stood; that one ends.
    Replaced(Peer),
    /// Another connection of this identity was refused: three had replaced each other within a minute. Two chargers
    /// have the same identity, or one keeps opening connections.
    HeldBack(Arc<str>),
}

/// What happens to peers from now on.
#[derive(Debug)]
pub struct PeerEvents(broadcast::Receiver<PeerEvent>);

impl PeerEvents {
    /// The next event; `None` when the server is gone. Who falls behind by more than 1,024 events loses the oldest, and
    /// should look at [`Peers::list`] again, as it is told by `Some(Err(how many))`.
    pub async fn next(&mut self) -> Option<Result<PeerEvent, u64>> {
        match self.0.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(broadcast::error::RecvError::Lagged(lost)) => Some(Err(lost)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl Default for Peers {
    fn default() -> Self {
        Self(Arc::new(Shared { entries: Mutex::default(), events: broadcast::channel(EVENTS).0 }))
    }
}

impl Peers {
    /// The peer of that identity, if it is connected.
    pub fn get(&self, identity: &str) -> Option<Peer> {
        self.with(|peers| peers.get(identity).map(|entry| entry.peer.clone()))
    }

    /// The peer of that identity, if it is connected, with what is known of its connection.
    pub fn find(&self, identity: &str) -> Option<ConnectedPeer> {
        self.with(|peers| peers.get(identity).map(Entry::connected))
    }

    /// Every connected peer, in no order.
    pub fn list(&self) -> Vec<ConnectedPeer> {
        self.with(|peers| peers.values().map(Entry::connected).collect())
    }

    /// How many are connected.
    pub fn len(&self) -> usize {
        self.with(|peers| peers.len())
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What happens from now on.
    pub fn events(&self) -> PeerEvents {
        PeerEvents(self.0.events.subscribe())
    }

    /// Whether another connection of that identity may be opened. If not, how long it has to wait.
    ///
    /// # Errors
    /// The time until it may, after three replacements within a minute.
    pub(super) fn admit(&self, identity: &str) -> Result<(), Duration> {
        let now = tokio::time::Instant::now();
        let wait = self.with(|peers| {
            let replaced = &peers.get(identity)?.replaced;
            let first = *replaced.get(replaced.len().checked_sub(REPLACEMENTS)?)?;
            REPLACEMENT_WINDOW.checked_sub(now.duration_since(first))
        });
        let Some(wait) = wait else { return Ok(()) };
        tracing::warn!(identity, "held back: its connections replace each other");
        self.tell(PeerEvent::HeldBack(identity.into()));
        Err(wait)
    }

    /// Enters a new connection. An older one of the same identity is half-open most of the time (the charger lost its
    /// network and came back), so that the newer one takes its place.
    pub(super) fn enter(&self, peer: &Peer, info: Arc<Info>) -> Presence {
        let older = self.with(|peers| {
            let entry = Entry { peer: peer.clone(), info: Arc::clone(&info), replaced: Vec::new() };
            let older = peers.insert(peer.identity().into(), entry)?;
            if let Some(entry) = peers.get_mut(peer.identity()) {
                entry.replaced = older.replaced;
                let kept = entry.replaced.len().saturating_sub(REPLACEMENTS - 1);
                entry.replaced.drain(..kept);
                entry.replaced.push(tokio::time::Instant::now());
            }
            Some((older.peer, older.info))
        });
        let older = match older {
            Some((older, info)) => {
                older.disconnect(CallFailure::Replaced);
                self.tell(PeerEvent::Replaced(peer.clone()));
                Some(Older(info))
            }
            None => {
                self.tell(PeerEvent::Connected(peer.clone()));
                None
            }
        };
        Presence { entry: Some(Entered { peers: self.clone(), peer: peer.clone(), info }), older }
    }

    fn tell(&self, event: PeerEvent) {
        // Nobody has to watch.
        let _ = self.0.events.send(event);
    }

    fn with<T>(&self, access: impl FnOnce(&mut HashMap<Arc<str>, Entry>) -> T) -> T {
        access(&mut self.0.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Entry {
    fn connected(&self) -> ConnectedPeer {
        ConnectedPeer {
            peer: self.peer.clone(),
            since: self.info.since,
            last_message: self.info.last_message(),
            remote: self.info.remote,
            subprotocol: self
                .info
                .spelling
                .and_then(|spelling| self.peer.dialect().subprotocols.get(usize::from(spelling)).copied()),
            gateway: self.info.gateway.clone(),
        }
    }
}

/// How long the first message of a connection waits for what came on the one whose place it has taken.
const SETTLING: Duration = Duration::from_secs(30);

/// The connection that a newer one has taken the place of.
#[derive(Clone)]
pub(super) struct Older(Arc<Info>);

impl Older {
    /// Waits until what had come on it is handled, so that a peer's messages are handled in their order across its
    /// connections; 30 s at the most.
    pub(super) async fn settled(older: Option<Self>) {
        if let Some(Self(info)) = older {
            // In a box: most connections never wait. It is closed and never gives a permit.
            let _ = Box::pin(tokio::time::timeout(SETTLING, info.settled.acquire())).await;
        }
    }
}

/// A connection's entry in the directory; dropping it, however the connection's future ends, takes it out.
pub(super) struct Presence {
    entry: Option<Entered>,
    older: Option<Older>,
}

struct Entered {
    peers: Peers,
    peer: Peer,
    info: Arc<Info>,
}

impl Presence {
    /// The connection whose place it has taken, once.
    pub(super) fn older(&mut self) -> Option<Older> {
        self.older.take()
    }
}

impl Witness for Presence {
    type Aftermath = Settling;

    fn heard(&self, now: Instant) {
        // The pump's time: the system's clock is not asked for every message.
        if let Some(entry) = &self.entry {
            entry.info.last_message.store(now.as_millis(), Ordering::Relaxed);
        }
    }

    fn ended(mut self) -> Settling {
        Settling(self.entry.take().map(Entered::leave))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Nothing is handled any more.
        drop(Settling(self.entry.take().map(Entered::leave)));
    }
}

impl Entered {
    fn leave(self) -> Arc<Info> {
        self.peers.with(|peers| {
            // Unless another connection has taken its place.
            if peers.get(self.peer.identity()).is_some_and(|current| current.peer.is_same_connection(&self.peer)) {
                peers.remove(self.peer.identity());
                // Within the lock: whoever finds the directory empty has been told of everybody.
                self.peers.tell(PeerEvent::Disconnected(self.peer.clone()));
            }
        });
        self.info
    }
}

/// A connection that has ended and handles what had come before; dropping it says that it handles no more.
pub(super) struct Settling(Option<Arc<Info>>);

impl Aftermath for Settling {
    fn settled(&self) {
        if let Some(info) = &self.0 {
            info.settled.close();
        }
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        self.settled();
    }
}
