//! What is too old is deleted, a little at a time, so that nobody who writes waits long for it.

use std::time::Duration;

use sqlx::AnyConnection;

use super::{Store, StoreError, sql};
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
pub async fn keep_for(store: &Store, config: &Config) {
    let rules = rules(config);
    loop {
        if let Err(error) = round(store, &rules).await {
            tracing::warn!(%error, "what is too old could not be deleted; it is tried again later");
        }
        tokio::time::sleep(ROUND).await;
    }
}

fn rules(config: &Config) -> [Rule; 4] {
    [
        Rule::new("message_log", "logged_at", config.message_log_days),
        Rule::new("meter_values", "received_at", config.meter_value_days),
        Rule::new("audit_log", "at", config.audit_log_days),
        Rule::new("security_events", "received_at", config.security_event_days),
    ]
}

async fn round(store: &Store, rules: &[Rule]) -> Result<(), StoreError> {
    // What says by itself when it expires.
    delete_all(store, "web_sessions", "expires_at", now()).await?;
    for rule in rules.iter().filter(|rule| rule.days > 0) {
        let age = i64::from(rule.days).saturating_mul(24 * 60 * 60 * 1000);
        delete_all(store, rule.table, rule.time, now().saturating_sub(age)).await?;
    }
    Ok(())
}

/// Deletes the rows from before `limit`; how many there were.
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
    // A row's place in the file, which each database knows under a name of its own, instead of a key, which not all of the
    // tables have. PostgreSQL goes straight to such a place if it comes from an array.
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
    use crate::store::records::columns::Time;
    use crate::store::{MeterValue, Sample};

    #[tokio::test]
    async fn what_is_too_old_goes_and_the_rest_stays() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}", data.path().join("csms.db").display())).await.unwrap();
        let value = MeterValue {
            charge_point: "CP1".into(),
            connector: 1,
            transaction_id: None,
            // What the charge point says of the time does not count.
            measured_at: Time(0),
            context: None,
            measurand: None,
            phase: None,
            location: None,
            format: None,
            unit: None,
            value: "1".into(),
        };
        store.meter_values().push(Sample::of_message((0..1201).map(|_| value.clone()))).await.unwrap();
        store.meter_values().flush().await.unwrap();
        let age = "UPDATE meter_values SET received_at = received_at - 86400001 WHERE rowid > 100";
        store.write(move |db| Box::pin(async move { Ok(sql::query(age).execute(&mut *db).await?) })).await.unwrap();
        let rule = Rule::new("meter_values", "received_at", 0);
        let left = async || -> i64 {
            let count = sql::query_scalar("SELECT COUNT(*) FROM meter_values");
            count.fetch_one(store.readers()).await.unwrap()
        };
        round(&store, &[rule]).await.unwrap();
        assert_eq!(left().await, 1201, "0 days are for ever");
        round(&store, &[Rule { days: 1, ..rule }]).await.unwrap();
        assert_eq!(left().await, 100);
        store.close().await;
    }

    #[tokio::test]
    async fn each_log_has_an_age_of_its_own() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}", data.path().join("csms.db").display())).await.unwrap();
        async fn fill(db: &mut AnyConnection) -> Result<(), StoreError> {
            for days in [1, 4, 6, 1099, 1101] {
                for sql in [
                    "INSERT INTO audit_log (id, at, actor, action, target, detail, outcome)
                        VALUES ($1, $2, '', '', '', '', '')",
                    "INSERT INTO security_events (id, happened_at, charge_point, kind, received_at)
                        VALUES ($1, 0, '', '', $2)",
                ] {
                    let at = now() - days * 24 * 60 * 60 * 1000;
                    sql::query(sql).bind(days).bind(at).execute(&mut *db).await?;
                }
            }
            Ok(())
        }
        store.write(|db| Box::pin(fill(db))).await.unwrap();
        let left = async |table| -> Vec<i64> {
            let sql = sqlx::AssertSqlSafe(format!("SELECT id FROM {table} ORDER BY id"));
            sql::query_scalar(sql).fetch_all(store.readers()).await.unwrap()
        };
        let config = |flags: &[&str]| {
            let arguments = ["csms"].iter().chain(flags);
            <crate::config::Arguments as clap::Parser>::parse_from(arguments).into_config().unwrap().0
        };
        round(&store, &rules(&config(&["--audit-log-days", "0"]))).await.unwrap();
        assert_eq!(left("audit_log").await, [1, 4, 6, 1099, 1101]);
        assert_eq!(left("security_events").await, [1, 4, 6, 1099]);
        round(&store, &rules(&config(&["--audit-log-days", "5", "--security-event-days", "2"]))).await.unwrap();
        assert_eq!((left("audit_log").await, left("security_events").await), (vec![1, 4], vec![1]));
        store.close().await;
    }
}
