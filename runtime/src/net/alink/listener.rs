//! The listener of a platform.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::Instrument;

use super::fault::{ClientFault, Faulty};
use super::messages::{Message, Publisher};
use super::rrpc::{Asked, Ending};
use super::served::Served;
use super::socket::{AlinkSocket, Taker, Unread, next_packet, write_all};
use super::sub_sessions::SubSessions;
use super::{PROTOCOL, identity};
use crate::alink::{Channel, DeviceRef, SubDeviceFault, SubDeviceLogin, SubDeviceRefused, SyncServices};
use crate::mqtt::{Connect, Limits, Link, Packet, QoS, Refused};
use crate::net::accept::{Pace, Place, listen, say_goodbye, send_at_once};
use crate::net::clock::Clock;
use crate::net::observe::Watch;
use crate::net::peers::{Info, Older, Presence, Settling};
use crate::net::pump::{Aftermath, Witness};
use crate::net::{AddressCap, Disconnected, KeepAlive, LoginLimits, Observe, Origin, Peers, Plain, Transport, pump};
use crate::session::Config;
use crate::{Peer, SendRouter};

/// Who connects.
#[derive(Debug)]
#[non_exhaustive]
pub struct LoginRequest {
    /// What it says of itself.
    pub connect: Connect,
    /// From where.
    pub origin: Origin,
}

/// What becomes of somebody who connects.
#[derive(Debug)]
#[non_exhaustive]
pub enum Admission {
    /// It is a device.
    Device {
        /// Its product.
        product_key: String,
        /// Its name.
        device_name: String,
        /// Which of its services are called so that the call waits for the answer.
        sync: SyncServices,
    },
    /// It is told something, and is expected to go and come back as a device: dynamic registration.
    Registration {
        /// `/ext/register` or `/ext/regnwl`.
        topic: String,
        /// Its secret, or its token.
        payload: Vec<u8>,
    },
}

