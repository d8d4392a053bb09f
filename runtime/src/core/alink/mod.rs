//! Alink: frames, topics, and what carries them over MQTT.

#[cfg(feature = "alink")]
mod channel;
mod framing;
#[cfg(feature = "alink")]
mod topic;

#[cfg(feature = "alink")]
pub use self::channel::{Channel, Incoming, NotSent, SyncServices};
pub use self::framing::{FRAMING, spell};
#[cfg(feature = "alink")]
pub use self::topic::{DeviceRef, Ota, RawDirection, Topic};
