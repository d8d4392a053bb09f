//! Bounded text: [`Text`] and its case-insensitive sister [`CiString`].
//!
//! Both hold up to 24 bytes (12 on a 32-bit machine) without an allocation. The bound counts characters, as JSON
//! Schema's `maxLength` does, and is checked where text leaves: encoding an over-long value fails and names it. A
//! literal therefore needs no `unwrap`, and an over-long value from a careless peer survives decoding.

use alloc::string::String;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

use compact_str::CompactString;

/// The text has more characters than its type allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{length} characters where at most {max} are allowed")]
pub struct TooLong {
    /// Number of characters found.
    pub length: usize,
    /// Number of characters allowed.
    pub max: usize,
}

/// `Some` if `text` has more than `max` characters.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(crate) fn over_long(text: &str, max: usize) -> Option<TooLong> {
    // A character takes at least one byte, so most values need no counting.
    if text.len() <= max {
        return None;
    }
    // Its first byte, that is; counted like this, as `chars` would take more flash for what hardly ever happens.
    let length = text.bytes().filter(|byte| !matches!(byte, 0x80..0xc0)).count();
    (length > max).then_some(TooLong { length, max })
}

macro_rules! bounded_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub struct $name<const N: usize = { usize::MAX }>(CompactString);

        impl<const N: usize> $name<N> {
            /// The largest number of characters that may be sent.
            pub const MAX: usize = N;

            /// Takes `text` if it has at most `N` characters.
            ///
            /// # Errors
            /// [`TooLong`] with the length that was found.
            pub fn checked(text: impl AsRef<str>) -> Result<Self, TooLong> {
                let this = Self(CompactString::new(text));
                match this.over_long() {
                    Some(too_long) => Err(too_long),
                    None => Ok(this),
                }
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// `Some` if there are more than `N` characters, so that encoding would fail.
            pub fn over_long(&self) -> Option<TooLong> {
                over_long(&self.0, N)
            }

            /// What a decoder writes to.
            pub(crate) fn as_compact(&mut self) -> &mut CompactString {
                &mut self.0
            }
        }

        impl<const N: usize> Deref for $name<N> {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl<const N: usize> AsRef<str> for $name<N> {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl<const N: usize> From<&str> for $name<N> {
            fn from(text: &str) -> Self {
                Self(CompactString::new(text))
            }
        }

        impl<const N: usize> From<String> for $name<N> {
            fn from(text: String) -> Self {
                Self(CompactString::from(text))
            }
        }

        impl<const N: usize> From<&String> for $name<N> {
            fn from(text: &String) -> Self {
                Self(CompactString::new(text))
            }
        }

        impl<const N: usize> From<$name<N>> for String {
            fn from(text: $name<N>) -> Self {
                text.0.into_string()
            }
        }

        impl<const N: usize> fmt::Debug for $name<N> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl<const N: usize> fmt::Display for $name<N> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self)
            }
        }

        impl<const N: usize> PartialEq<$name<N>> for str {
            fn eq(&self, other: &$name<N>) -> bool {
                other == self
            }
        }

        impl<const N: usize> PartialEq<&str> for $name<N> {
            fn eq(&self, other: &&str) -> bool {
                self == *other
            }
        }

        #[cfg(feature = "serde")]
        impl<const N: usize> serde::Serialize for $name<N> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de, const N: usize> serde::Deserialize<'de> for $name<N> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self::from)
            }
        }
    };
}

bounded_text! {
    /// Text of at most `N` characters, compared exactly; without a bound, `Text` alone.
    ///
    /// ```
    /// use onwire::types::Text;
    /// let message: Text<8> = "充电桩".into();
    /// assert_eq!(message.over_long(), None); // three characters, nine bytes
    /// assert!(Text::<2>::checked("abc").is_err());
    /// ```
    Text
}

bounded_text! {
    /// Text of at most `N` characters, compared without regard to ASCII case; the case it came in is kept
    /// (OCPP 1.6 §7.1, `CiString`).
    ///
    /// ```
    /// use onwire::types::CiString;
    /// let tag: CiString<20> = "AbC1".into();
    /// assert_eq!(tag, "aBc1");
    /// assert_eq!(tag.to_string(), "AbC1");
    /// ```
    CiString
}

impl<const N: usize> PartialEq for Text<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<const N: usize> Eq for Text<N> {}

// Equality, order and hash are those of `str`; of `CiString` they are not.
impl<const N: usize> Borrow<str> for Text<N> {
    fn borrow(&self) -> &str {
        self
    }
}

impl<const N: usize> PartialEq<str> for Text<N> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl<const N: usize> PartialOrd for Text<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> Ord for Text<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl<const N: usize> Hash for Text<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<const N: usize> PartialEq for CiString<N> {
    fn eq(&self, other: &Self) -> bool {
        self.eq_ignore_ascii_case(other)
    }
}

impl<const N: usize> Eq for CiString<N> {}

impl<const N: usize> PartialEq<str> for CiString<N> {
    fn eq(&self, other: &str) -> bool {
        self.eq_ignore_ascii_case(other)
    }
}

impl<const N: usize> PartialOrd for CiString<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> Ord for CiString<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        folded(self).cmp(folded(other))
    }
}

impl<const N: usize> Hash for CiString<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in folded(self) {
            state.write_u8(byte);
        }
        state.write_u8(0xff);
    }
}

fn folded(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.bytes().map(|byte| byte.to_ascii_lowercase())
}
