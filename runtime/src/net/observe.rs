//! Somebody who is shown every message: for message logs and metrics.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "server")]
use super::Refusal;
use super::message_log::masked;
use crate::frame::Frame;
use crate::{ErrorCode, Instant, Peer};

/// How many CALLs of a peer are remembered until they are answered; a session takes no more by itself.
const REMEMBERED: usize = 32;

/// Is shown every message as it crosses the wire, in order, from the connection's own task: it must not wait for anything.
pub trait Observe: Debug + Send + Sync + 'static {
    /// A message came in or goes out.
    fn message(&self, message: &Observed<'_>);

    /// A client was not let in, or its connection was closed at once because there is no subprotocol in common.
    #[cfg(feature = "server")]
    fn refused(&self, _refusal: &Refusal) {}
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the peer.
    Received,
    /// To the peer.
    Sent,
}

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageKind {
    /// A CALL.
    Call,
    /// The answer to a CALL.
    CallResult,
    /// The refusal of a CALL.
    CallError(ErrorCode),
    /// A message that is never answered.
    Send,
    /// The refusal of a CALLRESULT.
    ResultError(ErrorCode),
    /// Text that is none of these.
    Unreadable,
}

/// A message as it crosses the wire.
#[derive(Debug)]
#[non_exhaustive]
pub struct Observed<'a> {
    /// The other side.
    pub peer: &'a Peer,
    /// Which way it goes.
    pub direction: Direction,
    /// What it is.
    pub kind: MessageKind,
    /// The message's id without its quotes, empty if it has none.
    pub id: &'a str,
    /// The action; of an answer that of the CALL it answers, if that is known.
    pub action: Option<&'a str>,
    /// Of an answer, the time since the CALL it answers.
    pub elapsed: Option<Duration>,
    /// The whole text, secrets included; see [`Observed::masked`].
    pub text: &'a str,
}

impl Observed<'_> {
    /// The text with the secrets of the peer's protocol replaced by `***`, fit for a log: see [`masked`].
    pub fn masked(&self) -> Cow<'_, str> {
        masked(self.peer.dialect(), self.text)
    }
}

/// One connection's messages, on their way to the observer.
#[derive(Debug)]
pub(super) struct Watch {
    observer: Arc<dyn Observe>,
    /// The peer's CALLs that are not answered yet, the oldest first.
    received: VecDeque<Begun>,
    /// Ours, likewise.
    sent: VecDeque<Begun>,
}

#[derive(Debug)]
struct Begun {
    id: Box<str>,
    action: Box<str>,
    at: Instant,
}

impl Watch {
    pub(super) fn new(observer: Arc<dyn Observe>) -> Box<Self> {
        Box::new(Self { observer, received: VecDeque::new(), sent: VecDeque::new() })
    }

    pub(super) fn see(&mut self, peer: &Peer, direction: Direction, text: &str, now: Instant) {
        let part = |range| text.get(range).unwrap_or("");
        let (kind, id, called) = match (peer.dialect().framing.split)(text) {
            Ok(Frame::Call { id, action, .. }) => (MessageKind::Call, part(id), Some(part(action))),
            Ok(Frame::Send { id, action, .. }) => (MessageKind::Send, part(id), Some(part(action))),
            Ok(Frame::CallResult { id, .. }) => (MessageKind::CallResult, part(id), None),
            Ok(Frame::CallError { id, error }) => (MessageKind::CallError(error.code), part(id), None),
            Ok(Frame::ResultError { id, error }) => (MessageKind::ResultError(error.code), part(id), None),
            Err(bad) => (MessageKind::Unreadable, bad.id.map_or("", part), None),
        };
        let id = id.trim_matches('"');
        let (own, other) = match direction {
            Direction::Received => (&mut self.received, &mut self.sent),
            Direction::Sent => (&mut self.sent, &mut self.received),
        };
        if let (MessageKind::Call, Some(action)) = (&kind, called) {
            if own.len() >= REMEMBERED {
                own.pop_front();
            }
            own.push_back(Begun { id: id.into(), action: action.into(), at: now });
        }
        let answers = matches!(kind, MessageKind::CallResult | MessageKind::CallError(_));
        let index = other.iter().position(|begun| answers && *begun.id == *id);
        let begun = index.and_then(|index| other.remove(index));
        let action = called.or(begun.as_ref().map(|begun| &*begun.action));
        let elapsed = begun.as_ref().map(|begun| now.saturating_since(begun.at));
        self.observer.message(&Observed { peer, direction, kind, id, action, elapsed, text });
    }
}
