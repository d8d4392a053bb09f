//! The server: a listener and an HTTP front before an [`Endpoint`].

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Parts, Upgraded};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::task::JoinSet;

use super::already_read::AlreadyRead;
use super::{Authenticate, Endpoint, Everybody, Handshake, HandshakeSettings, KeepAlive, MAX_MESSAGE, Origin, Peers};
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
    /// How many connections are accepted each second, so that a storm of reconnects does not starve those that are
    /// connected. Default no limit.
    pub max_accepts_per_second: Option<u32>,
    /// How long a client may take from the TCP connection to the upgrade, with TLS and authentication. Default 15 s.
    pub handshake_timeout: Duration,
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
            max_accepts_per_second: None,
            handshake_timeout: Duration::from_secs(15),
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
pub struct Server<A = Everybody, T = Plain> {
    listener: TcpListener,
    peers: Peers,
    config: ServerConfig,
    authenticate: A,
    transport: T,
}

impl Server {
    /// Listens on an address; port 0 takes a free one. Everybody may connect, without TLS.
    ///
    /// # Errors
    /// Those of the system: the port is taken or not allowed.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            peers: Peers::default(),
            config: ServerConfig::default(),
            authenticate: Everybody,
            transport: Plain,
        })
    }
}

impl<A: Authenticate, T: Transport> Server<A, T> {
    /// How it serves.
    #[must_use]
    pub fn config(self, config: ServerConfig) -> Self {
        Self { config, ..self }
    }

    /// Who may connect.
    #[must_use]
    pub fn authenticate<B: Authenticate>(self, authenticate: B) -> Server<B, T> {
        let Self { listener, peers, config, transport, .. } = self;
        Server { listener, peers, config, authenticate, transport }
    }

    /// What lies between TCP and HTTP: TLS.
    #[must_use]
    pub fn transport<U: Transport>(self, transport: U) -> Server<A, U> {
        let Self { listener, peers, config, authenticate, .. } = self;
        Server { listener, peers, config, authenticate, transport }
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
        self.peers.clone()
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
        let Self { listener, peers, config, authenticate, transport } = self;
        let (limit, spread, grace) = (config.max_handshakes, config.shutdown_spread, config.shutdown_grace);
        let mut pace = Pace::new(config.max_accepts_per_second);
        let front = Arc::new(Front {
            endpoint: Endpoint::with(router, authenticate, peers.clone(), config.clone()),
            transport,
            timeout: config.handshake_timeout,
        });
        // Two sets, so that what a handshake needs is given back before the connection is served.
        let mut handshakes = JoinSet::new();
        let mut connections = JoinSet::new();
        let mut end = pin!(end);
        loop {
            let accept = async {
                pace.wait().await;
                listener.accept().await
            };
            tokio::select! {
                accepted = accept, if handshakes.len() < limit => match accepted {
                    Ok((stream, remote)) => {
                        pace.count();
                        handshakes.spawn(Arc::clone(&front).shake_hands(stream, remote));
                    }
                    Err(error) => {
                        // Out of file descriptors, most of the time: the next one to end makes room.
                        tracing::error!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(done) = handshakes.join_next() => match done {
                    Ok(Some((stream, handshake))) => {
                        connections.spawn(front.endpoint.serve_upgraded(stream, handshake));
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
        drop((listener, handshakes));
        let all_gone = async { while connections.join_next().await.is_some() {} };
        let farewell = async {
            // A hash map's order is as good as dice.
            let all = peers.list();
            let pause = spread / u32::try_from(all.len()).unwrap_or(u32::MAX).max(1);
            for connected in all {
                connected.peer.close();
                tokio::time::sleep(pause).await;
            }
        };
        let _ = tokio::time::timeout(spread + grace, futures_util::future::join(farewell, all_gone)).await;
        Ok(())
    }
}

/// Accepts so many connections in a second.
struct Pace {
    interval: Option<Duration>,
    next: tokio::time::Instant,
}

impl Pace {
    fn new(per_second: Option<u32>) -> Self {
        let interval = per_second.map(|rate| Duration::from_secs(1) / rate.max(1));
        Self { interval, next: tokio::time::Instant::now() }
    }

    async fn wait(&self) {
        if self.interval.is_some() {
            tokio::time::sleep_until(self.next).await;
        }
    }

    fn count(&mut self) {
        if let Some(interval) = self.interval {
            // What was not used is not saved up.
            self.next = self.next.max(tokio::time::Instant::now()) + interval;
        }
    }
}

/// What every handshake needs.
struct Front<R, A, T> {
    endpoint: Endpoint<R, A>,
    transport: T,
    timeout: Duration,
}

/// What a request leaves behind for its connection: the stream it will be, and the handshake that was answered.
type Upgrade = (OnUpgrade, Handshake);

impl<R: Versions, A: Authenticate, T: Transport> Front<R, A, T> {
    /// From TCP to the upgraded stream; `None` if there is no connection to be served.
    async fn shake_hands(self: Arc<Self>, stream: TcpStream, remote: SocketAddr) -> Option<Served<T::Stream>> {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot send small messages at once");
        }
        let Ok(served) = tokio::time::timeout(self.timeout, self.upgraded(stream, remote)).await else {
            tracing::debug!(%remote, "a handshake took too long");
            return None;
        };
        served
    }

    async fn upgraded(&self, stream: TcpStream, remote: SocketAddr) -> Option<Served<T::Stream>> {
        let stream = match self.transport.accept(stream).await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%remote, %error, "the transport's handshake failed");
                return None;
            }
        };
        let origin = Origin { remote: Some(remote), certificate: T::client_certificate(&stream) };
        let upgrade: Mutex<Option<Upgrade>> = Mutex::default();
        let service = service_fn(|request| {
            let answer = self.answer(request, origin.clone(), &upgrade);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let http = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.timeout)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        if let Err(error) = http.await {
            tracing::debug!(%remote, %error, "a request failed");
            return None;
        }
        let (stream, handshake) = upgrade.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        let upgraded = stream.await.inspect_err(|error| tracing::debug!(%remote, %error, "an upgrade failed")).ok()?;
        Some((stream_of(upgraded)?, handshake))
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        origin: Origin,
        upgrade: &Mutex<Option<Upgrade>>,
    ) -> Response<Full<Bytes>> {
        let stream = hyper::upgrade::on(&mut request);
        let (head, _) = request.into_parts();
        match self.endpoint.handshake(&head, origin).await {
            Ok(handshake) => {
                let response = handshake.response().map(|()| Full::default());
                *upgrade.lock().unwrap_or_else(PoisonError::into_inner) = Some((stream, handshake));
                response
            }
            Err(refusal) => {
                tracing::debug!(path = head.uri.path(), %refusal, "refused a handshake");
                let mut response = refusal.response().map(|body| Full::new(body.into()));
                // A second request on this connection would count as the same handshake.
                response.headers_mut().append(CONNECTION, HeaderValue::from_static("close"));
                response
            }
        }
    }
}

/// A stream to be served.
type Served<S> = (AlreadyRead<S>, Handshake);

/// The stream itself, without what hyper needed around it, and what hyper has read beyond the request.
fn stream_of<S: Send + Unpin + 'static>(upgraded: Upgraded) -> Option<AlreadyRead<S>>
where
    TokioIo<S>: hyper::rt::Read + hyper::rt::Write,
{
    let Parts { io, read_buf, .. } = upgraded.downcast::<TokioIo<S>>().ok()?;
    Some(AlreadyRead::new(&read_buf, io.into_inner()))
}
