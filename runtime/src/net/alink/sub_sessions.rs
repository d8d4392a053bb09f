//! Sub-devices as the platform has them: their sessions on the connection of their gateway.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::lanes::{Brought, Lanes};
use super::messages::{Message, Publisher};
use super::owed::Owed;
use super::rrpc::Asked;
use super::served::Served;
use super::{Platform, identity};
use crate::Peer;
use crate::alink::{
    DeviceRef, FRAMING, SessionCall, SessionRequest, SubDeviceError, SubDeviceFault, SubDeviceLogin, SubDeviceRefused,
    SyncServices, Topic,
};
use crate::core::frame::{Frame, error_frame};
use crate::mqtt::QoS;
use crate::net::Disconnected;
use crate::net::peers::Info;
use crate::{CallFailure, net::Peers};

/// Those of one device, which has none most of the time.
pub(super) struct SubSessions<P> {
    served: Arc<Served<P>>,
    gateway: Peer,
    product_key: String,
    device_name: String,
    publisher: Publisher,
    remote: Option<SocketAddr>,
    lanes: Arc<Lanes>,
    /// Made with the first one; dropping it ends them.
    tasks: Mutex<Option<JoinSet<()>>>,
}

impl<P: Platform> SubSessions<P> {
    pub(super) fn new(
        served: Arc<Served<P>>,
        gateway: Peer,
        own: DeviceRef<'_>,
        publisher: Publisher,
        remote: Option<SocketAddr>,
    ) -> Self {
        let (product_key, device_name) = (own.product_key.to_owned(), own.device_name.to_owned());
        let (lanes, tasks) = (Arc::default(), Mutex::default());
        Self { served, gateway, product_key, device_name, publisher, remote, lanes, tasks }
    }

