//! Between the runtime's listener and the rest of the hub.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use onwire::alink::{DeviceRef, FRAMING, SubDeviceFault, SubDeviceLogin, SubDeviceRefused, SyncServices, spell};
use onwire::frame::Reply;
use onwire::mqtt::Refused;
use onwire::net::alink::{Admission, ClientFault, Faulty, ListenerConfig, LoginRequest, Message, Platform, Publisher};
use onwire::net::{Direction, MessageKind, Observe, Observed, PeerEvent, PeerEvents};
use onwire::types::RawJson;
use onwire::{CallError, Cx, Dialect, ErrorCode, Peer, Router, SendRouter};
use serde_json::json;
use tokio::sync::mpsc;

use crate::app::SharedApp;
use crate::link::names;
use crate::metrics::Messages;
use crate::platform;
use crate::platform::admission::{Admitted, Denied, admit, may_stay};
use crate::store::devices::{self, Device};
use crate::typed::{self, Sockets};

/// Alink whose actions are known when the hub runs.
static DIALECT: Dialect = Dialect {
    name: "Alink",
    subprotocols: &[],
    framing: &FRAMING,
    actions: &[],
    fresh: onwire::alink::system::DIALECT.fresh,
    spell,
    secrets: onwire::alink::system::DIALECT.secrets,
};

/// How many calls of ours one device may leave unanswered.
const OUTSTANDING: usize = 16;

/// How many things that are wrong wait to be written down; more are not.
const WAITING: usize = 64;

/// How the listener serves.
pub(crate) fn settings(sense: &Sense, app: &SharedApp) -> ListenerConfig {
    let mut settings = ListenerConfig::default();
    settings.session.outstanding = OUTSTANDING;
    settings.session.call_queue = OUTSTANDING;
    // Of each device, so many bytes of answers are kept for messages that are sent again.
    settings.session.answer_memory = 2048;
    settings.session.handler_timeout = Duration::from_secs(40);
    // A device that does not answer a call is not waited for much longer than requests are.
    settings.shutdown_grace = Duration::from_secs(10);
    settings.observe = Some(Arc::new(sense.clone()));
    settings.max_handshakes_per_address = app.config.connections_per_address;
    settings.login_limits = Some(app.config.logins.clone());
    settings
}

/// The hub as the listener sees it.
#[derive(Debug)]
pub(crate) struct Hub {
    app: SharedApp,
    handlers: Sockets,
    sense: Sense,
}

impl Hub {
    pub(crate) fn new(app: SharedApp, sense: Sense) -> Self {
        Self { handlers: Sockets { untyped: Untyped(Arc::clone(&app)) }, app, sense }
    }
}

impl Hub {
    /// Which services wait for their answer.
    fn sync_services(&self, product_key: &str, extended: bool) -> SyncServices {
        let services = self.app.models.get(product_key).into_iter().flat_map(|model| &model.services);
        let methods = services.filter(|(_, service)| service.is_sync);
        SyncServices::new(methods.map(|(identifier, _)| format!("thing.service.{identifier}")), extended)
    }
}

impl Platform for Hub {
    type Router = Sockets;

    async fn login(&self, login: LoginRequest) -> Result<Admission, Refused> {
        let LoginRequest { connect, origin, .. } = login;
        let address = origin.remote.map_or_else(|| "an unknown address".to_owned(), |remote| remote.to_string());
        let (username, password) = (connect.username.unwrap_or_default(), connect.password.unwrap_or_default());
        match admit(&self.app, &connect.client_id, &username, &password, &address).await {
            Ok(Admitted::Works { device, extended }) => {
                let sync = self.sync_services(&device.product_key, extended);
                Ok(Admission::Device { product_key: device.product_key, device_name: device.device_name, sync })
            }
            Ok(Admitted::Registers { topic, message }) => {
                Ok(Admission::Registration { topic: topic.to_owned(), payload: message.into_bytes() })
            }
            Err(Denied::Credentials) => Err(Refused::BadCredentials),
            Err(Denied::NotAllowed) => Err(Refused::NotAuthorized),
            Err(Denied::Unavailable) => Err(Refused::ServerUnavailable),
        }
    }

    /// Behind a broker, which has let it in. Whether it knows `/ext/rrpc/..` it has told the broker.
    fn known(&self, device: DeviceRef<'_>) -> Option<SyncServices> {
        let DeviceRef { product_key, device_name } = device;
        self.app.entered.has(product_key, device_name).then(|| self.sync_services(product_key, false))
    }

