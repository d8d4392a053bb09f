//! MQTT 3.1.1, one connection as a value without I/O: bytes and time go in, packets and bytes come out.
//!
//! Device, microcontroller and platform share it. A client such as `rumqttc` brings sockets and tasks of its own, and no
//! server; the crate `mqtt-protocol-core` is sans-I/O and plays both sides, and was tried here first: with the packets of
//! MQTT 5 in its enumerations, which a linker cannot leave out, its client takes 68 KB of a device's flash, this one a tenth
//! (`cargo xtask flash`). It is what the tests compare this with.
//!
//! QoS 0 and 1 are what thing-model platforms know; QoS 2 is taken from a peer, and never sent. Nothing is kept across
//! connections: who must not lose a message keeps it until it is answered, not until a broker has it.

mod link;
mod packet;
mod wire;

pub use self::link::{Client, Fault, Limits, Link, NotPublished, Role, Server};
pub use self::packet::{Connect, Packet, QoS, Refused};
