//! Time for what began while nobody looked at the clock.

use core::time::Duration;

use crate::core::time::Instant;

/// Runs from the first look at the clock; until then it is due at once, so that whoever keeps the time looks.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Instant>);

impl Timer {
    pub(crate) fn has_started(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.0.unwrap_or_default()
    }

    /// Whether its time is up; starts it if it has not started.
    pub(crate) fn is_over(&mut self, now: Instant, limit: Duration) -> bool {
        *self.0.get_or_insert(now + limit) <= now
    }
}
