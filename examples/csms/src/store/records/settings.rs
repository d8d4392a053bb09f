//! What an operator has switched while the server ran.

use sqlx::AnyConnection;

use crate::store::{Store, StoreError, sql};

/// Whether unknown charge points are accepted: `true` or `false`.
pub const UNKNOWN_CHARGE_POINTS: &str = "unknownChargePoints";

/// Whether unknown id tags are accepted: `true` or `false`.
pub const UNKNOWN_ID_TAGS: &str = "unknownIdTags";

/// A switch, if it was ever turned.
///
/// # Errors
/// Those of the database.
pub async fn switch(store: &Store, name: &str) -> Result<Option<bool>, StoreError> {
    let query = sql::query_scalar::<String>("SELECT value FROM settings WHERE name = $1").bind(name.to_owned());
    Ok(query.fetch_optional(store.readers()).await?.map(|value| value == "true"))
}

/// Turns it.
///
/// # Errors
/// Those of the database.
pub async fn turn(db: &mut AnyConnection, name: &str, on: bool) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    sql::query(sql).bind(name.to_owned()).bind(on.to_string()).execute(&mut *db).await?;
    Ok(())
}
