//! What charge points send as text, made fit for both databases.

/// PostgreSQL holds no NUL in a TEXT: it becomes U+FFFD, so that a message with one is kept and answered as any other.
pub fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// [`storable`], of what may be missing.
pub fn storable_option(text: Option<impl AsRef<str>>) -> Option<String> {
    text.map(|text| storable(text.as_ref()))
}
