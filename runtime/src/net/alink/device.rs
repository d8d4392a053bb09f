//! The device.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::DeviceBuilder;
use super::desk::Desk;
use super::dispatch::{Dispatch, Workers};
use super::gateway::Gateway;
use super::lanes::Lanes;
use super::login::{login, unreachable};
use super::messages::{Message, Publisher, Session};
use super::request::Messages;
use super::socket::{AlinkSocket, Taker, write_all};
use crate::alink::{
    Channel, DeviceRef, Login, LoginError, LoginOptions, Ota, RegisteredUnlisted, Secret, SecureMode, Topic,
};
use crate::mqtt::{Client, Connect, Limits, QoS};
use crate::net::client::{Address, ConnectError, Link, Open, Runner, Stream, Tls};
use crate::net::clock::Clock;
use crate::net::{KeepAlive, Observe};
use crate::session::Config;
use crate::{Dialect, Router};

/// How long TCP, TLS and the login may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Who a device is, and how it says so: anew for each connection, since signatures may name the time.
type MakeConnect = Arc<dyn Fn() -> Connect + Send + Sync>;

/// That a device reaches the platform over a connection of its own.
pub struct OwnConnection {
    url: String,
    connect: MakeConnect,
    limits: Limits,
    tls: Option<Tls>,
    connect_timeout: Duration,
    subscribes: bool,
}

impl fmt::Debug for OwnConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnConnection").field("url", &self.url).finish_non_exhaustive()
    }
}

/// # A connection of its own
impl DeviceBuilder {
    /// How much MQTT takes and holds.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        let connection = OwnConnection { limits, ..self.connection };
        Self { connection, ..self }
    }

    /// Whom to trust, for `mqtts://`. For the cloud, its own roots, which are not those of browsers: GlobalSign Root R1, which
    /// ends on 2028-01-28, and Aliyun IoT Root CA, which goes on to 2053; give both. For a platform of one's own, the authority
    /// that signed its certificate.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(self, tls: crate::net::ClientTls) -> Self {
        let connection = OwnConnection { tls: Some(tls), ..self.connection };
        Self { connection, ..self }
    }

    /// How long TCP, TLS and the login may take together. Default 30 s.
    #[must_use]
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        let connection = OwnConnection { connect_timeout, ..self.connection };
        Self { connection, ..self }
    }

    /// Subscribes to the system's topics after each login: for a broker that is no Alink platform, and for a login without
    /// `_ss=1`. Holds for the sub-devices of a gateway, too.
    #[must_use]
    pub fn subscribing(self) -> Self {
        let connection = OwnConnection { subscribes: true, ..self.connection };
        Self { connection, ..self }
    }

    /// The device.
    ///
    /// # Errors
    /// [`ConnectError::BadUrl`] and [`ConnectError::NoTls`]: what no attempt can mend.
    pub fn build<R: Router>(self, router: R) -> Result<Device<R>, ConnectError> {
        let OwnConnection { url, connect, limits, tls, connect_timeout, subscribes } = self.connection;
        let address = Address::of(&url, ("mqtt", 1883), ("mqtts", 8883))?;
        if address.is_tls() && tls.is_none() {
            return Err(ConnectError::NoTls);
        }
        let routes = self.routes.into_iter().chain(self.rest).collect();
        let lanes = Arc::<Lanes>::default();
        let messages = self.messages.clone();
        let (dispatch, workers) = Dispatch::new(routes, self.rrpc_timeout, messages, Some(Arc::clone(&lanes)));
        // A broker may bring a message once for each subscription that it matches.
        let rrpc_topics = if subscribes { Vec::new() } else { self.rrpc_topics };
        let (server, sessions) = (address.host_and_port().to_owned(), self.sessions.subscribe());
        let opener = Opener {
            address,
            product_key: self.product_key,
            device_name: self.device_name,
            connect,
            config: self.config,
            limits,
            qos: self.qos,
            tls,
            connect_timeout,
            patience: self.patience,
            observe: self.observe,
            subscribes,
            topics: self.topics.into_iter().chain(rrpc_topics).collect(),
            dispatch: Arc::new(dispatch),
            sessions: self.sessions,
        };
        let runner = Runner::new(opener, self.back_off, self.while_offline, self.waiting_calls, router);
        let (gateway, desk) = Gateway::new(runner.link(), sessions, lanes, subscribes, server);
        Ok(Device { runner, messages: self.messages, workers, gateway, desk })
    }
}

