//! The loop between a WebSocket and a [`Connection`].
//!
//! Transport and handlers run side by side in one task. The transport does not wait for handlers, up to the bounds of
//! [`Config`](crate::session::Config): reading stops when too many CALLs wait for a handler, or too many answers for the
//! peer to take them.

use std::convert::Infallible;
use std::fmt;
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

/// How long nothing may have come from a peer's older connection until it counts as empty. A peer that sends several small
/// messages at once sends the second only after our system has confirmed the first (Nagle), for which Linux takes 40 ms.
const CATCH_UP: Duration = Duration::from_millis(100);

/// How long what had come before the end is read on, while handlers make room for it.
const READ_ON: Duration = Duration::from_secs(30);

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
    /// How long the silence of a peer may last that has not answered a ping on this connection: some implementations never
    /// do, and owe nobody a pong. It is not less than what the two others allow. `None`: these alone count. Default `None`.
    pub silence: Option<Duration>,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { ping_after: Some(Duration::from_secs(120)), patience: Duration::from_secs(30), silence: None }
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnected {
    /// The peer closed it.
    #[error("closed by the peer ({0})")]
    Closed(Goodbye),
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

/// What the peer said as it closed the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Goodbye {
    /// RFC 6455's close code; 1005: none given, 1006: without a Close.
    pub code: u16,
    /// Why, in the peer's words; empty if it did not say.
    pub reason: Box<str>,
}

impl From<u16> for Goodbye {
    fn from(code: u16) -> Self {
        Self { code, reason: Box::default() }
    }
}

impl From<CloseFrame> for Goodbye {
    fn from(frame: CloseFrame) -> Self {
        Self { code: frame.code.into(), reason: frame.reason.as_str().into() }
    }
}

impl fmt::Display for Goodbye {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.reason {
            "" => write!(f, "{}", self.code),
            // The peer's words may hold anything.
            reason => write!(f, "{}, {reason:?}", self.code),
        }
    }
}

impl From<tungstenite::Error> for Disconnected {
    fn from(error: tungstenite::Error) -> Self {
        Self::Transport(Box::new(error))
    }
}

/// Somebody who wants to know of signs of life, and of the end.
pub(super) trait Witness {
    /// Who wants to know what follows the end.
    type Aftermath: Aftermath;

    /// A message came in at that time.
    fn heard(&self, now: Instant);

    /// The connection has ended: calls fail. What had come before is still handled.
    fn ended(self) -> Self::Aftermath;
}

/// Somebody who wants to know what follows the end of a connection. It is dropped when everything is over.
pub(super) trait Aftermath {
    /// What had come before the end has been handled.
    fn settled(&self) {}

    /// Nothing more is read. It may be told twice.
    fn read_out(&self) {}
}

impl Witness for () {
    type Aftermath = ();

    fn heard(&self, _now: Instant) {}

    fn ended(self) {}
}

impl Aftermath for () {}

/// How long a peer that never pauses is read on when this side wants to end without loss, before the goodbye and after it:
/// together less than a server's grace.
const CLOSING: Duration = Duration::from_secs(4);

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
    connection.linger();
    let mut pump = Pump {
        socket,
        connection,
        clock,
        keep_alive,
        heard: clock.now(),
        pinged: None,
        was_pinged: false,
        answers_pings: false,
        stuck: None,
        timer: None,
        seen: None,
        closing: None,
        is_read_out: false,
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
    // In a box, so that a connection that stands has no room for its end.
    Box::pin(wind_down(pump, handlers, handled, &ended)).await;
    ended
}

/// After the end: what had come before it is handled, and the peer is told goodbye.
async fn wind_down<S: Socket, W: Witness>(
    mut pump: Pump<'_, S, W>,
    handlers: Pin<&mut impl Future<Output = ()>>,
    handled: bool,
    ended: &Disconnected,
) {
    let (connection, clock) = (pump.connection, pump.clock);
    // Calls fail, and the directory forgets the peer, before the farewell and the last handler, which may take their
    // time.
    connection.peer().disconnect(CallFailure::Disconnected);
    let aftermath = pump.witness.take().map(Witness::ended);
    let (caught_up, is_caught_up) = tokio::sync::oneshot::channel();
    let farewell = async {
        let read_on = async {
            // What is there already, and comes before the first message of a newer connection. A peer that does not read
            // gets no more work done; what cannot be kept is not read.
            if !matches!(ended, Disconnected::Stalled) && !connection.is_given_up() {
                let is_replaced = matches!(ended, Disconnected::Local(CallFailure::Replaced));
                pump.read_on(is_replaced.then_some(CATCH_UP)).await;
            }
            let _ = caught_up.send(());
            if !S::ANSWERS_GOODBYE {
                aftermath.iter().for_each(Aftermath::read_out);
            }
            pump.farewell(ended).await;
        };
        let limit = if matches!(ended, Disconnected::Local(CallFailure::ShuttingDown)) { CLOSING } else { READ_ON };
        let _ = tokio::time::timeout(limit, read_on).await;
        connection.end(CallFailure::Disconnected);
        aftermath.iter().for_each(Aftermath::read_out);
    };
    let settling = async {
        // An error says that the time was up.
        let _ = is_caught_up.await;
        connection.idle().await;
        aftermath.iter().for_each(Aftermath::settled);
    };
    let last_handlers = async {
        if !handled {
            tokio::select! {
                () = handlers => {}
                never = keep_time(connection, clock) => match never {},
            }
        }
    };
    futures_util::future::join3(farewell, settling, last_handlers).await;
}