    fn own(&self) -> DeviceRef<'_> {
        DeviceRef { product_key: &self.product_key, device_name: &self.device_name }
    }

    /// Takes a message of the gateway that is no call of its own.
    pub(super) async fn message(&self, message: Message, owed: Owed) {
        let other = match message.topic() {
            Some(Topic::Session { device, action }) if device == self.own() => {
                let reply = Topic::Session { device, action: &format!("{action}_reply") }.to_string();
                return self.session(action, &message.payload, reply).await;
            }
            Some(topic) => topic.device().filter(|device| *device != self.own()),
            None => None,
        };
        let Some(device) = other else {
            let Some(message) = self.publisher.answered(message) else { return };
            return self.served.platform.message(&self.gateway, &self.publisher, message).await;
        };
        let identity = identity(device.product_key, device.device_name);
        let Message { topic, payload } = message;
        match self.lanes.bring(&identity, topic, payload, owed) {
            Brought::Taken => {}
            Brought::Full(topic, payload) => self.throttle(&topic, &payload).await,
            Brought::NoLane(topic, payload) => self.refuse(Message::new(topic, payload)).await,
        }
    }

    /// A sub-device has no session here.
    async fn refuse(&self, message: Message) {
        let Some(device) = message.topic().and_then(|topic| topic.device()) else { return };
        let gateway = self.gateway.identity();
        tracing::info!(gateway, topic = message.topic, "refused: the sub-device is not online");
        self.tell(device, SubDeviceFault::NoSession).await;
        self.served.platform.stray(&self.gateway, device, &message).await;
    }

    /// A call of a sub-device that has too many waiting is answered, so that it comes again.
    async fn throttle(&self, topic: &str, payload: &[u8]) {
        let reply = Topic::parse(topic).filter(|topic| matches!(topic, Topic::Thing { .. }));
        let Some(reply) = reply.and_then(|topic| topic.answer()) else { return };
        if let Ok(Frame::Call { id, .. }) =
            std::str::from_utf8(payload).map_or(Err(()), |text| (FRAMING.split)(text).map_err(drop))
        {
            let id = payload.get(id).map_or("\"\"".into(), String::from_utf8_lossy);
            let error = error_frame(self.gateway.dialect(), &id, &SubDeviceFault::Throttled.into());
            let _ = self.publisher.publish(reply, error, QoS::AtMostOnce).await;
        }
    }

    /// Tells the gateway that something is wrong with a sub-device.
    async fn tell(&self, device: DeviceRef<'_>, fault: SubDeviceFault) {
        let error = SubDeviceError::new(device, fault).to_json();
        // Without a gateway nobody has to know.
        let _ = self.publisher.publish(Topic::Error { device: self.own() }, error, QoS::AtMostOnce).await;
    }

    async fn session(&self, action: &str, payload: &[u8], reply: String) {
        let call = std::str::from_utf8(payload).ok().and_then(|text| SessionCall::parse(action, text));
        let Some(call) = call else {
            return tracing::warn!(gateway = self.gateway.identity(), action, "ignored what asks for no session");
        };
        let done = match &call.request {
            Ok(SessionRequest::Login(logins)) => self.login(logins).await,
            Ok(SessionRequest::Logout(names)) => {
                for (product_key, device_name) in names {
                    self.lanes.close(&identity(product_key, device_name));
                }
                Ok(())
            }
            Err(refused) => Err(refused.clone()),
        };
        if let Err(refused) = &done {
            tracing::info!(gateway = self.gateway.identity(), action, why = %refused, "refused sub-devices");
        }
        let answer = call.answer(done.as_ref().copied());
        let _ = self.publisher.publish(reply, answer, QoS::AtMostOnce).await;
    }

    /// All, or none.
    async fn login(&self, logins: &[SubDeviceLogin]) -> Result<(), SubDeviceRefused> {
        let is_new = |login: &&SubDeviceLogin| !self.lanes.has(&identity(&login.product_key, &login.device_name));
        let new = logins.iter().filter(is_new).count();
        if self.lanes.len().saturating_add(new) > self.served.config.max_sub_devices {
            return Err(SubDeviceFault::TooManyOnline.into());
        }
        let Served { platform, peers, .. } = &*self.served;
        let mut judged = Vec::with_capacity(logins.len());
        for login in logins {
            let identity = identity(&login.product_key, &login.device_name);
            let is_here = self.lanes.has(&identity);
            let sync = judge(platform, peers, &self.gateway, self.own(), login, is_here).await?;
            judged.push((login, identity, sync));
        }
        for (login, identity, sync) in judged {
            // Who asks again, because the answer was lost, stays as it is.
            if !self.lanes.has(&identity) {
                self.begin(&identity, login.device(), sync);
            }
        }
        Ok(())
    }

    fn begin(&self, identity: &str, device: DeviceRef<'_>, sync: SyncServices) {
        let served = Arc::clone(&self.served);
        let info = Info::new(self.remote, None, served.clock).through(self.gateway.identity().into());
        let publisher = Publisher::of(self.publisher.queue(), Arc::new(Asked::behind_gateway(device)));
        let mut on_lane = served.enter(identity, device, sync, publisher, info);
        on_lane.remote = self.remote;
        let inbox = self.lanes.open(identity.into(), Some(on_lane.connection.peer().clone()));
        let (product_key, device_name) = (device.product_key.to_owned(), device.device_name.to_owned());
        let (publisher, topic) = (self.publisher.clone(), Topic::Error { device: self.own() }.to_string());
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let tasks = tasks.get_or_insert_default();
        // Those that have ended.
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a sub-device's task failed");
            }
        }
        tasks.spawn(async move {
            let fault = match served.serve(on_lane, inbox, None).await {
                // It was logged out, or the gateway went.
                Disconnected::Closed(_) => return,
                Disconnected::Local(CallFailure::Replaced) => SubDeviceFault::Replaced,
                _ => SubDeviceFault::NoSession,
            };
            let device = DeviceRef { product_key: &product_key, device_name: &device_name };
            let error = SubDeviceError::new(device, fault).to_json();
            let _ = publisher.publish(topic, error, QoS::AtMostOnce).await;
        });
    }

    /// Whether the gateway may listen to what a sub-device is told.
    pub(super) fn may_listen(&self, filter: &str) -> bool {
        let device = Topic::parse(filter).and_then(|topic| topic.device());
        device.is_some_and(|device| {
            self.lanes.has(&identity(device.product_key, device.device_name)) && device.may_subscribe(filter)
        })
    }

    /// Ends all of them, since the gateway has gone.
    pub(super) fn close(&self) {
        self.lanes.keep_only(None);
    }

    /// [`SubSessions::close`], and waits for the last handler.
    pub(super) async fn end(&self) {
        self.close();
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut tasks) = tasks else { return };
        while tasks.join_next().await.is_some() {}
    }
}

/// Whether a sub-device may come online, as far as that is the runtime's matter; then asks the platform.
pub(super) async fn judge<P: Platform>(
    platform: &P,
    peers: &Peers,
    gateway: &Peer,
    own: DeviceRef<'_>,
    login: &SubDeviceLogin,
    is_here: bool,
) -> Result<SyncServices, SubDeviceRefused> {
    if login.device() == own {
        return Err(SubDeviceFault::IsGateway.into());
    }
    let sync = platform.sub_device(gateway, login).await?;
    if !is_here && peers.admit(&identity(&login.product_key, &login.device_name)).is_err() {
        tracing::warn!(gateway = gateway.identity(), device = %login.device(), "refused: its sessions replace each other");
        return Err(SubDeviceFault::Throttled.into());
    }
    Ok(sync)
}
