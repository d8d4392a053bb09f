//! What a device is told before it connects.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::device::OwnConnection;
use super::dispatch::Route;
use super::messages::Session;
use super::request::Messages;
use crate::alink::DeviceRef;
use crate::mqtt::QoS;
use crate::net::client::{BackOff, WhileOffline};
use crate::net::{KeepAlive, Observe};
use crate::session::Config;

/// How many calls a [`Link`](crate::net::Link) holds.
const WAITING_CALLS: usize = 32;

/// How long the platform waits for an answer at the most.
const RRPC_TIMEOUT: Duration = Duration::from_secs(8);

/// A device that is being described. [`Device::builder`](super::Device::builder) begins one with a connection of its own, and
/// [`Gateway::sub_device`](super::Gateway::sub_device) one that is behind a gateway.
pub struct DeviceBuilder<C = OwnConnection> {
    pub(super) product_key: String,
    pub(super) device_name: String,
    pub(super) config: Config,
    pub(super) qos: QoS,
    pub(super) patience: Duration,
    pub(super) observe: Option<Arc<dyn Observe>>,
    pub(super) back_off: BackOff,
    pub(super) while_offline: WhileOffline,
    pub(super) waiting_calls: usize,
    pub(super) topics: Vec<(String, QoS)>,
    /// Those that the system's include.
    pub(super) rrpc_topics: Vec<(String, QoS)>,
    pub(super) routes: Vec<Route>,
    /// Comes last.
    pub(super) rest: Option<Route>,
    pub(super) sessions: watch::Sender<Option<Session>>,
    pub(super) messages: Messages,
    pub(super) rrpc_timeout: Duration,
    /// How it reaches the platform.
    pub(super) connection: C,
}

impl<C> DeviceBuilder<C> {
    pub(super) fn new(device: DeviceRef<'_>, connection: C) -> Self {
        let sessions = watch::Sender::new(None);
        Self {
            product_key: device.product_key.to_owned(),
            device_name: device.device_name.to_owned(),
            config: Config { outstanding: 4, ..Config::default() },
            qos: QoS::AtMostOnce,
            patience: KeepAlive::default().patience,
            observe: None,
            back_off: BackOff::default(),
            while_offline: WhileOffline::default(),
            waiting_calls: WAITING_CALLS,
            topics: Vec::new(),
            rrpc_topics: Vec::new(),
            routes: Vec::new(),
            rest: None,
            messages: Messages::new(sessions.subscribe(), device),
            sessions,
            rrpc_timeout: RRPC_TIMEOUT,
            connection,
        }
    }

    /// What sessions tolerate and hold. Four calls of ours may be unanswered at once unless this says otherwise.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// With which quality calls and answers are sent. Default [`QoS::AtMostOnce`]: whoever calls waits for the answer in any
    /// case.
    #[must_use]
    pub fn qos(self, qos: QoS) -> Self {
        Self { qos, ..self }
    }

    /// How long the platform may take to accept a message before the connection is dropped. Default 30 s.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Who is shown every call and answer.
    #[must_use]
    pub fn observe(self, observe: Arc<dyn Observe>) -> Self {
        Self { observe: Some(observe), ..self }
    }

    /// How long to wait between attempts to connect.
    #[must_use]
    pub fn back_off(self, back_off: BackOff) -> Self {
        Self { back_off, ..self }
    }

    /// What becomes of a [`Link::call`](crate::net::Link::call) without a connection. Default [`WhileOffline::Wait`].
    #[must_use]
    pub fn while_offline(self, while_offline: WhileOffline) -> Self {
        Self { while_offline, ..self }
    }

    /// How many calls of a [`Link`](crate::net::Link) may wait or be under way; one more fails with
    /// [`CallFailure::QueueFull`](crate::CallFailure::QueueFull). Default 32.
    #[must_use]
    pub fn waiting_calls(self, waiting_calls: usize) -> Self {
        Self { waiting_calls, ..self }
    }

    /// Subscribes to another topic after each login.
    #[must_use]
    pub fn topic(mut self, filter: impl Into<String>, qos: QoS) -> Self {
        self.topics.push((filter.into(), qos));
        self
    }
}

impl<C> fmt::Debug for DeviceBuilder<C> {
    /// Without what it connects with, which is a secret in part.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceBuilder")
            .field("product_key", &self.product_key)
            .field("device_name", &self.device_name)
            .finish_non_exhaustive()
    }
}
