//! How long to wait before another attempt.

use std::time::Duration;

/// How long a client waits between attempts: a time drawn from nothing to a limit, which doubles with each failure (OCPP-J
/// 1.6 errata §3.3). Drawn, so that not all charge points of a server that was gone come back in one moment.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct BackOff {
    /// The first wait's limit. Default 1 s.
    pub first: Duration,
    /// The largest limit. Default 5 min.
    pub max: Duration,
    /// How long a connection must have stood for the next wait to be a first one again, so that a server that closes
    /// each connection at once is left alone. Default 1 min.
    pub stable_after: Duration,
    /// The longest `Retry-After` of a server that is heeded. The drawn time comes on top of it. Default 1 h.
    pub max_retry_after: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            max: Duration::from_secs(300),
            stable_after: Duration::from_secs(60),
            max_retry_after: Duration::from_secs(3600),
        }
    }
}

impl BackOff {
    /// With these limits of the first and of the longest wait.
    #[must_use]
    pub fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, ..Self::default() }
    }

    /// The wait after so many failures in a row; `random` is any number.
    pub(in crate::net) fn wait(&self, failures: u32, retry_after: Option<Duration>, random: u64) -> Duration {
        let limit = self.first.saturating_mul(2u32.saturating_pow(failures)).min(self.max);
        let limit_nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        // The upper half of the product: as even as it gets without a loop.
        let drawn = (u128::from(random) * (u128::from(limit_nanos) + 1)) >> 64;
        let drawn = Duration::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX));
        retry_after.unwrap_or_default().min(self.max_retry_after).saturating_add(drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_double_up_to_the_largest() {
        let back_off = BackOff::new(Duration::from_secs(2), Duration::from_secs(50));
        let limit = |failures| back_off.wait(failures, None, u64::MAX).as_secs();
        assert_eq!([0, 1, 2, 3, 4, 5, 31, 32, u32::MAX].map(limit), [2, 4, 8, 16, 32, 50, 50, 50, 50]);
        assert_eq!(back_off.wait(9, None, 0), Duration::ZERO);
        assert_eq!(back_off.wait(0, None, u64::MAX / 2), Duration::from_secs(1));
    }

    #[test]
    fn a_server_that_wants_to_be_left_alone_is_never_asked_too_early_nor_for_ever() {
        let back_off = BackOff::default();
        let wait = |seconds, random| back_off.wait(0, Some(Duration::from_secs(seconds)), random);
        assert_eq!(wait(10, 0), Duration::from_secs(10));
        assert_eq!(wait(10, u64::MAX), Duration::from_secs(11));
        assert_eq!(wait(u64::MAX, 0), Duration::from_secs(3600));
    }
}
