//! Charging profiles that are kept by name.

use serde::Serialize;
use sqlx::AnyConnection;
use utoipa::ToSchema;

use super::columns::{self, Json, Time};
use super::select::Select;
use crate::store::{Store, StoreError, sql};
use crate::time;

const COLUMNS: &str = "SELECT name, profile, created_at, updated_at FROM charging_profiles";

/// A charging profile with its name.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedProfile {
    /// Its name here; charge points do not see it.
    pub name: String,
    /// A ChargingProfile of OCPP.
    #[schema(schema_with = columns::charging_profile)]
    pub profile: Json,
    /// When it was entered.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

/// By name, those after `after`.
///
/// # Errors
/// Those of the database.
pub async fn list(store: &Store, after: Option<String>, limit: i64) -> Result<Vec<NamedProfile>, StoreError> {
    Select::all().and_if("name > ?", after).rows(store.readers(), COLUMNS, "name", limit, 0).await
}

/// How many there are.
///
/// # Errors
/// Those of the database.
pub async fn count(store: &Store) -> Result<i64, StoreError> {
    Select::all().count(store.readers(), "charging_profiles").await
}

/// One of them.
///
/// # Errors
/// Those of the database.
pub async fn get(store: &Store, name: &str) -> Result<Option<NamedProfile>, StoreError> {
    let found: Vec<_> = Select::all().and("name = ?", name).rows(store.readers(), COLUMNS, "name", 1, 0).await?;
    Ok(found.into_iter().next())
}

/// Enters one, or changes it; whether it is new.
///
/// # Errors
/// Those of the database.
pub async fn put(db: &mut AnyConnection, name: &str, profile: String) -> Result<bool, StoreError> {
    let known = sql::query_scalar::<i64>("SELECT COUNT(*) FROM charging_profiles WHERE name = $1");
    let is_new = known.bind(name.to_owned()).fetch_one(&mut *db).await? == 0;
    let sql = "INSERT INTO charging_profiles (name, profile, created_at, updated_at) VALUES ($1, $2, $3, $3)
        ON CONFLICT (name) DO UPDATE SET profile = excluded.profile, updated_at = excluded.updated_at";
    sql::query(sql).bind(name.to_owned()).bind(profile).bind(time::now()).execute(&mut *db).await?;
    Ok(is_new)
}

/// Takes one out; `false` if there is none.
///
/// # Errors
/// Those of the database.
pub async fn remove(db: &mut AnyConnection, name: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM charging_profiles WHERE name = $1";
    Ok(sql::query(sql).bind(name.to_owned()).execute(&mut *db).await?.rows_affected() > 0)
}
