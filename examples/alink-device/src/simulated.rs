//! A tracker's hardware, played: it goes round a lake, and loses its satellites now and then.

use std::cell::Cell;

use onwire::types::Decimal;

use crate::tracker::{Position, System};

/// Where it is, and what is left of its battery.
#[derive(Debug, Default)]
pub(crate) struct Simulated {
    steps: Cell<u32>,
}

impl Simulated {
    /// The next position; none without satellites.
    pub(crate) fn position(&self) -> Option<Position> {
        let step = self.steps.get();
        self.steps.set(step.wrapping_add(1));
        let angle = f64::from(step % 60) / 60.0 * std::f64::consts::TAU;
        let around = |middle: i64, radius: f64| Decimal::new(middle + (radius * angle.sin()) as i64, 6);
        (step % 17 != 16)
            .then(|| Position::new(around(120_142_000, 9_000.0), around(30_246_000, 7_000.0), 9, System::WGS84))
    }

    /// Percent.
    pub(crate) fn battery(&self) -> i64 {
        100 - i64::from(self.steps.get() / 20 % 100)
    }

    /// Whether somebody moves it who should not.
    pub(crate) fn is_moved(&self) -> bool {
        self.steps.get() % 12 == 5
    }
}