/// A device on an Alink platform, which connects as often as it has to.
///
/// Handlers answer what the platform calls; calls of its own go through [`Device::link`], and messages that are no calls
/// and requests through [`Device::messages`].
pub struct Device<R> {
    runner: Runner<R, Opener>,
    messages: Messages,
    workers: Workers,
    gateway: Gateway,
    desk: Desk,
}

impl Device<()> {
    /// Prepares connections of a device that has a secret of its own. Whether the login says TLS or TCP is the URL's matter.
    ///
    /// ```no_run
    /// use onwire::alink::{DeviceRef, LoginOptions, Secret};
    /// use onwire::net::alink::Device;
    ///
    /// # fn builder() -> Result<(), onwire::alink::LoginError> {
    /// let device = DeviceRef { product_key: "a1X", device_name: "SN1" };
    /// let secret = Secret::from("f00d");
    /// let builder = Device::with_secret("mqtt://127.0.0.1:1883", device, &secret, LoginOptions::default())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LoginError`]: a name or a parameter that cannot be sent.
    pub fn with_secret(
        url: &str,
        device: DeviceRef<'_>,
        secret: &Secret,
        mut options: LoginOptions,
    ) -> Result<DeviceBuilder, LoginError> {
        options.secure_mode = if url.starts_with("mqtts:") { SecureMode::Tls } else { SecureMode::Tcp };
        let connect = Connect::from(Login::with_secret(device, secret, &options)?);
        Ok(Self::builder(url, device, move || connect.clone()))
    }

    /// Prepares connections of a device that was given a token in place of a secret
    /// ([`Registration::register_unlisted`](super::Registration::register_unlisted)).
    ///
    /// # Errors
    /// [`LoginError`]: a name or a parameter that cannot be sent.
    pub fn with_token(
        url: &str,
        registered: &RegisteredUnlisted,
        options: &LoginOptions,
    ) -> Result<DeviceBuilder, LoginError> {
        let RegisteredUnlisted { client_id, product_key, device_name, device_token } = registered;
        let device = DeviceRef { product_key, device_name };
        let connect = Connect::from(Login::with_token(device, client_id, device_token, options)?);
        Ok(Self::builder(url, device, move || connect.clone()))
    }

    /// Prepares connections to `mqtt://host[:port]` (port 1883), or `mqtts://` (8883). `connect` is asked for what the device
    /// says of itself each time.
    #[must_use]
    pub fn builder(
        url: &str,
        device: DeviceRef<'_>,
        connect: impl Fn() -> Connect + Send + Sync + 'static,
    ) -> DeviceBuilder {
        let connection = OwnConnection {
            url: url.to_owned(),
            connect: Arc::new(connect),
            limits: Limits::default(),
            tls: None,
            connect_timeout: CONNECT_TIMEOUT,
            subscribes: false,
        };
        DeviceBuilder::new(device, connection)
    }
}

impl<R: Router> Device<R> {
    /// The handle to watch it and to call through.
    pub fn link(&self) -> Link {
        self.runner.link()
    }

    /// The handle to send messages that are no calls: clock, shadow, raw bytes, topics of the user's own.
    pub fn messages(&self) -> Messages {
        self.messages.clone()
    }

    /// The handle to bring sub-devices online through this device, which is their gateway then.
    pub fn gateway(&self) -> Gateway {
        self.gateway.clone()
    }

    /// Connects, again and again, until [`Link::stop`]; then until the last connection and its handlers have ended.
    pub async fn run(self) {
        let Self { runner, workers, desk, messages: _, gateway: _ } = self;
        // Handlers of messages come to their end once no message can come.
        tokio::join!(runner.run(), workers.run(), desk.run());
    }
}

