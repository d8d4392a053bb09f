//! Desired properties: what the platform wants a device to have, with versions.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sqlx::AnyConnection;

use super::{Store, StoreError, json, sql};

/// Value and version by identifier.
pub(crate) type Desired = BTreeMap<String, (Value, i64)>;

/// What is desired of a device.
pub(crate) async fn all(store: &Store, device: i64) -> Result<Desired, StoreError> {
    let sql = "SELECT identifier, value, version FROM desired WHERE device_id = $1 AND value IS NOT NULL";
    let rows: Vec<(String, String, i64)> = sql::query_as(sql).bind(device).fetch_all(store.readers()).await?;
    rows.into_iter().map(|(identifier, value, version)| Ok((identifier, (json(&value)?, version)))).collect()
}

/// Changes what is desired; `null` takes it away. Each change gives the property its next version.
pub(crate) async fn change(store: &Store, device: i64, changes: Map<String, Value>) -> Result<(), StoreError> {
    store
        .write(move |db| {
            Box::pin(async move {
                for (identifier, value) in changes {
                    let value = (!value.is_null()).then(|| value.to_string());
                    set(db, device, identifier, value).await?;
                }
                Ok(())
            })
        })
        .await
}

async fn set(db: &mut AnyConnection, device: i64, identifier: String, value: Option<String>) -> Result<(), StoreError> {
    let sql = "INSERT INTO desired (device_id, identifier, value, version) VALUES ($1, $2, $3, 1)
        ON CONFLICT (device_id, identifier) DO UPDATE SET value = $3, version = desired.version + 1";
    sql::query(sql).bind(device).bind(identifier).bind(value).execute(&mut *db).await?;
    Ok(())
}

/// The device has done it: takes these away if their version is that, or whatever it is. Those that were taken away.
pub(crate) async fn delete(
    store: &Store,
    device: i64,
    wanted: Vec<(String, Option<i64>)>,
) -> Result<Vec<(String, i64)>, StoreError> {
    store
        .write(move |db| {
            Box::pin(async move {
                let mut deleted = Vec::new();
                for (identifier, version) in wanted {
                    let sql = "UPDATE desired SET value = NULL, version = version + 1
                        WHERE device_id = $1 AND identifier = $2 AND value IS NOT NULL
                        AND (CAST($3 AS BIGINT) IS NULL OR version = $3) RETURNING version";
                    let query = sql::query_scalar(sql).bind(device).bind(identifier.clone()).bind(version);
                    let version: Option<i64> = query.fetch_optional(&mut *db).await?;
                    deleted.extend(version.map(|version| (identifier, version)));
                }
                Ok(deleted)
            })
        })
        .await
}
