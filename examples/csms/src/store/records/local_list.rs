//! Local lists of charge points, as far as they are known here.

use onwire::ocpp::v16::AuthorizationData;
use serde::Serialize;
use sqlx::AnyConnection;
use utoipa::ToSchema;

use super::columns::{self, Json};
use super::select::Select;
use crate::store::{Store, StoreError, folded, sql};

/// An entry of a local list.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Whose.
    pub id_tag: String,
    /// IdTagInfo of OCPP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = columns::id_tag_info, required = false)]
    pub id_tag_info: Option<Json>,
}

/// What a charge point's list holds.
///
/// # Errors
/// Those of the database.
pub async fn entries(store: &Store, charge_point: &str) -> Result<Vec<Entry>, StoreError> {
    let what = "SELECT id_tag, id_tag_info FROM local_list_entries";
    Select::all().and("charge_point = ?", charge_point).rows(store.readers(), what, "folded", i64::MAX, 0).await
}

/// The version that a charge point has, as far as it is known.
///
/// # Errors
/// Those of the database.
pub async fn version(db: &mut AnyConnection, charge_point: &str) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT list_version FROM charge_points WHERE id = $1";
    let found: Option<Option<i64>> =
        sql::query_scalar(sql).bind(charge_point.to_owned()).fetch_optional(&mut *db).await?;
    Ok(found.flatten())
}

/// Keeps the version that a charge point has; `None`: nobody knows it.
///
/// # Errors
/// Those of the database.
pub async fn set_version(db: &mut AnyConnection, charge_point: &str, version: Option<i64>) -> Result<(), StoreError> {
    let sql = "UPDATE charge_points SET list_version = $1 WHERE id = $2";
    sql::query(sql).bind(version).bind(charge_point.to_owned()).execute(&mut *db).await?;
    Ok(())
}

/// Keeps the version that a charge point has told.
///
/// # Errors
/// Those of the database.
pub async fn reported(db: &mut AnyConnection, charge_point: &str, version: i64) -> Result<(), StoreError> {
    if version <= 0 {
        // 0: it is empty; -1: there is none.
        take(db, charge_point, true, &[]).await?;
    }
    set_version(db, charge_point, Some(version)).await
}

/// Keeps what a charge point has taken: all of it, or changes, in which an entry without an info takes one out.
///
/// # Errors
/// Those of the database.
pub async fn take(
    db: &mut AnyConnection,
    charge_point: &str,
    is_full: bool,
    entries: &[AuthorizationData],
) -> Result<(), StoreError> {
    if is_full {
        let sql = "DELETE FROM local_list_entries WHERE charge_point = $1";
        sql::query(sql).bind(charge_point.to_owned()).execute(&mut *db).await?;
    }
    for entry in entries {
        let (tag, key) = (entry.id_tag.as_str(), folded(entry.id_tag.as_str()));
        let Some(info) = &entry.id_tag_info else {
            let sql = "DELETE FROM local_list_entries WHERE charge_point = $1 AND folded = $2";
            sql::query(sql).bind(charge_point.to_owned()).bind(key).execute(&mut *db).await?;
            continue;
        };
        let info = serde_json::to_string(info).map_err(|_| StoreError::Corrupt("an IdTagInfo"))?;
        let sql = "INSERT INTO local_list_entries (charge_point, folded, id_tag, id_tag_info) VALUES ($1, $2, $3, $4)
            ON CONFLICT (charge_point, folded) DO UPDATE SET id_tag = excluded.id_tag, id_tag_info = excluded.id_tag_info";
        let query = sql::query(sql).bind(charge_point.to_owned()).bind(key).bind(tag.to_owned());
        query.bind(info).execute(&mut *db).await?;
    }
    Ok(())
}