/// A platform: who may connect, and what is done with what devices say.
pub trait Platform: Send + Sync + 'static {
    /// Handlers of the devices' calls.
    type Router: SendRouter;

    /// Whether somebody may connect, and as whom.
    ///
    /// # Errors
    /// What the client is told: [`Refused::BadCredentials`] for a wrong signature, [`Refused::NotAuthorized`] for a device that
    /// is disabled, [`Refused::Identifier`] for a client id that cannot be read.
    fn login(&self, login: LoginRequest) -> impl Future<Output = Result<Admission, Refused>> + Send;

    /// Whether a device is known that speaks behind a broker ([`Bridge`](super::Bridge)), which is who let it in; and which of its
    /// services wait for the answer. Default: none is.
    fn known(&self, _device: DeviceRef<'_>) -> Option<SyncServices> {
        None
    }

    /// The handlers.
    fn router(&self) -> &Self::Router;

    /// A device has connected; the publisher is good as long as the connection stands.
    fn connected(&self, _device: &Peer, _publisher: &Publisher) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// A message that is no call. Nothing else is read of this device meanwhile, so that it must not wait for an answer of it.
    fn message(&self, device: &Peer, publisher: &Publisher, message: Message) -> impl Future<Output = ()> + Send;

    /// Whether a gateway may bring a sub-device online over its own connection, and which of the sub-device's services wait for the
    /// answer: whether the two belong together (`thing.topo.add` is a call of the gateway's, for the router), and whether the
    /// signature is right ([`SubDeviceLogin::verify`]). From then on the sub-device is a peer of its own in the directory, and comes
    /// to [`Platform::connected`], to the handlers and to [`Platform::message`] as any device does. Nothing else is read of the
    /// gateway meanwhile. Default: no device has sub-devices.
    ///
    /// ```
    /// # use onwire::alink::{Secret, SubDeviceFault, SubDeviceLogin, SubDeviceRefused, SyncServices};
    /// # fn secret_of(_: onwire::alink::DeviceRef<'_>) -> Option<Secret> { None }
    /// fn judge(login: &SubDeviceLogin) -> Result<SyncServices, SubDeviceRefused> {
    ///     let secret = secret_of(login.device()).ok_or(SubDeviceFault::Unknown)?;
    ///     login.verify(&secret).map_err(|_| SubDeviceFault::Signature)?;
    ///     Ok(SyncServices::default())
    /// }
    /// ```
    ///
    /// # Errors
    /// What the gateway is told.
    fn sub_device(
        &self,
        _gateway: &Peer,
        _login: &SubDeviceLogin,
    ) -> impl Future<Output = Result<SyncServices, SubDeviceRefused>> + Send {
        std::future::ready(Err(SubDeviceFault::NoTopology.into()))
    }

    /// A message on a topic of a device that is not online over this connection. It was refused, and its sender was told so (520 on
    /// `/ext/error/..`). Default: nothing.
    fn stray(&self, _sender: &Peer, _device: DeviceRef<'_>, _message: &Message) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// A message of a known device that a broker ([`Bridge`](super::Bridge)) had kept (RETAIN), and hands over after each
    /// connection of the platform's: it was said at an unknown time, has perhaps been handled then, and nobody waits for an answer.
    /// Default: it is ignored.
    fn retained(&self, message: Message) -> impl Future<Output = ()> + Send {
        tracing::debug!(topic = message.topic, "ignored what the broker had kept");
        std::future::ready(())
    }

    /// Something went wrong with a client that none of the others tells of: MQTT that is broken, packets that are too large,
    /// silence, logins that never end. It stands in the program's log already. Called where connections are served, so that it
    /// is to be quick: count it, or put it in a queue that has an end. Default: nothing.
    fn fault(&self, _of: Faulty<'_>, _fault: &ClientFault) {}
}

/// How a listener serves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListenerConfig {
    /// What each session tolerates and holds. Four calls of ours may be unanswered at once.
    pub session: Config,
    /// How much MQTT takes and holds, and how long a login may take.
    pub limits: Limits,
    /// With which quality calls and answers are sent. Default [`QoS::AtMostOnce`].
    pub qos: QoS,
    /// How many clients may be between the TCP connection and the login at once; the next ones wait in the system's
    /// backlog. Default 1,024.
    pub max_handshakes: usize,
    /// How many of those may come from one address, by [`AddressCap`]; one more is let go at once, so that no address takes
    /// the places of the others. Behind a proxy, whose address all have, set it as high as `max_handshakes`. Default 512.
    pub max_handshakes_per_address: usize,
    /// How many connections are accepted each second, so that a storm of reconnects does not starve those that are
    /// connected. Default no limit.
    pub max_accepts_per_second: Option<u32>,
    /// At a graceful end ([`Listener::serve_until`]), over which time the closing of connections is spread, so that not all
    /// devices come back in one moment. Default 5 s.
    pub shutdown_spread: Duration,
    /// At a graceful end, how long messages that are handled then may take. Default 30 s.
    pub shutdown_grace: Duration,
    /// How long a device may take to accept a message before its connection is dropped. Default 30 s.
    pub patience: Duration,
    /// Who is shown every call and answer. Default nobody.
    pub observe: Option<Arc<dyn Observe>>,
    /// How many sub-devices may be online at one gateway; further logins are refused (428). Default 2,000, as in the cloud.
    pub max_sub_devices: usize,
    /// How many logins may fail before more are refused without a look, dynamic registrations included: with
    /// [`Refused::ServerUnavailable`], so that a device which is mended comes back. A [`Bridge`](super::Bridge) has no logins.
    /// Default: any number.
    pub login_limits: Option<LoginLimits>,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        let session = Config { outstanding: 4, ..Config::default() };
        Self {
            session,
            limits: Limits::default(),
            qos: QoS::AtMostOnce,
            max_handshakes: 1024,
            max_handshakes_per_address: 512,
            max_accepts_per_second: None,
            shutdown_spread: Duration::from_secs(5),
            shutdown_grace: Duration::from_secs(30),
            patience: Duration::from_secs(30),
            observe: None,
            max_sub_devices: 2000,
            login_limits: None,
        }
    }
}

