//! A platform behind somebody's broker.

use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::fault::{ClientFault, Faulty};
use super::lanes::{Brought, Lanes};
use super::messages::{Message, Outgoing, Publisher};
use super::owed::{Account, Owed, Settled};
use super::retained::Retained;
use super::rrpc::Asked;
use super::served::Served;
use super::socket::{Taker, next_packet, write_all};
use super::sub_sessions::judge;
use super::{ListenerConfig, Platform, identity};
use crate::alink::{DeviceRef, SessionCall, SessionRequest, Topic};
use crate::mqtt::{Client, Connect, Link, Packet, QoS};
use crate::net::client::{Address, BackOff, ConnectError, Stream, Tls, stream};
use crate::net::clock::Clock;
use crate::net::peers::Info;
use crate::net::{Disconnected, Peers, random_first_id};
use crate::{CallFailure, Peer};

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
/// [`Bridge::idle`]. Sub-devices are devices like any other there: a gateway's login for them is judged
/// ([`Platform::sub_device`]) and answered, its logout ends their being connected if it has logged them in, and nothing is refused for want of a login; nor is a
/// gateway told of a second one. Messages while the platform is away are lost unless the broker keeps them, which it does with
/// [`Connect::clean_session`] off, the same client id each time, and quality 1. One platform for one product: answers to calls must
/// come to who called.
///
/// What the broker hands over because it was published with RETAIN is no sign of life of its device, and comes to
/// [`Platform::retained`]. Where a device's messages cannot be kept ([`Peer::give_up`]), nothing more is acknowledged and the
/// connection to the broker is closed: with the session kept, all that was not acknowledged comes again.
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
            served: Arc::new(Served {
                platform,
                config: self.config.clone(),
                peers: self.peers.clone(),
                clock: Clock::start(),
            }),
            idle: self.idle,
            out,
            lanes: Arc::default(),
            tasks: JoinSet::new(),
            max: self.max_devices,
        };
        let mut failures: u32 = 0;
        loop {
            let since = Instant::now();
            let ended = match self.open(devices.served.clock).await {
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
        let clock = devices.served.clock;
        let io = |error| Disconnected::from(async_tungstenite::tungstenite::Error::Io(error));
        let mut buffer = vec![0; 16 * 1024];
        let mut account = Account::default();
        let served = Arc::clone(&devices.served);
        let mut retained = Retained::of(&served.platform);
        loop {
            while let Some(packet) = link.poll_packet() {
                match packet {
                    Packet::Message { topic, payload, id, is_retained: true, .. } => {
                        retained.take(Message::new(topic, payload), id, account.owe(id));
                    }
                    Packet::Message { topic, payload, id, .. } => devices.bring(topic, payload, account.owe(id)),
                    Packet::Subscribed { granted, .. } if granted.contains(&None) => {
                        tracing::warn!("the broker does not grant every subscription");
                    }
                    _ => {}
                }
            }
            retained.go_on(link.oldest_unacknowledged());
            match tokio::time::timeout(self.config.patience, write_all(&mut stream, &mut link)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return io(error),
                Err(_) => return Disconnected::Stalled,
            }
            let deadline = link.poll_deadline();
            tokio::select! {
                read = stream.read(&mut buffer), if retained.has_room() => match read {
                    Ok(0) => return Disconnected::Closed(1006.into()),
                    Ok(read) => {
                        if let Err(fault) = link.receive(buffer.get(..read).unwrap_or(&[]), clock.now()) {
                            return fault.into();
                        }
                    }
                    Err(error) => return io(error),
                },
                Some(message) = outgoing.recv(), if link.has_room() => {
                    // Nobody subscribes by way of the queue here.
                    let Outgoing::Message { topic, payload, qos } = *message else { continue };
                    if let Err(error) = link.publish(&topic, &payload, qos, clock.now()) {
                        tracing::warn!(topic, %error, "a message was not sent");
                    }
                }
                settled = poll_fn(|context| account.poll_settled(context)) => match settled {
                    Settled::Done(id) => link.acknowledge(id),
                    Settled::GivenUp => return Disconnected::Local(CallFailure::TryAgainLater),
                },
                () = clock.sleep_until(deadline.unwrap_or_default()), if deadline.is_some() => {
                    if let Err(fault) = link.handle_timeout(clock.now()) {
                        return fault.into();
                    }
                }
                Some(gone) = devices.tasks.join_next() => {
                    if let Err(error) = gone {
                        tracing::error!(%error, "a device's task failed");
                    }
                }
                () = retained.handled() => {}
            }
        }
    }
}

