//! What proves who somebody is.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::hash::{Hash, Hasher};

use ctutils::CtEq;

use crate::codec::{Decoder, Encoder, Message, Reject};
use crate::types::Text;

/// A `DeviceSecret`, a `ProductSecret` or a `deviceToken`. `Debug` does not show it, and comparing takes the same time wherever
/// two secrets differ (their length is no secret).
///
/// ```
/// use onwire::alink::Secret;
///
/// let secret = Secret::from("oLyaKqVxtRvjH284");
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// assert_eq!(secret.expose(), "oLyaKqVxtRvjH284");
/// ```
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// The secret itself: to store it, never to log it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether these bytes are the secret. Nothing is not: where no secret is known, nobody gets in.
    pub fn is(&self, bytes: &[u8]) -> bool {
        !bytes.is_empty() && self.0.as_bytes().ct_eq(bytes).to_bool()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).to_bool()
    }
}

impl Eq for Secret {}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Message for Secret {
    fn blank() -> Self {
        Self("".into())
    }

    fn read(&mut self, decoder: &mut Decoder<'_>) -> Result<(), Reject> {
        let mut text = Text::<{ usize::MAX }>::default();
        decoder.text(&mut text)?;
        self.0 = text.as_str().into();
        Ok(())
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Reject> {
        encoder.string(&self.0);
        Ok(())
    }
}

/// The secret itself: who stores a message needs it.
#[cfg(feature = "serde")]
impl serde::Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Into::into)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
