//! Who fails to log in, again and again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many keys are counted; then the older half is forgotten.
const KEYS: usize = 65_536;

/// The longest key that is kept as it is, in bytes: keys are what strangers say.
const LONGEST_KEY: usize = 128;

/// How long the answer to the first failure is held back; doubled with each that follows.
const FIRST_DELAY: Duration = Duration::from_millis(50);

/// The longest that an answer is held back.
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// Counts logins that fail, by address or by name, and says who has failed too often: so many within a window. Clones count
/// together, for several listeners and a registration over HTTP. 65,536 keys are counted at the most, then the older ones are
/// forgotten.
///
/// ```
/// use std::time::Duration;
///
/// use onwire::net::LoginLimit;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let limit = LoginLimit::new(2, Duration::from_secs(300));
/// for _ in 0..2 {
///     assert!(limit.check("SN1&a1X").is_ok());
///     let delay = limit.failed("SN1&a1X");
///     tokio::time::sleep(delay).await; // then the client is told
/// }
/// let held = limit.check("SN1&a1X").unwrap_err();
/// assert!(held.is_first && held.wait <= Duration::from_secs(300));
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct LoginLimit {
    failures: u32,
    window: Duration,
    counted: Arc<Mutex<Generations<Entry>>>,
}

/// Why a login is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many logins failed")]
#[non_exhaustive]
pub struct HeldOff {
    /// When another one is looked at.
    pub wait: Duration,
    /// Whether it is the first one since the limit was reached.
    pub is_first: bool,
}

/// Two generations, so that to forget is cheap whoever fills them.
#[derive(Debug)]
struct Generations<T> {
    young: HashMap<Box<str>, T>,
    old: HashMap<Box<str>, T>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    failures: u32,
    since: Instant,
    was_told: bool,
}

impl LoginLimit {
    /// So many may fail within a window that begins with the first; 0 sets no limit.
    pub fn new(failures: u32, window: Duration) -> Self {
        Self { failures, window, counted: Arc::default() }
    }

    /// Whether a login is to be looked at.
    ///
    /// # Errors
    /// It is not: as many as may have failed within the window.
    pub fn check(&self, key: &str) -> Result<(), HeldOff> {
        if self.failures == 0 {
            return Ok(());
        }
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = counted.current(&short(key), self.window) else { return Ok(()) };
        if entry.failures < self.failures {
            return Ok(());
        }
        let is_first = !std::mem::replace(&mut entry.was_told, true);
        Err(HeldOff { wait: self.window.saturating_sub(entry.since.elapsed()), is_first })
    }

    /// Counts one that has failed; how long the answer is better held back, which makes guessing slow: 50 ms, doubled with each
    /// failure within the window, 1 s at the most.
    pub fn failed(&self, key: &str) -> Duration {
        if self.failures == 0 {
            return Duration::ZERO;
        }
        let (key, mut counted) = (short(key), self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        let failures = match counted.current(&key, self.window) {
            Some(entry) => {
                entry.failures = entry.failures.saturating_add(1);
                entry.failures
            }
            None => {
                counted.put(&key, Entry { failures: 1, since: Instant::now(), was_told: false });
                1
            }
        };
        FIRST_DELAY.saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX)).min(LONGEST_DELAY)
    }

    /// Forgets what failed: it was somebody's mistake, which is mended.
    pub fn succeeded(&self, key: &str) {
        let (key, mut counted) = (short(key), self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        counted.remove(&key);
    }
}

fn short(key: &str) -> Cow<'_, str> {
    match key.len() <= LONGEST_KEY {
        true => Cow::Borrowed(key),
        false => Cow::Owned(format!("{:x}", BuildHasherDefault::<DefaultHasher>::default().hash_one(key))),
    }
}

impl<T> Default for Generations<T> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<T> Generations<T> {
    fn get_mut(&mut self, key: &str) -> Option<&mut T> {
        if self.young.contains_key(key) { self.young.get_mut(key) } else { self.old.get_mut(key) }
    }

    fn put(&mut self, key: &str, value: T) {
        if self.young.len() >= KEYS / 2 && !self.young.contains_key(key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key.into(), value);
    }

    fn remove(&mut self, key: &str) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

impl Generations<Entry> {
    /// The entry, unless its window has ended.
    fn current(&mut self, key: &str, window: Duration) -> Option<&mut Entry> {
        if self.get_mut(key)?.since.elapsed() >= window {
            self.remove(key);
        }
        self.get_mut(key)
    }
}

/// [`LoginLimit`]s of a listener: by the address that a client comes from, and by the name that it gives. Clones count together.
///
/// A limit by name stops guesses that come from many addresses. It does not keep the device itself out that they are about, as long
/// as that comes from where it last got in: of 65,536 devices at the most this is remembered, not across a restart of the
/// program. A limit by address hits all who share one, as behind a provider's NAT, and should be higher.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoginLimits {
    /// By address; of IPv6, by the 64 bits that a provider gives to one customer.
    pub by_address: LoginLimit,
    /// By user name.
    pub by_name: LoginLimit,
    /// From where who has that name got in.
    known: Arc<Mutex<Generations<Box<str>>>>,
}

