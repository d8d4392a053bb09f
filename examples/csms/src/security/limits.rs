//! How often somebody may fail.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// How many are remembered in one generation; there are two.
const REMEMBERED: usize = 8192;

/// Counts failures of whoever they are: so many at once, then one in each interval. Of each it remembers one time under a
/// hash, of so many at most; who fills it with others is forgotten, and so is what is long past.
///
/// An attempt takes the place of a failure until it has been judged. So attempts at the same time are no way around the limit,
/// and those that succeed do not use it up: the next ones wait for them.
#[derive(Debug)]
pub struct Limiter {
    burst: u32,
    interval: Duration,
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    times: Times,
    /// Who is being judged at the moment.
    judged: HashMap<u64, Judged>,
}

/// When each will have been forgiven all failures.
#[derive(Debug, Default)]
struct Times {
    current: HashMap<u64, Instant>,
    previous: HashMap<u64, Instant>,
}

#[derive(Debug, Default)]
struct Judged {
    attempts: u32,
    waiting: u32,
    ended: Arc<Notify>,
}

impl Limiter {
    /// So many failures at once, and one more in each interval.
    pub fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, interval, hasher: RandomState::new(), state: Mutex::default() }
    }

    /// To be called before an attempt is judged. Waits while those that are being judged may use up what is left.
    ///
    /// # Errors
    /// It has failed too often: how long it has to wait before it may try again.
    pub async fn attempt(&self, who: impl Hash) -> Result<Attempt<'_>, Duration> {
        let who = self.hasher.hash_one(who);
        loop {
            let (_waiting, ended) = match self.begin_at(who, Instant::now())? {
                Begun::Now(attempt) => return Ok(attempt),
                Begun::Later(waiting, ended) => (waiting, ended),
            };
            ended.await;
        }
    }

    /// Counts what needs no judgement as a failure is counted.
    ///
    /// # Errors
    /// It was done too often: how long it has to wait.
    pub fn take(&self, who: impl Hash) -> Result<(), Duration> {
        let (who, now) = (self.hasher.hash_one(who), Instant::now());
        self.with(|state| {
            self.check(state.times.owed(who, now))?;
            self.count(&mut state.times, who, now);
            Ok(())
        })
    }

    fn begin_at(&self, who: u64, now: Instant) -> Result<Begun<'_>, Duration> {
        self.with(|state| {
            let owed = state.times.owed(who, now);
            self.check(owed)?;
            let judged = state.judged.entry(who).or_default();
            // As if all of them failed.
            if self.check(owed + self.interval * judged.attempts).is_ok() {
                judged.attempts += 1;
                return Ok(Begun::Now(Attempt { limiter: self, who, has_failed: false }));
            }
            judged.waiting += 1;
            // Made here, so that it misses no end.
            let ended = Arc::clone(&judged.ended).notified_owned();
            Ok(Begun::Later(Waiting { limiter: self, who }, ended))
        })
    }

    /// Whether one more failure has room.
    fn check(&self, owed: Duration) -> Result<(), Duration> {
        let most = self.interval * self.burst.saturating_sub(1);
        if owed > most { Err(owed - most) } else { Ok(()) }
    }

    fn count(&self, times: &mut Times, who: u64, now: Instant) {
        // Who goes on although it has to wait does not have to wait longer and longer.
        let forgiven = now + (times.owed(who, now) + self.interval).min(self.interval * self.burst);
        if times.current.len() >= REMEMBERED && !times.current.contains_key(&who) {
            times.previous = std::mem::take(&mut times.current);
        }
        times.current.insert(who, forgiven);
    }

    fn end_at(&self, who: u64, has_failed: bool, now: Instant) {
        self.with(|state| {
            if has_failed {
                self.count(&mut state.times, who, now);
            }
            let is_refused = self.check(state.times.owed(who, now)).is_err();
            state.leave(who, |judged| {
                judged.attempts = judged.attempts.saturating_sub(1);
                // All learn that they are refused; else there is a place for one, who makes room for the next.
                if is_refused { judged.ended.notify_waiters() } else { judged.ended.notify_one() }
            });
        });
    }

    fn with<T>(&self, access: impl FnOnce(&mut State) -> T) -> T {
        access(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn leave(&mut self, who: u64, leave: impl FnOnce(&mut Judged)) {
        if let Some(judged) = self.judged.get_mut(&who) {
            leave(judged);
            if judged.attempts == 0 && judged.waiting == 0 {
                self.judged.remove(&who);
            }
        }
    }
}

impl Times {
    fn owed(&self, who: u64, now: Instant) -> Duration {
        let forgiven = self.current.get(&who).or_else(|| self.previous.get(&who));
        forgiven.map_or(Duration::ZERO, |forgiven| forgiven.saturating_duration_since(now))
    }
}

enum Begun<'a> {
    Now(Attempt<'a>),
    Later(Waiting<'a>, OwnedNotified),
}

/// An attempt that is being judged. One that is dropped without a word was no failure: nobody was told what came of it.
#[derive(Debug)]
#[must_use = "it takes a place until it is dropped"]
pub struct Attempt<'a> {
    limiter: &'a Limiter,
    who: u64,
    has_failed: bool,
}

impl Attempt<'_> {
    /// It has failed, which counts.
    pub fn fail(mut self) {
        self.has_failed = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.limiter.end_at(self.who, self.has_failed, Instant::now());
    }
}

