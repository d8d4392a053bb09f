//! Tags of devices.

use super::{Store, StoreError, sql};

pub(crate) async fn all(store: &Store, device: i64) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT attr_key, attr_value FROM tags WHERE device_id = $1 ORDER BY attr_key";
    Ok(sql::query_as(sql).bind(device).fetch_all(store.readers()).await?)
}

/// Sets tags, and takes away those without a value. Whether there are not too many then; if there are, nothing is changed.
pub(crate) async fn change(
    store: &Store,
    device: i64,
    tags: Vec<(String, Option<String>)>,
    most: i64,
) -> Result<bool, StoreError> {
    let change = store.write(move |db| {
        Box::pin(async move {
            for (key, value) in tags {
                let query = match value {
                    Some(value) => {
                        let sql = "INSERT INTO tags (device_id, attr_key, attr_value) VALUES ($1, $2, $3)
                            ON CONFLICT (device_id, attr_key) DO UPDATE SET attr_value = $3";
                        sql::query(sql).bind(device).bind(key).bind(value)
                    }
                    None => {
                        sql::query("DELETE FROM tags WHERE device_id = $1 AND attr_key = $2").bind(device).bind(key)
                    }
                };
                query.execute(&mut *db).await?;
            }
            let count = sql::query_scalar("SELECT COUNT(*) FROM tags WHERE device_id = $1").bind(device);
            let count: i64 = count.fetch_one(&mut *db).await?;
            if count > most { Err(StoreError::Corrupt(TOO_MANY)) } else { Ok(()) }
        })
    });
    match change.await {
        Ok(()) => Ok(true),
        Err(StoreError::Corrupt(TOO_MANY)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What takes a change back.
const TOO_MANY: &str = "too many tags";
