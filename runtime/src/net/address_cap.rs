//! How many may be there at once from one address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Limits how many connections there are at once from one address; of IPv6, from the 64 bits that a provider gives to one
/// customer. Clones count together.
///
/// ```
/// use std::net::IpAddr;
///
/// use onwire::net::AddressCap;
///
/// let cap = AddressCap::new(1);
/// let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
/// let first = cap.enter(one).unwrap();
/// assert!(cap.enter(one).is_err());
/// assert!(cap.enter(other).is_ok());
/// drop(first); // the connection has ended
/// assert!(cap.enter(one).is_ok());
/// ```
#[derive(Debug, Clone)]
pub struct AddressCap {
    most: usize,
    present: Arc<Mutex<HashMap<IpAddr, Count>>>,
}

#[derive(Debug, Default)]
struct Count {
    present: usize,
    was_told: bool,
}

/// There are as many from that address as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many connections at once from one address")]
#[non_exhaustive]
pub struct Crowded {
    /// Whether it is the first since somebody came from there while nobody was. Who writes down only these is not made to
    /// write by who knocks.
    pub is_first: bool,
}

impl AddressCap {
    /// At most so many, and at least one; `usize::MAX` for any number.
    pub fn new(most: usize) -> Self {
        Self { most, present: Arc::default() }
    }

    /// Counts one more, until what is returned is dropped.
    ///
    /// # Errors
    /// [`Crowded`]: there are as many as there may be.
    pub fn enter(&self, address: IpAddr) -> Result<Present, Crowded> {
        let address = customer(address);
        let mut counts = self.counts();
        let count = counts.entry(address).or_default();
        // With a limit of 0 nobody ever leaves who would take the entry along.
        if count.present >= self.most.max(1) {
            let is_first = !std::mem::replace(&mut count.was_told, true);
            return Err(Crowded { is_first });
        }
        count.present += 1;
        Ok(Present { cap: self.clone(), address })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, Count>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is there; of [`AddressCap::enter`].
#[must_use = "it is gone when this is dropped"]
#[derive(Debug)]
pub struct Present {
    cap: AddressCap,
    address: IpAddr,
}

impl Drop for Present {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.cap.counts().entry(self.address) {
            let count = entry.get_mut();
            count.present = count.present.saturating_sub(1);
            if count.present == 0 {
                entry.remove();
            }
        }
    }
}

/// What is one customer's of a provider: an address of IPv4, or the first 64 bits of one of IPv6.
pub(super) fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_customer_count_together_and_the_crowd_is_told_of_once() {
        let cap = AddressCap::new(2);
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        let both = [cap.enter(parse("2001:db8::1")).unwrap(), cap.enter(parse("2001:db8::2:3")).unwrap()];
        assert!(cap.enter(parse("2001:db8::4")).unwrap_err().is_first);
        assert!(!cap.enter(parse("2001:db8::5")).unwrap_err().is_first);
        let _neighbour = cap.enter(parse("2001:db8:0:1::1")).unwrap();
        drop(both);
        let _again = [cap.enter(parse("2001:db8::1")).unwrap(), cap.enter(parse("2001:db8::1")).unwrap()];
        assert!(cap.enter(parse("2001:db8::1")).unwrap_err().is_first);
        assert_eq!(customer(parse("::ffff:192.0.2.1")), parse("192.0.2.1"));
    }

    #[test]
    fn nobody_is_remembered_who_is_gone() {
        let cap = AddressCap::new(1);
        for last in 0..200 {
            drop(cap.enter(IpAddr::from([192, 0, 2, last])).unwrap());
        }
        assert!(cap.counts().is_empty());
    }
}
