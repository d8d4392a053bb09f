//! A pile's hardware, played: as much power as it may have, and a meter.

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// What it charges with when nobody limits it, in watts.
const POWER: i64 = 60_000;

/// A contactor and a meter.
#[derive(Debug, Default)]
pub(crate) struct Simulated {
    /// Since when it charges, and with how many watts.
    charging: Cell<Option<(Instant, i64)>>,
    /// What the meter showed before, in Wh.
    register: Cell<i64>,
    changed: Notify,
}

impl Simulated {
    /// With a meter that shows so many Wh.
    pub(crate) fn of(register: i64) -> Self {
        Self { register: Cell::new(register), ..Self::default() }
    }

    /// Closes the contactor.
    pub(crate) fn start(&self, power_limit: i64) {
        let power = if power_limit > 0 { power_limit.min(POWER) } else { POWER };
        self.charging.set(Some((Instant::now(), power)));
        self.changed.notify_one();
    }

    /// Opens it.
    pub(crate) fn stop(&self) {
        self.register.set(self.meter());
        self.charging.set(None);
        self.changed.notify_one();
    }

    /// Waits until the contactor is closed or opened, but no longer than this.
    pub(crate) async fn changed_within(&self, interval: Duration) {
        let _ = tokio::time::timeout(interval, self.changed.notified()).await;
    }

    /// Whether it is closed.
    pub(crate) fn is_charging(&self) -> bool {
        self.charging.get().is_some()
    }

    /// Watts.
    pub(crate) fn power(&self) -> i64 {
        self.charging.get().map_or(0, |(_, power)| power)
    }

    /// Wh, which is 0.001 kWh.
    pub(crate) fn meter(&self) -> i64 {
        let now =
            self.charging.get().map_or(0, |(since, power)| power * since.elapsed().as_millis() as i64 / 3_600_000);
        self.register.get() + now
    }
}
