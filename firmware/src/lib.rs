//! The device side: what a charge point does, over whatever hardware it is.
//!
//! [`ChargePoint`] is generic over [`Hardware`], whose methods may wait and need not be `Send`. It answers the central
//! system's commands through `#[onwire::handlers]` and runs charging sessions as plain `async` functions, so that any
//! executor drives it: a microcontroller's or tokio.
//!
//! [`outbox`] keeps what the platform must get across power cuts, [`ota`] updates the device, both as values that any executor
//! and any transport drives, over the [`storage`] that a board or a disk gives.
//!
//! What it does not do yet: keep transactions while offline or across a power cut, reservations, local lists, smart
//! charging, firmware updates. A call that fails ends the session with that failure.

#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod charge_point;
mod configuration;
mod connector;
mod hardware;
pub mod ota;
pub mod outbox;
pub mod storage;

pub use charge_point::{ChargePoint, Charged, Model};
pub use configuration::Configuration;
pub use hardware::{Hardware, Reading};
