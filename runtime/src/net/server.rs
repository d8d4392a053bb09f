//! The server: a listener and an HTTP front before an [`Endpoint`].

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::task::JoinSet;

use super::{Endpoint, Handshake, Peers, Versions};
use crate::session::Config;

/// How long a client may take to send the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

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
pub struct Server {
    listener: TcpListener,
    peers: Peers,
    config: Config,
}

impl Server {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// Those of the system: the port is taken or not allowed.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, peers: Peers::default(), config: Config::default() })
    }

    /// How sessions are configured.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
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
        self.peers.clone()
    }

    /// Serves `ws://{address}/ocpp/{identity}` until the future is dropped, which ends every connection.
    ///
    /// # Errors
    /// None at present: a connection that fails ends alone, and when the system has no room for another one the
    /// listener waits a moment.
    pub async fn serve<R: Versions + 'static>(self, router: R) -> io::Result<()> {
        let endpoint = Endpoint::with(router, self.peers, self.config, "/ocpp/");
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, endpoint.clone()));
                    }
                    Err(error) => {
                        // Out of file descriptors, most of the time: the next one to end makes room.
                        tracing::error!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection's task failed");
                    }
                }
            }
        }
    }
}

/// What a request leaves behind for its connection: the stream it will be, and the handshake that was answered.
type Upgrade = (OnUpgrade, Handshake);

async fn connection<R: Versions>(stream: TcpStream, endpoint: Endpoint<R>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot send small messages at once");
    }
    let upgrade: Arc<Mutex<Option<Upgrade>>> = Arc::default();
    let service = service_fn(|request| {
        let response = answer(request, &endpoint, &upgrade);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let http = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = http.await {
        tracing::debug!(%error, "a request failed");
        return;
    }
    let Some((stream, handshake)) = upgrade.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    match stream.await {
        Ok(stream) => {
            endpoint.serve_upgraded(TokioIo::new(stream), handshake).await;
        }
        Err(error) => tracing::debug!(%error, "an upgrade failed"),
    }
}

fn answer<R: Versions>(
    mut request: Request<Incoming>,
    endpoint: &Endpoint<R>,
    upgrade: &Mutex<Option<Upgrade>>,
) -> Response<Full<Bytes>> {
    let stream = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    match endpoint.handshake(&head) {
        Ok(handshake) => {
            let response = handshake.response().map(|()| Full::default());
            *upgrade.lock().unwrap_or_else(PoisonError::into_inner) = Some((stream, handshake));
            response
        }
        Err(refusal) => refusal.response().map(|body| Full::new(body.into())),
    }
}
