//! A platform behind somebody's broker.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

use super::bridge_socket::BridgeSocket;
use super::fault::{ClientFault, Faulty};
use super::messages::{Outgoing, Publisher};
use super::rrpc::{Asked, Ending};
use super::socket::{Taker, Unread, next_packet, write_all};
use super::{ListenerConfig, PROTOCOL, Platform, identity};
use crate::alink::{DeviceRef, Routes, Topic};
use crate::mqtt::{Client, Connect, Link, Packet, QoS};
use crate::net::client::{Address, BackOff, ConnectError, Stream, Tls, stream};
use crate::net::clock::Clock;
use crate::net::observe::Watch;
use crate::net::peers::Info;
use crate::net::{Disconnected, KeepAlive, Peers, pump, random_first_id};
use crate::session::Config;
use crate::{Connection, Router};

/// How many messages of a device wait for its handlers; the next ones are dropped with a warning, so that one device does not
/// hold up the others.
const INBOX: usize = 32;

/// How many messages wait for the broker.
const OUTBOX: usize = 1024;

/// A platform as a client of a broker that the operator runs: devices connect to the broker, which is who checks their
/// passwords, keeps their subscriptions and carries their messages.
///
/// What this way has: any number of devices on as many brokers as stand behind one address; the broker's own lists of who may
/// connect and publish what; the platform may restart without a device that notices.
///
/// What it has not: logins and dynamic registration are the broker's, so that [`Platform::login`] is never asked, and a message
/// is believed to be of the device whose topic it is on — let each device publish on its own topics only. A device has to
/// subscribe, as `_ss=1` means nothing to a broker. It is "connected" from its first message until it was silent for
/// [`Bridge::idle`]. Messages while the platform is away are lost unless the broker keeps them. One platform for one product:
/// answers to calls must come to who called.
#[derive(Debug)]
pub struct Bridge {
    address: Address,
    tls: Option<Tls>,
    connect: Connect,
    products: Vec<String>,
    config: ListenerConfig,
    peers: Peers,
    back_off: BackOff,
    idle: Duration,
    max_devices: usize,
}

impl Bridge {
    /// A client of the broker at `mqtt://host[:port]` or `mqtts://`, for these products; none stands for all.
    ///
    /// # Errors
    /// [`ConnectError::BadUrl`].
    pub fn new(url: &str, connect: Connect, products: impl IntoIterator<Item = String>) -> Result<Self, ConnectError> {
        Ok(Self {
            address: Address::of(url, ("mqtt", 1883), ("mqtts", 8883))?,
            tls: None,
            connect,
            products: products.into_iter().collect(),
            config: ListenerConfig::default(),
            peers: Peers::default(),
            back_off: BackOff::default(),
            idle: Duration::from_secs(600),
            max_devices: 100_000,
        })
    }

    /// Whom to trust, for `mqtts://`.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(self, tls: crate::net::ClientTls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// How it serves.
    #[must_use]
    pub fn config(self, config: ListenerConfig) -> Self {
        Self { config, ..self }
    }

    /// How long to wait between attempts to connect to the broker.
    #[must_use]
    pub fn back_off(self, back_off: BackOff) -> Self {
        Self { back_off, ..self }
    }

    /// After how much silence a device counts as gone. Default 10 minutes.
    #[must_use]
    pub fn idle(self, idle: Duration) -> Self {
        Self { idle, ..self }
    }

    /// How many devices there may be at once; messages of further ones are dropped. Default 100,000.
    #[must_use]
    pub fn max_devices(self, max_devices: usize) -> Self {
        Self { max_devices, ..self }
    }

    /// The directory that devices are entered in.
    #[must_use]
    pub fn directory(self, peers: Peers) -> Self {
        Self { peers, ..self }
    }

    /// Who is connected; the handle stays good while the bridge runs.
    pub fn peers(&self) -> Peers {
        self.peers.clone()
    }

    /// Serves, with as many connections to the broker as it takes, until the future is dropped.
    ///
    /// # Errors
    /// [`ConnectError::NoTls`]: what no attempt can mend.
    pub async fn serve<P: Platform>(self, platform: P) -> Result<(), ConnectError> {
        if self.address.is_tls() && self.tls.is_none() {
            return Err(ConnectError::NoTls);
        }
        let (out, mut outgoing) = mpsc::channel(OUTBOX);
        let mut devices = Devices {
            shared: Arc::new(Shared {
                platform,
                config: self.config.clone(),
                peers: self.peers.clone(),
                clock: Clock::start(),
                idle: self.idle,
            }),
            out,
            inboxes: HashMap::new(),
            tasks: JoinSet::new(),
            max: self.max_devices,
        };
        let mut failures: u32 = 0;
        loop {
            let since = Instant::now();
            let ended = match self.open(devices.shared.clock).await {
                Ok((stream, link)) => {
                    tracing::info!(broker = self.address.host_and_port(), "connected");
                    let ended = self.run(stream, link, &mut devices, &mut outgoing).await;
                    if since.elapsed() >= self.back_off.stable_after {
                        failures = 0;
                    }
                    ended.to_string()
                }
                Err(error) => error.to_string(),
            };
            let wait =
                self.back_off.wait(failures, None, u64::from(random_first_id()) << 32 | u64::from(random_first_id()));
            failures = failures.saturating_add(1);
            tracing::warn!(broker = self.address.host_and_port(), why = ended, ?wait, "not connected");
            tokio::time::sleep(wait).await;
        }
    }