/// An MQTT listener for devices that speak Alink. Messages for a device reach it whether it has subscribed or not, as the
/// cloud sends them to devices that connect with `_ss=1`; whoever does subscribe gets each once as well.
///
/// A device is entered in the directory as `{DeviceName}&{ProductKey}`, its user name; a second connection of it takes the
/// first one's place.
///
/// A sub-device of a gateway is entered in the same way, once its gateway has logged it in and
/// [`Platform::sub_device`] has said yes; calls to it go over the gateway's connection, with which it ends. When it logs in through
/// another gateway, or by itself, the older session ends and its gateway is told (427 on `/ext/error/..`). What a gateway says on a
/// topic of a device that is not online through it is refused (520).
#[derive(Debug)]
pub struct Listener<T = Plain> {
    listener: TcpListener,
    peers: Peers,
    config: ListenerConfig,
    transport: T,
}

impl Listener {
    /// Listens on an address; port 0 takes a free one. Without TLS.
    ///
    /// # Errors
    /// Those of the system: the port is taken or not allowed.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let listener = listen(address).await?;
        Ok(Self { listener, peers: Peers::default(), config: ListenerConfig::default(), transport: Plain })
    }
}

impl<T: Transport> Listener<T> {
    /// How it serves.
    #[must_use]
    pub fn config(self, config: ListenerConfig) -> Self {
        Self { config, ..self }
    }

    /// What lies between TCP and MQTT: TLS.
    #[must_use]
    pub fn transport<U: Transport>(self, transport: U) -> Listener<U> {
        Listener { listener: self.listener, peers: self.peers, config: self.config, transport }
    }

    /// The directory that devices are entered in, so that several listeners (one with TLS, one without) have one in common.
    #[must_use]
    pub fn directory(self, peers: Peers) -> Self {
        Self { peers, ..self }
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Who is connected; the handle stays good while the listener runs.
    pub fn peers(&self) -> Peers {
        self.peers.clone()
    }

    /// Serves until the future is dropped, which ends every connection at once: messages that wait for a handler then are
    /// lost, and are not acknowledged.
    pub async fn serve<P: Platform>(self, platform: P) {
        self.serve_until(platform, std::future::pending()).await;
    }

    /// Serves until `end` is ready, and ends gracefully then: nobody else is let in, what has been received is handled,
    /// answered and acknowledged, and connections are closed, spread over [`ListenerConfig::shutdown_spread`]. What arrives
    /// on a connection after that is not acknowledged, so that the device sends it again.
    pub async fn serve_until<P: Platform>(self, platform: P, end: impl Future<Output = ()>) {
        let Self { listener, peers, config, transport } = self;
        let (spread, grace) = (config.shutdown_spread, config.shutdown_grace);
        let mut pace = Pace::new(config.max_accepts_per_second);
        let directory = peers.clone();
        let places = Arc::new(Semaphore::new(config.max_handshakes.min(Semaphore::MAX_PERMITS)));
        let at_once = AddressCap::new(config.max_handshakes_per_address);
        let served = Arc::new(Served { platform, peers, config, clock: Clock::start() });
        let shared = Arc::new(Shared { served, transport });
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
                        let Ok(place) = Place::new(place, &at_once, remote) else {
                            shared.fault(remote, &ClientFault::Crowded);
                            continue;
                        };
                        pace.count();
                        send_at_once(&stream);
                        let shared = Arc::clone(&shared);
                        handshakes.spawn(async move {
                            let admitted = shared.admit(stream, remote).await;
                            drop(place);
                            admitted
                        });
                    }
                    Err(error) => {
                        // Out of file descriptors, most of the time: the next one to end makes room.
                        tracing::error!(%error, "cannot accept a connection");
                        pace.pause(Duration::from_millis(100));
                    }
                },
                Some(done) = handshakes.join_next() => match done {
                    Ok(Some(admitted)) => {
                        connections.spawn(Arc::clone(&shared).serve(admitted));
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
        // Whoever has not logged in is let go.
        handshakes.shutdown().await;
        let all_gone = async { while connections.join_next().await.is_some() {} };
        let farewell = say_goodbye(&directory, spread);
        let _ = tokio::time::timeout(spread + grace, futures_util::future::join(farewell, all_gone)).await;
    }
}

struct Shared<P, T> {
    served: Arc<Served<P>>,
    transport: T,
}

/// A device that was let in.
struct Admitted<S> {
    stream: S,
    link: Link<crate::mqtt::Server>,
    product_key: String,
    device_name: String,
    sync: SyncServices,
    remote: SocketAddr,
}

impl<P: Platform, T: Transport> Shared<P, T> {
    async fn admit(&self, stream: TcpStream, remote: SocketAddr) -> Option<Admitted<T::Stream>> {
        let timeout = self.served.config.limits.login_timeout;
        let is_done = AtomicBool::new(false);
        match tokio::time::timeout(timeout, self.shake_hands(stream, remote, &is_done)).await {
            Ok(Ok(admitted)) => admitted,
            // How it goes is its own matter.
            _ if is_done.load(Ordering::Relaxed) => None,
            Ok(Err(error)) => {
                tracing::info!(%remote, %error, "not let in");
                if let Some(fault) = ClientFault::of(&error) {
                    self.fault(remote, &fault);
                }
                None
            }
            Err(_) => {
                tracing::info!(%remote, "took too long to say who it is");
                self.fault(remote, &ClientFault::LoginTimeout);
                None
            }
        }
    }

