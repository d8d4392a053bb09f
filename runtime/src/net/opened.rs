//! The client's WebSocket: async-tungstenite's stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use futures_util::io::{AsyncRead, AsyncWrite};
use futures_util::{Sink, Stream};

use super::socket::{Incoming, Socket, Take};
use super::{Disconnected, Goodbye};

/// A stream after the client's side of the handshake.
#[derive(Debug)]
pub(super) struct Opened<S> {
    stream: WebSocketStream<S>,
    unflushed: bool,
}

impl<S> Opened<S> {
    pub(super) fn new(stream: WebSocketStream<S>) -> Self {
        Self { stream, unflushed: false }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket for Opened<S> {
    const LEAVING: CloseCode = CloseCode::Away;

    fn poll_read(&mut self, context: &mut Context<'_>, take: &mut Take<'_>) -> Poll<Result<(), Disconnected>> {
        let Some(message) = ready!(Pin::new(&mut self.stream).poll_next(context)) else {
            return Poll::Ready(Err(Disconnected::Closed(1006.into())));
        };
        // One at a time, so that nobody has to have enough.
        let _ = match message? {
            Message::Text(text) => take(Incoming::Text(&text, None)),
            Message::Binary(_) => take(Incoming::Binary),
            Message::Close(frame) => {
                // The answer is queued in the stream.
                self.unflushed = true;
                return Poll::Ready(Err(Disconnected::Closed(frame.map_or(1005.into(), Goodbye::from))));
            }
            Message::Pong(_) => take(Incoming::Pong),
            _ => {
                // The answer to a ping is queued in the stream.
                self.unflushed = true;
                take(Incoming::Control)
            }
        };
        Poll::Ready(Ok(()))
    }

    fn queue(&mut self, message: Message) -> Result<(), Disconnected> {
        self.unflushed = true;
        Ok(Pin::new(&mut self.stream).start_send(message)?)
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Disconnected>> {
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.unflushed = false;
        }
        // It is what has to be asked before the next message.
        ready!(Pin::new(&mut self.stream).poll_ready(context))?;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.stream).poll_close(context).map(|_| ())
    }
}
