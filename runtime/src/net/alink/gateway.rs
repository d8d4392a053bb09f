//! A device that has others behind it.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

use super::DeviceBuilder;
use super::lanes::Lanes;
use super::messages::Session;
use super::sub_device::ThroughGateway;
use crate::alink::system::{
    CombineBatchLoginRequest, CombineBatchLogoutRequest, CombineLoginRequest, CombineLogoutRequest, Identity,
    LoginEntry, RegisteredDevice, SignedIdentity, SubRegisterRequest, SubUnregisterRequest, TopoAddRequest,
    TopoDeleteRequest, TopoGetRequest,
};
use crate::alink::{DeviceRef, Secret, SignMethod, SubDevice, SubDeviceFault};
use crate::net::client::{Link, LinkState};
use crate::types::DateTime;
use crate::{CallFailure, Peer};

/// How many sub-devices one login or logout is for.
const BATCH: usize = 50;

/// How many sub-devices one message on registration or topology is for.
const FEW: usize = 30;

/// How many of these messages may be unanswered at once.
const SIDE_BY_SIDE: usize = 3;

/// How many sub-devices wait for their turn to be logged in before the next ones wait for room.
const QUEUE: usize = 64;

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
        let desk = Desk { orders: to_do, link: link.clone(), lanes: Arc::clone(&lanes) };
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
        let order = Order { what, peer: peer.clone(), answer };
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
        let order = Order { what: What::Logout(identity), peer, answer: oneshot::channel().0 };
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

fn named(device: DeviceRef<'_>) -> Identity {
    Identity::new(device.product_key, device.device_name)
}

/// What a sub-device has signed.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    device: Identity,
    client_id: String,
    timestamp: String,
    method: SignMethod,
    sign: String,
}

impl Signed {
    /// Signs, now.
    pub(super) fn new(device: DeviceRef<'_>, method: SignMethod, secret: &Secret) -> Self {
        let client_id = format!("{}&{}", device.product_key, device.device_name);
        let timestamp = DateTime::now().unix_millis().to_string();
        let sub_device = SubDevice { device, client_id: &client_id, timestamp: Some(&timestamp) };
        let sign = sub_device.sign(method, secret);
        Self { device: named(device), client_id, timestamp, method, sign }
    }

    fn identity(&self) -> SignedIdentity {
        let Identity { product_key, device_name, .. } = self.device.clone();
        let (client_id, method) = (self.client_id.as_str(), self.method.camel_case_name());
        let mut signed = SignedIdentity::new(product_key, device_name, client_id, method, self.sign.as_str());
        signed.timestamp = Some(self.timestamp.as_str().into());
        signed
    }

    fn entry(&self) -> LoginEntry {
        let Identity { product_key, device_name, .. } = self.device.clone();
        let mut entry = LoginEntry::new(product_key, device_name, self.client_id.as_str(), self.sign.as_str());
        (entry.timestamp, entry.clean_session) = (Some(self.timestamp.as_str().into()), Some("true".into()));
        entry
    }

    fn login(&self) -> CombineLoginRequest {
        let Identity { product_key, device_name, .. } = self.device.clone();
        let (client_id, method) = (self.client_id.as_str(), self.method.camel_case_name());
        let mut login = CombineLoginRequest::new(product_key, device_name, client_id, method, self.sign.as_str());
        (login.timestamp, login.clean_session) = (Some(self.timestamp.as_str().into()), Some("true".into()));
        login
    }
}

/// What is to be done for a sub-device.
#[derive(Debug)]
pub(super) enum What {
    Add(Signed),
    Login(Signed),
    Logout(Identity),
}

impl What {
    /// Whether one message can be about both.
    fn goes_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Add(_), Self::Add(_)) | (Self::Logout(_), Self::Logout(_)) => true,
            (Self::Login(one), Self::Login(other)) => one.method == other.method,
            _ => false,
        }
    }

    fn most(&self) -> usize {
        if matches!(self, Self::Add(_)) { FEW } else { BATCH }
    }

    fn identity(&self) -> Identity {
        match self {
            Self::Add(signed) | Self::Login(signed) => signed.device.clone(),
            Self::Logout(identity) => identity.clone(),
        }
    }

    async fn ask_alone(&self, peer: &Peer) -> Result<(), CallFailure> {
        match self {
            Self::Add(signed) => peer.call(TopoAddRequest::new([signed.identity()])).await.map(drop),
            Self::Login(signed) => peer.call(signed.login()).await.map(drop),
            Self::Logout(Identity { product_key, device_name, .. }) => {
                let request = CombineLogoutRequest::new(product_key.clone(), device_name.clone());
                peer.call(request).await.map(drop)
            }
        }
    }
}

#[derive(Debug)]
struct Order {
    what: What,
    /// On which connection of the gateway.
    peer: Peer,
    answer: oneshot::Sender<Result<(), CallFailure>>,
}

impl Order {
    /// Whom nobody waits for any more is not to stay online: what is left to do, once all others have heard.
    fn answer(self, done: Result<(), CallFailure>) -> Option<(What, Peer)> {
        let Self { what, peer, answer } = self;
        let is_online = matches!(what, What::Login(_)) && done.is_ok();
        let is_unheard = answer.send(done).is_err();
        (is_online && is_unheard).then(|| (What::Logout(what.identity()), peer))
    }
}

