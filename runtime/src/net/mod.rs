//! Connections on tokio: the WebSocket server and client of OCPP-J, thin loops around [`Connection`](crate::Connection).
//!
//! | feature | gives |
//! |---|---|
//! | `server` | [`Server`] with an HTTP front of its own, [`Endpoint`] behind somebody else's |
//! | `client` | [`Client`] |
//!
//! TLS is not part of this module yet.

#[cfg(feature = "client")]
mod client;
mod clock;
#[cfg(feature = "server")]
mod endpoint;
#[cfg(feature = "server")]
mod handshake;
#[cfg(feature = "server")]
mod peers;
mod pump;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod versions;

#[cfg(feature = "client")]
pub use client::{Client, ConnectError};
#[cfg(feature = "server")]
pub use endpoint::Endpoint;
#[cfg(feature = "server")]
pub use handshake::{Handshake, Refusal};
#[cfg(feature = "server")]
pub use peers::Peers;
pub use pump::Disconnected;
#[cfg(feature = "server")]
pub use server::Server;
#[cfg(feature = "server")]
pub use versions::Versions;

use async_tungstenite::tungstenite::protocol::WebSocketConfig;

/// The largest message that is read, in bytes: a SendLocalList of some thousand tags fits, an attack does not.
const MAX_MESSAGE: usize = 1 << 20;

/// Small buffers: tungstenite's own defaults cost 133 KiB for each connection.
fn web_socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_MESSAGE)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

/// A number that two connections are unlikely to share.
fn random_first_id() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(()) as u32
}
