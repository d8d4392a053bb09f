//! Metrics in the text format of Prometheus.

use onwire::net::alink::ClientFault;
use onwire::net::{Direction, MessageKind, Observed};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Labels whose values are few, whatever strangers send.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Message {
    direction: &'static str,
    kind: &'static str,
}

/// What is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    connections: Gauge,
    logins: Family<Outcome, Counter>,
    faults: Family<Reason, Counter>,
    messages: Family<Message, Counter>,
    calls: Family<Outcome, Counter>,
    rrpc: Family<Outcome, Counter>,
    /// Blocks of updates that were sent.
    pub(crate) file_blocks: Counter,
    /// Bytes of files that devices have uploaded.
    pub(crate) uploaded_bytes: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("hub"),
            connections: Gauge::default(),
            logins: Family::default(),
            faults: Family::default(),
            messages: Family::default(),
            calls: Family::default(),
            rrpc: Family::default(),
            file_blocks: Counter::default(),
            uploaded_bytes: Counter::default(),
        };
        let Self { mut registry, connections, logins, faults, messages, calls, rrpc, file_blocks, uploaded_bytes } =
            metrics;
        let r = &mut registry;
        r.register("connections", "Connected devices", connections.clone());
        r.register("logins", "Logins and registrations of devices, by outcome", logins.clone());
        r.register("client_faults", "What went wrong with clients, by reason", faults.clone());
        r.register("messages", "Alink messages, by the way they went and their kind", messages.clone());
        r.register("calls", "Services and settings that devices were asked for, by outcome", calls.clone());
        r.register("rrpc", "RRPC of operators' own words, by outcome", rrpc.clone());
        r.register("file_blocks", "Blocks of updates sent over MQTT", file_blocks.clone());
        r.register("uploaded_bytes", "Bytes of files that devices have uploaded", uploaded_bytes.clone());
        Self { registry, connections, logins, faults, messages, calls, rrpc, file_blocks, uploaded_bytes }
    }
}

impl Metrics {
    /// A login, or a registration.
    pub(crate) fn login(&self, outcome: &'static str) {
        self.logins.get_or_create(&Outcome { outcome }).inc();
    }

    /// Something that went wrong with a client.
    pub(crate) fn fault(&self, fault: &ClientFault) {
        let reason = match fault {
            ClientFault::Mqtt(onwire::mqtt::Fault::Malformed) => "malformed",
            ClientFault::Mqtt(onwire::mqtt::Fault::TooLarge) => "tooLarge",
            ClientFault::Mqtt(onwire::mqtt::Fault::Version) => "version",
            ClientFault::Mqtt(onwire::mqtt::Fault::Silent) => "silent",
            ClientFault::Mqtt(onwire::mqtt::Fault::Protocol) => "protocol",
            ClientFault::LoginTimeout => "loginTimeout",
            ClientFault::Handshake(_) => "handshake",
            ClientFault::Crowded => "crowded",
            ClientFault::LoginsFailed { .. } => "loginsFailed",
            ClientFault::Stalled => "stalled",
            ClientFault::NotText { .. } => "notText",
            ClientFault::TooFast => "tooFast",
            ClientFault::TooManyDevices => "tooManyDevices",
            _ => "other",
        };
        self.faults.get_or_create(&Reason { reason }).inc();
    }

    /// What counts messages, for whoever sees them.
    pub(crate) fn messages(&self) -> Messages {
        Messages(self.messages.clone())
    }

    /// A call to a device.
    pub(crate) fn call(&self, outcome: &'static str) {
        self.calls.get_or_create(&Outcome { outcome }).inc();
    }

    /// A request in an operator's own words.
    pub(crate) fn rrpc(&self, outcome: &'static str) {
        self.rrpc.get_or_create(&Outcome { outcome }).inc();
    }

    /// All of it, in the text format of OpenMetrics, which Prometheus reads.
    ///
    /// # Errors
    /// None that is known.
    pub(crate) fn text(&self, connections: usize) -> Result<String, std::fmt::Error> {
        self.connections.set(i64::try_from(connections).unwrap_or(i64::MAX));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Counts messages.
#[derive(Debug, Clone)]
pub(crate) struct Messages(Family<Message, Counter>);

impl Messages {
    pub(crate) fn count(&self, message: &Observed<'_>) {
        let direction = match message.direction {
            Direction::Received => "received",
            Direction::Sent => "sent",
        };
        let kind = match message.kind {
            MessageKind::Call => "call",
            MessageKind::Send => "send",
            MessageKind::CallResult => "result",
            MessageKind::CallError(_) => "error",
            _ => "unreadable",
        };
        self.0.get_or_create(&Message { direction, kind }).inc();
    }
}
