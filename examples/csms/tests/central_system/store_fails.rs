//! A database that fails for a while, and one that does for long. Where a table should be there is none, so that every
//! statement fails at once, on both databases.

use serde_json::{Value, json};

use crate::energy::shown;
use crate::support::{self, Csms};
use crate::{AT, LATER, start};

fn messages(id: i64) -> [(&'static str, Value); 3] {
    [
        ("StartTransaction", crate::start_of(2, "B", 5, AT)),
        (
            "MeterValues",
            json!({"connectorId": 1, "transactionId": id, "meterValue": [{"timestamp": AT, "sampledValue": [{"value": "700"}]}]}),
        ),
        ("StopTransaction", json!({"transactionId": id, "meterStop": 900, "timestamp": LATER, "idTag": "A"})),
    ]
}

const AWAY: &str = "ALTER TABLE transactions RENAME TO elsewhere";
const BACK: &str = "ALTER TABLE elsewhere RENAME TO transactions";

#[tokio::test]
async fn transaction_messages_wait_for_the_database_and_are_not_refused() {
    let data = tempfile::tempdir().unwrap();
    let mut csms = Csms::start_with(data.path(), &[], &[("RUST_LOG", "csms=warn")]).await;
    let mut db = support::look_into(data.path()).await;
    let mut station = csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 100, AT).await;
    for (action, payload) in messages(id) {
        sqlx::query(AWAY).execute(&mut db).await.unwrap();
        station.send(&json!([2, action, action, payload])).await;
        csms.logged("it waits for its answer").await;
        sqlx::query(BACK).execute(&mut db).await.unwrap();
        let answer = station.receive().await;
        assert_eq!((&answer[0], &answer[1]), (&json!(3), &json!(action)), "{answer}");
    }
    assert_eq!(shown(&csms, id).await["energyWh"], 800);
    // What is no transaction message may be refused.
    sqlx::query("ALTER TABLE id_tags RENAME TO elsewhere").execute(&mut db).await.unwrap();
    assert_eq!(station.try_call("Authorize", json!({"idTag": "A"})).await.unwrap_err()[2], "InternalError");
}

/// Also when it is not known whether the charge point was accepted.
#[tokio::test]
async fn after_20_s_the_connection_is_closed_and_what_was_sent_comes_again() {
    let data = tempfile::tempdir().unwrap();
    let csms = Csms::start_in(data.path(), &[]).await;
    let mut db = support::look_into(data.path()).await;
    let mut station = csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 100, AT).await;
    let mut newcomer = csms.booted("CP2").await;
    newcomer.close().await.unwrap();
    newcomer = csms.station("CP2").await;
    for table in ["transactions", "charge_points"] {
        let sql = format!("ALTER TABLE {table} RENAME TO {table}_elsewhere");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
    }
    let [started, _, stop] = messages(id);
    station.send(&json!([2, "stop", stop.0, stop.1])).await;
    newcomer.send(&json!([2, "start", started.0, started.1])).await;
    let (left, gone) = tokio::join!(station.leftovers_and_code(), newcomer.leftovers_and_code());
    let later = (Vec::new(), Some(1013));
    assert_eq!((left, gone), (later.clone(), later), "nothing is answered, and it is to try again later");
    for table in ["transactions", "charge_points"] {
        let sql = format!("ALTER TABLE {table}_elsewhere RENAME TO {table}");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
    }
    let mut station = csms.station("CP1").await;
    assert_eq!(station.call(stop.0, stop.1).await["idTagInfo"]["status"], "Accepted");
    assert_eq!(shown(&csms, id).await["energyWh"], 800);
    let mut newcomer = csms.station("CP2").await;
    assert!(newcomer.call(started.0, started.1).await["transactionId"].as_i64().unwrap() > id);
}
