//! The configuration keys of charge points, as they were last told.

use sqlx::AnyConnection;

use super::{StoreError, folded};

/// A configuration key.
#[derive(Debug, Clone)]
pub struct ConfigurationKey {
    /// Its name; compared without case.
    pub key: String,
    /// `None`: it has none, or does not tell it.
    pub value: Option<String>,
    /// Whether it cannot be changed.
    pub readonly: bool,
}

/// Keeps what a charge point has told. With `is_all`, keys that are not among them are dropped: it has them no longer.
///
/// # Errors
/// Those of the database.
pub async fn keep_keys(
    db: &mut AnyConnection,
    charge_point: String,
    keys: Vec<ConfigurationKey>,
    is_all: bool,
    at: i64,
) -> Result<(), StoreError> {
    if is_all {
        let sql = "DELETE FROM configuration_keys WHERE charge_point = $1";
        sqlx::query(sql).bind(charge_point.clone()).execute(&mut *db).await?;
    }
    let sql = "INSERT INTO configuration_keys (charge_point, folded, key, value, readonly, known_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (charge_point, folded) DO UPDATE SET key = excluded.key, value = excluded.value,
            readonly = excluded.readonly, known_at = excluded.known_at";
    for key in keys {
        let query = sqlx::query(sql)
            .bind(charge_point.clone())
            .bind(folded(&key.key))
            .bind(key.key)
            .bind(key.value)
            .bind(i64::from(key.readonly))
            .bind(at);
        query.execute(&mut *db).await?;
    }
    Ok(())
}
