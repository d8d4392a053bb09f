//! What is too old is deleted, a little at a time, so that nobody who writes waits long for it.

use std::time::Duration;

use sqlx::AnyConnection;

use super::{Store, StoreError, sql};
use crate::config::Config;
use crate::platform::upload;
use crate::time::now;

/// Rows of one delete; it shares its commit with the writes that wait.
const ROWS: i64 = 500;

/// Between two deletes, so that others come in between.
const PAUSE: Duration = Duration::from_millis(20);

/// Between two rounds.
const ROUND: Duration = Duration::from_mins(10);

/// Deletes what is too old, now and from time to time, for as long as it is polled. Last properties, desired ones, shadows
/// and tags stay.
pub(crate) async fn keep_for(store: &Store, config: &Config) {
    let rules = [("history", "received_at", config.history_days), ("log", "logged_at", config.log_days)];
    loop {
        for (table, time, days) in rules.into_iter().filter(|(.., days)| *days > 0) {
            let limit = now().saturating_sub(i64::from(days).saturating_mul(24 * 60 * 60 * 1000));
            if let Err(error) = delete_all(store, table, time, limit).await {
                tracing::warn!(%error, table, "what is too old could not be deleted; it is tried again later");
            }
        }
        if let Err(error) = upload::delete_old(store, &config.data, config.upload_days).await {
            tracing::warn!(%error, "old files of devices could not be deleted; it is tried again later");
        }
        tokio::time::sleep(ROUND).await;
    }
}

async fn delete_all(store: &Store, table: &'static str, time: &'static str, limit: i64) -> Result<u64, StoreError> {
    let mut all = 0;
    loop {
        let deleted = store.write(move |db| Box::pin(delete_some(db, table, time, limit))).await?;
        all += deleted;
        if deleted < ROWS.unsigned_abs() {
            return Ok(all);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn delete_some(
    db: &mut AnyConnection,
    table: &'static str,
    time: &'static str,
    limit: i64,
) -> Result<u64, StoreError> {
    // A row's place in the file, which each database knows under a name of its own: these tables have no key.
    let old = |place| format!("SELECT {place} FROM {table} WHERE {time} < $1 ORDER BY {time} LIMIT $2");
    let sql = match db.backend_name() {
        "PostgreSQL" => format!("DELETE FROM {table} WHERE ctid = ANY(ARRAY({}))", old("ctid")),
        _ => format!("DELETE FROM {table} WHERE rowid IN ({})", old("rowid")),
    };
    let query = sql::query(sqlx::AssertSqlSafe(sql)).bind(limit).bind(ROWS);
    Ok(query.execute(&mut *db).await?.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_too_old_goes_and_the_rest_stays() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}", data.path().join("hub.db").display())).await.unwrap();
        store
            .write(|db| {
                Box::pin(async move {
                    for at in 0..1201_i64 {
                        let sql = "INSERT INTO history (device_id, kind, identifier, data, time, received_at)
                            VALUES (1, 'event', 'x', '{}', 0, $1)";
                        sql::query(sql).bind(at).execute(&mut *db).await?;
                    }
                    Ok(())
                })
            })
            .await
            .unwrap();
        assert_eq!(delete_all(&store, "history", "received_at", 1101).await.unwrap(), 1101);
        let left: i64 = sql::query_scalar("SELECT COUNT(*) FROM history").fetch_one(store.readers()).await.unwrap();
        assert_eq!(left, 100);
        store.close().await;
    }
}