    fn router(&self) -> &Sockets {
        &self.handlers
    }

    async fn connected(&self, peer: &Peer, publisher: &Publisher) {
        let (device_name, product_key) = names(peer.identity());
        let found = devices::credentials(&self.app.store, &self.app.seal, product_key, device_name).await;
        let known = match found {
            Ok(Some(known)) => known,
            // It was deleted while it came, or the database failed: it is to come again.
            other => {
                tracing::warn!(failed = other.is_err(), device = peer.identity(), "let go");
                return peer.disconnect(onwire::CallFailure::ShuttingDown);
            }
        };
        let device = known.device;
        self.app.repeated.began(device.id);
        self.app.link.open(device.clone(), peer, publisher);
        let gateway = self.app.via(&device);
        match may_stay(&self.app.store, &device, gateway.as_deref()).await {
            Ok(true) => {}
            other => {
                tracing::warn!(failed = other.is_err(), device = peer.identity(), "let go");
                return peer.disconnect(onwire::CallFailure::ShuttingDown);
            }
        }
        if let Err(error) = devices::seen(&self.app.store, device.id, true).await {
            tracing::error!(%error, "the database failed");
        }
        self.app.live.tell("online", product_key, device_name, || json!({}));
    }

    async fn sub_device(&self, gateway: &Peer, login: &SubDeviceLogin) -> Result<SyncServices, SubDeviceRefused> {
        let gateway = self.app.link.device(gateway).ok_or(SubDeviceFault::NoSession)?;
        let device = platform::topology::admit(&self.app, &gateway, login).await?;
        Ok(self.sync_services(&device.product_key, login.takes_ext_rrpc()))
    }

    async fn stray(&self, sender: &Peer, _: DeviceRef<'_>, message: &Message) {
        let (device_name, product_key) = names(sender.identity());
        let content = format!(
            "a message on a topic that is not this device's, nor that of a sub-device that is online through it: {}",
            message.topic
        );
        self.app.note("warn", product_key, device_name, content).await;
    }

    async fn message(&self, peer: &Peer, _: &Publisher, message: Message) {
        if let Some(device) = sender(&self.app, peer).await {
            platform::receive(&self.app, &device, &message.topic, &message.payload).await;
        }
    }

    async fn retained(&self, message: Message) {
        platform::retained::receive(&self.app, &message.topic, &message.payload).await;
    }

    fn fault(&self, of: Faulty<'_>, fault: &ClientFault) {
        self.app.metrics.fault(fault);
        // Whoever knocks on does not fill the log.
        if matches!(fault, ClientFault::LoginsFailed { is_first: false, .. } | ClientFault::Crowded) {
            return;
        }
        let address = of.remote.map(|remote| format!(" at {remote}")).unwrap_or_default();
        self.sense.tell(match of.device {
            Some(device) => Wrong {
                product_key: device.product_key.to_owned(),
                device_name: device.device_name.to_owned(),
                content: format!("the device{address}: {fault}"),
            },
            None => Wrong {
                product_key: String::new(),
                device_name: String::new(),
                content: format!("a client{address}: {fault}"),
            },
        });
    }
}

/// Who has sent a message. It may have been received right before its connection ended, which the hub has been told of
/// meanwhile.
async fn sender(app: &SharedApp, peer: &Peer) -> Option<Device> {
    if let Some(device) = app.link.device(peer) {
        return Some(device);
    }
    let (device_name, product_key) = names(peer.identity());
    match devices::credentials(&app.store, &app.seal, product_key, device_name).await {
        Ok(known) => known.filter(|known| !known.disabled).map(|known| known.device),
        Err(error) => {
            tracing::error!(%error, "the database failed");
            None
        }
    }
}

/// Answers calls of devices, whatever their model.
#[derive(Debug)]
pub(crate) struct Untyped(SharedApp);

impl Router for Untyped {
    type Role = typed::socket::role::Platform;
    const DIALECT: &'static Dialect = &DIALECT;

    fn on<'a>(&'a self, cx: Cx<'a>) -> impl Future<Output = Result<Reply, CallError>> + 'a {
        self.on_send(cx)
    }

    fn has_after(&self, _: &str) -> bool {
        false
    }

