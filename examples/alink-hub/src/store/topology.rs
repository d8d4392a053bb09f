//! Which sub-devices are behind which gateway: a sub-device is behind one at the most.

use sqlx::AnyConnection;

use super::devices::Device;
use super::{Store, StoreError, sql};
use crate::time::now;

/// A relation, with the device on its other side.
#[derive(Debug, Clone)]
pub(crate) struct Related {
    pub(crate) device: Device,
    /// In milliseconds since 1970.
    pub(crate) since: i64,
}

type Row = (i64, String, String, i64);

fn related((id, product_key, device_name, since): Row) -> Related {
    Related { device: Device { id, product_key, device_name }, since }
}

/// The gateway of a sub-device.
pub(crate) async fn gateway(store: &Store, device: i64) -> Result<Option<Related>, StoreError> {
    let sql = "SELECT devices.id, product_key, device_name, since FROM topology
        JOIN devices ON devices.id = topology.gateway_id WHERE topology.device_id = $1";
    let row: Option<Row> = sql::query_as(sql).bind(device).fetch_optional(store.readers()).await?;
    Ok(row.map(related))
}

/// The sub-devices of a gateway, the oldest devices first.
pub(crate) async fn sub_devices(store: &Store, gateway: i64) -> Result<Vec<Related>, StoreError> {
    let sql = "SELECT devices.id, product_key, device_name, since FROM topology
        JOIN devices ON devices.id = topology.device_id WHERE topology.gateway_id = $1 ORDER BY devices.id";
    let rows: Vec<Row> = sql::query_as(sql).bind(gateway).fetch_all(store.readers()).await?;
    Ok(rows.into_iter().map(related).collect())
}

/// Puts devices behind a gateway, wherever they were before. Whether there are not too many then; if there are, nothing is changed.
pub(crate) async fn add(store: &Store, gateway: i64, devices: Vec<i64>, most: i64) -> Result<bool, StoreError> {
    let added = store.write(move |db| {
        Box::pin(async move {
            for device in devices {
                let sql = "INSERT INTO topology (device_id, gateway_id, since) VALUES ($1, $2, $3)
                    ON CONFLICT (device_id) DO UPDATE SET gateway_id = $2, since = $3 WHERE topology.gateway_id <> $2";
                sql::query(sql).bind(device).bind(gateway).bind(now()).execute(&mut *db).await?;
            }
            let count = sql::query_scalar("SELECT COUNT(*) FROM topology WHERE gateway_id = $1").bind(gateway);
            let count: i64 = count.fetch_one(&mut *db).await?;
            if count > most { Err(StoreError::Corrupt(TOO_MANY)) } else { Ok(()) }
        })
    });
    match added.await {
        Ok(()) => Ok(true),
        Err(StoreError::Corrupt(TOO_MANY)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What takes a change back.
const TOO_MANY: &str = "too many sub-devices";

/// Takes a device from behind a gateway; whether it was there.
pub(crate) async fn remove(store: &Store, gateway: i64, device: i64) -> Result<bool, StoreError> {
    store
        .write(move |db| {
            Box::pin(async move {
                let sql = "DELETE FROM topology WHERE gateway_id = $1 AND device_id = $2";
                Ok(sql::query(sql).bind(gateway).bind(device).execute(&mut *db).await?.rows_affected() > 0)
            })
        })
        .await
}

/// Forgets a device that is deleted, on either side.
pub(super) async fn forget(db: &mut AnyConnection, device: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM topology WHERE device_id = $1 OR gateway_id = $1";
    sql::query(sql).bind(device).execute(&mut *db).await?;
    Ok(())
}