/// Does what is ordered for sub-devices: many at once where many wait, so that two thousand of them are online after forty messages.
#[derive(Debug)]
pub(super) struct Desk {
    orders: mpsc::Receiver<Order>,
    link: Link,
    lanes: Arc<Lanes>,
}

impl Desk {
    /// Works until the gateway connects no more.
    pub(super) async fn run(self) {
        let Self { orders, link, lanes } = self;
        let batches = stream::unfold(orders, |mut orders| async move {
            let mut batch = Vec::new();
            (orders.recv_many(&mut batch, BATCH).await > 0).then_some((batch, orders))
        });
        let working = batches.flat_map(|batch| stream::iter(groups(batch))).for_each_concurrent(SIDE_BY_SIDE, serve);
        tokio::select! {
            () = follow(&link, &lanes) => {}
            () = working => {}
        }
        lanes.keep_only(None);
    }
}

/// Ends sub-devices with the connection that they are online on, until there will be no other one.
async fn follow(link: &Link, lanes: &Lanes) {
    let mut states = link.states();
    loop {
        let peer = match &*states.borrow_and_update() {
            LinkState::Connected(peer) => Some(peer.clone()),
            LinkState::Stopped => return,
            _ => None,
        };
        lanes.keep_only(peer.as_ref());
        if states.changed().await.is_err() {
            return;
        }
    }
}

/// Puts together what one message can be about. What is ordered for one sub-device stays in its order.
fn groups(orders: Vec<Order>) -> Vec<Vec<Order>> {
    let mut groups: Vec<Vec<Order>> = Vec::new();
    for order in orders {
        let fits = |group: &&mut Vec<Order>| {
            group.len() < order.what.most()
                && group.first().is_some_and(|first| {
                    first.what.goes_with(&order.what) && first.peer.is_same_connection(&order.peer)
                })
        };
        let identity = order.what.identity();
        let of_same = |group: &Vec<Order>| group.iter().any(|other| other.what.identity() == identity);
        let after = groups.iter().rposition(of_same).map_or(0, |last| last + 1);
        match groups.iter_mut().skip(after).find(fits) {
            Some(group) => group.push(order),
            None => groups.push(vec![order]),
        }
    }
    groups
}

async fn serve(mut orders: Vec<Order>) {
    // Who has given up meanwhile wants nothing. A goodbye is for the platform.
    orders.retain(|order| !order.answer.is_closed() || matches!(order.what, What::Logout(_)));
    let Some(first) = orders.first() else { return };
    if orders.len() > 1 {
        match ask_together(&orders, &first.peer).await {
            // All or none: each hears its own reason.
            // Whom one message is too much is not sent fifty.
            Err(failure @ CallFailure::Refused(_))
                if SubDeviceFault::of(&failure) != Some(SubDeviceFault::Throttled) => {}
            done => {
                let unheard: Vec<_> = orders.into_iter().filter_map(|order| order.answer(done.clone())).collect();
                return undo(unheard).await;
            }
        }
    }
    let mut unheard = Vec::new();
    for order in orders {
        let done = order.what.ask_alone(&order.peer).await;
        unheard.extend(order.answer(done));
    }
    undo(unheard).await;
}

async fn undo(logouts: Vec<(What, Peer)>) {
    for (logout, peer) in logouts {
        let _ = logout.ask_alone(&peer).await;
    }
}

async fn ask_together(orders: &[Order], peer: &Peer) -> Result<(), CallFailure> {
    let whats = || orders.iter().map(|order| &order.what);
    match whats().next() {
        Some(What::Login(Signed { method, .. })) => {
            let entries =
                whats().filter_map(|what| if let What::Login(signed) = what { Some(signed.entry()) } else { None });
            let request = CombineBatchLoginRequest::new(method.camel_case_name(), entries.collect());
            peer.call(request).await.map(drop)
        }
        Some(What::Add(_)) => {
            let signed =
                whats().filter_map(|what| if let What::Add(signed) = what { Some(signed.identity()) } else { None });
            peer.call(TopoAddRequest::new(signed)).await.map(drop)
        }
        _ => peer.call(CombineBatchLogoutRequest::new(whats().map(What::identity))).await.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Connection;
    use crate::session::Config;

    #[test]
    fn what_is_ordered_for_one_stays_in_its_order_and_the_rest_goes_together() {
        static DIALECT: crate::Dialect = crate::Dialect {
            name: "Alink",
            subprotocols: &[],
            framing: &crate::alink::FRAMING,
            actions: &[],
            fresh: &[],
            spell: crate::alink::spell,
            secrets: crate::Secrets::NONE,
        };
        let connection = Connection::new("gateway", &DIALECT, Config::default());
        let device = |device_name| DeviceRef { product_key: "p", device_name };
        let login = |name| What::Login(Signed::new(device(name), SignMethod::HmacSha256, &Secret::from("s")));
        let logout = |name| What::Logout(named(device(name)));
        let whats = [login("b"), logout("a"), login("a"), login("c"), logout("d"), login("d")];
        let order = |what| Order { what, peer: connection.peer().clone(), answer: oneshot::channel().0 };
        let shown = |order: &Order| format!("{}{}", order.what.most(), order.what.identity().device_name);
        let groups = groups(whats.map(order).into());
        let names: Vec<Vec<String>> = groups.iter().map(|group| group.iter().map(shown).collect()).collect();
        assert_eq!(names, [vec!["50b", "50c"], vec!["50a", "50d"], vec!["50a", "50d"]]);
    }
}