/// Devices that have spoken lately.
struct Devices<P> {
    served: Arc<Served<P>>,
    idle: Duration,
    out: mpsc::Sender<Box<Outgoing>>,
    lanes: Arc<Lanes>,
    tasks: JoinSet<()>,
    max: usize,
}

impl<P: Platform> Devices<P> {
    /// Hands a message to its device's task, which begins with its first message.
    fn bring(&mut self, topic: String, payload: Vec<u8>, owed: Owed) {
        let Some(device) = Topic::parse(&topic).and_then(|topic| topic.device()) else { return };
        let identity = identity(device.product_key, device.device_name);
        if !self.lanes.has(&identity) && !self.begin(device, &identity) {
            return;
        }
        if let Brought::Full(topic, _) = self.lanes.bring(&identity, topic, payload, owed)
            && let Some(device) = Topic::parse(&topic).and_then(|topic| topic.device())
        {
            self.fault(device, &ClientFault::TooFast);
        }
    }

    fn fault(&self, device: DeviceRef<'_>, fault: &ClientFault) {
        self.served.platform.fault(Faulty { device: Some(device), remote: None }, fault);
    }

    /// Begins a device's task; whether it may.
    fn begin(&mut self, device: DeviceRef<'_>, identity: &str) -> bool {
        if self.lanes.len() >= self.max {
            tracing::warn!(identity, "ignored: there are too many devices");
            self.fault(device, &ClientFault::TooManyDevices);
            return false;
        }
        let Some(sync) = self.served.platform.known(device) else {
            tracing::debug!(identity, "ignored: nobody knows it");
            return false;
        };
        let served = Arc::clone(&self.served);
        let publisher = Publisher::of(self.out.clone(), Arc::new(Asked::new(device, true)));
        let info = Info::new(None, None, served.clock);
        let mut on_lane = served.enter(identity, device, sync, publisher.clone(), info);
        on_lane.idle = Some(self.idle);
        let gateway = on_lane.connection.peer().clone();
        let inbox = self.lanes.open(identity.into(), Some(gateway.clone()));
        let (product_key, device_name) = (device.product_key.to_owned(), device.device_name.to_owned());
        self.tasks.spawn(async move {
            let own = DeviceRef { product_key: &product_key, device_name: &device_name };
            let (served, publisher, gateway, behind) = (&*served, &publisher, &gateway, &Behind::default());
            let taker: Taker<'_> = Box::new(move |message, owed| {
                Box::pin(async move {
                    bridged_message(served, gateway, own, publisher, behind, message).await;
                    drop(owed);
                })
            });
            served.serve(on_lane, inbox, Some(taker)).await;
        });
        true
    }
}

/// Whom a gateway has logged in, by identities: nobody else is logged out by it.
type Behind = Mutex<HashSet<String>>;

/// A message that is no call: also what a gateway asks for sub-devices, which the broker carries as any device.
async fn bridged_message<P: Platform>(
    served: &Served<P>,
    gateway: &Peer,
    own: DeviceRef<'_>,
    publisher: &Publisher,
    behind: &Behind,
    message: Message,
) {
    let Some(message) = publisher.answered(message) else { return };
    let Some(Topic::Session { action, .. }) = message.topic() else {
        return served.platform.message(gateway, publisher, message).await;
    };
    // Our own answers come back.
    if action.ends_with("_reply") {
        return;
    }
    let text = std::str::from_utf8(&message.payload).unwrap_or_default();
    let Some(call) = SessionCall::parse(action, text) else { return };
    let mut done = Ok(());
    match &call.request {
        Ok(SessionRequest::Login(logins)) => {
            for login in logins {
                if let Err(refused) = judge(&served.platform, &served.peers, gateway, own, login, true).await {
                    done = Err(refused);
                    break;
                }
            }
            let mut behind = behind.lock().unwrap_or_else(PoisonError::into_inner);
            for login in logins.iter().filter(|_| done.is_ok()) {
                if behind.len() < served.config.max_sub_devices {
                    behind.insert(identity(&login.product_key, &login.device_name));
                }
            }
        }
        Ok(SessionRequest::Logout(names)) => {
            let mut behind = behind.lock().unwrap_or_else(PoisonError::into_inner);
            for (product_key, device_name) in names {
                let identity = identity(product_key, device_name);
                if behind.remove(&identity)
                    && let Some(peer) = served.peers.get(&identity)
                {
                    peer.close();
                }
            }
        }
        Err(refused) => done = Err(refused.clone()),
    }
    let reply = Topic::Session { device: own, action: &format!("{action}_reply") };
    let _ = publisher.publish(reply, call.answer(done.as_ref().copied()), QoS::AtMostOnce).await;
}
