//! Connections on tokio: the WebSocket server and client of OCPP-J, thin loops around [`Connection`](crate::Connection).
//!
//! | feature | gives |
//! |---|---|
//! | `server` | [`Server`] with an HTTP front of its own, [`Endpoint`] behind somebody else's |
//! | `client` | [`Client`], and [`Reconnecting`], which connects again |
//! | `rustls` | TLS 1.2 and 1.3 by rustls and ring: [`Rustls`] for the server, [`ClientTls`] for `wss://` |
//! | `openssl` | `server`, and TLS by the system's OpenSSL: [`OpenSsl`], with the cipher suites TLS_RSA of older charge points |

#[cfg(feature = "server")]
mod accept;
#[cfg(feature = "server")]
mod accepted;
#[cfg(feature = "server")]
mod address_cap;
#[cfg(feature = "alink")]
pub mod alink;
#[cfg(feature = "server")]
mod already_read;
#[cfg(feature = "server")]
mod authenticate;
#[cfg(feature = "server")]
mod boundary;
#[cfg(feature = "client")]
mod client;
mod clock;
#[cfg(feature = "server")]
mod endpoint;
#[cfg(feature = "server")]
mod front;
#[cfg(feature = "server")]
mod handshake;
#[cfg(feature = "server")]
mod login_limit;
mod message_log;
mod observe;
#[cfg(feature = "client")]
mod opened;
#[cfg(feature = "server")]
mod peers;
mod pump;
#[cfg(feature = "server")]
mod server;
mod socket;
#[cfg(any(feature = "openssl", all(feature = "rustls", any(feature = "client", feature = "server"))))]
mod tls;
#[cfg(feature = "server")]
mod transport;
#[cfg(feature = "server")]
mod versions;
#[cfg(feature = "server")]
mod whole;
mod within;

#[cfg(feature = "server")]
pub use address_cap::{AddressCap, Crowded, Present};
#[cfg(feature = "server")]
pub use authenticate::{Authenticate, Denied, Everybody, Login, Origin};
#[cfg(feature = "client")]
pub use client::{BackOff, Client, ClientBuilder, ConnectError, Link, LinkState, Reconnecting, Setback, WhileOffline};
#[cfg(feature = "server")]
pub use endpoint::Endpoint;
#[cfg(feature = "server")]
pub use front::{Http, NoHttp};
#[cfg(feature = "server")]
pub use handshake::{Handshake, HandshakeSettings, Refusal};
#[cfg(feature = "server")]
pub use login_limit::{Attempt, HeldOff, LoginLimit, LoginLimits};
pub use message_log::masked;
pub use observe::{Direction, MessageKind, Observe, Observed};
#[cfg(feature = "server")]
pub use peers::{ConnectedPeer, PeerEvent, PeerEvents, Peers};
pub use pump::{Disconnected, Goodbye, KeepAlive};
#[cfg(feature = "server")]
pub use server::{Server, ServerConfig};
#[cfg(all(feature = "server", any(feature = "rustls", feature = "openssl")))]
pub use tls::Certificates;
#[cfg(all(feature = "client", feature = "rustls"))]
pub use tls::ClientTls;
#[cfg(feature = "openssl")]
pub use tls::OpenSsl;
#[cfg(all(feature = "server", feature = "rustls"))]
pub use tls::Rustls;
#[cfg(any(feature = "openssl", all(feature = "rustls", any(feature = "client", feature = "server"))))]
pub use tls::TlsError;
#[cfg(feature = "server")]
pub use transport::{Plain, Transport};
#[cfg(feature = "server")]
pub use versions::Versions;

// The versions that the types above are made of.
#[cfg(feature = "openssl")]
pub use ::openssl;
#[cfg(feature = "rustls")]
pub use tokio_rustls::rustls;

/// The largest message that is read, in bytes: a SendLocalList of some thousand tags fits, an attack does not.
const MAX_MESSAGE: usize = 1 << 20;

/// A number that two connections are unlikely to share.
fn random_first_id() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(()) as u32
}
