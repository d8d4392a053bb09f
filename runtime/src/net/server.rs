//! The server: a listener and an HTTP front before an [`Endpoint`].

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::accept::{Pace, Place, listen, say_goodbye, send_at_once};
use super::front::{Front, Http, NoHttp};
use super::{AddressCap, Authenticate, Endpoint, Everybody, HandshakeSettings, KeepAlive, MAX_MESSAGE, Observe, Peers};
use super::{Plain, Transport, Versions};
use crate::session::Config;

/// How a server serves. All limits have defaults that suit tens of thousands of chargers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// What each session tolerates and holds.
    pub session: Config,
    /// How dead connections are found.
    pub keep_alive: KeepAlive,
    /// How opening handshakes are read.
    pub handshake: HandshakeSettings,
    /// The largest message, in bytes; a larger one ends the connection with the close code 1009. Default 1 MiB.
    pub max_message: usize,
    /// How many clients may be between the TCP connection and the upgrade at once; the next ones wait in the system's
    /// backlog. Default 1,024.
    pub max_handshakes: usize,
    /// How many of those may come from one address, by [`AddressCap`](super::AddressCap); one more is let go at once, so that
    /// no address takes the places of the others. Behind a reverse proxy, whose address all have, set it as high as
    /// `max_handshakes`. Default 512.
    pub max_handshakes_per_address: usize,
    /// How many connections are accepted each second, so that a storm of reconnects does not starve those that are
    /// connected. Default no limit.
    pub max_accepts_per_second: Option<u32>,
    /// How long a client may take from the TCP connection to the upgrade, with TLS and authentication. Default 15 s.
    pub handshake_timeout: Duration,
    /// How many connections there may be for requests that are no handshakes ([`Server::http`]); one more is answered
    /// with 503. Default 1,024.
    pub max_http_connections: usize,
    /// How many of those may come from one address; as with handshakes. Default 512.
    pub max_http_connections_per_address: usize,
    /// Who is shown every message, for a message log or metrics. Default nobody.
    pub observe: Option<Arc<dyn Observe>>,
    /// At a graceful end, over which time the closing of connections is spread, so that not all peers come back in one
    /// moment. Default 5 s.
    pub shutdown_spread: Duration,
    /// At a graceful end, how long calls that run then may take. Default 30 s.
    pub shutdown_grace: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            session: Config::default(),
            keep_alive: KeepAlive::default(),
            handshake: HandshakeSettings::default(),
            max_message: MAX_MESSAGE,
            max_handshakes: 1024,
            max_handshakes_per_address: 512,
            max_accepts_per_second: None,
            handshake_timeout: Duration::from_secs(15),
            max_http_connections: 1024,
            max_http_connections_per_address: 512,
            observe: None,
            shutdown_spread: Duration::from_secs(5),
            shutdown_grace: Duration::from_secs(30),
        }
    }
}

/// A WebSocket server for one version of a protocol, or several ([`Versions`]).
///
/// ```no_run
/// # use onwire::ocpp::v16::*;
/// # struct Csms;
/// # #[onwire::handlers(ocpp::v16, role = CentralSystem)]
/// # impl Csms {
/// #     #[on(Heartbeat)]
/// #     fn heartbeat(&self) -> HeartbeatResponse { HeartbeatResponse::new(onwire::types::DateTime::now()) }
/// # }
/// # async fn run() -> std::io::Result<()> {
/// let server = onwire::net::Server::bind("127.0.0.1:8080").await?;
/// println!("ws://{}/ocpp/{{identity}}", server.local_addr()?);
/// server.serve(Csms).await
/// # }
/// ```
#[derive(Debug)]
pub struct Server<A = Everybody, T = Plain, H = NoHttp> {
    listener: TcpListener,
    parts: Parts<A, T, H>,
}

#[derive(Debug)]
struct Parts<A, T, H> {
    peers: Peers,
    config: ServerConfig,
    authenticate: A,
    transport: T,
    http: H,
}

impl Server {
    /// Listens on an address; port 0 takes a free one. Everybody may connect, without TLS.
    ///
    /// # Errors
    /// Those of the system: the port is taken or not allowed.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let parts = Parts {
            peers: Peers::default(),
            config: ServerConfig::default(),
            authenticate: Everybody,
            transport: Plain,
            http: NoHttp,
        };
        Ok(Self { listener: listen(address).await?, parts })
    }
}

impl<A: Authenticate, T: Transport, H: Http> Server<A, T, H> {
    /// How it serves.
    #[must_use]
    pub fn config(mut self, config: ServerConfig) -> Self {
        self.parts.config = config;
        self
    }

    /// Who may connect.
    #[must_use]
    pub fn authenticate<B: Authenticate>(self, authenticate: B) -> Server<B, T, H> {
        let Parts { peers, config, transport, http, .. } = self.parts;
        Server { listener: self.listener, parts: Parts { peers, config, authenticate, transport, http } }
    }

