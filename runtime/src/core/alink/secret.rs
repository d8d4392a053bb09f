//! What proves who somebody is.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use ctutils::CtEq;

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

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
