//! The value of an enumeration that this build does not know.

use alloc::boxed::Box;
use core::fmt;

/// The text or number is no value of the enumeration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a value of the enumeration")]
pub struct NotAValue;

/// A value outside the enumeration, kept exactly as a newer or careless peer sent it.
///
/// It comes into being by decoding only, and cannot be encoded: what leaves validates against the schema.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
// Two boxes, so that an enumeration takes two words and not three in every message that has it.
pub struct Unrecognized(Box<Box<str>>);

impl Unrecognized {
    pub(crate) fn new(value: &str) -> Self {
        Self(Box::new(value.into()))
    }

    /// The value as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Unrecognized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
