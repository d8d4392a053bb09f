//! The client: one connection to a server.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::{TokioAdapter, client_async_with_config};
use async_tungstenite::tungstenite;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use http::uri::Uri;
use tokio::net::TcpStream;

use super::clock::Clock;
use super::pump::{self, Disconnected};
use super::{random_first_id, web_socket_config};
use crate::session::Config;
use crate::{CallFailure, Connection, Peer, Router};

/// How long connection and handshake may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Not a `ws://host[:port]/path` URL.
    #[error("{0:?} is not a ws:// URL")]
    BadUrl(String),
    /// The host could not be reached.
    #[error("{host}: {source}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The server refused the handshake, or chose none of the subprotocols on offer.
    #[error("the server refused the handshake: {0}")]
    Refused(#[source] Box<tungstenite::Error>),
    /// No answer in time.
    #[error("the server did not answer in time")]
    Timeout,
}

/// A connection to a server, and the handlers of this side.
///
/// ```no_run
/// use onwire::net::Client;
/// use onwire::ocpp::v16::*;
///
/// struct Charger;
///
/// #[onwire::handlers(ocpp::v16, role = ChargePoint)]
/// impl Charger {
///     #[on(ClearCache)]
///     fn clear_cache(&self) -> ClearCacheResponse {
///         ClearCacheResponse::new(ClearCacheStatus::Rejected)
///     }
/// }
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect("ws://127.0.0.1:8080/ocpp/CP1", Charger).await?;
/// let peer = client.peer();
/// tokio::select! {
///     ended = client.run() => println!("{ended}"),
///     boot = peer.call(BootNotificationRequest::new("Example", "Model 1")) => println!("{:?}", boot?.status),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Client<R> {
    stream: WebSocketStream<TokioAdapter<TcpStream>>,
    connection: Connection,
    router: R,
    clock: Clock,
}

impl<R: Router> Client<R> {
    /// Connects to `ws://host[:port]/path/identity`.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(url: &str, router: R) -> Result<Self, ConnectError> {
        Self::connect_with(url, router, Config::default()).await
    }

    /// [`Client::connect`] with a configuration.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect_with(url: &str, router: R, config: Config) -> Result<Self, ConnectError> {
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, open(url, R::DIALECT.subprotocols));
        let (stream, host) = opened.await.map_err(|_| ConnectError::Timeout)??;
        let config = Config { first_id: random_first_id(), ..config };
        Ok(Self { stream, connection: Connection::new(&host, R::DIALECT, config), router, clock: Clock::start() })
    }

    /// The server. Calls wait until [`Client::run`] runs.
    pub fn peer(&self) -> Peer {
        self.connection.peer().clone()
    }

    /// Runs the connection until it ends.
    pub async fn run(self) -> Disconnected {
        let handlers = self.connection.serve(&self.router);
        pump::run(self.stream, &self.connection, self.clock, handlers, ()).await
    }

    /// Runs the connection until `work` is done, then closes it; or until it ends.
    ///
    /// # Errors
    /// [`Disconnected`] if the connection ended first.
    pub async fn run_until<T>(self, work: impl Future<Output = T>) -> Result<T, Disconnected> {
        let peer = self.peer();
        let (mut run, mut work) = (pin!(self.run()), pin!(work));
        let done = tokio::select! {
            ended = &mut run => return Err(ended),
            done = &mut work => done,
        };
        peer.disconnect(CallFailure::Disconnected);
        run.await;
        Ok(done)
    }
}

async fn open(
    url: &str,
    subprotocols: &[&str],
) -> Result<(WebSocketStream<TokioAdapter<TcpStream>>, String), ConnectError> {
    let bad_url = || ConnectError::BadUrl(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| bad_url())?;
    let host = uri.host().filter(|_| uri.scheme_str() == Some("ws")).ok_or_else(bad_url)?;
    let address = format!("{host}:{}", uri.port_u16().unwrap_or(80));
    let mut request = uri.clone().into_client_request().map_err(|_| bad_url())?;
    // Only the first: the others are spellings of it that servers accept.
    if let Some(name) = subprotocols.first().and_then(|name| HeaderValue::from_str(name).ok()) {
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, name);
    }
    let unreachable = |source| ConnectError::Unreachable { host: address.clone(), source };
    let stream = TcpStream::connect(&address).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let opened = client_async_with_config(request, stream, Some(web_socket_config())).await;
    let (stream, _) = opened.map_err(|error| ConnectError::Refused(Box::new(error)))?;
    Ok((stream, address))
}
