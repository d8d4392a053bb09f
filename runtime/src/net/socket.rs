//! What the pump drives: a WebSocket, whoever implements it.

use std::task::{Context, Poll};

use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::Disconnected;
use crate::session::Receipt;

/// A message that was read.
#[derive(Debug)]
pub(super) enum Incoming<'a> {
    /// Text, and the number that the socket knows it by if it has to acknowledge it.
    Text(&'a str, Option<Receipt>),
    /// Binary data, which no protocol here uses.
    Binary,
    /// A ping, or what a protocol has for one: a sign of life.
    Control,
    /// A pong: a sign of life, too.
    Pong,
}

/// Takes a message, and says whether another one is wanted.
pub(super) type Take<'a> = dyn FnMut(Incoming<'_>) -> bool + 'a;

/// One WebSocket.
pub(super) trait Socket {
    /// Reads what has come and hands each message to `take` until it has enough; the rest waits for the next time. Answers
    /// to pings and to a Close are queued.
    ///
    /// # Errors
    /// Ready with an error when the peer closed the connection or the transport failed.
    fn poll_read(&mut self, context: &mut Context<'_>, take: &mut Take<'_>) -> Poll<Result<(), Disconnected>>;

    /// Whether messages wait in the socket itself, which is read from again when its waker says so.
    fn holds_input(&self) -> bool {
        false
    }

    /// Queues a message; to be called only when [`poll_flush`](Self::poll_flush) was ready, so that at most one message
    /// waits for a peer that does not read.
    ///
    /// # Errors
    /// The transport failed.
    fn queue(&mut self, message: Message) -> Result<(), Disconnected>;

    /// [`queue`](Self::queue) for text; of an answer, with the receipt of what it answers.
    ///
    /// # Errors
    /// The transport failed.
    fn queue_text(&mut self, text: String, _answers: Option<Receipt>) -> Result<(), Disconnected> {
        self.queue(Message::text(text))
    }

    /// Whether messages are acknowledged, so that the socket wants to know when each is done with.
    const ACKNOWLEDGES: bool = false;

    /// A message is done with.
    fn done(&mut self, _message: Receipt) {}

    /// Ready when everything queued has been handed to the system.
    ///
    /// # Errors
    /// The transport failed.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Disconnected>>;

    /// Whether the peer answers a goodbye with its own, so that its last messages can be waited for.
    const ANSWERS_GOODBYE: bool = true;

    /// What the peer is told when this side ends without need: a server's "come back later", a client's "I go".
    const LEAVING: CloseCode;

    /// Ends the transport's side of writing.
    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<()>;
}
