//! What a client is told before it connects.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::settings::{Settings, authorization};
use super::url::Address;
use super::{BackOff, Client, ConnectError, Reconnecting, WhileOffline};
use crate::Router;
use crate::net::{KeepAlive, Observe};
use crate::session::Config;

/// How long TCP, TLS and the opening handshake may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How many calls a [`Link`](super::Link) holds.
const WAITING_CALLS: usize = 32;

/// A client that is being described; [`Client::builder`] begins one.
///
/// ```no_run
/// # use onwire::ocpp::v16::*;
/// # struct Charger;
/// # #[onwire::handlers(ocpp::v16, role = ChargePoint)]
/// # impl Charger {
/// #     #[on(ClearCache)]
/// #     fn clear_cache(&self) -> ClearCacheResponse { ClearCacheResponse::new(ClearCacheStatus::Rejected) }
/// # }
/// # async fn run() -> Result<(), onwire::net::ConnectError> {
/// use onwire::net::Client;
///
/// let password = [0x00, 0x9f, 0x92, 0x96, 0x1d, 0x1b, 0x45, 0x0a, 0x9e, 0x21, 0xff, 0x50, 0x3c, 0x11, 0x80, 0x07];
/// let client = Client::builder("ws://csms.example/ocpp/CP1").credentials("CP1", password).connect(Charger).await?;
/// # Ok(())
/// # }
/// ```
pub struct ClientBuilder {
    url: String,
    config: Config,
    keep_alive: KeepAlive,
    credentials: Option<(String, Vec<u8>)>,
    #[cfg(feature = "rustls")]
    tls: Option<crate::net::ClientTls>,
    connect_timeout: Duration,
    observe: Option<Arc<dyn Observe>>,
    pub(super) back_off: BackOff,
    pub(super) while_offline: WhileOffline,
    pub(super) waiting_calls: usize,
}

impl ClientBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            config: Config::default(),
            keep_alive: KeepAlive::default(),
            credentials: None,
            #[cfg(feature = "rustls")]
            tls: None,
            connect_timeout: CONNECT_TIMEOUT,
            observe: None,
            back_off: BackOff::default(),
            while_offline: WhileOffline::default(),
            waiting_calls: WAITING_CALLS,
        }
    }

    /// What sessions tolerate and hold. [`Config::first_id`] is drawn for each connection.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// How a dead connection is found. OCPP 1.6's `WebSocketPingInterval` is [`KeepAlive::ping_after`], where 0 is
    /// `None`.
    #[must_use]
    pub fn keep_alive(self, keep_alive: KeepAlive) -> Self {
        Self { keep_alive, ..self }
    }

    /// HTTP Basic credentials (security profiles 1 and 2): the identity of the URL, not percent-encoded, and the
    /// password as bytes. OCPP 1.6's `AuthorizationKey` is the hexadecimal spelling of them.
    #[must_use]
    pub fn credentials(self, identity: impl Into<String>, password: impl Into<Vec<u8>>) -> Self {
        Self { credentials: Some((identity.into(), password.into())), ..self }
    }

    /// Whom to trust, for `wss://`.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(self, tls: crate::net::ClientTls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// How long TCP, TLS and the opening handshake may take together. Default 30 s.
    #[must_use]
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// Who is shown every message, for a message log.
    #[must_use]
    pub fn observe(self, observe: Arc<dyn Observe>) -> Self {
        Self { observe: Some(observe), ..self }
    }

    /// How long to wait between attempts, for [`ClientBuilder::reconnecting`].
    #[must_use]
    pub fn back_off(self, back_off: BackOff) -> Self {
        Self { back_off, ..self }
    }

    /// What becomes of a [`Link::call`](super::Link::call) without a connection. Default [`WhileOffline::Wait`].
    #[must_use]
    pub fn while_offline(self, while_offline: WhileOffline) -> Self {
        Self { while_offline, ..self }
    }

    /// How many calls of a [`Link`](super::Link) may wait or be under way; one more fails with
    /// [`CallFailure::QueueFull`](crate::CallFailure::QueueFull). Default 32.
    #[must_use]
    pub fn waiting_calls(self, waiting_calls: usize) -> Self {
        Self { waiting_calls, ..self }
    }

    /// Connects, once.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect<R: Router>(self, router: R) -> Result<Client<R>, ConnectError> {
        Client::open(&self.settings()?, router).await
    }

    /// A client that connects as often as it has to.
    ///
    /// # Errors
    /// [`ConnectError::BadUrl`], [`ConnectError::NoTls`] and [`ConnectError::BadIdentity`]: what no attempt can mend.
    pub fn reconnecting<R: Router>(self, router: R) -> Result<Reconnecting<R>, ConnectError> {
        Reconnecting::new(self, router)
    }

    pub(super) fn settings(&self) -> Result<Settings, ConnectError> {
        let address = Address::parse(&self.url)?;
        #[cfg(feature = "rustls")]
        let has_tls = self.tls.is_some();
        #[cfg(not(feature = "rustls"))]
        let has_tls = false;
        if address.is_tls() && !has_tls {
            return Err(ConnectError::NoTls);
        }
        let credentials = self.credentials.as_ref();
        Ok(Settings {
            address,
            config: self.config.clone(),
            keep_alive: self.keep_alive,
            authorization: credentials.map(|(identity, password)| authorization(identity, password)).transpose()?,
            #[cfg(feature = "rustls")]
            tls: self.tls.clone(),
            connect_timeout: self.connect_timeout,
            observe: self.observe.clone(),
        })
    }
}

impl fmt::Debug for ClientBuilder {
    /// Without the URL, which may hold a password, and without the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("has_credentials", &self.credentials.is_some())
            .field("keep_alive", &self.keep_alive)
            .field("back_off", &self.back_off)
            .finish_non_exhaustive()
    }
}