impl<R: fmt::Debug> fmt::Debug for Device<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("runner", &self.runner).finish_non_exhaustive()
    }
}

struct Opener {
    address: Address,
    product_key: String,
    device_name: String,
    connect: MakeConnect,
    config: Config,
    limits: Limits,
    qos: QoS,
    tls: Option<Tls>,
    connect_timeout: Duration,
    patience: Duration,
    observe: Option<Arc<dyn Observe>>,
    subscribes: bool,
    topics: Vec<(String, QoS)>,
    dispatch: Arc<Dispatch>,
    sessions: watch::Sender<Option<Session>>,
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Open for Opener {
    type Socket = AlinkSocket<'static, Stream, Client>;

    async fn open(&self, _: &'static Dialect) -> Result<Self::Socket, ConnectError> {
        let login = tokio::time::timeout(self.connect_timeout, self.login());
        login.await.map_err(|_| ConnectError::Timeout)?
    }

    fn server(&self) -> &str {
        self.address.host_and_port()
    }

    fn session(&self) -> &Config {
        &self.config
    }

    fn keep_alive(&self) -> KeepAlive {
        // Pings are MQTT's own.
        KeepAlive { ping_after: None, patience: self.patience, silence: None }
    }

    fn observe(&self) -> Option<Arc<dyn Observe>> {
        self.observe.clone()
    }
}

impl Opener {
    async fn login(&self) -> Result<AlinkSocket<'static, Stream, Client>, ConnectError> {
        let clock = Clock::start();
        let device = DeviceRef { product_key: &self.product_key, device_name: &self.device_name };
        let mut channel = Channel::device(device, self.limits);
        channel.set_qos(self.qos);
        if !self.dispatch.takes(&Topic::Ota { device, what: Ota::Upgrade }.to_string()) {
            channel.frame_updates();
        }
        let connect = (self.connect)();
        let mut stream = login(&self.address, self.tls.as_ref(), channel.link_mut(), &connect, clock).await?;
        self.subscribe(&mut channel, clock)?;
        let sent = write_all(&mut stream, channel.link_mut()).await;
        sent.map_err(|source| unreachable(&self.address, source))?;
        let (publisher, outgoing) = Publisher::device();
        let session = Session { publisher, waiting: Arc::default() };
        self.sessions.send_replace(Some(session.clone()));
        let dispatch = Arc::clone(&self.dispatch);
        let taker: Taker<'static> = Box::new(move |message: Message, owed| {
            let (dispatch, session) = (Arc::clone(&dispatch), session.clone());
            Box::pin(async move { dispatch.take(&session, message, owed).await })
        });
        let unread = Box::new(|topic: &str| tracing::warn!(topic, "ignored a message that is no text"));
        Ok(AlinkSocket::new(stream, channel, clock, outgoing, taker, unread))
    }

    fn subscribe(&self, channel: &mut Channel<Client>, clock: Clock) -> Result<(), ConnectError> {
        let device = DeviceRef { product_key: &self.product_key, device_name: &self.device_name };
        let of_gateway = if self.subscribes { Topic::GATEWAY_FILTERS } else { &[] };
        let of_gateway: Vec<_> = of_gateway.iter().map(|filter| device.filter(filter)).collect();
        let of_gateway = of_gateway.iter().map(|filter| (filter.as_str(), QoS::AtLeastOnce));
        let topics: Vec<_> =
            self.topics.iter().map(|(filter, qos)| (filter.as_str(), *qos)).chain(of_gateway).collect();
        let asked = match (self.subscribes, topics.is_empty()) {
            (true, _) => channel.subscribe(&topics, clock.now()),
            (false, false) => channel.link_mut().subscribe(&topics, clock.now()),
            (false, true) => return Ok(()),
        };
        asked.map(|_| ()).map_err(|_| ConnectError::LoginTooLong)
    }
}
