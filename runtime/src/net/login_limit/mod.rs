//! Who fails to log in, again and again.

mod generations;
mod limit;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use self::generations::{Generations, short};
pub use self::limit::LoginLimit;
use self::limit::Place;
use super::address_cap::customer;

/// How long the answer to the first failure is held back; doubled with each that follows.
const FIRST_DELAY: Duration = Duration::from_millis(50);

/// The longest that an answer is held back.
const LONGEST_DELAY: Duration = Duration::from_secs(1);

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

/// A login that is being judged; of [`LoginLimits::attempt`] or [`LoginLimit::attempt`].
///
/// Until it is decided, it counts as one that has failed. Dropped undecided (the platform failed, the client went away), it does
/// not count.
#[must_use = "an attempt that is dropped is not counted"]
#[derive(Debug)]
pub struct Attempt {
    by_name: Option<Place>,
    by_address: Option<Place>,
    by_both: Option<Place>,
    origin: Option<Origin>,
}

/// What is remembered of an attempt that succeeds.
#[derive(Debug)]
struct Origin {
    known: Known,
    name: Box<str>,
    address: Box<str>,
}

/// From where who has a name got in.
type Known = Arc<Mutex<Generations<Box<str>>>>;

impl Attempt {
    /// It has failed, and stays counted. Returns how long the answer is better held back, which makes guessing slow: 50 ms, doubled
    /// with each failure of that name within the window, 1 s at the most.
    pub fn failed(self) -> Duration {
        let Self { by_name, by_address, by_both, origin: _ } = self;
        if let Some(place) = by_address {
            // Who shares an address with others does not wait for their mistakes.
            place.failed();
        }
        let of_both = by_both.map(Place::failed);
        let Some(failures) = by_name.map(Place::failed).or(of_both) else { return Duration::ZERO };
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        FIRST_DELAY.saturating_mul(doubled).min(LONGEST_DELAY)
    }

    /// It was good. Forgets the failures in this name, which were somebody's mistake that is mended, and remembers the address.
    /// The address's failures stay: one device that gets in does not let its neighbour guess.
    pub fn succeeded(self) {
        let Self { by_name, by_address: _given_back, by_both, origin } = self;
        by_name.into_iter().chain(by_both).for_each(Place::succeeded);
        if let Some(Origin { known, name, address }) = origin {
            known.lock().unwrap_or_else(PoisonError::into_inner).put(&name, address);
        }
    }
}

/// [`LoginLimit`]s of a listener: by the address that a client comes from, and by the name that it gives. Clones count together.
///
/// A limit by name stops guesses that come from many addresses. It does not keep the device itself out that they are about, as long
/// as that comes from where it last got in: of 65,536 devices at the most this is remembered, not across a restart of the
/// program. A limit by address hits all who share one, as behind a provider's NAT, and should be higher; it, too, spares who
/// last got in from there. What fails in such a name from that address is held to a count of its own, as high as that by name
/// (or that by address, if names have none): who was let in once does not open the address to guesses.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoginLimits {
    /// By address; of IPv6, by the 64 bits that a provider gives to one customer.
    pub by_address: LoginLimit,
    /// By user name.
    pub by_name: LoginLimit,
    /// By both, of those who last got in from there.
    by_both: LoginLimit,
    known: Known,
}

impl LoginLimits {
    /// Both.
    pub fn new(by_address: LoginLimit, by_name: LoginLimit) -> Self {
        let by_both = if by_name.is_unlimited() { by_address.alike() } else { by_name.alike() };
        Self { by_address, by_name, by_both, known: Arc::default() }
    }

    /// Begins an attempt. While as many are judged as may still fail, it waits until one of them is decided: guesses at the same
    /// time are no way around the limit, and who is good is not held off by others who are.
    ///
    /// ```
    /// use std::net::IpAddr;
    /// use std::time::Duration;
    ///
    /// use onwire::net::{LoginLimit, LoginLimits};
    ///
    /// # async fn is_right(_: &str, _: &str) -> bool { true }
    /// async fn log_in(limits: &LoginLimits, address: IpAddr, name: &str, password: &str) -> bool {
    ///     let Ok(attempt) = limits.attempt(Some(address), name).await else { return false };
    ///     let is_right = is_right(name, password).await;
    ///     match is_right {
    ///         true => attempt.succeeded(),
    ///         false => tokio::time::sleep(attempt.failed()).await,
    ///     }
    ///     is_right
    /// }
    /// # let window = Duration::from_secs(300);
    /// # let limits = LoginLimits::new(LoginLimit::new(100, window), LoginLimit::new(10, window));
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # assert!(runtime.block_on(log_in(&limits, IpAddr::from([192, 0, 2, 1]), "SN1&a1X", "x")));
    /// ```
    ///
    /// # Errors
    /// [`HeldOff`]: too many have failed within the window, so that it is not to be looked at.
    pub async fn attempt(&self, address: Option<IpAddr>, name: &str) -> Result<Attempt, HeldOff> {
        let Some(address) = address.map(key) else {
            return self.by_name.attempt(name).await;
        };
        let (by_address, by_name, by_both) = if self.is_known(name, &address) {
            // An address has no spaces.
            let by_both = self.by_both.place(&format!("{address} {name}")).await?;
            (None, self.by_name.place_beyond(name), by_both)
        } else {
            let by_address = self.by_address.place(&address).await?;
            (by_address, self.by_name.place(name).await?, None)
        };
        let origin = Origin { known: Arc::clone(&self.known), name: short(name).into(), address: address.into() };
        Ok(Attempt { by_name, by_address, by_both, origin: Some(origin) })
    }

    fn is_known(&self, name: &str, address: &str) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_mut(&short(name)).is_some_and(|known| **known == *address)
    }
}

fn key(address: IpAddr) -> String {
    customer(address).to_string()
}

#[cfg(test)]
mod tests;
