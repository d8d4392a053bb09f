//! The handle of a client that reconnects: how it stands, and calls that wait for a connection.

use std::fmt;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, watch};
use tokio::time::Instant;

use super::ConnectError;
use crate::net::Disconnected;
use crate::{CallFailure, Peer, Request};

/// How a [`Reconnecting`](super::Reconnecting) client stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LinkState {
    /// A connection is being opened, or [`Reconnecting::run`](super::Reconnecting::run) has not begun.
    Connecting,
    /// The connection stands.
    Connected(Peer),
    /// There is no connection, and the next attempt comes later.
    Waiting {
        /// When.
        until: Instant,
        /// Why.
        why: Setback,
    },
    /// It was told to stop, or its future was dropped: there will be no other connection.
    Stopped,
}

/// Why there is no connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Setback {
    /// It could not be opened.
    NotOpened(Arc<ConnectError>),
    /// It ended; `None` while a handler of it still runs.
    Ended(Option<Arc<Disconnected>>),
}

impl fmt::Display for Setback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpened(error) => error.fmt(f),
            Self::Ended(Some(ended)) => ended.fmt(f),
            Self::Ended(None) => f.write_str("the connection ended"),
        }
    }
}

/// What becomes of a call while there is no connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhileOffline {
    /// It fails with [`CallFailure::NotSent`].
    Fail,
    /// It waits for a connection, as long as it takes.
    #[default]
    Wait,
    /// It waits so long to be sent, for a connection and behind other calls, and fails with [`CallFailure::NotSent`] then.
    WaitFor(Duration),
}

/// The handle of a [`Reconnecting`](super::Reconnecting) client; clones are handles of the same.
#[derive(Debug, Clone)]
pub struct Link {
    state: watch::Receiver<LinkState>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    stop: watch::Sender<bool>,
    while_offline: WhileOffline,
    /// One for each call that waits or is under way.
    places: Semaphore,
    /// Held by the call that is next to be sent, until it is: first come, first served. How many are unanswered then is the
    /// session's business ([`Config::outstanding`](crate::session::Config::outstanding)).
    turn: Mutex<()>,
}

impl Link {
    pub(super) fn new(state: watch::Receiver<LinkState>, while_offline: WhileOffline, places: usize) -> Self {
        let places = Semaphore::new(places.min(Semaphore::MAX_PERMITS));
        let shared = Shared { stop: watch::Sender::new(false), while_offline, places, turn: Mutex::default() };
        Self { state, shared: Arc::new(shared) }
    }

    /// How it stands now.
    pub fn state(&self) -> LinkState {
        self.state.borrow().clone()
    }

    /// How it stands, to be watched. A short state may be missed.
    pub fn states(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// Waits for a connection; at once if it stands. `None` if there will be no other one.
    pub async fn connected(&self) -> Option<Peer> {
        other_than(&mut self.state.clone(), None).await
    }

    /// Calls the server: on the connection that stands, or as
    /// [`ClientBuilder::while_offline`](super::ClientBuilder::while_offline) says on the next one.
    ///
    /// Calls of a link are sent in the order in which they began, as many before an answer as
    /// [`Config::outstanding`](crate::session::Config::outstanding) allows: one in OCPP, four of an Alink device unless it is
    /// configured otherwise. A call whose connection ends before it was sent goes first on the next connection; one that was
    /// sent is never repeated by itself. Dropping the future takes the call back if it was not sent yet.
    ///
    /// # Errors
    /// [`CallFailure`]. After [`CallFailure::NotSent`] and [`CallFailure::QueueFull`] the server knows nothing of the
    /// call. After [`CallFailure::Timeout`], [`CallFailure::Disconnected`] and [`CallFailure::Replaced`] it may have
    /// acted on it: whoever repeats it must bear that it was done twice.
    pub async fn call<R: Request + Clone>(&self, request: R) -> Result<R::Response, CallFailure> {
        self.call_with(request, self.shared.while_offline).await
    }

    /// [`Link::call`], for which something else holds while there is no connection.
    ///
    /// # Errors
    /// As [`Link::call`].
    pub async fn call_with<R: Request + Clone>(
        &self,
        request: R,
        while_offline: WhileOffline,
    ) -> Result<R::Response, CallFailure> {
        let _place = self.shared.places.try_acquire().map_err(|_| CallFailure::QueueFull)?;
        let mut gives_up = pin!(self.gives_up(while_offline));
        // Who gives up at once has the first word, or a turn would be waited for in vain.
        let turn = tokio::select! {
            biased;
            () = &mut gives_up => return Err(CallFailure::NotSent),
            turn = self.shared.turn.lock() => turn,
        };
        let mut state = self.state.clone();
        let mut ended = None;
        loop {
            let peer = tokio::select! {
                biased;
                () = &mut gives_up => return Err(CallFailure::NotSent),
                peer = other_than(&mut state, ended.as_ref()) => peer.ok_or(CallFailure::NotSent)?,
            };
            let mut call = peer.call(request.clone());
            let was_sent = tokio::select! {
                biased;
                was_sent = call.sent() => was_sent,
                // Withdrawn in vain, it was sent or has ended at this very moment.
                () = &mut gives_up => match call.withdraw() {
                    true => return Err(CallFailure::NotSent),
                    false => call.sent().await,
                },
            };
            if was_sent {
                // The next one need not wait for this answer.
                drop(turn);
                return call.await;
            }
            match call.await {
                Err(CallFailure::NotSent | CallFailure::ShuttingDown) if while_offline == WhileOffline::Fail => {
                    return Err(CallFailure::NotSent);
                }
                Err(CallFailure::NotSent | CallFailure::ShuttingDown) => ended = Some(peer),
                failed => return failed,
            }
        }
    }

    /// Ends the connection without loss, as [`Peer::close`] does, and opens no other one. To end at once, drop
    /// [`Reconnecting::run`](super::Reconnecting::run)'s future.
    pub fn stop(&self) {
        self.shared.stop.send_replace(true);
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.shared.stop.borrow()
    }

    /// Waits until it is told to stop.
    pub(super) async fn stopped(&self) {
        if self.shared.stop.subscribe().wait_for(|stop| *stop).await.is_err() {
            // Never: the sender is held here.
            pending::<()>().await;
        }
    }

    /// Ready when a call should no longer wait.
    async fn gives_up(&self, while_offline: WhileOffline) {
        match while_offline {
            WhileOffline::Wait => pending().await,
            WhileOffline::WaitFor(time) => tokio::time::sleep(time).await,
            WhileOffline::Fail => {
                // An error says that there will be no other state: offline, too.
                let _ = self.state.clone().wait_for(|state| state.peer().is_none()).await;
            }
        }
    }
}

impl LinkState {
    /// The server, while it is connected.
    fn peer(&self) -> Option<&Peer> {
        match self {
            Self::Connected(peer) if peer.is_connected() => Some(peer),
            _ => None,
        }
    }
}

/// Waits for a connection, but not for the one that is known to have ended.
async fn other_than(state: &mut watch::Receiver<LinkState>, ended: Option<&Peer>) -> Option<Peer> {
    let is_new = |peer: &Peer| !ended.is_some_and(|ended| ended.is_same_connection(peer));
    let found = state.wait_for(|state| matches!(state, LinkState::Stopped) || state.peer().is_some_and(is_new)).await;
    found.ok()?.peer().cloned()
}