impl LoginLimits {
    /// Both.
    pub fn new(by_address: LoginLimit, by_name: LoginLimit) -> Self {
        Self { by_address, by_name, known: Arc::default() }
    }

    /// Whether a login is to be looked at.
    ///
    /// # Errors
    /// [`HeldOff`].
    pub fn check(&self, address: Option<IpAddr>, name: &str) -> Result<(), HeldOff> {
        if let Some(address) = address {
            let address = key(address);
            self.by_address.check(&address)?;
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.get_mut(&short(name)).is_some_and(|known| **known == *address) {
                return Ok(());
            }
        }
        self.by_name.check(name)
    }

    /// Counts one that has failed; how long the answer is better held back.
    pub fn failed(&self, address: Option<IpAddr>, name: &str) -> Duration {
        if let Some(address) = address {
            // Who shares an address with others does not wait for their mistakes.
            let _ = self.by_address.failed(&key(address));
        }
        self.by_name.failed(name)
    }

    /// Forgets the failures in this name, and remembers the address. Its failures stay: one device that gets in does not let its
    /// neighbour guess.
    pub fn succeeded(&self, address: Option<IpAddr>, name: &str) {
        self.by_name.succeeded(name);
        if let Some(address) = address {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.put(&short(name), key(address).into());
        }
    }
}

fn key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_fails_too_often_is_held_off_until_the_window_ends() {
        let limit = LoginLimit::new(3, Duration::from_secs(60));
        let delays = [(); 3].map(|()| limit.failed("a").as_millis());
        assert_eq!(delays, [50, 100, 200]);
        assert_eq!(limit.check("a"), Err(HeldOff { wait: Duration::from_secs(60), is_first: true }));
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(limit.clone().check("a"), Err(HeldOff { wait: Duration::from_secs(40), is_first: false }));
        assert_eq!(limit.check("b"), Ok(()));
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(limit.check("a"), Ok(()));
        limit.failed("a");
        limit.succeeded("a");
        assert_eq!(limit.failed("a").as_millis(), 50);
        for _ in 0..40 {
            assert!(limit.failed("a") <= LONGEST_DELAY);
        }
        let long = "x".repeat(60_000);
        for _ in 0..3 {
            limit.failed(&long);
        }
        assert!(limit.check(&long).is_err() && limit.check(&"x".repeat(59_999)).is_ok());
        assert!(limit.counted.lock().unwrap().young.keys().all(|key| key.len() <= LONGEST_KEY));
        let none = LoginLimit::new(0, Duration::from_secs(60));
        assert_eq!((none.failed("a"), none.check("a")), (Duration::ZERO, Ok(())));
    }

    #[test]
    fn many_keys_are_not_kept() {
        let limit = LoginLimit::new(1, Duration::from_secs(60));
        for number in 0..2 * KEYS {
            limit.failed(&number.to_string());
        }
        let counted = limit.counted.lock().unwrap();
        assert!(counted.young.len() + counted.old.len() <= KEYS);
        drop(counted);
        assert!(limit.check(&(2 * KEYS - 1).to_string()).is_err());
    }

    #[test]
    fn a_customer_of_ipv6_is_one() {
        let limits =
            LoginLimits::new(LoginLimit::new(1, Duration::from_secs(60)), LoginLimit::new(0, Duration::from_secs(60)));
        let address = |text: &str| Some(text.parse().unwrap());
        limits.failed(address("2001:db8:1:2::1"), "a");
        assert!(limits.check(address("2001:db8:1:2:ffff::1"), "b").is_err());
        assert!(limits.check(address("2001:db8:1:3::1"), "a").is_ok());
        limits.failed(address("::ffff:192.0.2.1"), "a");
        assert!(limits.check(address("192.0.2.1"), "a").is_err());
    }

    #[test]
    fn guesses_from_elsewhere_do_not_keep_a_device_out() {
        let limits =
            LoginLimits::new(LoginLimit::new(0, Duration::from_secs(60)), LoginLimit::new(2, Duration::from_secs(60)));
        let [home, elsewhere] = ["192.0.2.1", "192.0.2.2"].map(|address| Some(address.parse().unwrap()));
        limits.succeeded(home, "a");
        for _ in 0..2 {
            limits.failed(elsewhere, "a");
        }
        assert!(limits.check(elsewhere, "a").is_err() && limits.check(None, "a").is_err());
        assert_eq!((limits.check(home, "a"), limits.check(home, "b")), (Ok(()), Ok(())));
        limits.succeeded(elsewhere, "a");
        for _ in 0..2 {
            limits.failed(home, "a");
        }
        assert!(limits.check(home, "a").is_err() && limits.check(elsewhere, "a").is_ok());
    }
}