/// Somebody waits, so that what they wait for is kept.
struct Waiting<'a> {
    limiter: &'a Limiter,
    who: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.limiter.with(|state| state.leave(self.who, |judged| judged.waiting = judged.waiting.saturating_sub(1)));
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
    use std::pin::Pin;

    use futures_util::FutureExt;

    use super::*;

    fn fail_at(limiter: &Limiter, who: u64, now: Instant) {
        limiter.with(|state| limiter.count(&mut state.times, who, now));
    }

    fn check_at(limiter: &Limiter, who: u64, now: Instant) -> Result<(), Duration> {
        limiter.with(|state| limiter.check(state.times.owed(who, now)))
    }

    #[test]
    fn so_many_failures_at_once_then_one_in_each_interval() {
        let (limiter, start) = (Limiter::new(3, Duration::from_secs(10)), Instant::now());
        for _ in 0..3 {
            assert_eq!(check_at(&limiter, 1, start), Ok(()));
            fail_at(&limiter, 1, start);
        }
        assert_eq!(check_at(&limiter, 1, start), Err(Duration::from_secs(10)));
        assert_eq!(check_at(&limiter, 2, start), Ok(()), "others are no concern of it");
        let later = start + Duration::from_secs(10);
        assert_eq!(check_at(&limiter, 1, later), Ok(()));
        fail_at(&limiter, 1, later);
        assert!(check_at(&limiter, 1, later).is_err());
        // Not longer and longer.
        for _ in 0..100 {
            fail_at(&limiter, 1, later);
        }
        assert_eq!(check_at(&limiter, 1, later), Err(Duration::from_secs(10)));
        assert_eq!(check_at(&limiter, 1, later + Duration::from_secs(30)), Ok(()));
    }

    const HOUR: Duration = Duration::from_secs(3600);

    type Later<'a> = Pin<Box<dyn Future<Output = Result<Attempt<'a>, Duration>> + 'a>>;

    /// An attempt that is being judged, or one that waits.
    fn now_or_later(limiter: &Limiter) -> Result<Attempt<'_>, Later<'_>> {
        let mut attempt: Later<'_> = Box::pin(limiter.attempt("a"));
        match attempt.as_mut().now_or_never() {
            Some(begun) => Ok(begun.unwrap()),
            None => Err(attempt),
        }
    }

    #[tokio::test]
    async fn of_guesses_at_the_same_time_no_more_are_judged_than_may_fail() {
        let limiter = Limiter::new(3, HOUR);
        let (mut judged, mut waiting) = (Vec::new(), Vec::new());
        for _ in 0..10 {
            match now_or_later(&limiter) {
                Ok(attempt) => judged.push(attempt),
                Err(attempt) => waiting.push(attempt),
            }
        }
        assert_eq!((judged.len(), waiting.len()), (3, 7));
        assert!(limiter.attempt("b").now_or_never().is_some_and(|begun| begun.is_ok()), "others do not wait");
        for attempt in judged {
            attempt.fail();
        }
        for attempt in waiting {
            assert!(attempt.await.is_err());
        }
        assert!(limiter.attempt("a").await.is_err());
        assert!(limiter.with(|state| state.judged.is_empty()), "nothing is left");
    }

    #[tokio::test]
    async fn what_does_not_fail_gives_its_place_to_the_next() {
        let limiter = Limiter::new(2, HOUR);
        let attempts = (0..100).map(|_| async {
            let attempt = limiter.attempt("a").await.unwrap();
            // Others come to their turn.
            tokio::task::yield_now().await;
            drop(attempt);
        });
        futures_util::future::join_all(attempts).await;
        // Half of the limit is used up: one is judged at a time, and all come to their turn.
        limiter.attempt("a").await.unwrap().fail();
        let first = now_or_later(&limiter).ok().unwrap();
        let (second, third) = (now_or_later(&limiter).err().unwrap(), now_or_later(&limiter).err().unwrap());
        drop(first);
        // One of them gives up, after it was its turn.
        drop(second);
        third.await.unwrap().fail();
        assert!(limiter.attempt("a").await.is_err());
        assert!(limiter.with(|state| state.judged.is_empty()), "nothing is left");
    }

    #[test]
    fn what_needs_no_judgement_is_counted_at_once() {
        let limiter = Limiter::new(2, HOUR);
        assert!(limiter.take("a").is_ok() && limiter.take("a").is_ok() && limiter.take("b").is_ok());
        assert!(limiter.take("a").is_err_and(|wait| wait > HOUR / 2 && wait <= HOUR));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (limiter, now) = (Limiter::new(1, Duration::from_secs(10)), Instant::now());
        for who in 0..100_000 {
            fail_at(&limiter, who, now);
        }
        assert!(limiter.with(|state| state.times.current.len() + state.times.previous.len()) <= 2 * REMEMBERED);
        assert!(check_at(&limiter, 99_999, now).is_err());
    }

    #[test]
    fn a_subscriber_of_ipv6_is_a_network() {
        let of = |text: &str| subscriber(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2:3::4"), of("2001:db8:1:3:3::4"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
