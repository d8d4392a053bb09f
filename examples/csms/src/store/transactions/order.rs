//! What was sent before a start, and what after it.
//!
//! Within a transaction the order of receipt tells what is newer (OCPP 1.6 §3.7). What need not keep that order, a
//! StatusNotification or a value that names no transaction, may have waited at the charge point from before the start. It
//! is after the start if it is so by receipt and by the pile's clock; and by receipt alone if the clock has been set in
//! between, which shows when a time lies in the future, or years back.

/// A clock that is right may differ by so much.
pub const TOLERANCE: i64 = 60_000;

/// A start that is older than this when it comes was dated by a clock that was not set.
const UNSET: i64 = 365 * 24 * 60 * 60 * 1000;

/// When a transaction began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Began {
    /// By the pile's clock.
    pub at: i64,
    /// When the server learnt of it.
    pub received: i64,
}

impl Began {
    /// Whether the start was dated in the future: its clock was ahead.
    pub fn is_ahead(self) -> bool {
        self.at.saturating_sub(self.received) > TOLERANCE
    }

    /// Whether what is dated `at` and comes `now`, after the start has come, was also sent after it.
    pub fn is_before(self, at: i64, now: i64) -> bool {
        let is_future = at.saturating_sub(now) > TOLERANCE;
        let by_clock = at >= self.at;
        let by_receipt = at.saturating_add(TOLERANCE) >= self.received && !is_future;
        if self.is_ahead() {
            // The clock is ahead still, or it was put right.
            return by_clock || by_receipt;
        }
        if self.received.saturating_sub(self.at) > UNSET {
            // The clock was not set then. Is it set now?
            let is_unset = now.saturating_sub(at) > UNSET;
            return if is_unset { by_clock } else { by_receipt };
        }
        // From the future: of another clock than the start.
        by_clock && !is_future
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_are_asked() {
        let (minute, hour, now) = (60_000, 3_600_000, 1_772_359_200_000);
        let sane = Began { at: now - 5000, received: now - 4000 };
        let offline = Began { at: now - 3 * hour, received: now - minute };
        let ahead = Began { at: now + 2 * hour - 10 * minute, received: now - 10 * minute };
        let unset = Began { at: 10_000, received: now - 10 * minute };
        for (began, at, expected, what) in [
            (sane, now, true, "live"),
            (sane, now - 6000, false, "it waited from before the start"),
            (sane, now - 6 * hour, false, "it waited for long"),
            (sane, now + 2 * hour, false, "it waited from before the clock was put back"),
            (offline, now - hour, true, "a whole session came late"),
            (offline, now - 4 * hour, false, "from before it"),
            (offline, now, true, "live after a late session"),
            (ahead, now, true, "the clock was put right"),
            (ahead, now + 2 * hour, true, "the clock is still ahead"),
            (ahead, now - 20 * minute, false, "it waited from before the start"),
            (unset, 20_000, true, "the clock is not set yet"),
            (unset, 5000, false, "the same, from before the start"),
            (unset, now, true, "the clock was set"),
            (unset, now - 20 * minute, false, "the clock was set, was lost, and was not set at the start"),
        ] {
            assert_eq!(began.is_before(at, now), expected, "{what}");
        }
    }
}
