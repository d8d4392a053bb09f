//! JSON that the schema leaves open.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::fmt;

use crate::codec::{Decoder, Encoder, Message, Reject};
use crate::types::Text;

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

    /// `null`.
    pub fn null() -> Self {
        Self::from_checked("null")
    }

    pub(crate) fn from_checked(text: &str) -> Self {
        Self(text.into())
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// For actions that nobody has types for: they are read and written as they are.
impl Message for RawJson {
    fn blank() -> Self {
        Self(Box::from(""))
    }

    fn read(&mut self, decoder: &mut Decoder<'_>) -> Result<(), Reject> {
        *self = decoder.any()?;
        Ok(())
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Reject> {
        encoder.any(self);
        Ok(())
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The properties of an object that its schema allows and does not name, by name.
///
/// ```
/// use onwire::types::{AdditionalProperties, RawJson};
/// let mut properties = AdditionalProperties::new();
/// properties.insert("gridCode".into(), RawJson::new(r#""VDE-AR-N 4105""#)?);
/// # Ok::<(), onwire::codec::DecodeError>(())
/// ```
pub type AdditionalProperties = BTreeMap<Text, RawJson>;

// As the value that it is, and not as text: serde's formats read and write it as JSON would. Numbers go through
// serde_json's, so that their spelling, and digits beyond an `f64`'s, may be lost there.
#[cfg(feature = "serde")]
impl serde::Serialize for RawJson {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: serde_json::Value = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for RawJson {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(alloc::format!("{value}").into()))
    }
}
