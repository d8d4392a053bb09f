//! The server's WebSocket: of an idle connection nothing is kept but the stream.
//!
//! Bytes are read into a buffer that all connections of a thread share, and a message that is all there is read in it.
//! tungstenite's context, which does the work of
//! RFC 6455, lives while a message is incomplete, and no longer: kept for each connection, its buffers would be most of
//! the memory of a server with many idle peers.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use async_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};
use async_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use async_tungstenite::tungstenite::{Error, Message};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::boundary::Boundary;
use super::socket::{Incoming, Socket, Take};
use super::whole;
use super::{Disconnected, Goodbye};
use crate::session::Receipt;

/// Most messages come in one piece of this size; a thread has one such buffer.
const SHARED_BUFFER: usize = 64 * 1024;

/// What a context that has to wait for the rest of a message reads at once.
const PARTIAL_BUFFER: usize = 4 * 1024;

/// How many bytes of answers may wait for a peer that does not read before it is not read from either.
const BACKLOG: u32 = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A stream after the server's side of the handshake.
#[derive(Debug)]
pub(super) struct Accepted<S> {
    stream: S,
    max_message: usize,
    boundary: Boundary,
    /// A message that has come in part, or several that are not taken yet.
    partial: Option<Box<Partial>>,
    /// Bytes that are to be sent, and how many of them have been.
    out: Vec<u8>,
    written: usize,
    /// How many bytes of `out` answer pings.
    answers: u32,
    /// The stream has bytes that it was not asked to flush.
    unflushed: bool,
}

/// A context that has to live on, and what it has not read yet.
#[derive(Debug)]
struct Partial {
    context: WebSocketContext,
    input: Vec<u8>,
    /// Whoever takes messages had enough.
    is_held: bool,
}

impl<S> Accepted<S> {
    /// Messages of more than `max_message` bytes end the connection.
    pub(super) fn new(stream: S, max_message: usize) -> Self {
        Self {
            stream,
            max_message,
            boundary: Boundary::default(),
            partial: None,
            out: Vec::new(),
            written: 0,
            answers: 0,
            unflushed: false,
        }
    }

    fn receive(&mut self, bytes: &mut [u8], take: &mut Take<'_>) -> Result<(), Disconnected> {
        if self.partial.is_none()
            && let Some(text) = whole::text(bytes, self.max_message)
        {
            // Whether another one is wanted or not: there is none.
            let _ = take(Incoming::Text(text.map_err(Error::from)?, None));
            return Ok(());
        }
        self.boundary.walk(bytes);
        let is_whole = self.boundary.is_between_messages();
        if let Some(partial) = &mut self.partial {
            partial.input.extend_from_slice(bytes);
            return self.resume(take);
        }
        let config = self.config(if is_whole { 0 } else { PARTIAL_BUFFER });
        let mut context = WebSocketContext::from_partially_read(bytes.to_vec(), Role::Server, Some(config));
        let before = self.out.len();
        let (_, is_held) = drain(&mut context, &[], &mut self.out, take)?;
        self.count_answers(before);
        if is_held || !is_whole {
            self.partial = Some(Box::new(Partial { context, input: Vec::new(), is_held }));
        }
        Ok(())
    }

    /// Goes on where the last message ended.
    fn resume(&mut self, take: &mut Take<'_>) -> Result<(), Disconnected> {
        let Some(mut partial) = self.partial.take() else { return Ok(()) };
        let before = self.out.len();
        let (read, is_held) = drain(&mut partial.context, &partial.input, &mut self.out, take)?;
        self.count_answers(before);
        partial.input.drain(..read);
        partial.is_held = is_held;
        if is_held || !self.boundary.is_between_messages() {
            self.partial = Some(partial);
        }
        Ok(())
    }

    fn count_answers(&mut self, before: usize) {
        let more = u32::try_from(self.out.len().saturating_sub(before)).unwrap_or(u32::MAX);
        self.answers = self.answers.saturating_add(more);
    }

    fn config(&self, read_buffer: usize) -> WebSocketConfig {
        WebSocketConfig::default()
            .read_buffer_size(read_buffer)
            .write_buffer_size(0)
            .max_message_size(Some(self.max_message))
            .max_frame_size(Some(self.max_message))
    }
}

/// Takes messages that are complete, as long as they are wanted; `input` follows what the context has already. Returns
/// how much of it was read, and whether `take` had enough.
fn drain(
    context: &mut WebSocketContext,
    input: &[u8],
    out: &mut Vec<u8>,
    take: &mut Take<'_>,
) -> Result<(usize, bool), Disconnected> {
    let mut pipe = Pipe { input, out };
    loop {
        let goes_on = match context.read(&mut pipe) {
            Ok(Message::Text(text)) => take(Incoming::Text(&text, None)),
            Ok(Message::Binary(_)) => take(Incoming::Binary),
            Ok(Message::Close(frame)) => {
                // The answer; that the connection is closed then is no news.
                let _ = context.flush(&mut pipe);
                return Err(Disconnected::Closed(frame.map_or(1005.into(), Goodbye::from)));
            }
            Ok(Message::Pong(_)) => take(Incoming::Pong),
            Ok(_) => take(Incoming::Control),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Ok((input.len(), false)),
            Err(error) => return Err(error.into()),
        };
        if !goes_on {
            return Ok((input.len() - pipe.input.len(), true));
        }
    }
}

