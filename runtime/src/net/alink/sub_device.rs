//! A device behind a gateway.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use super::desk::What;
use super::dispatch::{Dispatch, Workers};
use super::gateway::Gateway;
use super::lane_socket::LaneSocket;
use super::messages::{Message, Session};
use super::request::Messages;
use super::signed::Signed;
use super::socket::Taker;
use super::waiting::Waiting;
use super::{DeviceBuilder, identity};
use crate::alink::system::Identity;
use crate::alink::{DeviceRef, Ota, Routes, Secret, SignMethod, SubDeviceFault, SubDeviceRefused, Topic};
use crate::mqtt::QoS;
use crate::net::client::{ConnectError, Link, Open, Runner};
use crate::net::{KeepAlive, Observe};
use crate::session::Config;
use crate::{CallFailure, Dialect, Peer, Router};

/// What a sub-device is told of its own life.
const LIFE: [&str; 3] = [
    "/sys/{productKey}/{deviceName}/thing/disable",
    "/sys/{productKey}/{deviceName}/thing/enable",
    "/sys/{productKey}/{deviceName}/thing/delete",
];

/// That a device reaches the platform over its gateway's connection.
pub struct ThroughGateway {
    gateway: Gateway,
    secret: Secret,
    sign_method: SignMethod,
    adds_topology: bool,
}

impl ThroughGateway {
    pub(super) fn new(gateway: Gateway, secret: Secret) -> Self {
        Self { gateway, secret, sign_method: SignMethod::HmacSha256, adds_topology: true }
    }
}

impl fmt::Debug for ThroughGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThroughGateway").finish_non_exhaustive()
    }
}

/// # Behind a gateway
impl DeviceBuilder<ThroughGateway> {
    /// How it signs. Default [`SignMethod::HmacSha256`].
    #[must_use]
    pub fn sign_method(self, sign_method: SignMethod) -> Self {
        let connection = ThroughGateway { sign_method, ..self.connection };
        Self { connection, ..self }
    }

    /// Never says that it is behind this gateway: whoever owns it does, at the platform. Otherwise it does so when a login is refused
    /// because it is not ([`SubDeviceFault::NoTopology`]), and logs in again; but not once it was online: then somebody has taken it
    /// away, to another gateway most of the time.
    #[must_use]
    pub fn topology_is_known(self) -> Self {
        let connection = ThroughGateway { adds_topology: false, ..self.connection };
        Self { connection, ..self }
    }

    /// The sub-device.
    pub fn build<R: Router>(self, router: R) -> SubDevice<R> {
        let routes = self.routes.into_iter().chain(self.rest).collect();
        let (dispatch, workers) = Dispatch::new(routes, self.rrpc_timeout, self.messages.clone(), None);
        let ThroughGateway { gateway, secret, sign_method, adds_topology } = self.connection;
        let device = DeviceRef { product_key: &self.product_key, device_name: &self.device_name };
        let of_system = if gateway.subscribes() { Topic::DEVICE_FILTERS } else { &[] };
        let of_life = if gateway.subscribes() { &LIFE[..] } else { &[] };
        let of_system = of_system.iter().chain(of_life).map(|filter| (device.filter(filter), QoS::AtLeastOnce));
        let rrpc_topics = if gateway.subscribes() { Vec::new() } else { self.rrpc_topics };
        let topics: Vec<_> = of_system.chain(self.topics).chain(rrpc_topics).collect();
        let identity = identity(&self.product_key, &self.device_name);
        let opener = SubOpener {
            server: format!("{} ({identity})", gateway.server()),
            identity: identity.into(),
            product_key: self.product_key,
            device_name: self.device_name,
            gateway: gateway.clone(),
            secret,
            sign_method,
            adds_topology,
            was_online: AtomicBool::new(false),
            config: self.config,
            qos: self.qos,
            keep_alive: KeepAlive { ping_after: None, patience: self.patience, silence: None },
            observe: self.observe,
            topics,
            dispatch: Arc::new(dispatch),
            sessions: self.sessions,
        };
        let runner = Runner::new(opener, self.back_off, self.while_offline, self.waiting_calls, router);
        SubDevice { runner, messages: self.messages, workers, gateway }
    }
}

/// A device behind a gateway, which logs in as often as it has to: when the gateway has connected, and when its own session has ended
/// for another reason.
///
/// How it stands, and why, is told by [`SubDevice::link`], as for any device: [`LinkState::Waiting`](crate::net::LinkState::Waiting)
/// holds a [`ConnectError::SubDevice`] for a login that was refused, a
/// [`Disconnected::SubDevice`](crate::net::Disconnected::SubDevice) for a session that the platform has ended (it has logged in
/// elsewhere, is disabled, was deleted). It goes on trying in any case, ever more seldom, since somebody may mend it at the platform.
///
/// At most 32 messages wait for its handlers, and what comes then is dropped with a warning: one slow sub-device does not hold up the
/// others.
pub struct SubDevice<R> {
    runner: Runner<R, SubOpener>,
    messages: Messages,
    workers: Workers,
    gateway: Gateway,
}

impl<R: Router> SubDevice<R> {
    /// The handle to watch it and to call through. [`Link::stop`] logs it out.
    pub fn link(&self) -> Link {
        self.runner.link()
    }

    /// The handle to send messages that are no calls: clock, shadow, raw bytes, topics of the user's own.
    pub fn messages(&self) -> Messages {
        self.messages.clone()
    }

