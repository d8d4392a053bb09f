//! Why there is no connection.

use std::time::Duration;

use async_tungstenite::tungstenite;
use http::StatusCode;

/// A connection that could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Not a `ws://host[:port]/path` or `wss://` URL, or for Alink `mqtt://host[:port]` or `mqtts://`. What stands before an `@` is not shown, and not allowed: it is a
    /// password most of the time, which belongs in [`ClientBuilder::credentials`](super::ClientBuilder::credentials).
    #[error("{0:?} is not a URL of this protocol: ws:// or wss://, mqtt:// or mqtts://")]
    BadUrl(String),
    /// A `wss://`, `mqtts://` or `https://` URL, and nobody said whom to trust: see the feature `rustls` and the builder's `tls`.
    #[error("a URL with TLS needs to be told whom to trust, by the builder's `tls`")]
    NoTls,
    /// The identity of the credentials holds a colon, which HTTP Basic authentication takes for its end.
    #[error("an identity with a colon cannot have a password")]
    BadIdentity,
    /// The host could not be reached.
    #[error("{host}: {source}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The handshake of TLS failed: the server's certificate is not trusted, or it does not trust this side's.
    #[error("TLS with {host}: {source}")]
    Tls {
        /// Host and port.
        host: String,
        /// What the TLS library says.
        source: std::io::Error,
    },
    /// The server answered the handshake with another status: 404 to an unknown identity (OCPP-J 1.6 §3.2), 401 to bad
    /// credentials (security whitepaper §2.3), 429 or 503 to somebody who should come later.
    #[error("the server refused the handshake: {status}")]
    Status {
        /// The HTTP status.
        status: StatusCode,
        /// How long the server wants to be left alone: its `Retry-After`, if that is a number of seconds. A date is not
        /// read: the clock of a charge point that has not booted yet may be wrong.
        retry_after: Option<Duration>,
    },
    /// The server's handshake breaks RFC 6455, or it chose none of the subprotocols on offer.
    #[error("the server's handshake is unusable: {0}")]
    Refused(#[source] Box<tungstenite::Error>),
    /// The platform did not let the device in: a wrong signature, a device that is disabled or does not exist.
    #[cfg(feature = "alink")]
    #[error("the platform refused the login: {0}")]
    Login(#[source] crate::mqtt::Refused),
    /// What answered the login is no MQTT 3.1.1, or went away.
    #[cfg(feature = "alink")]
    #[error("the platform's answer to the login is unusable: {0}")]
    NoLogin(#[source] Box<crate::net::Disconnected>),
    /// Something in the login is longer than MQTT can carry.
    #[cfg(feature = "alink")]
    #[error("the login is too long")]
    LoginTooLong,
    /// The platform did not let the sub-device in.
    #[cfg(feature = "alink")]
    #[error(transparent)]
    SubDevice(crate::alink::SubDeviceRefused),
    /// The gateway's login for its sub-device came to nothing.
    #[cfg(feature = "alink")]
    #[error("the gateway could not log its sub-device in: {0}")]
    Gateway(#[source] crate::CallFailure),
    /// No answer in time.
    #[error("the server did not answer in time")]
    Timeout,
}

impl ConnectError {
    /// How long the server wants to be left alone, if it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
