//! Alink over MQTT on tokio: the device, and the listener of a platform of one's own.
//!
//! Both run the loop that WebSockets run: handlers, calls, time-outs, reconnects and the directory of peers are the same; only
//! what lies between bytes and frames is another ([`Channel`](crate::alink::Channel)).
//!
//! | feature | gives |
//! |---|---|
//! | `client` | [`Device`] |
//! | `server` | [`Listener`], and [`Platform`], which says who may connect |

#[cfg(feature = "client")]
mod device;
#[cfg(feature = "server")]
mod listener;
mod messages;
mod socket;

#[cfg(feature = "client")]
pub use device::{Device, DeviceBuilder, Messages};
#[cfg(feature = "server")]
pub use listener::{Admission, Listener, ListenerConfig, LoginRequest, Platform};
pub use messages::{Message, Publisher, QueueEnded};
