//! Alink: frames, topics, and what carries them over MQTT.

mod framing;
#[cfg(feature = "alink")]
mod topic;

pub use self::framing::{FRAMING, spell};
#[cfg(feature = "alink")]
pub use self::topic::{DeviceRef, Ota, RawDirection, Topic};