/// The context's stream: it reads what was read already, and writes to memory.
struct Pipe<'a> {
    input: &'a [u8],
    out: &'a mut Vec<u8>,
}

impl Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.input.read(buffer)
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket for Accepted<S> {
    const LEAVING: CloseCode = CloseCode::Restart;

    fn poll_read(&mut self, context: &mut Context<'_>, take: &mut Take<'_>) -> Poll<Result<(), Disconnected>> {
        if self.partial.as_ref().is_some_and(|partial| partial.is_held) {
            return Poll::Ready(self.resume(take));
        }
        // Answers to pings for somebody who does not read: writing, which waits, wakes the task.
        if self.answers > BACKLOG {
            return Poll::Pending;
        }
        // Taken out while it is used: if somebody's stream polls another connection meanwhile, that one gets its own.
        let mut buffer = BUFFER.take();
        buffer.resize(SHARED_BUFFER, 0);
        let mut read = ReadBuf::new(&mut buffer);
        let polled = match Pin::new(&mut self.stream).poll_read(context, &mut read) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(Error::Io(error).into())),
            Poll::Ready(Ok(())) if read.filled().is_empty() => Poll::Ready(Err(Disconnected::Closed(1006.into()))),
            Poll::Ready(Ok(())) => Poll::Ready(self.receive(read.filled_mut(), take)),
        };
        BUFFER.set(buffer);
        polled
    }

    fn holds_input(&self) -> bool {
        self.partial.as_ref().is_some_and(|partial| partial.is_held)
    }

    fn queue_text(&mut self, text: String, _answers: Option<Receipt>) -> Result<(), Disconnected> {
        let header = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
        let length = text.len() as u64;
        self.out.reserve_exact(header.len(length) + text.len());
        header.format(length, &mut self.out)?;
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn queue(&mut self, message: Message) -> Result<(), Disconnected> {
        let frame = match message {
            Message::Text(text) => Frame::message(text, OpCode::Data(Data::Text), true),
            Message::Binary(data) => Frame::message(data, OpCode::Data(Data::Binary), true),
            Message::Ping(data) => Frame::ping(data),
            Message::Pong(data) => Frame::pong(data),
            Message::Close(frame) => Frame::close(frame),
            Message::Frame(frame) => frame,
        };
        self.out.reserve_exact(frame.len());
        Ok(frame.format(&mut self.out)?)
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Disconnected>> {
        while let Some(bytes @ [_, ..]) = self.out.get(self.written..) {
            match ready!(Pin::new(&mut self.stream).poll_write(context, bytes)) {
                Ok(0) => return Poll::Ready(Err(Disconnected::Closed(1006.into()))),
                Ok(written) => self.written += written,
                Err(error) => return Poll::Ready(Err(Error::Io(error).into())),
            }
            self.unflushed = true;
        }
        if self.unflushed {
            // Given back at once: an idle connection keeps no buffer.
            (self.out, self.written, self.answers) = (Vec::new(), 0, 0);
            if let Err(error) = ready!(Pin::new(&mut self.stream).poll_flush(context)) {
                return Poll::Ready(Err(Error::Io(error).into()));
            }
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.stream).poll_shutdown(context).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_peer_that_pings_and_does_not_read_is_not_read_from_for_ever() {
        let (peer, stream) = tokio::io::duplex(4096);
        let (mut peer, mut socket) = (std::pin::pin!(peer), Accepted::new(stream, 1 << 20));
        let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[b'x'; 125]].concat();
        let (mut rest, mut context) = (&*ping, Context::from_waker(Waker::noop()));
        for _ in 0..2_000 {
            // As much of it as there is room for: the server has stopped reading when there is none.
            if let Poll::Ready(sent) = peer.as_mut().poll_write(&mut context, rest) {
                rest = rest.get(sent.unwrap()..).filter(|rest| !rest.is_empty()).unwrap_or(&ping);
            }
            let _ = socket.poll_flush(&mut context);
            let _ = socket.poll_read(&mut context, &mut |_| true);
            assert!(socket.out.len() <= (BACKLOG as usize) + 4096 + 1024, "{} bytes wait", socket.out.len());
        }
        assert!(socket.out.len() > BACKLOG as usize / 2, "as much as may wait does");
    }
}
