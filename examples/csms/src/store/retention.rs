//! What is too old is deleted, a little at a time, so that nobody who writes waits long for it.

use std::time::Duration;

use sqlx::AnyConnection;

use super::{Store, StoreError};
use crate::config::Config;
use crate::time::now;

/// Rows of one delete; it shares its commit with the writes that wait.
const ROWS: i64 = 500;

/// Between two deletes, so that others come in between.
const PAUSE: Duration = Duration::from_millis(20);

/// Between two rounds.
const ROUND: Duration = Duration::from_mins(10);

/// A table, and the column that its rows' age is told by.
#[derive(Debug, Clone, Copy)]
struct Rule {
    table: &'static str,
    time: &'static str,
    days: u32,
}

impl Rule {
    const fn new(table: &'static str, time: &'static str, days: u32) -> Self {
        Self { table, time, days }
    }
}

/// Deletes what is too old, now and from time to time, for as long as it is polled.
pub async fn run(store: &Store, config: &Config) {
    let rules = [
        Rule::new("message_log", "logged_at", config.message_log_days),
        Rule::new("meter_values", "measured_at", config.meter_value_days),
    ];
    loop {
        // What has expired by itself, in place of an age.
        let expired = delete_all(store, "web_sessions", "expires_at", now()).await;
        let mut done = expired.map(|_| ());
        for rule in rules.iter().filter(|rule| rule.days > 0) {
            let limit = now().saturating_sub(i64::from(rule.days).saturating_mul(24 * 60 * 60 * 1000));
            done = done.and(delete_all(store, rule.table, rule.time, limit).await.map(|_| ()));
        }
        match done {
            Ok(()) | Err(StoreError::Closed) => {}
            Err(error) => tracing::warn!(%error, "what is too old could not be deleted; it is tried again later"),
        }
        tokio::time::sleep(ROUND).await;
    }
}

/// Deletes the rows from before `limit`; how many there were.
async fn delete_all(
    store: &Store,
    table: &'static str,
    time: &'static str,
    limit: i64,
) -> Result<u64, StoreError> {
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
    // A row's place in the file, which both databases know under names of their own, instead of a key, which not all of
    // the tables have.
    let place = if db.backend_name() == "SQLite" { "rowid" } else { "ctid" };
    let sql = format!(
        "DELETE FROM {table} WHERE {place} IN (SELECT {place} FROM {table} WHERE {time} < $1 ORDER BY {time} LIMIT $2)"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(limit).bind(ROWS);
    Ok(query.execute(&mut *db).await?.rows_affected())
}