    /// Logs in, again and again, until [`Link::stop`], or until the gateway is stopped; then until its handlers have ended. Dropping the
    /// future logs nobody out: the platform believes the sub-device to be online until the gateway goes.
    pub async fn run(self) {
        let Self { runner, workers, gateway, messages: _ } = self;
        let link = runner.link();
        let stopping = async {
            gateway.stopped().await;
            link.stop();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = futures_util::future::join(runner.run(), workers.run()) => {}
            () = stopping => {}
        }
    }
}

impl<R: fmt::Debug> fmt::Debug for SubDevice<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubDevice").field("runner", &self.runner).finish_non_exhaustive()
    }
}

struct SubOpener {
    product_key: String,
    device_name: String,
    identity: Arc<str>,
    server: String,
    gateway: Gateway,
    secret: Secret,
    sign_method: SignMethod,
    adds_topology: bool,
    was_online: AtomicBool,
    config: Config,
    qos: QoS,
    keep_alive: KeepAlive,
    observe: Option<Arc<dyn Observe>>,
    topics: Vec<(String, QoS)>,
    dispatch: Arc<Dispatch>,
    sessions: watch::Sender<Option<Session>>,
}

impl fmt::Debug for SubOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubOpener").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Open for SubOpener {
    type Socket = LaneSocket<'static>;

    async fn open(&self, _: &'static Dialect) -> Result<Self::Socket, ConnectError> {
        let gone = || ConnectError::Gateway(CallFailure::NotSent);
        let peer = self.gateway.link().connected().await.ok_or_else(gone)?;
        let Session { publisher, .. } = self.gateway.session().ok_or_else(gone)?;
        // Before the login: what follows it may come at once.
        let inbox = self.gateway.lanes().open(Arc::clone(&self.identity), Some(peer.clone()));
        self.login(&peer).await?;
        inbox.is_ready();
        let mut undo = self.gateway.undo(self.names(), &peer);
        // The cloud grants topics of those that are online only.
        if !self.topics.is_empty() {
            publisher.subscribe(self.topics.clone()).await.map_err(|_| gone())?;
        }
        undo.forget();
        self.was_online.store(true, Ordering::Relaxed);
        let session = Session { publisher: publisher.clone(), waiting: Arc::default() };
        self.sessions.send_replace(Some(session.clone()));
        let end = EndOfSession { sessions: self.sessions.clone(), waiting: Arc::clone(&session.waiting) };
        let dispatch = Arc::clone(&self.dispatch);
        let taker: Taker<'static> = Box::new(move |message: Message, owed| {
            let (dispatch, session) = (Arc::clone(&dispatch), session.clone());
            // It goes with whoever takes messages.
            let _ = &end;
            Box::pin(async move { dispatch.take(&session, message, owed).await })
        });
        let (gateway, what) = (self.gateway.clone(), What::Logout(self.names()));
        let goodbye = async move { drop(gateway.order(what, &peer).await) };
        let mut routes = Routes::device(self.device());
        if !self.dispatch.takes(&Topic::Ota { device: self.device(), what: Ota::Upgrade }.to_string()) {
            routes.frame_updates();
        }
        let unread = Box::new(|topic: &str| tracing::warn!(topic, "ignored a message that is no text"));
        let socket = LaneSocket::new(routes, inbox, publisher.queue(), self.qos, taker, unread);
        Ok(socket.goodbye(goodbye))
    }

    fn server(&self) -> &str {
        &self.server
    }

    fn session(&self) -> &Config {
        &self.config
    }

    fn keep_alive(&self) -> KeepAlive {
        self.keep_alive
    }

    fn observe(&self) -> Option<Arc<dyn Observe>> {
        self.observe.clone()
    }
}

impl SubOpener {
    fn device(&self) -> DeviceRef<'_> {
        DeviceRef { product_key: &self.product_key, device_name: &self.device_name }
    }

    fn names(&self) -> Identity {
        Identity::new(self.product_key.as_str(), self.device_name.as_str())
    }

    async fn login(&self, peer: &Peer) -> Result<(), ConnectError> {
        let signed = || Signed::new(self.device(), self.sign_method, &self.secret);
        let adds_topology = self.adds_topology && !self.was_online.load(Ordering::Relaxed);
        match self.gateway.order(What::Login(signed()), peer).await {
            Err(failure) if adds_topology && SubDeviceFault::of(&failure) == Some(SubDeviceFault::NoTopology) => {
                self.gateway.order(What::Add(signed()), peer).await.map_err(no_login)?;
                self.gateway.order(What::Login(signed()), peer).await.map_err(no_login)
            }
            done => done.map_err(no_login),
        }
    }
}

fn no_login(failure: CallFailure) -> ConnectError {
    match (SubDeviceFault::of(&failure), failure) {
        (Some(fault), CallFailure::Refused(error)) => {
            ConnectError::SubDevice(SubDeviceRefused::new(fault, error.description))
        }
        (_, failure) => ConnectError::Gateway(failure),
    }
}

/// With a session, its requests end.
struct EndOfSession {
    sessions: watch::Sender<Option<Session>>,
    waiting: Arc<Waiting>,
}

impl Drop for EndOfSession {
    fn drop(&mut self) {
        self.waiting.end();
        // Unless there is a newer one.
        self.sessions.send_if_modified(|session| {
            let is_ours = session.as_ref().is_some_and(|session| Arc::ptr_eq(&session.waiting, &self.waiting));
            if is_ours {
                *session = None;
            }
            is_ours
        });
    }
}
