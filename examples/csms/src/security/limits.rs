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

    /// It has failed.
    pub fn failed(&self, who: impl Hash) {
        self.failed_at(self.hasher.hash_one(who), Instant::now());
    }

    /// What was counted as a failure was none.
    pub fn forgive(&self, who: impl Hash) {
        let who = self.hasher.hash_one(who);
        self.with(|times| {
            let Times { current, previous } = times;
            for forgiven in current.get_mut(&who).into_iter().chain(previous.get_mut(&who)) {
                *forgiven = forgiven.checked_sub(self.interval).unwrap_or(*forgiven);
            }
        });
    }

    fn check_at(&self, who: u64, now: Instant) -> Result<(), Duration> {
        let forgiven = self.with(|times| times.current.get(&who).or_else(|| times.previous.get(&who)).copied());
        let owed = forgiven.map_or(Duration::ZERO, |forgiven| forgiven.saturating_duration_since(now));
        // Below this, one more failure has room.
        let most = self.interval * self.burst.saturating_sub(1);
        if owed > most { Err(owed - most) } else { Ok(()) }
    }

    fn failed_at(&self, who: u64, now: Instant) {
        // Who goes on although it has to wait does not have to wait longer and longer.
        let most = now + self.interval * self.burst;
        self.with(|times| {
            let forgiven = times.current.get(&who).or_else(|| times.previous.get(&who)).copied();
            if times.current.len() >= REMEMBERED && !times.current.contains_key(&who) {
                times.previous = std::mem::take(&mut times.current);
            }
            let forgiven = forgiven.map_or(now, |forgiven| forgiven.max(now)) + self.interval;
            times.current.insert(who, forgiven.min(most));
        });
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