    /// Tells of a client that was not let in.
    fn fault(&self, remote: SocketAddr, fault: &ClientFault) {
        self.served.platform.fault(Faulty { device: None, remote: Some(remote) }, fault);
    }

    async fn shake_hands(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
        is_done: &AtomicBool,
    ) -> Result<Option<Admitted<T::Stream>>, Disconnected> {
        let io = |error| Disconnected::from(async_tungstenite::tungstenite::Error::Io(error));
        let accepted = self.transport.accept(stream).await;
        let mut stream = accepted.map_err(|error| {
            self.fault(remote, &ClientFault::Handshake(error.to_string()));
            io(error)
        })?;
        let Served { platform, peers, config, clock } = &*self.served;
        let clock = *clock;
        let mut link = Link::server(config.limits, clock.now());
        let packet = next_packet(&mut stream, &mut link, clock).await;
        // A client of another version of MQTT is told so.
        if packet.is_err() {
            write_all(&mut stream, &mut link).await.map_err(io)?;
        }
        let Packet::Connect(connect) = packet? else { return Err(crate::mqtt::Fault::Protocol.into()) };
        let certificate = T::client_certificate(&stream);
        let origin = Origin { remote: Some(remote), certificate, is_encrypted: T::IS_ENCRYPTED };
        let (client_id, username) = (connect.client_id.clone(), connect.username.clone());
        let (address, name) = (Some(remote.ip()), username.as_deref().unwrap_or_default());
        let attempt = match &config.login_limits {
            Some(limits) => limits.attempt(address, name).await.map(Some),
            None => Ok(None),
        };
        let attempt = match attempt {
            Ok(attempt) => attempt,
            Err(held) => {
                tracing::debug!(%remote, client_id, username, "refused a login without a look");
                let (wait, is_first) = (held.wait, held.is_first);
                self.fault(remote, &ClientFault::LoginsFailed { wait, is_first });
                link.refuse(Refused::ServerUnavailable);
                write_all(&mut stream, &mut link).await.map_err(io)?;
                return Ok(None);
            }
        };
        let admission = platform.login(LoginRequest { connect: *connect, origin }).await;
        let (product_key, device_name, sync) = match admission {
            Err(refused) => {
                tracing::info!(%remote, client_id, username, why = %refused, "refused a login");
                // That a platform fails is no guess.
                if refused != Refused::ServerUnavailable
                    && let Some(attempt) = attempt
                {
                    tokio::time::sleep(attempt.failed()).await;
                }
                link.refuse(refused);
                write_all(&mut stream, &mut link).await.map_err(io)?;
                let _ = stream.shutdown().await;
                return Ok(None);
            }
            Ok(Admission::Registration { topic, payload }) => {
                if let Some(attempt) = attempt {
                    attempt.succeeded();
                }
                link.accept(clock.now());
                if let Err(error) = link.publish(&topic, &payload, QoS::AtMostOnce, clock.now()) {
                    tracing::error!(%error, "cannot tell a registration's result");
                }
                write_all(&mut stream, &mut link).await.map_err(io)?;
                is_done.store(true, Ordering::Relaxed);
                // It goes by itself; what it sends until then does not matter.
                while next_packet(&mut stream, &mut link, clock).await? != Packet::Disconnect {}
                return Ok(None);
            }
            Ok(Admission::Device { product_key, device_name, sync }) => (product_key, device_name, sync),
        };
        if let Err(wait) = peers.admit(&identity(&product_key, &device_name)) {
            tracing::warn!(%remote, ?wait, "refused a login: its connections replace each other");
            link.refuse(Refused::ServerUnavailable);
            write_all(&mut stream, &mut link).await.map_err(io)?;
            return Ok(None);
        }
        if let Some(attempt) = attempt {
            attempt.succeeded();
        }
        link.accept(clock.now());
        write_all(&mut stream, &mut link).await.map_err(io)?;
        Ok(Some(Admitted { stream, link, product_key, device_name, sync, remote }))
    }

