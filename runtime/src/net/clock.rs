//! Tokio's clock as the core's.

use std::time::Duration;

use crate::Instant;

/// Counts milliseconds since it was made; follows tokio's paused time in tests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(tokio::time::Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    pub(super) fn now(self) -> Instant {
        Instant::from_millis(u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// The same moment as tokio counts.
    pub(super) fn tokio(self, at: Instant) -> tokio::time::Instant {
        self.0 + Duration::from_millis(at.as_millis())
    }

    pub(super) fn sleep_until(self, at: Instant) -> tokio::time::Sleep {
        tokio::time::sleep_until(self.tokio(at))
    }
}
