//! What the central system answers and keeps, on the wire. With `ONWIRE_TEST_DATABASE`, on a PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

#[path = "../support/mod.rs"]
mod support;

mod boot;
mod energy;
mod id_tags;
mod meter_values;
mod never_ending;
mod notifications;
mod reservations;
mod store_fails;
mod text;
mod transactions;

use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, FromRow};
use support::{Csms, Station, look_into};
use tempfile::TempDir;

/// The program, and a look into its database.
struct Served {
    csms: Csms,
    data: TempDir,
    db: AnyConnection,
}

async fn served(flags: &[&str]) -> Served {
    let (csms, data) = support::csms(flags).await;
    let db = look_into(data.path()).await;
    Served { csms, data, db }
}

impl Served {
    /// The only row that this gives.
    async fn row<T: for<'r> FromRow<'r, AnyRow> + Send + Unpin>(&mut self, sql: &str) -> T {
        let mut rows = self.rows(sql).await;
        assert_eq!(rows.len(), 1, "{sql}");
        rows.pop().unwrap()
    }

    async fn rows<T: for<'r> FromRow<'r, AnyRow> + Send + Unpin>(&mut self, sql: &str) -> Vec<T> {
        sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut self.db).await.unwrap()
    }

    async fn count(&mut self, what: &str) -> i64 {
        self.row::<(i64,)>(&format!("SELECT COUNT(*) FROM {what}")).await.0
    }

    /// What an operator would have done.
    async fn execute(&mut self, sql: &str) {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut self.db).await.unwrap();
    }

    /// Enters a tag.
    async fn enter(&mut self, id_tag: &str, status: &str, expiry: Option<i64>, parent: Option<&str>) {
        let sql = "INSERT INTO id_tags (folded, id_tag, status, expiry_at, parent_id_tag, created_at)
            VALUES ($1, $2, $3, $4, $5, 0)";
        let query = csms::store::sql::query(sql)
            .bind(id_tag.to_lowercase())
            .bind(id_tag.to_owned())
            .bind(status.to_owned())
            .bind(expiry)
            .bind(parent.map(str::to_owned));
        query.execute(&mut self.db).await.unwrap();
    }
}

const AT: &str = "2026-03-01T10:00:00Z";
const LATER: &str = "2026-03-01T11:00:00Z";

/// Milliseconds since 1970 of a time-stamp.
fn millis(timestamp: &str) -> i64 {
    onwire::types::DateTime::parse(timestamp).unwrap().unix_millis()
}

fn start_of(connector: i64, id_tag: &str, meter: i64, at: &str) -> Value {
    json!({"connectorId": connector, "idTag": id_tag, "meterStart": meter, "timestamp": at})
}

/// Starts a transaction: what the tag is worth, and the transaction's id.
async fn start(station: &mut Station, connector: i64, id_tag: &str, meter: i64, at: &str) -> (String, i64) {
    let answer = station.call("StartTransaction", start_of(connector, id_tag, meter, at)).await;
    let status = answer["idTagInfo"]["status"].as_str().unwrap().to_owned();
    (status, answer["transactionId"].as_i64().unwrap())
}

/// Reports a status.
async fn report(station: &mut Station, connector: i64, status: &str, at: &str) {
    let status = json!({"connectorId": connector, "status": status, "errorCode": "NoError", "timestamp": at});
    station.call("StatusNotification", status).await;
}
