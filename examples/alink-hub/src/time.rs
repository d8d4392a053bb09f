//! Times as the database and the API have them.

use onwire::types::DateTime;

/// Milliseconds since 1970, now.
pub(crate) fn now() -> i64 {
    DateTime::now().unix_millis()
}

/// A time of the database as the API writes it: RFC 3339, UTC.
pub(crate) fn text(millis: i64) -> String {
    DateTime::from_unix_millis(millis).to_string()
}
