//! JSON that the schema leaves open.

use alloc::boxed::Box;
use core::fmt;

/// Any JSON value, kept as the text it was sent as.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawJson(Box<str>);

impl RawJson {
    /// Takes JSON text.
    ///
    /// # Errors
    /// [`DecodeError`](crate::codec::DecodeError) if `text` is not exactly one JSON value.
    pub fn new(text: &str) -> Result<Self, crate::codec::DecodeError> {
        #[allow(clippy::redundant_closure_for_method_calls, reason = "the method is not general over the lifetime")]
        crate::codec::decode_with(text, crate::codec::Quirks::NONE, |decoder| decoder.any())
    }

    pub(crate) fn from_checked(text: &str) -> Self {
        Self(text.into())
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for RawJson {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for RawJson {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = alloc::string::String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}
