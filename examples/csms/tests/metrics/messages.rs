//! The message log.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection, Executor};

use crate::support::{Csms, csms, is_sqlite, look_into};
use crate::{metrics, value};

#[derive(Debug, sqlx::FromRow)]
struct Logged {
    id: i64,
    charge_point: String,
    direction: String,
    kind: String,
    message_id: String,
    action: Option<String>,
    error_code: Option<String>,
    elapsed_ms: Option<i64>,
    text: String,
}

/// All of it, oldest first.
async fn logged(data: &Path) -> Vec<Logged> {
    let mut db = look_into(data).await;
    let sql = "SELECT id, charge_point, direction, kind, message_id, action, error_code, elapsed_ms, text
        FROM message_log ORDER BY id";
    let rows = sqlx::query_as(sql).fetch_all(&mut db).await.unwrap();
    db.close().await.unwrap();
    rows
}

#[tokio::test]
async fn messages_are_kept_in_order_without_secrets_and_their_ids_are_never_used_again() {
    let (csms, data) = csms(&[]).await;
    let mut station = csms.station("CP1").await;
    let secret = json!({"key": "AuthorizationKey", "value": "00112233445566778899"});
    station.send(&json!([2, "key", "ChangeConfiguration", secret])).await;
    let refusal: Value = station.receive().await;
    let code = refusal[2].as_str().unwrap().to_owned();
    station.close().await.unwrap();
    csms.stop().await;
    let first = logged(data.path()).await;
    let [call, answer] = &*first else { panic!("{first:?}") };
    assert_eq!((&*call.charge_point, &*call.direction, &*call.kind), ("CP1", "received", "call"));
    assert_eq!((&*call.message_id, call.action.as_deref()), ("key", Some("ChangeConfiguration")));
    assert!(call.text.contains(r#""value":"***""#) && call.elapsed_ms.is_none(), "{call:?}");
    assert_eq!((&*answer.direction, &*answer.kind, &*answer.message_id), ("sent", "error", "key"));
    assert_eq!(answer.action.as_deref(), Some("ChangeConfiguration"));
    assert!(answer.elapsed_ms.is_some() && answer.id > call.id);
    // 1.6 has a spelling of its own for some of them; the log has the words of all versions.
    assert_eq!(answer.error_code.as_deref(), Some(&*code));

    let csms = Csms::start_in(data.path(), &[]).await;
    csms.station("CP1").await.try_call("Heartbeat", json!({})).await.ok();
    csms.stop().await;
    let all = logged(data.path()).await;
    assert!(all.len() > first.len() && all[first.len()].id > answer.id, "{all:?}");
}

/// Somebody else holds the database, so that nothing can be written.
#[tokio::test]
async fn no_charge_point_waits_for_the_log_and_what_it_lacks_is_counted() {
    if !is_sqlite() {
        return;
    }
    let (csms, data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let mut other = look_into(data.path()).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    // More than the log takes before it is written.
    let long = "x".repeat(1_000_000);
    let began = Instant::now();
    for _ in 0..20 {
        let heartbeat = json!([2, "1", "Heartbeat", {"padding": long}]);
        station.send(&heartbeat).await;
        station.receive().await;
    }
    // By far less than the database is waited for.
    let took = began.elapsed();
    other.execute("ROLLBACK").await.unwrap();
    other.close().await.unwrap();
    assert!(took < Duration::from_secs(9), "{took:?}");
    let metrics = metrics(&csms).await;
    let dropped = value(&metrics, "csms_message_log_dropped_total").unwrap();
    assert!((1.0..20.0).contains(&dropped), "{dropped}");
}
