//! Changes of a resource, where absent is not the same as `null`.

use serde::{Deserialize, Deserializer};

/// `Some(None)` for `null`; with `#[serde(default)]` absent is `None`.
pub(super) fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
