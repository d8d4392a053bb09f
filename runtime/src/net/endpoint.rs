//! A server's handlers and peers, behind any HTTP front.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::Instrument;

use super::accepted::Accepted;
use super::authenticate::password;
use super::clock::Clock;
use super::handshake::{Agreement, offered};
use super::observe::Watch;
use super::peers::Older;
use super::socket::Socket;
use super::{
    Authenticate, Disconnected, Everybody, Handshake, Login, Origin, Peers, Refusal, ServerConfig, Versions, pump,
    random_first_id,
};
use crate::session::Config;
use crate::{CallFailure, Connection};

/// Handlers, the peers that are connected to them, and how they are served; clones are handles of the same.
///
/// [`Server`](super::Server) is an endpoint with a listener. Behind an HTTP front of your own, hand the head of each
/// upgrade request to [`Endpoint::handshake`], send its response, and the upgraded stream to
/// [`Endpoint::serve_upgraded`].
#[derive(Debug)]
pub struct Endpoint<R, A = Everybody> {
    shared: Arc<Shared<R, A>>,
}

#[derive(Debug)]
struct Shared<R, A> {
    router: R,
    authenticate: A,
    peers: Peers,
    config: ServerConfig,
    clock: Clock,
}

impl<R, A> Clone for Endpoint<R, A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<R: Versions> Endpoint<R> {
    /// An endpoint at the path `/ocpp/{identity}` that lets everybody in.
    pub fn new(router: R) -> Self {
        Self::with(router, Everybody, Peers::default(), ServerConfig::default())
    }
}

impl<R: Versions, A: Authenticate> Endpoint<R, A> {
    /// An endpoint that keeps its peers in a directory of yours.
    pub fn with(router: R, authenticate: A, peers: Peers, config: ServerConfig) -> Self {
        Self { shared: Arc::new(Shared { router, authenticate, peers, config, clock: Clock::start() }) }
    }

    /// Who is connected.
    pub fn peers(&self) -> &Peers {
        &self.shared.peers
    }

    /// The handlers.
    pub fn router(&self) -> &R {
        &self.shared.router
    }

    /// Reads the head of an upgrade request, and asks whether the client may connect.
    ///
    /// # Errors
    /// [`Refusal`], to be answered with [`Refusal::response`].
    pub async fn handshake(&self, head: &http::request::Parts, origin: Origin) -> Result<Handshake, Refusal> {
        let judged = self.judge(head, origin).await;
        if let (Err(refusal), Some(observer)) = (&judged, &self.shared.config.observe) {
            observer.refused(refusal);
        }
        judged
    }

    async fn judge(&self, head: &http::request::Parts, origin: Origin) -> Result<Handshake, Refusal> {
        let Shared { authenticate, peers, config, .. } = &*self.shared;
        let agreement =
            Agreement { dialect: R::dialect, without: R::without_subprotocol(), settings: &config.handshake };
        let handshake = Handshake::read(head, &agreement)?;
        if handshake.dialect().is_none() {
            let offered = offered(&head.headers);
            tracing::info!(identity = ?handshake.identity(), ?offered, "no subprotocol in common");
        }
        let identity = handshake.identity();
        let password = password(&head.headers, identity)?;
        let remote = origin.remote;
        let (dialect, headers) = (handshake.dialect(), head.headers.clone());
        let login = Login { identity: identity.to_owned(), password, dialect, origin, headers };
        authenticate.authenticate(login).await?;
        // Only somebody who may connect is told about the others of that name.
        peers.admit(identity).map_err(Refusal::HeldBack)?;
        Ok(handshake.with_remote(remote))
    }

    /// Serves a stream whose upgrade has been answered, until it ends.
    pub fn serve_upgraded<S>(
        &self,
        stream: S,
        handshake: Handshake,
    ) -> impl Future<Output = Disconnected> + use<R, A, S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let shared = Arc::clone(&self.shared);
        let mut socket = Accepted::new(stream, shared.config.max_message);
        let (identity, dialect, info) = handshake.into_parts(shared.clock);
        let info = Arc::new(info);
        // A block and no async function, whose parameters would take room twice in a future that lives for days.
        async move {
            let Shared { router, authenticate, peers, config, clock } = &*shared;
            let identity = &*identity;
            let Some(dialect) = dialect else {
                tracing::warn!(identity, "closed: no subprotocol in common");
                if let Some(observer) = &config.observe {
                    observer.refused(&Refusal::NoSubprotocol);
                }
                Box::pin(close(&mut socket, config.keep_alive.patience)).await;
                return Disconnected::Local(CallFailure::Disconnected);
            };
            let session = Config { first_id: random_first_id(), ..config.session.clone() };
            let connection = Connection::new(identity, dialect, session);
            let mut presence = peers.enter(connection.peer(), info);
            let span = tracing::info_span!("connection", identity, protocol = dialect.name);
            let older = presence.older();
            let handlers = pin!(async {
                Older::settled(older).await;
                router.serve(&connection).await;
            });
            span.in_scope(|| tracing::info!("connected"));
            let watch = config.observe.clone().map(Watch::new);
            let keep_alive = authenticate.keep_alive(identity).unwrap_or(config.keep_alive);
            let run = pump::run(&mut socket, &connection, *clock, keep_alive, handlers, presence, watch);
            let ended = run.instrument(span.clone()).await;
            span.in_scope(|| tracing::info!(%ended, "disconnected"));
            ended
        }
    }
}

/// Ends a connection on which nothing can be spoken (OCPP-J 1.6 §3.2).
async fn close(socket: &mut impl Socket, patience: Duration) {
    let frame = CloseFrame { code: CloseCode::Protocol, reason: "no subprotocol in common".into() };
    if socket.queue(Message::Close(Some(frame))).is_ok() {
        let sent = poll_fn(|context| socket.poll_flush(context));
        let _ = tokio::time::timeout(patience, sent).await;
    }
}
