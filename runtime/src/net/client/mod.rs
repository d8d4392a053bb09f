//! The client: one connection to a server, or one after the other.

mod back_off;
mod builder;
mod error;
mod link;
mod open;
mod reconnect;
mod settings;
mod stream;
mod url;

use std::future::Future;
use std::pin::pin;

use super::clock::Clock;
use super::observe::Watch;
use super::opened::Opened;
use super::pump::{self, Disconnected};
use super::{KeepAlive, random_first_id};
use crate::session::Config;
use crate::{CallFailure, Connection, Peer, Router};

pub use back_off::BackOff;
pub use builder::ClientBuilder;
pub use error::ConnectError;
pub use link::{Link, LinkState, Setback, WhileOffline};
use open::WebSocket;
#[cfg(feature = "alink")]
pub(super) use open::stream;
pub use reconnect::Reconnecting;
#[cfg(feature = "alink")]
pub(super) use reconnect::{Open, Runner};
use settings::Settings;
#[cfg(feature = "alink")]
pub(super) use settings::Tls;
#[cfg(feature = "alink")]
pub(super) use stream::Stream;
#[cfg(feature = "alink")]
pub(super) use url::Address;

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
///
/// [`Client::builder`] is for what needs TLS, credentials, or a connection that comes back by itself.
#[derive(Debug)]
pub struct Client<R> {
    stream: WebSocket,
    connection: Connection,
    router: R,
    clock: Clock,
    keep_alive: KeepAlive,
    watch: Option<Box<Watch>>,
}

impl Client<()> {
    /// Prepares a connection to `ws://host[:port]/path/identity`, or `wss://`. The identity is percent-encoded.
    #[must_use]
    pub fn builder(url: &str) -> ClientBuilder {
        ClientBuilder::new(url)
    }
}

impl<R: Router> Client<R> {
    /// Connects to `ws://host[:port]/path/identity`.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(url: &str, router: R) -> Result<Self, ConnectError> {
        Client::builder(url).connect(router).await
    }

    /// [`Client::connect`] with a configuration.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect_with(url: &str, router: R, config: Config) -> Result<Self, ConnectError> {
        Client::builder(url).config(config).connect(router).await
    }

    async fn open(settings: &Settings, router: R) -> Result<Self, ConnectError> {
        let stream = open::open(settings, R::DIALECT.subprotocols).await?;
        let connection = connection::<R>(settings);
        let (keep_alive, watch) = (settings.keep_alive, settings.observe.clone().map(Watch::new));
        Ok(Self { stream, connection, router, clock: Clock::start(), keep_alive, watch })
    }

    /// The server. Calls wait until [`Client::run`] runs.
    pub fn peer(&self) -> Peer {
        self.connection.peer().clone()
    }

    /// Runs the connection until it ends.
    pub async fn run(self) -> Disconnected {
        let mut socket = Opened::new(self.stream);
        let handlers = pin!(self.connection.serve(&self.router));
        pump::run(&mut socket, &self.connection, self.clock, self.keep_alive, handlers, (), self.watch).await
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

/// The session for a stream that has been opened.
fn connection<R: Router>(settings: &Settings) -> Connection {
    let config = Config { first_id: random_first_id(), ..settings.config.clone() };
    Connection::new(settings.address.host_and_port(), R::DIALECT, config)
}
