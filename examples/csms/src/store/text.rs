//! Text as the database will have it, for what is compared or told before it is written. Parameters of statements are
//! converted by [`sql`](super::sql) anyway.

/// [`sql::storable`](super::sql::storable), owned.
pub fn storable(text: &str) -> String {
    super::sql::storable(text).into_owned()
}

/// [`storable`], of what may be missing.
pub fn storable_option(text: Option<impl AsRef<str>>) -> Option<String> {
    text.map(|text| storable(text.as_ref()))
}
