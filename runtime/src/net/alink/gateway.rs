//! A device that has others behind it.

use std::sync::Arc;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

use super::DeviceBuilder;
use super::desk::{Desk, FEW, Order, QUEUE, What};
use super::lanes::Lanes;
use super::messages::Session;
use super::signed::{Signed, named};
use super::sub_device::ThroughGateway;
use crate::alink::system::{
    Identity, RegisteredDevice, SubRegisterRequest, SubUnregisterRequest, TopoAddRequest, TopoDeleteRequest,
    TopoGetRequest,
};
use crate::alink::{DeviceRef, Secret, SignMethod};
use crate::net::client::{Link, LinkState};
use crate::{CallFailure, Peer};

/// A device that has others behind it, which reach the platform over its connection; [`Device::gateway`](super::Device::gateway)
/// gives it, and clones are handles of the same.
///
/// ```no_run
/// use onwire::alink::{DeviceRef, LoginOptions, Secret};
/// use onwire::net::alink::Device;
/// # use onwire::alink::system::*;
/// # struct Hall;
/// # #[onwire::handlers(onwire::alink::system, role = Device)]
/// # impl Hall { #[on(ConfigPush)] fn push(&self, _: ConfigPushRequest) {} }
/// # struct Meter;
/// # #[onwire::handlers(onwire::alink::system, role = Device)]
/// # impl Meter { #[on(ConfigPush)] fn push(&self, _: ConfigPushRequest) {} }
///
/// # async fn example(secret: Secret) -> Result<(), Box<dyn std::error::Error>> {
/// let hall = DeviceRef { product_key: "a1Hall", device_name: "H1" };
/// let device = Device::with_secret("mqtt://127.0.0.1:1883", hall, &secret, LoginOptions::default())?.build(Hall)?;
/// let gateway = device.gateway();
/// tokio::spawn(device.run());
///
/// // What has no secret yet is registered, once; secrets are yours to keep.
/// let registered = gateway.register(&[DeviceRef { product_key: "a1Meter", device_name: "M1" }]).await?;
/// for RegisteredDevice { product_key, device_name, device_secret, .. } in registered {
///     let meter = DeviceRef { product_key: &product_key, device_name: &device_name };
///     // Handlers, calls and messages of its own. It logs in, and again whenever the gateway has reconnected.
///     let meter = gateway.sub_device(meter, &device_secret).on_raw(|bytes| async move { bytes }).build(Meter);
///     let (link, messages) = (meter.link(), meter.messages());
///     tokio::spawn(meter.run());
///     link.call(TagsUpdateRequest::new([Tag::new("SN", "1")])).await?;
///     println!("it is {}", messages.clock().await?.now());
/// }
/// # Ok(())
/// # }
/// ```
///
/// What the platform has to say of the topology comes to the gateway's own handlers: `#[on(TopoChange)]`, `#[on(TopoAddNotify)]` of
/// [`alink::system`](crate::alink::system); that a sub-device is disabled, enabled or deleted, to the sub-device's (`#[on(Disable)]`
/// and so on). A refusal is a [`CallFailure::Refused`], which
/// [`SubDeviceFault::of`](crate::alink::SubDeviceFault::of) reads.
///
/// Limits of the cloud: 2,000 sub-devices, 50 in one login, 30 in one registration; more are asked for in parts, one after the other.
#[derive(Debug, Clone)]
pub struct Gateway(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    link: Link,
    sessions: watch::Receiver<Option<Session>>,
    lanes: Arc<Lanes>,
    orders: mpsc::Sender<Order>,
    subscribes: bool,
    server: String,
}

impl Gateway {
    pub(super) fn new(
        link: Link,
        sessions: watch::Receiver<Option<Session>>,
        lanes: Arc<Lanes>,
        subscribes: bool,
        server: String,
    ) -> (Self, Desk) {
        let (orders, to_do) = mpsc::channel(QUEUE);
        let desk = Desk::new(to_do, link.clone(), Arc::clone(&lanes));
        (Self(Arc::new(Shared { link, sessions, lanes, orders, subscribes, server })), desk)
    }

    /// Prepares a sub-device that has a secret. Before its first login it says of itself that it is behind this gateway, if the platform
    /// does not know that yet; see [`DeviceBuilder::topology_is_known`].
    #[must_use]
    pub fn sub_device(&self, device: DeviceRef<'_>, secret: &Secret) -> DeviceBuilder<ThroughGateway> {
        DeviceBuilder::new(device, ThroughGateway::new(self.clone(), secret.clone()))
    }

