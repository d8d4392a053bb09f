//! Hardware that is not there: a car that takes 7 kW while the contactor is closed.

use std::cell::Cell;
use std::time::{Duration, Instant};

use onwire::types::{DateTime, Decimal};
use onwire_firmware::{Hardware, Reading};

const POWER_W: i64 = 7000;

/// One connector; the register counts faster than real time, so that a demonstration shows something.
#[derive(Debug, Default)]
pub(crate) struct Simulated {
    energy_wh: Cell<i64>,
    charging_since: Cell<Option<Instant>>,
    /// What the central system's clock is ahead of ours, in milliseconds.
    clock_offset: Cell<i64>,
}

/// One second of a demonstration is a minute of charging.
const SPEED: i64 = 60;

impl Simulated {
    fn register(&self) -> i64 {
        let since = self.charging_since.get().map_or(Duration::ZERO, |since| since.elapsed());
        let milliseconds = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        self.energy_wh.get() + milliseconds.saturating_mul(POWER_W * SPEED) / 3_600_000
    }
}

impl Hardware for Simulated {
    async fn start_charging(&self, connector: i64) -> bool {
        println!("connector {connector}: contactor closed");
        self.charging_since.set(Some(Instant::now()));
        true
    }

    async fn stop_charging(&self, connector: i64) {
        self.cut_off(connector);
    }

    fn cut_off(&self, connector: i64) {
        println!("connector {connector}: contactor opened");
        self.energy_wh.set(self.register());
        self.charging_since.set(None);
    }

    async fn read_meter(&self, _connector: i64) -> Reading {
        let power = if self.charging_since.get().is_some() { POWER_W } else { 0 };
        Reading { energy_wh: self.register(), power_w: Some(Decimal::from(power)) }
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn now(&self) -> DateTime {
        DateTime::from_unix_millis(DateTime::now().unix_millis() + self.clock_offset.get())
    }

    fn set_clock(&self, to: DateTime) {
        self.clock_offset.set(to.unix_millis() - DateTime::now().unix_millis());
    }
}
