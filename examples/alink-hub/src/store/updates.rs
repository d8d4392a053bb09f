//! Updates of devices, and what the devices run.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::{Store, StoreError, sql};
use crate::time::now;

/// How a device is to fetch the file of an update.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Protocol {
    /// From a URL.
    #[default]
    Http,
    /// In blocks, over its MQTT connection.
    Mqtt,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Mqtt => "mqtt",
        }
    }
}

/// An update.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Update {
    /// Its number.
    pub(crate) id: i64,
    /// The file.
    pub(crate) firmware_id: String,
    /// Which part of the device it is for.
    pub(crate) module: String,
    /// `http` or `mqtt`.
    pub(crate) protocol: String,
    /// `waiting`, `pushed`, `running`, `done`, `failed` or `cancelled`.
    pub(crate) state: String,
    /// How far the device is, in percent; below 0 it failed to update (-1), download (-2), check (-3) or write (-4).
    pub(crate) step: Option<i64>,
    /// What the device says of it.
    pub(crate) description: Option<String>,
    /// When it was begun.
    #[serde(serialize_with = "crate::api::time")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: i64,
    /// When the device was told.
    #[serde(serialize_with = "crate::api::optional_time")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) pushed_at: Option<i64>,
    /// When something was last heard of it.
    #[serde(serialize_with = "crate::api::time")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) changed_at: i64,
}

const COLUMNS: &str = "id, firmware_id, module, protocol, state, step, description, created_at, pushed_at, changed_at";
const OPEN: &str = "state IN ('waiting', 'pushed', 'running')";

/// What the device says that it runs; an update to that version is done.
pub(crate) async fn reported(store: &Store, device: i64, module: &str, version: &str) -> Result<(), StoreError> {
    let (module, version) = (module.to_owned(), version.to_owned());
    store.write(move |db| Box::pin(report(db, device, module, version))).await
}

async fn report(db: &mut AnyConnection, device: i64, module: String, version: String) -> Result<(), StoreError> {
    let sql = "INSERT INTO modules (device_id, module, version, reported_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (device_id, module) DO UPDATE SET version = $3, reported_at = $4";
    let query = sql::query(sql).bind(device).bind(module.clone()).bind(version.clone()).bind(now());
    query.execute(&mut *db).await?;
    let sql = format!(
        "UPDATE updates SET state = 'done', step = 100, changed_at = $1 WHERE device_id = $2 AND module = $3 AND {OPEN}
        AND firmware_id IN (SELECT id FROM firmware WHERE version = $4)"
    );
    let query = sql::query(sqlx::AssertSqlSafe(sql)).bind(now()).bind(device).bind(module).bind(version);
    query.execute(&mut *db).await?;
    Ok(())
}

/// Module and version.
pub(crate) async fn modules(store: &Store, device: i64) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT module, version FROM modules WHERE device_id = $1 ORDER BY module";
    Ok(sql::query_as(sql).bind(device).fetch_all(store.readers()).await?)
}

/// Begins an update; one of the same module that is under way is cancelled.
pub(crate) async fn begin(
    store: &Store,
    device: i64,
    firmware: &str,
    module: &str,
    protocol: Protocol,
) -> Result<Update, StoreError> {
    let (firmware, module) = (firmware.to_owned(), module.to_owned());
    store
        .write(move |db| {
            Box::pin(async move {
                let sql = format!(
                    "UPDATE updates SET state = 'cancelled', changed_at = $1 WHERE device_id = $2 AND module = $3 AND {OPEN}"
                );
                let query = sql::query(sqlx::AssertSqlSafe(sql)).bind(now()).bind(device).bind(module.clone());
                query.execute(&mut *db).await?;
                let sql = format!(
                    "INSERT INTO updates (id, device_id, firmware_id, module, protocol, state, created_at, changed_at)
                    SELECT COALESCE(MAX(id), 0) + 1, CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS TEXT),
                    CAST($4 AS TEXT), 'waiting', CAST($5 AS BIGINT), CAST($5 AS BIGINT) FROM updates RETURNING {COLUMNS}"
                );
                let query = sql::query_as(sqlx::AssertSqlSafe(sql)).bind(device).bind(firmware).bind(module);
                Ok(query.bind(protocol.name()).bind(now()).fetch_one(&mut *db).await?)
            })
        })
        .await
}

/// The update of a module that is under way.
pub(crate) async fn open(store: &Store, device: i64, module: &str) -> Result<Option<Update>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM updates WHERE device_id = $1 AND module = $2 AND {OPEN} ORDER BY id DESC LIMIT 1"
    );
    let query = sql::query_as(sqlx::AssertSqlSafe(sql)).bind(device).bind(module);
    Ok(query.fetch_optional(store.readers()).await?)
}

/// The file that a device may fetch in blocks, by the update's number, which is the stream's: its id and its size.
pub(crate) async fn streamed(store: &Store, device: i64, stream: i64) -> Result<Option<(String, i64)>, StoreError> {
    let sql = format!(
        "SELECT firmware.id, firmware.size FROM updates JOIN firmware ON firmware.id = updates.firmware_id
        WHERE updates.id = $1 AND device_id = $2 AND protocol = 'mqtt' AND {OPEN}"
    );
    let query = sql::query_as(sqlx::AssertSqlSafe(sql)).bind(stream).bind(device);
    Ok(query.fetch_optional(store.readers()).await?)
}

pub(crate) async fn list(store: &Store, device: i64) -> Result<Vec<Update>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM updates WHERE device_id = $1 ORDER BY id DESC LIMIT 100");
    Ok(sql::query_as(sqlx::AssertSqlSafe(sql)).bind(device).fetch_all(store.readers()).await?)
}

/// The device was told.
pub(crate) async fn pushed(store: &Store, id: i64) -> Result<(), StoreError> {
    store
        .write(move |db| {
            Box::pin(async move {
                let sql = format!(
                    "UPDATE updates SET state = 'pushed', pushed_at = $1, changed_at = $1 WHERE id = $2 AND {OPEN}"
                );
                sql::query(sqlx::AssertSqlSafe(sql)).bind(now()).bind(id).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
}

/// The device tells how far it is; below zero it has failed.
pub(crate) async fn progress(
    store: &Store,
    device: i64,
    module: &str,
    step: i64,
    description: &str,
) -> Result<(), StoreError> {
    // 100 is said when the file is in place; that it runs, the next report of a version proves.
    let state = if step < 0 { "failed" } else { "running" };
    let (module, description) = (module.to_owned(), description.to_owned());
    store
        .write(move |db| {
            Box::pin(async move {
                let sql = format!(
                    "UPDATE updates SET state = $1, step = $2, description = $3, changed_at = $4
                    WHERE device_id = $5 AND module = $6 AND {OPEN}"
                );
                let query = sql::query(sqlx::AssertSqlSafe(sql)).bind(state).bind(step).bind(description);
                query.bind(now()).bind(device).bind(module).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
}
