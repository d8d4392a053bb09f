//! Devices.

use sqlx::AnyConnection;

use super::{Store, StoreError, sql};
use crate::security::seal::Seal;
use crate::time::now;

/// Which device: its row, and its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Device {
    pub(crate) id: i64,
    pub(crate) product_key: String,
    pub(crate) device_name: String,
}

/// What a device logs in with.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) device: Device,
    pub(crate) secret: String,
    /// Of a device that was not known before it registered: client id and token.
    pub(crate) token: Option<(String, String)>,
    pub(crate) disabled: bool,
    pub(crate) activated: bool,
}

/// A device as the REST interface shows it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Shown {
    pub(crate) id: i64,
    pub(crate) product_key: String,
    pub(crate) device_name: String,
    pub(crate) disabled: i64,
    pub(crate) activated_at: Option<i64>,
    pub(crate) online_at: Option<i64>,
    pub(crate) offline_at: Option<i64>,
    pub(crate) created_at: i64,
}

impl Shown {
    pub(crate) fn into_device(self) -> Device {
        let Self { id, product_key, device_name, .. } = self;
        Device { id, product_key, device_name }
    }
}

const COLUMNS: &str = "id, product_key, device_name, disabled, activated_at, online_at, offline_at, created_at";

type Row = (i64, String, Option<String>, Option<String>, i64, Option<i64>);

/// Bound to the device's name, not to its row, which is not known yet when a secret is sealed.
fn place(product_key: &str, device_name: &str) -> String {
    format!("device/{product_key}/{device_name}")
}

pub(crate) async fn credentials(
    store: &Store,
    seal: &Seal,
    product_key: &str,
    device_name: &str,
) -> Result<Option<Credentials>, StoreError> {
    let sql = "SELECT id, device_secret, client_id, device_token, disabled, activated_at FROM devices
        WHERE product_key = $1 AND device_name = $2";
    let query = sql::query_as(sql).bind(product_key).bind(device_name);
    let row: Option<Row> = query.fetch_optional(store.readers()).await?;
    let Some((id, secret, client_id, token, disabled, activated_at)) = row else { return Ok(None) };
    let place = place(product_key, device_name);
    let token = token.map(|token| seal.open_text(&place, &token)).transpose()?;
    Ok(Some(Credentials {
        device: Device { id, product_key: product_key.to_owned(), device_name: device_name.to_owned() },
        secret: seal.open_text(&place, &secret)?,
        token: client_id.zip(token),
        disabled: disabled != 0,
        activated: activated_at.is_some(),
    }))
}

/// Enters a device; `None` if there is one of that name.
pub(crate) async fn add(
    store: &Store,
    seal: &Seal,
    product_key: &str,
    device_name: &str,
    secret: &str,
) -> anyhow::Result<Option<Device>> {
    let sealed = seal.seal(&place(product_key, device_name), secret)?;
    let mut device = Device { id: 0, product_key: product_key.to_owned(), device_name: device_name.to_owned() };
    let row = device.clone();
    let id: Option<i64> = store
        .write(|db| {
            Box::pin(async move {
                // Never one that a deleted device had, of which something may still be under way.
                let sql = "INSERT INTO counters (name, value) VALUES ('devices', 1)
                    ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value";
                let id: i64 = sql::query_scalar(sql).fetch_one(&mut *db).await?;
                let sql = "INSERT INTO devices (id, product_key, device_name, device_secret, created_at)
                    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (product_key, device_name) DO NOTHING RETURNING id";
                let query = sql::query_scalar(sql).bind(id).bind(row.product_key).bind(row.device_name).bind(sealed);
                Ok(query.bind(now()).fetch_optional(&mut *db).await?)
            })
        })
        .await?;
    Ok(id.map(|id| {
        device.id = id;
        device
    }))
}

/// Gives a device the token that it logs in with instead of a signature.
pub(crate) async fn set_token(
    store: &Store,
    seal: &Seal,
    device: &Device,
    client_id: &str,
    token: &str,
) -> anyhow::Result<()> {
    let sealed = seal.seal(&place(&device.product_key, &device.device_name), token)?;
    let (id, client_id) = (device.id, client_id.to_owned());
    let write = store.write(move |db| {
        Box::pin(async move {
            let sql = "UPDATE devices SET client_id = $1, device_token = $2 WHERE id = $3";
            sql::query(sql).bind(client_id).bind(sealed).bind(id).execute(&mut *db).await?;
            Ok(())
        })
    });
    write.await?;
    Ok(())
}