    async fn open(&self, clock: Clock) -> Result<(Stream, Link<Client>), ConnectError> {
        let no_login = |ended| ConnectError::NoLogin(Box::new(ended));
        let login = async {
            let mut stream = stream(&self.address, self.tls.as_ref()).await?;
            let host = || self.address.host_and_port().to_owned();
            let unreachable = |source| ConnectError::Unreachable { host: host(), source };
            let mut link = Link::client(self.config.limits);
            link.connect(&self.connect, clock.now()).map_err(|_| ConnectError::LoginTooLong)?;
            write_all(&mut stream, &mut link).await.map_err(unreachable)?;
            match next_packet(&mut stream, &mut link, clock).await.map_err(no_login)? {
                Packet::Accepted { .. } => {}
                Packet::Refused(refused) => return Err(ConnectError::Login(refused)),
                _ => return Err(no_login(crate::mqtt::Fault::Protocol.into())),
            }
            let filters = self.filters();
            let filters: Vec<_> = filters.iter().map(|filter| (filter.as_str(), QoS::AtLeastOnce)).collect();
            for filters in filters.chunks(Topic::PLATFORM_FILTERS.len()) {
                link.subscribe(filters, clock.now()).map_err(|_| ConnectError::LoginTooLong)?;
            }
            write_all(&mut stream, &mut link).await.map_err(unreachable)?;
            Ok((stream, link))
        };
        tokio::time::timeout(self.config.limits.login_timeout, login).await.map_err(|_| ConnectError::Timeout)?
    }

    fn filters(&self) -> Vec<String> {
        let products: Vec<&str> = match &*self.products {
            [] => vec!["+"],
            products => products.iter().map(String::as_str).collect(),
        };
        let of = |product_key| {
            let any = DeviceRef { product_key, device_name: "+" };
            Topic::PLATFORM_FILTERS.iter().map(move |filter| any.filter(filter))
        };
        products.into_iter().flat_map(of).collect()
    }

    /// One connection, to its end.
    async fn run<P: Platform>(
        &self,
        mut stream: Stream,
        mut link: Link<Client>,
        devices: &mut Devices<P>,
        outgoing: &mut mpsc::Receiver<Box<Outgoing>>,
    ) -> Disconnected {
        let clock = devices.shared.clock;
        let io = |error| Disconnected::from(async_tungstenite::tungstenite::Error::Io(error));
        let mut buffer = vec![0; 16 * 1024];
        loop {
            while let Some(packet) = link.poll_packet() {
                match packet {
                    Packet::Message { topic, payload } => devices.bring(topic, payload),
                    Packet::Subscribed { granted, .. } if granted.contains(&None) => {
                        tracing::warn!("the broker does not grant every subscription");
                    }
                    _ => {}
                }
            }
            if let Err(error) = write_all(&mut stream, &mut link).await {
                return io(error);
            }
            let deadline = link.poll_deadline();
            tokio::select! {
                read = stream.read(&mut buffer) => match read {
                    Ok(0) => return Disconnected::Closed(1006),
                    Ok(read) => {
                        if let Err(fault) = link.receive(buffer.get(..read).unwrap_or(&[]), clock.now()) {
                            return fault.into();
                        }
                    }
                    Err(error) => return io(error),
                },
                Some(message) = outgoing.recv(), if link.has_room() => {
                    let Outgoing { topic, payload, qos } = *message;
                    if let Err(error) = link.publish(&topic, &payload, qos, clock.now()) {
                        tracing::warn!(topic, %error, "a message was not sent");
                    }
                }
                () = clock.sleep_until(deadline.unwrap_or_default()), if deadline.is_some() => {
                    if let Err(fault) = link.handle_timeout(clock.now()) {
                        return fault.into();
                    }
                }
                Some(gone) = devices.tasks.join_next() => devices.forget(gone),
            }
        }
    }
}

struct Shared<P> {
    platform: P,
    config: ListenerConfig,
    peers: Peers,
    clock: Clock,
    idle: Duration,
}

/// Devices that have spoken lately.
struct Devices<P> {
    shared: Arc<Shared<P>>,
    out: mpsc::Sender<Box<Outgoing>>,
    inboxes: HashMap<Arc<str>, mpsc::Sender<(String, Vec<u8>)>>,
    /// Each ends with the device's name.
    tasks: JoinSet<Arc<str>>,
    max: usize,
}