    async fn serve(self: Arc<Self>, admitted: Admitted<T::Stream>) {
        let Admitted { stream, link, product_key, device_name, sync, remote } = admitted;
        let served = &self.served;
        let connection = served.connection(&identity(&product_key, &device_name));
        let device = DeviceRef { product_key: &product_key, device_name: &device_name };
        let mut channel = Channel::platform(link, device, sync);
        channel.set_qos(served.config.qos);
        let asked = Arc::new(Asked::new(device, false));
        let _ending = Ending(Arc::clone(&asked));
        let (publisher, outgoing) = Publisher::platform(asked);
        let (platform, peer) = (&served.platform, connection.peer().clone());
        let subs = SubSessions::new(Arc::clone(served), peer.clone(), device, publisher.clone(), Some(remote));
        let subs = &subs;
        let mut presence = served.peers.enter(&peer, Arc::new(Info::new(Some(remote), None, served.clock)));
        let older = presence.older();
        let before = older.clone();
        let taker: Taker<'_> = Box::new(move |message, owed| {
            let before = before.clone();
            Box::pin(async move {
                Older::settled(before).await;
                subs.message(message, owed).await;
            })
        });
        let of = Faulty { device: Some(device), remote: Some(remote) };
        let unread: Unread<'_> = Box::new(move |topic| {
            tracing::warn!(topic, "ignored a message that is no text");
            platform.fault(of, &ClientFault::NotText { topic: topic.to_owned() });
        });
        let socket = AlinkSocket::new(stream, channel, served.clock, outgoing, taker, unread);
        let mut socket = socket.may_also(|filter| subs.may_listen(filter));
        let span = tracing::info_span!("connection", identity = peer.identity(), protocol = PROTOCOL);
        let handlers = pin!(async {
            Older::settled(older).await;
            connection.serve_send(platform.router()).await;
        });
        // Whoever is silent is found by MQTT's own keep-alive.
        let keep_alive = KeepAlive { ping_after: None, patience: served.config.patience, silence: None };
        let watch = served.config.observe.clone().map(Watch::new);
        let run = async {
            tracing::info!("connected");
            platform.connected(&peer, &publisher).await;
            let presence = Going { presence, subs };
            let ended = pump::run(&mut socket, &connection, served.clock, keep_alive, handlers, presence, watch).await;
            tracing::info!(%ended, "disconnected");
            if let Some(fault) = ClientFault::of(&ended) {
                platform.fault(of, &fault);
            }
            // Their last words wait for room in a queue that nobody empties any more.
            socket.close_queue();
            subs.end().await;
        };
        run.instrument(span).await;
    }
}

/// A gateway's entry in the directory.
struct Going<'a, P: Platform> {
    presence: Presence,
    subs: &'a SubSessions<P>,
}

/// What is left of it after the connection's end: its sub-devices go as soon as nothing more is read, before its last
/// handler has ended.
struct Gone<'a, P: Platform> {
    settling: Settling,
    subs: &'a SubSessions<P>,
}

impl<'a, P: Platform> Witness for Going<'a, P> {
    type Aftermath = Gone<'a, P>;

    fn heard(&self, now: crate::Instant) {
        self.presence.heard(now);
    }

    fn ended(self) -> Gone<'a, P> {
        Gone { settling: self.presence.ended(), subs: self.subs }
    }
}

impl<P: Platform> Aftermath for Gone<'_, P> {
    fn settled(&self) {
        self.settling.settled();
    }

    fn read_out(&self) {
        self.subs.close();
    }
}