/// Notes that a device has logged in for the first time.
pub(crate) async fn activate(store: &Store, id: i64) -> Result<(), StoreError> {
    set_time(store, id, "UPDATE devices SET activated_at = COALESCE(activated_at, $1) WHERE id = $2").await
}

/// Forgets that a device has ever logged in, so that it may be registered anew.
pub(crate) async fn deactivate(store: &Store, id: i64) -> Result<(), StoreError> {
    store
        .write(move |db| {
            Box::pin(async move {
                sql::query("UPDATE devices SET activated_at = NULL WHERE id = $1").bind(id).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
}

/// Notes that a device came or went.
pub(crate) async fn seen(store: &Store, id: i64, online: bool) -> Result<(), StoreError> {
    let sql = match online {
        true => "UPDATE devices SET online_at = $1 WHERE id = $2",
        false => "UPDATE devices SET offline_at = $1 WHERE id = $2",
    };
    set_time(store, id, sql).await
}

async fn set_time(store: &Store, id: i64, sql: &'static str) -> Result<(), StoreError> {
    store
        .write(move |db| {
            Box::pin(async move {
                sql::query(sql).bind(now()).bind(id).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
}

pub(crate) async fn find(store: &Store, product_key: &str, device_name: &str) -> Result<Option<Shown>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM devices WHERE product_key = $1 AND device_name = $2");
    let query = sql::query_as(sqlx::AssertSqlSafe(sql)).bind(product_key).bind(device_name);
    Ok(query.fetch_optional(store.readers()).await?)
}

/// Devices in order of product and name, after that one.
pub(crate) async fn list(
    store: &Store,
    product_key: Option<&str>,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<Shown>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM devices WHERE (CAST($1 AS TEXT) IS NULL OR product_key = $1) AND id > $2 ORDER BY id LIMIT $3"
    );
    let query = sql::query_as(sqlx::AssertSqlSafe(sql)).bind(product_key.map(str::to_owned));
    Ok(query.bind(after.unwrap_or(0)).bind(limit).fetch_all(store.readers()).await?)
}

pub(crate) async fn set_disabled(store: &Store, id: i64, disabled: bool) -> Result<(), StoreError> {
    store
        .write(move |db| {
            Box::pin(async move {
                let sql = "UPDATE devices SET disabled = $1 WHERE id = $2";
                sql::query(sql).bind(i64::from(disabled)).bind(id).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
}

/// Deletes a device and everything that is known of it.
pub(crate) async fn remove(store: &Store, id: i64) -> Result<(), StoreError> {
    store.write(move |db| Box::pin(remove_all(db, id))).await
}

/// Whether the device is to upload its log.
pub(crate) async fn uploads_log(store: &Store, id: i64) -> Result<bool, StoreError> {
    let query = sql::query_scalar::<i64>("SELECT uploads_log FROM devices WHERE id = $1").bind(id);
    Ok(query.fetch_optional(store.readers()).await?.unwrap_or(1) != 0)
}

pub(crate) async fn set_uploads_log(store: &Store, id: i64, uploads: bool) -> Result<(), StoreError> {
    store
        .write(move |db| {
            Box::pin(async move {
                let sql = "UPDATE devices SET uploads_log = $1 WHERE id = $2";
                sql::query(sql).bind(i64::from(uploads)).bind(id).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
}

async fn remove_all(db: &mut AnyConnection, id: i64) -> Result<(), StoreError> {
    for table in ["properties", "history", "desired", "shadows", "tags", "modules", "updates", "uploads"] {
        let sql = format!("DELETE FROM {table} WHERE device_id = $1");
        sql::query(sqlx::AssertSqlSafe(sql)).bind(id).execute(&mut *db).await?;
    }
    super::topology::forget(db, id).await?;
    sql::query("DELETE FROM devices WHERE id = $1").bind(id).execute(&mut *db).await?;
    Ok(())
}
