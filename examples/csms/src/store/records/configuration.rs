//! Configuration keys as far as charge points have told them.

use serde::Serialize;
use sqlx::AnyConnection;
use utoipa::ToSchema;

use super::columns::{Flag, Time};
use super::select::Select;
use crate::store::{Store, StoreError, folded, sql};
use crate::time;

/// Keys that are there for being written; their values are secrets, and never kept.
const SECRET: &str = "authorizationkey";

/// A configuration key.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationKey {
    /// Its name, as the charge point spells it.
    pub key: String,
    /// `null`: it has none, or it is a secret.
    pub value: Option<String>,
    /// Whether it cannot be changed.
    pub readonly: Flag,
    /// Whether what the charge point told of it cannot be read; `value` is the beginning of that then, as JSON.
    pub odd: Flag,
    /// When the charge point told it.
    pub known_at: Time,
}

/// All keys of a charge point that are known.
///
/// # Errors
/// Those of the database.
pub async fn list(store: &Store, charge_point: &str) -> Result<Vec<ConfigurationKey>, StoreError> {
    let what = "SELECT key, value, readonly, odd, known_at FROM configuration_keys";
    Select::all().and("charge_point = ?", charge_point).rows(store.readers(), what, "folded", i64::MAX, 0).await
}

/// The value of a key that is a number of things, as far as it is known; 0 says nothing.
///
/// # Errors
/// Those of the database.
pub async fn number(store: &Store, charge_point: &str, key: &str) -> Result<Option<usize>, StoreError> {
    let sql = "SELECT value FROM configuration_keys WHERE charge_point = $1 AND folded = $2 AND odd = 0";
    let query = sql::query_scalar(sql).bind(charge_point.to_owned()).bind(folded(key));
    let value: Option<Option<String>> = query.fetch_optional(store.readers()).await?;
    Ok(value.flatten().and_then(|value| value.trim().parse().ok()).filter(|number| *number > 0))
}

/// Keeps what a charge point has told of a key.
///
/// # Errors
/// Those of the database.
pub async fn keep(
    db: &mut AnyConnection,
    charge_point: &str,
    key: &str,
    value: Option<&str>,
    readonly: bool,
) -> Result<(), StoreError> {
    put(db, charge_point, key, value, readonly, false).await
}

/// Keeps what a charge point has told of a key, and nobody can read.
///
/// # Errors
/// Those of the database.
pub async fn keep_odd(db: &mut AnyConnection, charge_point: &str, key: &str, text: &str) -> Result<(), StoreError> {
    // Without a name it may be the key whose value is a secret.
    put(db, charge_point, key, Some(text).filter(|_| !key.is_empty()), false, true).await
}

async fn put(
    db: &mut AnyConnection,
    charge_point: &str,
    key: &str,
    value: Option<&str>,
    readonly: bool,
    odd: bool,
) -> Result<(), StoreError> {
    let folded = folded(key);
    let value = value.filter(|_| folded != SECRET).map(str::to_owned);
    let sql = "INSERT INTO configuration_keys (charge_point, folded, key, value, readonly, odd, known_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (charge_point, folded) DO UPDATE SET key = excluded.key,
        value = excluded.value, readonly = excluded.readonly, odd = excluded.odd, known_at = excluded.known_at";
    let query = sql::query(sql).bind(charge_point.to_owned()).bind(folded).bind(key.to_owned()).bind(value);
    query.bind(i64::from(readonly)).bind(i64::from(odd)).bind(time::now()).execute(&mut *db).await?;
    Ok(())
}

/// Forgets a key that the charge point does not have.
///
/// # Errors
/// Those of the database.
pub async fn forget(db: &mut AnyConnection, charge_point: &str, key: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM configuration_keys WHERE charge_point = $1 AND folded = $2";
    sql::query(sql).bind(charge_point.to_owned()).bind(folded(key)).execute(&mut *db).await?;
    Ok(())
}

/// Forgets all keys, because all of them are about to be told.
///
/// # Errors
/// Those of the database.
pub async fn forget_all(db: &mut AnyConnection, charge_point: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM configuration_keys WHERE charge_point = $1";
    sql::query(sql).bind(charge_point.to_owned()).execute(&mut *db).await?;
    Ok(())
}