impl<P: Platform> Devices<P> {
    /// Hands a message to its device's task, which begins with its first message.
    fn bring(&mut self, topic: String, payload: Vec<u8>) {
        let Some(device) = Topic::parse(&topic).and_then(|topic| topic.device()) else { return };
        let identity: Arc<str> = identity(device.product_key, device.device_name).into();
        if self.inboxes.get(&identity).is_none_or(mpsc::Sender::is_closed) && !self.begin(device, &identity) {
            return;
        }
        let Some(inbox) = self.inboxes.get(&identity) else { return };
        if let Err(error) = inbox.try_send((topic, payload)) {
            tracing::warn!(identity = &*identity, "dropped a message: the device sends faster than it is handled");
            let (topic, _) = error.into_inner();
            if let Some(device) = Topic::parse(&topic).and_then(|topic| topic.device()) {
                self.shared.fault(device, &ClientFault::TooFast);
            }
        }
    }

    /// Begins a device's task; whether it may.
    fn begin(&mut self, device: DeviceRef<'_>, identity: &Arc<str>) -> bool {
        if self.inboxes.len() >= self.max {
            tracing::warn!(%identity, "ignored: there are too many devices");
            self.shared.fault(device, &ClientFault::TooManyDevices);
            return false;
        }
        let Some(sync) = self.shared.platform.known(device) else {
            tracing::debug!(%identity, "ignored: nobody knows it");
            return false;
        };
        let (inbox, messages) = mpsc::channel(INBOX);
        self.inboxes.insert(Arc::clone(identity), inbox);
        let (routes, out) = (Routes::platform(device, sync), self.out.clone());
        self.tasks.spawn(Arc::clone(&self.shared).serve(Arc::clone(identity), routes, messages, out));
        true
    }

    /// A device's task has ended.
    fn forget(&mut self, gone: Result<Arc<str>, tokio::task::JoinError>) {
        match gone {
            // It may have begun anew meanwhile.
            Ok(identity) if self.inboxes.get(&identity).is_some_and(mpsc::Sender::is_closed) => {
                self.inboxes.remove(&identity);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "a device's task failed");
                self.inboxes.retain(|_, inbox| !inbox.is_closed());
            }
        }
    }
}

impl<P: Platform> Shared<P> {
    fn fault(&self, device: DeviceRef<'_>, fault: &ClientFault) {
        self.platform.fault(Faulty { device: Some(device), remote: None }, fault);
    }

    async fn serve(
        self: Arc<Self>,
        identity: Arc<str>,
        routes: Routes,
        messages: mpsc::Receiver<(String, Vec<u8>)>,
        out: mpsc::Sender<Box<Outgoing>>,
    ) -> Arc<str> {
        let session = Config { first_id: random_first_id(), ..self.config.session.clone() };
        let dialect = <P::Router as Router>::DIALECT;
        let connection = Connection::new(&identity, dialect, session);
        // As the identity is made of them; the routes, which know them too, are the socket's.
        let (product_key, device_name) = (routes.own().product_key.to_owned(), routes.own().device_name.to_owned());
        let device = DeviceRef { product_key: &product_key, device_name: &device_name };
        let asked = Arc::new(Asked::new(device, true));
        let _ending = Ending(Arc::clone(&asked));
        let publisher = Publisher::of(out.clone(), asked);
        let (platform, peer) = (&self.platform, connection.peer().clone());
        let taker: Taker<'_> = {
            let (peer, publisher) = (peer.clone(), publisher.clone());
            Box::new(move |message| {
                let Some(message) = publisher.answered(message) else { return Box::pin(std::future::ready(())) };
                let (peer, publisher) = (peer.clone(), publisher.clone());
                Box::pin(async move { platform.message(&peer, &publisher, message).await })
            })
        };
        let shared = &*self;
        let unread: Unread<'_> = Box::new(move |topic| {
            tracing::warn!(topic, "ignored a message that is no text");
            shared.fault(device, &ClientFault::NotText { topic: topic.to_owned() });
        });
        let mut socket = BridgeSocket::new(routes, messages, out, self.config.qos, self.idle, taker, unread);
        let presence = self.peers.enter(&peer, Arc::new(Info::new(None, None, self.clock)));
        let span = tracing::info_span!("connection", identity = &*identity, protocol = PROTOCOL);
        let handlers = pin!(connection.serve_send(platform.router()));
        let keep_alive = KeepAlive { ping_after: None, patience: self.config.patience };
        let watch = self.config.observe.clone().map(Watch::new);
        let run = async {
            tracing::info!("connected");
            platform.connected(&peer, &publisher).await;
            let ended = pump::run(&mut socket, &connection, self.clock, keep_alive, handlers, presence, watch).await;
            tracing::info!(%ended, "disconnected");
        };
        run.instrument(span).await;
        identity
    }
}
