//! A server's handlers and peers, behind any HTTP front.

use std::sync::Arc;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::TokioAdapter;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio::io::{AsyncRead, AsyncWrite};

use super::clock::Clock;
use super::pump::Disconnected;
use super::{Handshake, Peers, Refusal, Versions, pump, random_first_id, web_socket_config};
use crate::session::Config;
use crate::{CallFailure, Connection};

/// Handlers, the peers that are connected to them, and how sessions are configured; clones are handles of the same.
///
/// [`Server`](super::Server) is an endpoint with a listener. Behind an HTTP front of your own, hand the head of each
/// upgrade request to [`Endpoint::handshake`], send its response, and the upgraded stream to
/// [`Endpoint::serve_upgraded`].
#[derive(Debug)]
pub struct Endpoint<R> {
    shared: Arc<Shared<R>>,
}

#[derive(Debug)]
struct Shared<R> {
    router: R,
    peers: Peers,
    config: Config,
    prefix: String,
    clock: Clock,
}

impl<R> Clone for Endpoint<R> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<R: Versions> Endpoint<R> {
    /// An endpoint at the path `/ocpp/{identity}`.
    pub fn new(router: R) -> Self {
        Self::with(router, Peers::default(), Config::default(), "/ocpp/")
    }

    /// An endpoint at `{prefix}{identity}` that keeps its peers in a directory of yours.
    pub fn with(router: R, peers: Peers, config: Config, prefix: &str) -> Self {
        let (prefix, clock) = (prefix.to_owned(), Clock::start());
        Self { shared: Arc::new(Shared { router, peers, config, prefix, clock }) }
    }

    /// Who is connected.
    pub fn peers(&self) -> &Peers {
        &self.shared.peers
    }

    /// The handlers.
    pub fn router(&self) -> &R {
        &self.shared.router
    }

    /// Reads the head of an upgrade request.
    ///
    /// # Errors
    /// [`Refusal`], to be answered with [`Refusal::response`].
    pub fn handshake(&self, head: &http::request::Parts) -> Result<Handshake, Refusal> {
        Handshake::read(head, &self.shared.prefix, R::dialect)
    }

    /// Serves a stream whose upgrade has been answered, until it ends.
    pub async fn serve_upgraded<S>(&self, stream: S, handshake: Handshake) -> Disconnected
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Shared { router, peers, config, clock, .. } = &*self.shared;
        let stream = TokioAdapter::new(stream);
        let mut stream = WebSocketStream::from_raw_socket(stream, Role::Server, Some(web_socket_config())).await;
        let identity = handshake.identity();
        let Some(dialect) = handshake.dialect() else {
            tracing::warn!(identity, "closed: no subprotocol in common");
            let reason = "no subprotocol in common".into();
            let _ = stream.close(Some(CloseFrame { code: CloseCode::Protocol, reason })).await;
            return Disconnected::Local(CallFailure::Disconnected);
        };
        let config = Config { first_id: random_first_id(), ..config.clone() };
        let connection = Connection::new(identity, dialect, config);
        let presence = peers.enter(connection.peer());
        tracing::info!(identity, protocol = dialect.name, "connected");
        let ended = pump::run(stream, &connection, *clock, router.serve(&connection), presence).await;
        tracing::info!(identity, %ended, "disconnected");
        ended
    }
}
