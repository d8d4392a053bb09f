//! What goes wrong with clients of a platform.

use std::net::SocketAddr;
use std::time::Duration;

use crate::alink::DeviceRef;
use crate::mqtt::Fault;
use crate::net::Disconnected;

/// Whom a [`ClientFault`] is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Faulty<'a> {
    /// Which device: who was let in, or whose topic it is behind a broker. `None` before the login.
    pub device: Option<DeviceRef<'a>>,
    /// From where, where that is known: not behind a broker.
    pub remote: Option<SocketAddr>,
}

/// What went wrong with a client, other than a network that fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientFault {
    /// It broke MQTT, sent a packet that is too large, or was silent for longer than it said. Its connection has ended.
    #[error(transparent)]
    Mqtt(#[from] Fault),
    /// It has not said in time who it is. Its connection has ended.
    #[error("took too long to say who it is")]
    LoginTimeout,
    /// TLS failed before the login.
    #[error("the handshake failed: {0}")]
    Handshake(String),
    /// Too many logins have failed from its address, or in its name, so that it was refused without a look.
    #[error("too many logins failed; the next one is looked at in {} s", .wait.as_secs().saturating_add(1))]
    LoginsFailed {
        /// When another one is looked at.
        wait: Duration,
        /// Whether it is the first that is refused so. Who writes down only these is not made to write by who knocks.
        is_first: bool,
    },
    /// It comes from an address from which as many as may are there already that have not said who they are. It was let go.
    #[error("too many at once from its address that do not say who they are")]
    Crowded,
    /// It does not take what it is sent. Its connection has ended.
    #[error("does not read what it is sent")]
    Stalled,
    /// A message is not UTF-8 where text is due. It was passed over.
    #[error("a message that is no text, on {topic}")]
    NotText {
        /// On which topic.
        topic: String,
    },
    /// Behind a broker: it sends faster than it is handled. A message was dropped.
    #[error("sends faster than it is handled, so that a message was dropped")]
    TooFast,
    /// Behind a broker: there are as many devices as there may be. A message was dropped.
    #[error("there are too many devices, so that a message was dropped")]
    TooManyDevices,
}

impl ClientFault {
    /// What there is to say of a connection's end, unless it is an end like any other.
    pub(super) fn of(ended: &Disconnected) -> Option<Self> {
        match ended {
            Disconnected::Mqtt(fault) => Some(Self::Mqtt(*fault)),
            Disconnected::Stalled => Some(Self::Stalled),
            _ => None,
        }
    }
}