    fn after<'a>(&'a self, cx: Cx<'a>) -> impl Future<Output = ()> + 'a {
        self.after_send(cx)
    }
}

impl SendRouter for Untyped {
    async fn on_send<'a>(&'a self, cx: Cx<'a>) -> Result<Reply, CallError> {
        let device = sender(&self.0, cx.peer()).await.ok_or(ErrorCode::SecurityError)?;
        let path = cx.action().strip_prefix("thing.").ok_or_else(|| cx.unhandled())?.replace('.', "/");
        let params = cx.payload();
        let answer = platform::called(&self.0, &device, &path, cx.id().token(), &params).await;
        let data = RawJson::new(&answer.data.to_string()).map_err(|_| CallError::from(ErrorCode::InternalError))?;
        if answer.code != 200 {
            let error = CallError::new(ErrorCode::Other(answer.code.to_string().into()), answer.message);
            return Err(CallError { details: Some(data), ..error });
        }
        cx.reply(&data)
    }

    async fn after_send<'a>(&'a self, _: Cx<'a>) {}
}

/// Something that is wrong with a client, to be written down.
#[derive(Debug)]
pub(crate) struct Wrong {
    product_key: String,
    device_name: String,
    content: String,
}

/// Counts messages, and sees to it that what is wrong is written down; clones tell the same.
#[derive(Debug, Clone)]
pub(crate) struct Sense {
    wrong: mpsc::Sender<Wrong>,
    messages: Messages,
}

impl Sense {
    fn tell(&self, wrong: Wrong) {
        // Whoever does much of this is not worth more than that.
        let _ = self.wrong.try_send(wrong);
    }
}

impl Observe for Sense {
    fn message(&self, message: &Observed<'_>) {
        self.messages.count(message);
        if message.direction == Direction::Sent {
            return;
        }
        let content = match (&message.kind, message.action) {
            (MessageKind::Unreadable, _) => format!("a message of {} bytes that is no Alink", message.text.len()),
            // Whoever waits for the answer that this was meant to be waits in vain.
            (MessageKind::CallResult | MessageKind::CallError(_), None) => match message.id {
                "" => "an answer without an id, which tells not what it answers".to_owned(),
                id => format!("an answer with the id {id:.64}, which no call had lately"),
            },
            _ => return,
        };
        let (device_name, product_key) = names(message.peer.identity());
        self.tell(Wrong { product_key: product_key.to_owned(), device_name: device_name.to_owned(), content });
    }
}

/// What sees, and what it saw.
pub(crate) fn senses(messages: Messages) -> (Sense, mpsc::Receiver<Wrong>) {
    let (wrong, receiver) = mpsc::channel(WAITING);
    (Sense { wrong, messages }, receiver)
}

/// Follows who goes, and what is wrong, until the hub ends.
pub(crate) async fn follow(app: SharedApp, mut events: PeerEvents, mut sensed: mpsc::Receiver<Wrong>) {
    let mut ends = app.ends.clone();
    loop {
        tokio::select! {
            _ = ends.changed() => return,
            Some(Wrong { product_key, device_name, content }) = sensed.recv() => {
                app.note("warn", &product_key, &device_name, content).await;
            }
            event = events.next() => match event {
                Some(Ok(PeerEvent::Disconnected(peer))) => gone(&app, &peer).await,
                Some(Ok(PeerEvent::Replaced(peer))) => {
                    let (device_name, product_key) = names(peer.identity());
                    let content = "a second connection took the first one's place".to_owned();
                    app.note("warn", product_key, device_name, content).await;
                }
                Some(Ok(PeerEvent::HeldBack(identity))) => {
                    let (device_name, product_key) = names(&identity);
                    let content = "connections replace each other: two devices have one name".to_owned();
                    app.note("error", product_key, device_name, content).await;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) => for peer in app.link.dead() { gone(&app, &peer).await; },
                None => return,
            },
        }
    }
}

async fn gone(app: &SharedApp, peer: &Peer) {
    let Some(device) = app.link.ended(peer) else { return };
    if let Err(error) = devices::seen(&app.store, device.id, false).await {
        tracing::error!(%error, "the database failed");
    }
    let reason = peer.failure().map(|failure| failure.to_string());
    app.live.tell("offline", &device.product_key, &device.device_name, || json!({"reason": reason}));
}
