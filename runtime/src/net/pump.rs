//! The loop between a WebSocket and a [`Connection`].
//!
//! Reader, writer and handlers run side by side in one task and do not wait for each other, up to the bounds of
//! [`Config`](crate::session::Config): reading stops when too many CALLs wait for a handler, or too many answers for the
//! peer to take them.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{self, Message};
use async_tungstenite::{WebSocketReceiver, WebSocketSender, WebSocketStream};
use futures_util::StreamExt;
use futures_util::io::{AsyncRead, AsyncWrite};

use super::clock::Clock;
use crate::session::Received;
use crate::{CallFailure, Connection};

/// How long a peer may take to accept one message, and to answer a Close, before it is dropped.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnected {
    /// The peer closed it.
    #[error("closed by the peer ({0})")]
    Closed(u16),
    /// This side closed it.
    #[error("closed by this side: {0}")]
    Local(CallFailure),
    /// The transport failed: the peer went away without a word, or sent what is no WebSocket frame.
    #[error("{0}")]
    Transport(#[from] Box<tungstenite::Error>),
    /// The peer took too long to accept a message.
    #[error("the peer does not read")]
    Stalled,
}

impl From<tungstenite::Error> for Disconnected {
    fn from(error: tungstenite::Error) -> Self {
        Self::Transport(Box::new(error))
    }
}

/// Runs a connection to its end; `handlers` is what [`Connection::serve`] returned, `presence` is dropped as soon as the
/// connection has ended.
pub(super) async fn run<S>(
    stream: WebSocketStream<S>,
    connection: &Connection,
    clock: Clock,
    handlers: impl Future<Output = ()>,
    presence: impl Sized,
) -> Disconnected
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, mut receiver) = stream.split();
    let pump = async {
        let ended = tokio::select! {
            ended = read(&mut receiver, connection, clock) => ended,
            ended = write(&mut sender, connection, clock) => ended,
            () = connection.ended() => local_end(connection),
        };
        // Calls fail, and the directory forgets the peer, before the farewell and the last handler, which may take
        // their time.
        connection.end(CallFailure::Disconnected);
        drop(presence);
        farewell(&ended, sender, receiver).await;
        ended
    };
    let (ended, ()) = futures_util::future::join(pump, handlers).await;
    ended
}

async fn read<S>(receiver: &mut WebSocketReceiver<S>, connection: &Connection, clock: Clock) -> Disconnected
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let identity = connection.peer().identity();
    while connection.input_wanted().await {
        match receiver.next().await {
            Some(Ok(Message::Text(text))) => match connection.receive(&text, clock.now()) {
                Received::Call | Received::Answer(_) => {}
                Received::Repeated => tracing::debug!(identity, "a repeated CALL that is not answered yet"),
                Received::Late => tracing::debug!(identity, "an answer to no outstanding call"),
                Received::Refused(error) => tracing::warn!(identity, %error, "refused a message"),
                Received::Ignored(reason) => tracing::warn!(identity, reason, "ignored a message"),
            },
            Some(Ok(Message::Close(frame))) => {
                return Disconnected::Closed(frame.map_or(1005, |frame| frame.code.into()));
            }
            Some(Ok(Message::Binary(_))) => tracing::warn!(identity, "ignored a binary message"),
            Some(Ok(_)) => {}
            Some(Err(error)) => return error.into(),
            None => return Disconnected::Closed(1006),
        }
    }
    local_end(connection)
}

async fn write<S>(sender: &mut WebSocketSender<S>, connection: &Connection, clock: Clock) -> Disconnected
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let Some(frame) = in_time(connection, clock, connection.transmit(|| clock.now())).await else {
            return local_end(connection);
        };
        let sent = tokio::time::timeout(PATIENCE, sender.send(Message::text(frame)));
        match in_time(connection, clock, sent).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(_) => return Disconnected::Stalled,
        }
    }
}

/// Runs `work`, and meanwhile ends calls whose time is up.
async fn in_time<T>(connection: &Connection, clock: Clock, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        // Only the writer starts calls, so that no earlier deadline can come up while this one is waited for.
        let deadline = connection.poll_deadline();
        tokio::select! {
            done = &mut work => return done,
            () = clock.sleep_until(deadline) => connection.handle_timeout(clock.now()),
        }
    }
}

fn local_end(connection: &Connection) -> Disconnected {
    Disconnected::Local(connection.peer().failure().unwrap_or(CallFailure::Disconnected))
}

/// Says goodbye, or completes the peer's goodbye: the answer to its Close is sent by reading on.
async fn farewell<S>(ended: &Disconnected, mut sender: WebSocketSender<S>, mut receiver: WebSocketReceiver<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let close = async {
        match ended {
            Disconnected::Local(_) => {
                let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                if sender.close(Some(frame)).await.is_err() {
                    return;
                }
            }
            Disconnected::Closed(_) => {}
            Disconnected::Transport(_) | Disconnected::Stalled => return,
        }
        while let Some(Ok(_)) = receiver.next().await {}
    };
    let _ = tokio::time::timeout(PATIENCE, close).await;
}