    /// What lies between TCP and HTTP: TLS.
    #[must_use]
    pub fn transport<U: Transport>(self, transport: U) -> Server<A, U, H> {
        let Parts { peers, config, authenticate, http, .. } = self.parts;
        Server { listener: self.listener, parts: Parts { peers, config, authenticate, transport, http } }
    }

    /// What answers requests for paths that do not begin with one of [`HandshakeSettings::prefixes`]: a page or a REST interface on
    /// the same port. Without it they get 404.
    ///
    /// It is a service of hyper. A router of axum becomes one by `hyper_util::service::TowerToHyperService::new(router)`;
    /// each request has the [`Origin`](super::Origin) of its connection among its extensions. How long an answer may take,
    /// and how large a body may be, is the service's affair.
    #[must_use]
    pub fn http<I: Http>(self, http: I) -> Server<A, T, I> {
        let Parts { peers, config, authenticate, transport, .. } = self.parts;
        Server { listener: self.listener, parts: Parts { peers, config, authenticate, transport, http } }
    }

    /// The directory that peers are entered in, so that several servers (one with TLS, one without) have one in common. A
    /// connection at one of them takes the place of an older one at another.
    #[must_use]
    pub fn directory(mut self, peers: Peers) -> Self {
        self.parts.peers = peers;
        self
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Who is connected; the handle stays good while the server runs.
    pub fn peers(&self) -> Peers {
        self.parts.peers.clone()
    }

    /// Serves `ws://{address}/ocpp/{identity}` until the future is dropped, which ends every connection at once.
    ///
    /// # Errors
    /// None at present: a connection that fails ends alone, and when the system has no room for another one the
    /// listener waits a moment.
    pub async fn serve<R: Versions + 'static>(self, router: R) -> io::Result<()> {
        self.serve_until(router, std::future::pending()).await
    }

    /// Serves until `end` is ready, and ends gracefully then: nobody else is let in, calls that run are completed, and
    /// peers are asked to come back later, spread over [`ServerConfig::shutdown_spread`].
    ///
    /// # Errors
    /// As [`Server::serve`].
    pub async fn serve_until<R: Versions + 'static>(self, router: R, end: impl Future<Output = ()>) -> io::Result<()> {
        let Self { listener, parts } = self;
        let Parts { peers, config, authenticate, transport, http } = parts;
        let (spread, grace) = (config.shutdown_spread, config.shutdown_grace);
        let mut pace = Pace::new(config.max_accepts_per_second);
        let places = Arc::new(Semaphore::new(config.max_handshakes.min(Semaphore::MAX_PERMITS)));
        let at_once = AddressCap::new(config.max_handshakes_per_address);
        let (ending, ends) = watch::channel(false);
        let endpoint = Endpoint::with(router, authenticate, peers.clone(), config.clone());
        let front = Arc::new(Front::new(endpoint, transport, http, &config, ends));
        // Two sets, so that what a handshake needs is given back before the connection is served.
        let mut handshakes = JoinSet::new();
        let mut connections = JoinSet::new();
        let mut end = pin!(end);
        loop {
            let accept = async {
                pace.wait().await;
                // Nobody closes it.
                let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
                listener.accept().await.map(|(stream, remote)| (stream, remote, place))
            };
            tokio::select! {
                accepted = accept => match accepted {
                    Ok((stream, remote, place)) => {
                        let Ok(place) = Place::new(place, &at_once, remote) else { continue };
                        pace.count();
                        send_at_once(&stream);
                        handshakes.spawn(Arc::clone(&front).serve(stream, remote, place));
                    }
                    Err(error) => {
                        // Out of file descriptors, most of the time: the next one to end makes room.
                        tracing::error!(%error, "cannot accept a connection");
                        pace.pause(Duration::from_millis(100));
                    }
                },
                Some(done) = handshakes.join_next() => match done {
                    Ok(Some((stream, handshake))) => {
                        connections.spawn(front.endpoint().serve_upgraded(stream, handshake));
                    }
                    Ok(None) => {}
                    Err(error) => tracing::error!(%error, "a handshake's task failed"),
                },
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection's task failed");
                    }
                }
                () = &mut end => break,
            }
        }
        drop(listener);
        // Requests that are being answered are completed; whoever is in a handshake is let go.
        let _ = ending.send(true);
        let all_gone = async {
            while handshakes.join_next().await.is_some() {}
            while connections.join_next().await.is_some() {}
        };
        let farewell = say_goodbye(&peers, spread);
        let _ = tokio::time::timeout(spread + grace, futures_util::future::join(farewell, all_gone)).await;
        Ok(())
    }
}
