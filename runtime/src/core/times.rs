//! When posted properties were so.

use alloc::vec::Vec;

use crate::types::{DateTime, Text};

/// Times of properties, by identifier; a property without one was so when it is received.
///
/// ```
/// use onwire::alink::Times;
/// use onwire::types::DateTime;
///
/// let mut times = Times::default();
/// times.set("Power", DateTime::from_unix_millis(1_700_000_000_000));
/// assert_eq!(times.of("Power"), Some(DateTime::from_unix_millis(1_700_000_000_000)));
/// assert_eq!(times.of("Voltage"), None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
// Messages carry properties in the model's order, so that a search rarely looks further than at the next one.
pub struct Times(Vec<(Text, DateTime)>);

impl Times {
    /// Gives a property its time.
    pub fn set(&mut self, identifier: &str, time: DateTime) {
        match self.0.iter_mut().rev().find(|(known, _)| *known == *identifier) {
            Some((_, known)) => *known = time,
            None => self.0.push((identifier.into(), time)),
        }
    }

    /// Adds one that is not there yet.
    pub(crate) fn push(&mut self, identifier: &str, time: DateTime) {
        self.0.push((identifier.into(), time));
    }

    /// When the property was so.
    pub fn of(&self, identifier: &str) -> Option<DateTime> {
        self.in_order().next_of(identifier)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, DateTime)> {
        self.0.iter().map(|(identifier, time)| (identifier.as_str(), *time))
    }

    /// Whether no property has a time.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For questions in the order of the model.
    #[doc(hidden)]
    pub fn in_order(&self) -> InOrder<'_> {
        InOrder { times: &self.0, next: 0 }
    }
}

/// Times that are asked for in the order in which they were set, most of the time.
#[doc(hidden)]
#[derive(Debug)]
pub struct InOrder<'t> {
    times: &'t [(Text, DateTime)],
    next: usize,
}

impl InOrder<'_> {
    /// When the property was so.
    pub fn next_of(&mut self, identifier: &str) -> Option<DateTime> {
        let is_it = |(known, _): &(Text, DateTime)| *known == *identifier;
        let at = match self.times.get(self.next) {
            Some(next) if is_it(next) => self.next,
            _ => self.times.iter().position(is_it)?,
        };
        self.next = at + 1;
        self.times.get(at).map(|(_, time)| *time)
    }
}
