//! MQTT 3.1.1, one connection as a value without I/O: bytes and time go in, packets and bytes come out.
//!
//! The packets and their rules are those of the crate `mqtt-protocol-core`: it is sans-I/O and `no_std`, and plays both
//! sides, so that device, microcontroller and platform share one codec; a client such as `rumqttc` brings its own sockets and
//! tasks, and no server. What stands here hides it: bounds, time, and errors that say what to do.
//!
//! QoS 0 and 1 are what thing-model platforms know; QoS 2 is taken from a peer, and never sent.

mod link;
mod packet;

pub use self::link::{Client, Fault, Limits, Link, NotPublished, Role, Server};
pub use self::packet::{Connect, Packet, QoS, Refused};
