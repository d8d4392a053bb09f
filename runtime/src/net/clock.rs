//! Tokio's clock as the core's.

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

    /// Sleeps until `deadline`; for ever without one.
    pub(super) async fn sleep_until(self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => {
                tokio::time::sleep_until(self.0 + std::time::Duration::from_millis(deadline.as_millis())).await;
            }
            None => std::future::pending().await,
        }
    }
}