/// Ends what takes too long after the connection has ended: handlers that hang.
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
    /// Whether a ping was ever sent.
    was_pinged: bool,
    /// Whether one was ever answered.
    answers_pings: bool,
    /// Since when the peer has not accepted what is queued.
    stuck: Option<Instant>,
    timer: Option<Timer>,
    /// The connection's own deadline, when it was looked at last.
    seen: Option<Instant>,
    /// Since when it is to end without loss.
    closing: Option<Instant>,
    /// The peer has said goodbye, or the transport has failed: there is nothing more to read.
    is_read_out: bool,
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
        let Look { ended, is_done, wants_input, is_closing, deadline } = self.connection.look();
        if let Some(failure) = ended {
            return Err(Disconnected::Local(failure));
        }
        self.seen = deadline;
        // What had come before the goodbye is still taken, but a peer that never pauses does not put it off for ever.
        let reads = !is_closing || now < *self.closing.get_or_insert(now) + CLOSING;
        if reads && wants_input && self.read(now, context)? {
            return Ok(true);
        }
        if is_done && !reads {
            // Where a goodbye is answered, the answer is waited for.
            self.is_read_out = !S::ANSWERS_GOODBYE;
            return Err(Disconnected::Local(CallFailure::ShuttingDown));
        }
        if is_done && self.stuck.is_none() && !self.socket.holds_input() {
            return Err(Disconnected::Local(CallFailure::ShuttingDown));
        }
        Ok(false)
    }

    fn send(&mut self, now: Instant, context: &mut Context<'_>) -> Result<(), Disconnected> {
        // What is owed for messages that are no frames has no receipt.
        if S::ACKNOWLEDGES && self.connection.is_given_up() {
            return Ok(());
        }
        loop {
            if S::ACKNOWLEDGES {
                while let Some(message) = self.connection.poll_receipt() {
                    self.socket.done(message);
                }
            }
            if self.socket.poll_flush(context)?.is_pending() {
                self.stuck.get_or_insert(now);
                return Ok(());
            }
            self.stuck = None;
            let Some((frame, answers)) = self.connection.poll_transmit_for(now) else { return Ok(()) };
            let peer = self.connection.peer();
            message_log::sent(peer, &frame);
            if let Some(watch) = &mut self.watch {
                watch.see(peer, Direction::Sent, &frame, now);
            }
            self.socket.queue_text(frame, answers)?;
        }
    }

    /// Whether something was read.
    fn read(&mut self, now: Instant, context: &mut Context<'_>) -> Result<bool, Disconnected> {
        let (connection, witness, watch) = (self.connection, &self.witness, &mut self.watch);
        let (was_pinged, answers_pings) = (self.was_pinged, &mut self.answers_pings);
        let mut take = |incoming: Incoming<'_>| {
            match incoming {
                Incoming::Text(text, receipt) => {
                    message_log::received(connection.peer(), text);
                    if let Some(watch) = watch {
                        watch.see(connection.peer(), Direction::Received, text, now);
                    }
                    witness.iter().for_each(|witness| witness.heard(now));
                    note(connection, connection.receive_as(text, receipt, now));
                }
                Incoming::Binary => tracing::warn!("ignored a binary message"),
                // Some send pongs that nobody asked for.
                Incoming::Pong => *answers_pings |= was_pinged,
                Incoming::Control => {}
            }
            connection.wants_input()
        };
        match self.socket.poll_read(context, &mut take) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(())) => {
                (self.heard, self.pinged) = (now, None);
                Ok(true)
            }
            Poll::Ready(Err(ended)) => {
                self.is_read_out = true;
                Err(ended)
            }
        }
    }

    /// Hands in what the transport holds, as the handlers make room for it: until nothing has come for as long as `pause`, or
    /// there is nothing more. One look does not tell: tokio takes a socket for empty after a read that did not fill the buffer,
    /// until the system has been asked again, which it has after a yield and before a timer rings.
    async fn read_on(&mut self, pause: Option<Duration>) {
        let wait = || -> Pin<Box<dyn Future<Output = ()> + Send>> {
            match pause {
                Some(pause) => Box::pin(tokio::time::sleep(pause)),
                None => Box::pin(tokio::task::yield_now()),
            }
        };
        let mut quiet = wait();
        poll_fn(|context| {
            while !self.is_read_out {
                let now = self.clock.now();
                while let Some(message) = self.connection.poll_receipt() {
                    self.socket.done(message);
                }
                // Acknowledgements, answers to pings: nobody may be there to take them.
                let _ = self.socket.poll_flush(context);
                match self.connection.poll_wants_input(context) {
                    Poll::Ready(true) => {}
                    Poll::Ready(false) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
                match self.read(now, context) {
                    Ok(true) => quiet = wait(),
                    Ok(false) if self.socket.holds_input() => return Poll::Pending,
                    Ok(false) => return quiet.as_mut().poll(context),
                    Err(_) => {}
                }
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Looks after everything that has a deadline; `true` if something was done about one.
    fn pass_time(&mut self, now: Instant, context: &mut Context<'_>) -> Result<bool, Disconnected> {
        let KeepAlive { ping_after, patience, silence } = self.keep_alive;
        if self.stuck.is_some_and(|since| since + patience <= now) {
            return Err(Disconnected::Stalled);
        }
        let silence = silence.filter(|_| !self.answers_pings).map(|silence| self.heard + silence);
        // An absent one is less than any other.
        let owed_at = self.pinged.map(|at| silence.max(Some(at + patience)).unwrap_or(at));
        if owed_at.is_some_and(|at| at <= now) {
            return Err(Disconnected::Silent);
        }
        if self.seen.is_some_and(|deadline| deadline <= now) {
            self.connection.handle_timeout(now);
            return Ok(true);
        }
        let ping_at = ping_after.filter(|_| self.pinged.is_none()).map(|silence| self.heard + silence);
        if ping_at.is_some_and(|at| at <= now) && self.stuck.is_none() {
            self.socket.queue(Message::Ping(tungstenite::Bytes::new()))?;
            (self.pinged, self.was_pinged) = (Some(now), true);
            return Ok(true);
        }
        let deadlines =
            [self.seen, self.stuck.map(|since| since + patience), owed_at, ping_at.filter(|_| self.stuck.is_none())];
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
            Disconnected::Local(CallFailure::TryAgainLater) => Some(CloseCode::Again),
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
        if S::ACKNOWLEDGES && self.connection.is_given_up() {
            let shut_down = poll_fn(|context| self.socket.poll_shutdown(context));
            let _ = tokio::time::timeout(FAREWELL, shut_down).await;
            return;
        }
        let flushed = async {
            // What was answered already is sent before.
            poll_fn(|context| self.socket.poll_flush(context)).await?;
            if let Some(code) = close {
                self.socket.queue(Message::Close(Some(CloseFrame { code, reason: "".into() })))?;
                poll_fn(|context| self.socket.poll_flush(context)).await?;
            }
            Ok::<_, Disconnected>(close.is_some())
        };
        let said_goodbye = matches!(tokio::time::timeout(FAREWELL, flushed).await, Ok(Ok(true)));
        if said_goodbye && S::ANSWERS_GOODBYE {
            // The peer's answer, after what it had sent before it saw ours.
            self.read_on(Some(FAREWELL)).await;
        }
        let shut_down = async {
            poll_fn(|context| self.socket.poll_shutdown(context)).await;
            // Until the peer ends its side: what it sends to a closed socket would destroy what it has not read yet.
            let has_to_wait = said_goodbye && !S::ANSWERS_GOODBYE;
            while has_to_wait && poll_fn(|context| self.socket.poll_read(context, &mut |_| true)).await.is_ok() {}
        };
        let _ = tokio::time::timeout(FAREWELL, shut_down).await;
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
        Received::Late => tracing::info!(identity, "an answer to no call that waits for one"),
        Received::Refused(error) => tracing::warn!(identity, %error, "refused a message"),
        Received::Ignored(reason) => tracing::warn!(identity, reason, "ignored a message"),
    }
}
