//! Monotonic time, handed in by whoever drives a session.

use core::time::Duration;

/// Milliseconds on a clock that never goes back; its zero is the driver's choice (usually the start of the program).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// `milliseconds` after the driver's zero.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since the driver's zero.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long `self` lies after `earlier`; zero if it does not.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl core::ops::Add<Duration> for Instant {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}
