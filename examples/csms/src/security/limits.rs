//! How often somebody may fail.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many are remembered in one generation; there are two.
const REMEMBERED: usize = 8192;

/// Counts failures of whoever they are: so many at once, then one in each interval. Of each it remembers one time under a
/// hash, of so many at most; who fills it with others is forgotten, and so is what is long past.
#[derive(Debug)]
pub struct Limiter {
    burst: u32,
    interval: Duration,
    hasher: RandomState,
    times: Mutex<Times>,
}

/// When each will have been forgiven all failures.
#[derive(Debug, Default)]
struct Times {
    current: HashMap<u64, Instant>,
    previous: HashMap<u64, Instant>,
}

impl Times {
    fn of(&self, who: u64) -> Option<Instant> {
        self.current.get(&who).or_else(|| self.previous.get(&who)).copied()
    }
}

/// An attempt that is being judged.
#[must_use = "an attempt that is dropped is not counted"]
#[derive(Debug)]
pub struct Attempt<'l> {
    limiter: &'l Limiter,
    who: u64,
    has_failed: bool,
}

impl Attempt<'_> {
    /// It has failed, and stays counted.
    pub fn failed(mut self) {
        self.has_failed = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.has_failed {
            self.limiter.forgive_one(self.who);
        }
    }
}

impl Limiter {
    /// So many failures at once, and one more in each interval.
    pub fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, interval, hasher: RandomState::new(), times: Mutex::default() }
    }

    /// How long it has to wait before it may try again.
    ///
    /// # Errors
    /// That time.
    pub fn check(&self, who: impl Hash) -> Result<(), Duration> {
        self.check_at(self.hasher.hash_one(who), Instant::now())
    }

    /// Begins an attempt. It counts as a failure until it is decided, so that attempts at the same time are no way around the
    /// limit; dropped undecided, it does not count.
    ///
    /// # Errors
    /// How long it has to wait before it may try again.
    pub fn attempt(&self, who: impl Hash) -> Result<Attempt<'_>, Duration> {
        self.attempt_at(self.hasher.hash_one(who), Instant::now())
    }

    /// It has failed.
    pub fn failed(&self, who: impl Hash) {
        self.failed_at(self.hasher.hash_one(who), Instant::now());
    }

    /// What was counted as a failure was none.
    pub fn forgive(&self, who: impl Hash) {
        self.forgive_one(self.hasher.hash_one(who));
    }

    fn forgive_one(&self, who: u64) {
        self.with(|times| {
            let Times { current, previous } = times;
            for forgiven in current.get_mut(&who).into_iter().chain(previous.get_mut(&who)) {
                *forgiven = forgiven.checked_sub(self.interval).unwrap_or(*forgiven);
            }
        });
    }

    fn attempt_at(&self, who: u64, now: Instant) -> Result<Attempt<'_>, Duration> {
        self.with(|times| {
            self.judge(times, who, now)?;
            self.count(times, who, now);
            Ok(Attempt { limiter: self, who, has_failed: false })
        })
    }

    fn check_at(&self, who: u64, now: Instant) -> Result<(), Duration> {
        self.with(|times| self.judge(times, who, now))
    }

    fn failed_at(&self, who: u64, now: Instant) {
        self.with(|times| self.count(times, who, now));
    }

    fn judge(&self, times: &Times, who: u64, now: Instant) -> Result<(), Duration> {
        let owed = times.of(who).map_or(Duration::ZERO, |forgiven| forgiven.saturating_duration_since(now));
        // Below this, one more failure has room.
        let most = self.interval * self.burst.saturating_sub(1);
        if owed > most { Err(owed - most) } else { Ok(()) }
    }

    fn count(&self, times: &mut Times, who: u64, now: Instant) {
        // Who goes on although it has to wait does not have to wait longer and longer.
        let most = now + self.interval * self.burst;
        let forgiven = times.of(who).map_or(now, |forgiven| forgiven.max(now)) + self.interval;
        if times.current.len() >= REMEMBERED && !times.current.contains_key(&who) {
            times.previous = std::mem::take(&mut times.current);
        }
        times.current.insert(who, forgiven.min(most));
    }

    fn with<T>(&self, access: impl FnOnce(&mut Times) -> T) -> T {
        access(&mut self.times.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An address as limits see it: of IPv6 the network of one subscriber.
pub fn subscriber(address: Option<IpAddr>) -> Option<IpAddr> {
    match address? {
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => Some(IpAddr::V4(address)),
            None => Some(IpAddr::V6((address.to_bits() & (!0 << 64)).into())),
        },
        address => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_failures_at_once_then_one_in_each_interval() {
        let (limiter, start) = (Limiter::new(3, Duration::from_secs(10)), Instant::now());
        for _ in 0..3 {
            assert_eq!(limiter.check_at(1, start), Ok(()));
            limiter.failed_at(1, start);
        }
        assert_eq!(limiter.check_at(1, start), Err(Duration::from_secs(10)));
        assert_eq!(limiter.check_at(2, start), Ok(()), "others are no concern of it");
        let later = start + Duration::from_secs(10);
        assert_eq!(limiter.check_at(1, later), Ok(()));
        limiter.failed_at(1, later);
        assert!(limiter.check_at(1, later).is_err());
        // Not longer and longer.
        for _ in 0..100 {
            limiter.failed_at(1, later);
        }
        assert_eq!(limiter.check_at(1, later), Err(Duration::from_secs(10)));
        assert_eq!(limiter.check_at(1, later + Duration::from_secs(30)), Ok(()));
    }

    #[test]
    fn attempts_at_the_same_time_count_before_they_are_decided() {
        let (limiter, start) = (Limiter::new(3, Duration::from_secs(10)), Instant::now());
        let [first, second, _third] = [(); 3].map(|()| limiter.attempt_at(1, start).unwrap());
        assert_eq!(limiter.attempt_at(1, start).unwrap_err(), Duration::from_secs(10));
        first.failed();
        assert!(limiter.attempt_at(1, start).is_err());
        // Undecided, or good.
        drop(second);
        limiter.attempt_at(1, start).unwrap().failed();
        assert!(limiter.attempt_at(1, start).is_err());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (limiter, now) = (Limiter::new(1, Duration::from_secs(10)), Instant::now());
        for who in 0..100_000 {
            limiter.failed_at(who, now);
        }
        assert!(limiter.with(|times| times.current.len() + times.previous.len()) <= 2 * REMEMBERED);
        assert!(limiter.check_at(99_999, now).is_err());
    }

    #[test]
    fn a_subscriber_of_ipv6_is_a_network() {
        let of = |text: &str| subscriber(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2:3::4"), of("2001:db8:1:3:3::4"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
