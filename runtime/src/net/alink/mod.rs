//! Alink over MQTT on tokio: the device, and the listener of a platform of one's own.
//!
//! Both run the loop that WebSockets run: handlers, calls, time-outs, reconnects and the directory of peers are the same; only
//! what lies between bytes and frames is another ([`Channel`](crate::alink::Channel)).
//!
//! | feature | gives |
//! |---|---|
//! | `client` | [`Device`], [`Gateway`] and [`SubDevice`], and [`Registration`] of one that has its product's secret only |
//! | `server` | [`Listener`], and [`Platform`], which says who may connect |
//! | both | [`Bridge`]: a platform behind a broker that somebody else runs |

#[cfg(all(feature = "client", feature = "server"))]
mod bridge;
#[cfg(feature = "client")]
mod builder;
#[cfg(feature = "client")]
mod clock;
#[cfg(feature = "client")]
mod desk;
#[cfg(feature = "client")]
mod device;
#[cfg(feature = "client")]
mod dispatch;
#[cfg(feature = "server")]
mod fault;
#[cfg(feature = "client")]
mod gateway;
#[cfg(feature = "client")]
mod handlers;
#[cfg(feature = "alink-https")]
mod https;
mod lane_socket;
mod lanes;
#[cfg(feature = "server")]
mod listener;
#[cfg(feature = "client")]
mod login;
mod messages;
mod owed;
#[cfg(feature = "client")]
mod register;
#[cfg(feature = "client")]
mod request;
#[cfg(all(feature = "client", feature = "server"))]
mod retained;
#[cfg(feature = "server")]
mod rrpc;
#[cfg(feature = "server")]
mod served;
#[cfg(feature = "client")]
mod shadow;
#[cfg(feature = "client")]
mod signed;
mod socket;
#[cfg(feature = "client")]
mod sub_device;
#[cfg(feature = "server")]
mod sub_sessions;
#[cfg(feature = "client")]
mod waiting;

#[cfg(all(feature = "client", feature = "server"))]
pub use bridge::Bridge;
#[cfg(feature = "client")]
pub use builder::DeviceBuilder;
#[cfg(feature = "client")]
pub use clock::PlatformClock;
#[cfg(feature = "client")]
pub use device::{Device, OwnConnection};
#[cfg(feature = "server")]
pub use fault::{ClientFault, Faulty};
#[cfg(feature = "client")]
pub use gateway::Gateway;
#[cfg(feature = "server")]
pub use listener::{Admission, Listener, ListenerConfig, LoginRequest, Platform};
pub use messages::{Message, Publisher, QueueEnded};
#[cfg(feature = "client")]
pub use register::{RegisterFailure, Registration};
#[cfg(feature = "client")]
pub use request::{Messages, RequestFailure};
#[cfg(feature = "server")]
pub use rrpc::RrpcFailure;
#[cfg(feature = "client")]
pub use shadow::Shadow;
#[cfg(feature = "client")]
pub use sub_device::{SubDevice, ThroughGateway};

/// What connections are named by in the program's log. A router's dialect is that of one thing model; a platform has devices of many.
#[cfg(feature = "server")]
const PROTOCOL: &str = "Alink";

/// How the directory knows a device: by its user name.
fn identity(product_key: &str, device_name: &str) -> String {
    format!("{device_name}&{product_key}")
}
