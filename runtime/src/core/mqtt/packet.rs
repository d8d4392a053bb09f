//! Packets as their receiver sees them.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// How hard a message tries to arrive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum QoS {
    /// At most once.
    #[default]
    AtMostOnce,
    /// At least once: sent again until it is acknowledged, for as long as the connection stands.
    AtLeastOnce,
}

/// Who connects, and how.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connect {
    /// The client's identifier.
    pub client_id: String,
    /// Whether the server forgets subscriptions and messages of an earlier connection.
    pub clean_session: bool,
    /// After how much silence of the client the server may drop the connection (it waits half as long again), in whole
    /// seconds up to 65,535; zero never does.
    pub keep_alive: Duration,
    /// Who it says it is.
    pub username: Option<String>,
    /// How it proves it.
    pub password: Option<Vec<u8>>,
    /// Whether it leaves a will, which is read over.
    pub has_will: bool,
}

impl Connect {
    /// A new session with a keep-alive of five minutes.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            clean_session: true,
            keep_alive: Duration::from_secs(300),
            username: None,
            password: None,
            has_will: false,
        }
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The password is a secret, and may be a token that is good for long.
        f.debug_struct("Connect")
            .field("client_id", &self.client_id)
            .field("clean_session", &self.clean_session)
            .field("keep_alive", &self.keep_alive)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Why a server does not let a client in: CONNACK's return codes (MQTT 3.1.1 §3.2.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// 1: another version of MQTT is wanted.
    #[error("unacceptable protocol version")]
    ProtocolVersion,
    /// 2: the client's identifier is not allowed.
    #[error("identifier rejected")]
    Identifier,
    /// 3: try again later.
    #[error("server unavailable")]
    ServerUnavailable,
    /// 4: malformed or wrong user name or password.
    #[error("bad user name or password")]
    BadCredentials,
    /// 5: known, and not allowed to connect.
    #[error("not authorized")]
    NotAuthorized,
}

impl Refused {
    pub(super) const ALL: [Self; 5] =
        [Self::ProtocolVersion, Self::Identifier, Self::ServerUnavailable, Self::BadCredentials, Self::NotAuthorized];

    pub(super) fn code(self) -> u8 {
        match self {
            Self::ProtocolVersion => 1,
            Self::Identifier => 2,
            Self::ServerUnavailable => 3,
            Self::BadCredentials => 4,
            Self::NotAuthorized => 5,
        }
    }
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packet {
    /// A client asks to be let in; it waits for [`Link::accept`](super::Link::accept).
    Connect(Box<Connect>),
    /// The server let this client in.
    Accepted {
        /// Whether it remembers an earlier connection.
        session_present: bool,
    },
    /// The server did not; it closes the connection.
    Refused(Refused),
    /// A message.
    Message {
        /// Its topic.
        topic: String,
        /// What it says.
        payload: Vec<u8>,
        /// For [`Link::acknowledge`](super::Link::acknowledge), which whoever takes the message owes its sender; `None` at
        /// quality 0.
        id: Option<u16>,
        /// The sender has sent it before (DUP, §3.3.1.1).
        is_duplicate: bool,
        /// A broker has kept it for whoever subscribes (RETAIN, §3.3.1.3): it was said at an unknown time before, and may have
        /// been received then. To a server the bit says that the message is to be kept, and this is `false`.
        is_retained: bool,
    },
    /// A client wants messages; it waits for [`Link::subscribed`](super::Link::subscribed).
    Subscribe {
        /// To be given back.
        id: u16,
        /// Topic filters, and up to which quality each is wanted.
        filters: Vec<(String, QoS)>,
    },
    /// Answer to a Subscribe: for each filter whether it was granted, and with which quality.
    Subscribed {
        /// What `subscribe` returned.
        id: u16,
        /// In the order of the filters.
        granted: Vec<Option<QoS>>,
    },
    /// A client wants no more of these; it has been acknowledged.
    Unsubscribe {
        /// Topic filters.
        filters: Vec<String>,
    },
    /// A message of ours has arrived.
    Acknowledged {
        /// What `publish` returned.
        id: u16,
    },
    /// A sign of life.
    Ping,
    /// The client says goodbye.
    Disconnect,
}