    /// Has sub-devices registered (`thing.sub.register`): what they are called has to be known to the platform, and dynamic
    /// registration of their product has to be on. The answer has their secrets.
    ///
    /// # Errors
    /// [`CallFailure`]; of the parts that were asked for before, the platform has done what it was asked.
    pub async fn register(&self, devices: &[DeviceRef<'_>]) -> Result<Vec<RegisteredDevice>, CallFailure> {
        let mut registered = Vec::with_capacity(devices.len());
        for devices in devices.chunks(FEW) {
            let request = SubRegisterRequest::new(devices.iter().copied().map(named));
            registered.extend(self.0.link.call(request).await?.devices);
        }
        Ok(registered)
    }

    /// Takes registrations back (`thing.sub.unregister`).
    ///
    /// # Errors
    /// As [`Gateway::register`].
    pub async fn unregister(&self, devices: &[DeviceRef<'_>]) -> Result<(), CallFailure> {
        for devices in devices.chunks(FEW) {
            self.0.link.call(SubUnregisterRequest::new(devices.iter().copied().map(named))).await?;
        }
        Ok(())
    }

    /// Says that sub-devices are behind this gateway (`thing.topo.add`), as each of them signs.
    ///
    /// # Errors
    /// As [`Gateway::register`].
    pub async fn add_topology(&self, devices: &[(DeviceRef<'_>, &Secret)]) -> Result<(), CallFailure> {
        for devices in devices.chunks(FEW) {
            let signed = devices.iter().map(|(device, secret)| Signed::new(*device, SignMethod::HmacSha256, secret));
            self.0.link.call(TopoAddRequest::new(signed.map(|signed| signed.identity()))).await?;
        }
        Ok(())
    }

    /// Says that sub-devices are not behind this gateway any more (`thing.topo.delete`). Those that are online go offline; stop them
    /// before, or they log in again.
    ///
    /// # Errors
    /// As [`Gateway::register`].
    pub async fn delete_topology(&self, devices: &[DeviceRef<'_>]) -> Result<(), CallFailure> {
        for devices in devices.chunks(FEW) {
            self.0.link.call(TopoDeleteRequest::new(devices.iter().copied().map(named))).await?;
        }
        Ok(())
    }

    /// Asks which sub-devices are behind this gateway (`thing.topo.get`).
    ///
    /// # Errors
    /// [`CallFailure`].
    pub async fn topology(&self) -> Result<Vec<Identity>, CallFailure> {
        Ok(self.0.link.call(TopoGetRequest::new()).await?.devices)
    }

    /// The gateway's own connection: to be watched.
    pub(super) fn link(&self) -> &Link {
        &self.0.link
    }

    pub(super) fn session(&self) -> Option<Session> {
        self.0.sessions.borrow().clone()
    }

    pub(super) fn lanes(&self) -> &Arc<Lanes> {
        &self.0.lanes
    }

    /// Whether topics have to be asked for.
    pub(super) fn subscribes(&self) -> bool {
        self.0.subscribes
    }

    pub(super) fn server(&self) -> &str {
        &self.0.server
    }

    /// Has something done for a sub-device, together with others.
    pub(super) async fn order(&self, what: What, peer: &Peer) -> Result<(), CallFailure> {
        let (answer, answered) = oneshot::channel();
        let login = matches!(what, What::Login(_)).then(|| what.identity());
        let order = Order::new(what, peer.clone(), answer);
        self.0.orders.send(order).await.map_err(|_| CallFailure::ShuttingDown)?;
        let undo = login.map(|identity| Undo::new(self, identity, peer));
        let mut answer = Answer { answered, undo };
        (&mut answer.answered).await.unwrap_or(Err(CallFailure::ShuttingDown))
    }

    /// What is to be done if a login turns out to be for nothing.
    pub(super) fn undo(&self, identity: Identity, peer: &Peer) -> Undo {
        Undo::new(self, identity, peer)
    }

    /// Waits until it will not connect any more.
    pub(super) async fn stopped(&self) {
        // An error says the same.
        let _ = self.0.link.states().wait_for(|state| matches!(state, LinkState::Stopped)).await;
    }
}

/// Logs a sub-device out, unless it is forgotten.
pub(super) struct Undo {
    gateway: Gateway,
    login: Option<(Identity, Peer)>,
}

impl Undo {
    fn new(gateway: &Gateway, identity: Identity, peer: &Peer) -> Self {
        Self { gateway: gateway.clone(), login: Some((identity, peer.clone())) }
    }

    /// There is somebody who will do so.
    pub(super) fn forget(&mut self) {
        self.login = None;
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        let Some((identity, peer)) = self.login.take() else { return };
        let order = Order::new(What::Logout(identity), peer, oneshot::channel().0);
        // Without a desk the gateway itself is going.
        if let Err(TrySendError::Full(_)) = self.gateway.0.orders.try_send(order) {
            tracing::warn!("a sub-device was not logged out: too much else is to be done");
        }
    }
}

/// What comes of an order.
struct Answer {
    answered: oneshot::Receiver<Result<(), CallFailure>>,
    undo: Option<Undo>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        // Whoever drops it in between does not want to be online any more. What is not answered yet, the desk undoes.
        let is_unheard = matches!(self.answered.try_recv(), Ok(Ok(())));
        if let Some(undo) = self.undo.as_mut().filter(|_| !is_unheard) {
            undo.forget();
        }
    }
}
