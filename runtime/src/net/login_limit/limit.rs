//! Failures under one kind of key.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::generations::{Generations, short};
use super::{Attempt, HeldOff};

/// Counts logins that fail, by address or by name, and says who has failed too often: so many within a window. Clones count
/// together, for several listeners and a registration over HTTP. 65,536 keys are counted at the most, then the older ones are
/// forgotten.
///
/// An attempt is counted before it is judged: guesses at the same time are no way around the limit.
///
/// ```
/// use std::time::Duration;
///
/// use onwire::net::LoginLimit;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let limit = LoginLimit::new(2, Duration::from_secs(300));
/// for _ in 0..2 {
///     let attempt = limit.attempt("SN1&a1X").await.unwrap();
///     // The password is wrong.
///     let delay = attempt.failed();
///     tokio::time::sleep(delay).await; // then the client is told
/// }
/// let held = limit.attempt("SN1&a1X").await.unwrap_err();
/// assert!(held.is_first && held.wait <= Duration::from_secs(300));
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct LoginLimit {
    failures: u32,
    window: Duration,
    counted: Arc<Mutex<Generations<Entry>>>,
}

/// What is counted under a key.
#[derive(Debug)]
struct Entry {
    failures: u32,
    /// When the first of them was.
    since: Instant,
    /// Attempts that are being judged.
    undecided: u32,
    was_told: bool,
    /// Wakes who waits for a place. Places hold it too, which tells their entry from a later one.
    freed: Arc<Notify>,
}

impl Entry {
    fn new() -> Self {
        Self { failures: 0, since: Instant::now(), undecided: 0, was_told: false, freed: Arc::default() }
    }

    fn fail(&mut self) {
        if self.failures == 0 {
            self.since = Instant::now();
        }
        self.failures = self.failures.saturating_add(1);
    }

    /// Forgets failures whose window has ended.
    fn forget_after(&mut self, window: Duration) {
        if self.since.elapsed() >= window {
            self.forget();
        }
    }

    fn forget(&mut self) {
        (self.failures, self.was_told) = (0, false);
    }

    fn has_room(&self, limit: u32) -> bool {
        self.failures.saturating_add(self.undecided) < limit
    }
}

impl LoginLimit {
    /// So many may fail within a window that begins with the first; 0 sets no limit.
    pub fn new(failures: u32, window: Duration) -> Self {
        Self { failures, window, counted: Arc::default() }
    }

    /// Begins an attempt. While as many are judged as may still fail, it waits until one of them is decided.
    ///
    /// # Errors
    /// Too many have failed within the window: it is not to be looked at.
    pub async fn attempt(&self, key: &str) -> Result<Attempt, HeldOff> {
        Ok(Attempt { by_name: self.place(key).await?, by_address: None, by_both: None, origin: None })
    }

    /// As many within the same window, of others.
    pub(super) fn alike(&self) -> Self {
        Self::new(self.failures, self.window)
    }

    pub(super) fn is_unlimited(&self) -> bool {
        self.failures == 0
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> Vec<String> {
        self.counted().keys().map(str::to_owned).collect()
    }

    fn counted(&self) -> MutexGuard<'_, Generations<Entry>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place, once there is one; `None` without a limit.
    pub(super) async fn place(&self, key: &str) -> Result<Option<Place>, HeldOff> {
        if self.failures == 0 {
            return Ok(None);
        }
        let key = short(key);
        loop {
            let freed = match self.look(&key)? {
                Look::Place(place) => return Ok(Some(place)),
                Look::Full(freed) => freed,
            };
            let mut waiting = pin!(freed.notified());
            // What is freed from here on is not missed; for what was freed just now, it looks again.
            waiting.as_mut().enable();
            if let Look::Place(place) = self.look(&key)? {
                return Ok(Some(place));
            }
            waiting.await;
        }
    }

    /// A place, whether or not there is one: what fails there is counted.
    pub(super) fn place_beyond(&self, key: &str) -> Option<Place> {
        if self.failures == 0 {
            return None;
        }
        let (key, mut counted) = (short(key), self.counted());
        Some(self.take(counted.get_or_put(&key, Entry::new), &key))
    }

    fn look(&self, key: &str) -> Result<Look, HeldOff> {
        let mut counted = self.counted();
        let entry = counted.get_or_put(key, Entry::new);
        entry.forget_after(self.window);
        if entry.has_room(self.failures) {
            return Ok(Look::Place(self.take(entry, key)));
        }
        if entry.failures < self.failures {
            return Ok(Look::Full(Arc::clone(&entry.freed)));
        }
        let is_first = !std::mem::replace(&mut entry.was_told, true);
        Err(HeldOff { wait: self.window.saturating_sub(entry.since.elapsed()), is_first })
    }

    fn take(&self, entry: &mut Entry, key: &str) -> Place {
        entry.undecided = entry.undecided.saturating_add(1);
        if entry.has_room(self.failures) {
            // One wakes the next: failures are forgotten without a notice when their window ends.
            entry.freed.notify_one();
        }
        Place { limit: self.clone(), key: key.into(), freed: Arc::clone(&entry.freed), is_settled: false }
    }
}

enum Look {
    Place(Place),
    /// As many are judged as may still fail; this wakes who waits.
    Full(Arc<Notify>),
}

/// A place among those that may fail; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    limit: LoginLimit,
    key: Box<str>,
    freed: Arc<Notify>,
    is_settled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    GivenBack,
    Failed,
    Succeeded,
}

impl Place {
    /// How many have failed now, this one included.
    pub(super) fn failed(mut self) -> u32 {
        self.settle(Outcome::Failed)
    }

    /// Forgets what failed under this key.
    pub(super) fn succeeded(mut self) {
        self.settle(Outcome::Succeeded);
    }

    fn settle(&mut self, outcome: Outcome) -> u32 {
        if std::mem::replace(&mut self.is_settled, true) {
            return 0;
        }
        let (limit, key) = (&self.limit, &*self.key);
        let mut counted = limit.counted();
        // It may have been forgotten, and begun anew by others.
        let entry = match outcome {
            Outcome::Failed => {
                Some(counted.get_or_put(key, || Entry { freed: Arc::clone(&self.freed), ..Entry::new() }))
            }
            _ => counted.get_mut(key),
        };
        let Some(entry) = entry else {
            self.freed.notify_waiters();
            return 0;
        };
        let is_same = Arc::ptr_eq(&entry.freed, &self.freed);
        entry.undecided = entry.undecided.saturating_sub(u32::from(is_same));
        entry.forget_after(limit.window);
        match outcome {
            Outcome::GivenBack => {}
            Outcome::Succeeded => entry.forget(),
            Outcome::Failed => entry.fail(),
        }
        let failures = entry.failures;
        match is_same && failures < limit.failures {
            true => self.freed.notify_one(),
            // Whoever waits is held off, or has to look at the new entry.
            false => self.freed.notify_waiters(),
        }
        // The entry and this place hold it, and nobody who waits.
        let is_idle = failures == 0 && entry.undecided == 0 && Arc::strong_count(&entry.freed) <= 2;
        if is_same && is_idle {
            counted.remove(key);
        }
        failures
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.settle(Outcome::GivenBack);
    }
}
