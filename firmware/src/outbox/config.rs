//! The rule of resending, and the bounds.

use core::time::Duration;

/// How an [`Outbox`](super::Outbox) resends, and how much it holds.
#[derive(Debug, Clone)]
pub struct Config {
    /// How many resends come [`quick_interval`](Config::quick_interval) apart after the first sending; default 3.
    pub quick_resends: u32,
    /// The wait for an answer before each of these; default 10 s.
    pub quick_interval: Duration,
    /// The wait before each further resend; default 10 min. There is no last one.
    pub slow_interval: Duration,
    /// How many entries may wait; default 1000.
    pub max_entries: u32,
    /// How many bytes of names and payloads may wait; default 256 KiB. The storage bounds them too.
    pub max_bytes: u32,
    /// Where ids begin in storage that holds nothing, 0 to 2 147 483 647; default 0. A device whose storage may be erased takes a
    /// random number, so that its ids do not come again.
    pub first_id: u32,
    /// Whether an entry that was answered with this code is sent again; default [`is_temporary`].
    pub retry: fn(code: u32) -> bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            quick_resends: 3,
            quick_interval: Duration::from_secs(10),
            slow_interval: Duration::from_secs(600),
            max_entries: 1000,
            max_bytes: 256 * 1024,
            first_id: 0,
            retry: is_temporary,
        }
    }
}

/// Whether an Alink code is about the moment, and not about the message: 400, 500 and 6760 (an error in the platform), 429 and
/// 26010 (throttled), 427, 428, 520 and 527 (the session), 522 and 6204 (the device is disabled).
///
/// What the platform means by each is not verified for all of them. A code that stands here by mistake holds the outbox up, and one
/// that is missing hands the entry back.
pub fn is_temporary(code: u32) -> bool {
    matches!(code, 400 | 427 | 428 | 429 | 500 | 520 | 522 | 527 | 6204 | 6760 | 26010)
}
