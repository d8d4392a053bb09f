//! What a charge point's behaviour asks of its hardware.

use core::time::Duration;

use onwire::types::{DateTime, Decimal};

/// A meter's reading at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The energy register in Wh; it never goes back (OCPP 1.6 errata §3.77).
    pub energy_wh: i64,
    /// Active power in W, if it is measured.
    pub power_w: Option<Decimal>,
}

/// The board: contactors, meters, clock. Connectors are numbered from 1.
///
/// Methods may wait for a bus; one at a time is called for each connector.
#[allow(async_fn_in_trait, reason = "a device's futures are polled where they are made, and need not be Send")]
pub trait Hardware {
    /// Locks the plug and closes the contactor; `false` if that cannot be done (no car, a fault).
    async fn start_charging(&self, connector: i64) -> bool;

    /// Opens the contactor and unlocks the plug.
    async fn stop_charging(&self, connector: i64);

    /// Opens the contactor at once, without waiting: the session's future was dropped, and nobody will poll another one.
    fn cut_off(&self, connector: i64);

    /// Reads the meter.
    async fn read_meter(&self, connector: i64) -> Reading;

    /// Waits.
    async fn sleep(&self, duration: Duration);

    /// The time, as far as it is known.
    fn now(&self) -> DateTime;

    /// Sets the clock by the central system's (OCPP 1.6 §4.2, §4.6).
    fn set_clock(&self, to: DateTime);
}
