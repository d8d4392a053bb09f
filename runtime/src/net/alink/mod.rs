//! Alink over MQTT on tokio: the device, and the listener of a platform of one's own.
//!
//! Both run the loop that WebSockets run: handlers, calls, time-outs, reconnects and the directory of peers are the same; only
//! what lies between bytes and frames is another ([`Channel`](crate::alink::Channel)).
//!
//! | feature | gives |
//! |---|---|
//! | `client` | [`Device`] |
//! | `server` | [`Listener`], and [`Platform`], which says who may connect |
//! | both | [`Bridge`]: a platform behind a broker that somebody else runs |

#[cfg(all(feature = "client", feature = "server"))]
mod bridge;
#[cfg(all(feature = "client", feature = "server"))]
mod bridge_socket;
#[cfg(feature = "client")]
mod device;
#[cfg(feature = "server")]
mod listener;
mod messages;
mod socket;

#[cfg(all(feature = "client", feature = "server"))]
pub use bridge::Bridge;
#[cfg(feature = "client")]
pub use device::{Device, DeviceBuilder, Messages};
#[cfg(feature = "server")]
pub use listener::{Admission, Listener, ListenerConfig, LoginRequest, Platform};
pub use messages::{Message, Publisher, QueueEnded};

/// How the directory knows a device: by its user name.
#[cfg(feature = "server")]
fn identity(product_key: &str, device_name: &str) -> String {
    format!("{device_name}&{product_key}")
}
