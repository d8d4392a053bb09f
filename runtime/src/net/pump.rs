//! The loop between a WebSocket and a [`Connection`].
//!
//! Transport and handlers run side by side in one task. The transport does not wait for handlers, up to the bounds of
//! [`Config`](crate::session::Config): reading stops when too many CALLs wait for a handler, or too many answers for the
//! peer to take them.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{self, Message};
use tokio::time::Sleep;

use super::clock::Clock;
use super::message_log;
use super::observe::{Direction, Watch};
use super::socket::{Incoming, Socket};
use crate::core::drive::Look;
use crate::session::Received;
use crate::{CallFailure, Connection, Instant};

/// How long a peer may take to answer a Close.
const FAREWELL: Duration = Duration::from_secs(5);

/// How a connection that nothing is heard on is found out. A link whose other end lost its power or its network looks
/// like a silent one, sometimes for hours.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct KeepAlive {
    /// After how much silence a WebSocket ping is sent; `None` never sends one. Default 2 minutes.
    pub ping_after: Option<Duration>,
    /// How long a sign of life may take after a ping, and how long a peer may take to accept a message, before the
    /// connection is dropped. Default 30 s.
    pub patience: Duration,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { ping_after: Some(Duration::from_secs(120)), patience: Duration::from_secs(30) }
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnected {
    /// The peer closed it; the number is RFC 6455's close code (1005: none given, 1006: without a Close).
    #[error("closed by the peer ({0})")]
    Closed(u16),
    /// This side closed it.
    #[error("closed by this side: {0}")]
    Local(CallFailure),
    /// The transport failed: the peer went away without a word, or sent what is no WebSocket frame.
    #[error("{0}")]
    Transport(#[from] Box<tungstenite::Error>),
    /// The peer broke MQTT, or was silent for longer than MQTT allows.
    #[cfg(feature = "mqtt")]
    #[error(transparent)]
    Mqtt(#[from] crate::mqtt::Fault),
    /// The sub-device's session on its gateway's connection ended.
    #[cfg(feature = "alink")]
    #[error(transparent)]
    SubDevice(crate::alink::SubDeviceRefused),
    /// The peer took too long to accept a message.
    #[error("the peer does not read")]
    Stalled,
    /// The peer did not answer a ping: the link is half-open.
    #[error("the peer is silent")]
    Silent,
}

impl From<tungstenite::Error> for Disconnected {
    fn from(error: tungstenite::Error) -> Self {
        Self::Transport(Box::new(error))
    }
}

/// Somebody who wants to know of signs of life, and who is dropped as soon as the connection has ended.
pub(super) trait Witness {
    /// A message came in at that time.
    fn heard(&self, now: Instant);
}

impl Witness for () {
    fn heard(&self, _now: Instant) {}
}

/// Runs a connection to its end; `handlers` is what [`Connection::serve`] returned.
pub(super) async fn run<S: Socket, W: Witness>(
    socket: &mut S,
    connection: &Connection,
    clock: Clock,
    keep_alive: KeepAlive,
    // Borrowed, as is the socket: what an async function is given by value takes room twice in its future.
    mut handlers: Pin<&mut impl Future<Output = ()>>,
    witness: W,
    watch: Option<Box<Watch>>,
) -> Disconnected {
    let mut pump = Pump {
        socket,
        connection,
        clock,
        keep_alive,
        heard: clock.now(),
        pinged: None,
        stuck: None,
        timer: None,
        seen: None,
        witness: Some(witness),
        watch,
    };
    let mut handled = false;
    let ended = poll_fn(|context| {
        connection.begin_turn();
        // One look: if there is more to read, the handlers have something to do already.
        if let Err(ended) = pump.exchange(clock.now(), context) {
            return Poll::Ready(ended);
        }
        handled = handled || handlers.as_mut().poll(context).is_ready();
        // What the handlers answered goes out now, and not with the next wake-up.
        loop {
            if let Err(ended) = pump.work(context) {
                return Poll::Ready(ended);
            }
            if connection.register(context, pump.seen, pump.stuck.is_none()) {
                return Poll::Pending;
            }
        }
    })
    .await;
    // Calls fail, and the directory forgets the peer, before the farewell and the last handler, which may take their
    // time.
    connection.end(CallFailure::Disconnected);
    pump.witness = None;
    let farewell = async {
        let _ = tokio::time::timeout(FAREWELL, pump.farewell(&ended)).await;
    };
    let last_handler = async {
        if !handled {
            tokio::select! {
                () = handlers => {}
                never = keep_time(connection, clock) => match never {},
            }
        }
    };
    // In a box, so that a connection that stands has no room for its end.
    Box::pin(futures_util::future::join(farewell, last_handler)).await;
    ended
}

/// Ends what takes too long after the connection has ended: a handler that hangs.
async fn keep_time(connection: &Connection, clock: Clock) -> Infallible {
    loop {
        let deadline = connection.poll_deadline();
        tokio::select! {
            () = connection.deadline_before(deadline) => {}
            () = clock.sleep_until(deadline.unwrap_or_default()), if deadline.is_some() => {
                connection.handle_timeout(clock.now());
            }
        }
    }
}

struct Pump<'c, S, W> {
    socket: &'c mut S,
    connection: &'c Connection,
    clock: Clock,
    keep_alive: KeepAlive,
    /// When the last bytes came.
    heard: Instant,
    /// When a ping was sent that nothing followed yet.
    pinged: Option<Instant>,
    /// Since when the peer has not accepted what is queued.
    stuck: Option<Instant>,
    timer: Option<Timer>,
    /// The connection's own deadline, when it was looked at last.
    seen: Option<Instant>,
    witness: Option<W>,
    watch: Option<Box<Watch>>,
}

/// It may ring too early, never too late: a deadline that moves away is not worth a visit to the timer wheel.
struct Timer {
    at: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl<S: Socket, W: Witness> Pump<'_, S, W> {
    /// Does what can be done now.
    fn work(&mut self, context: &mut Context<'_>) -> Result<(), Disconnected> {
        loop {
            let now = self.clock.now();
            if !self.exchange(now, context)? && !self.pass_time(now, context)? {
                return Ok(());
            }
        }
    }

    /// Sends what there is, and reads once; whether something was read.
    fn exchange(&mut self, now: Instant, context: &mut Context<'_>) -> Result<bool, Disconnected> {
        self.send(now, context)?;
        let Look { ended, is_done, wants_input, deadline } = self.connection.look();
        if let Some(failure) = ended {
            return Err(Disconnected::Local(failure));
        }
        if self.stuck.is_none() && is_done {
            return Err(Disconnected::Local(CallFailure::ShuttingDown));
        }
        self.seen = deadline;
        Ok(wants_input && self.read(now, context)?)
    }

    fn send(&mut self, now: Instant, context: &mut Context<'_>) -> Result<(), Disconnected> {
        while self.socket.poll_flush(context)?.is_ready() {
            self.stuck = None;
            let Some(frame) = self.connection.poll_transmit(now) else { return Ok(()) };
            let peer = self.connection.peer();
            message_log::sent(peer, &frame);
            if let Some(watch) = &mut self.watch {
                watch.see(peer, Direction::Sent, &frame, now);
            }
            self.socket.queue_text(frame)?;
        }
        self.stuck.get_or_insert(now);
        Ok(())
    }

    /// Whether something was read.
    fn read(&mut self, now: Instant, context: &mut Context<'_>) -> Result<bool, Disconnected> {
        let (connection, witness, watch) = (self.connection, &self.witness, &mut self.watch);
        let mut take = |incoming: Incoming<'_>| {
            match incoming {
                Incoming::Text(text) => {
                    message_log::received(connection.peer(), text);
                    if let Some(watch) = watch {
                        watch.see(connection.peer(), Direction::Received, text, now);
                    }
                    witness.iter().for_each(|witness| witness.heard(now));
                    note(connection, connection.receive(text, now));
                }
                Incoming::Binary => tracing::warn!("ignored a binary message"),
                Incoming::Control => {}
            }
            connection.wants_input()
        };
        if self.socket.poll_read(context, &mut take)?.is_pending() {
            return Ok(false);
        }
        (self.heard, self.pinged) = (now, None);
        Ok(true)
    }

    /// Looks after everything that has a deadline; `true` if something was done about one.
    fn pass_time(&mut self, now: Instant, context: &mut Context<'_>) -> Result<bool, Disconnected> {
        let KeepAlive { ping_after, patience } = self.keep_alive;
        if self.stuck.is_some_and(|since| since + patience <= now) {
            return Err(Disconnected::Stalled);
        }
        if self.pinged.is_some_and(|at| at + patience <= now) {
            return Err(Disconnected::Silent);
        }
        if self.seen.is_some_and(|deadline| deadline <= now) {
            self.connection.handle_timeout(now);
            return Ok(true);
        }
        let ping_at = ping_after.filter(|_| self.pinged.is_none()).map(|silence| self.heard + silence);
        if ping_at.is_some_and(|at| at <= now) && self.stuck.is_none() {
            self.socket.queue(Message::Ping(tungstenite::Bytes::new()))?;
            self.pinged = Some(now);
            return Ok(true);
        }
        let deadlines = [
            self.seen,
            self.stuck.map(|since| since + patience),
            self.pinged.map(|at| at + patience),
            ping_at.filter(|_| self.stuck.is_none()),
        ];
        let Some(next) = deadlines.into_iter().flatten().min() else { return Ok(false) };
        let clock = self.clock;
        let timer = self.timer.get_or_insert_with(|| Timer { at: next, sleep: Box::pin(clock.sleep_until(next)) });
        if next < timer.at || timer.sleep.is_elapsed() {
            timer.at = next;
            timer.sleep.as_mut().reset(clock.tokio(next));
        }
        Ok(timer.sleep.as_mut().poll(context).is_ready())
    }

    /// Says goodbye, or completes the peer's goodbye.
    async fn farewell(&mut self, ended: &Disconnected) {
        let close = match ended {
            Disconnected::Local(CallFailure::ShuttingDown) => Some(S::LEAVING),
            Disconnected::Local(_) => Some(CloseCode::Normal),
            Disconnected::Transport(error) => close_code(error),
            Disconnected::Closed(_) | Disconnected::Stalled | Disconnected::Silent => None,
            #[cfg(feature = "mqtt")]
            Disconnected::Mqtt(_) => None,
            #[cfg(feature = "alink")]
            Disconnected::SubDevice(_) => None,
        };
        if matches!(ended, Disconnected::Stalled) {
            return;
        }
        // What was answered already is sent before.
        let sent = poll_fn(|context| self.socket.poll_flush(context)).await.is_ok();
        if let Some(code) = close.filter(|_| sent) {
            let frame = CloseFrame { code, reason: "".into() };
            let queued = self.socket.queue(Message::Close(Some(frame)));
            if queued.is_err() || poll_fn(|context| self.socket.poll_flush(context)).await.is_err() {
                return;
            }
            // The peer's answer, after what it had sent before it saw ours.
            while poll_fn(|context| self.socket.poll_read(context, &mut |_| true)).await.is_ok() {}
        }
        poll_fn(|context| self.socket.poll_shutdown(context)).await;
    }
}

/// What a peer is told that breaks RFC 6455 or a limit; `None` if it is gone.
fn close_code(error: &tungstenite::Error) -> Option<CloseCode> {
    match error {
        tungstenite::Error::Capacity(_) => Some(CloseCode::Size),
        tungstenite::Error::Utf8(_) => Some(CloseCode::Invalid),
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => None,
        tungstenite::Error::Protocol(_) => Some(CloseCode::Protocol),
        _ => None,
    }
}

fn note(connection: &Connection, received: Received) {
    let identity = connection.peer().identity();
    match received {
        Received::Call | Received::Answer(_) => {}
        Received::Repeated => tracing::debug!(identity, "a repeated CALL that is not answered yet"),
        Received::AnsweredAgain => tracing::debug!(identity, "a repeated CALL, answered again"),
        Received::AnswerRefused { id, error } => {
            tracing::warn!(identity, %id, %error, "the peer could not read an answer");
        }
        Received::Late => tracing::debug!(identity, "an answer to no outstanding call"),
        Received::Refused(error) => tracing::warn!(identity, %error, "refused a message"),
        Received::Ignored(reason) => tracing::warn!(identity, reason, "ignored a message"),
    }
}
