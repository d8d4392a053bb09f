//! Meter values on their way into the database.

use csms::store::{Kind, MeterValue, Store};
use sqlx::Executor;

use super::store;

fn values(range: std::ops::Range<i64>) -> impl Iterator<Item = MeterValue> {
    range.map(|number| MeterValue {
        charge_point: "CP1".into(),
        connector: 1,
        transaction_id: Some(7),
        measured_at: number,
        context: Some("Sample.Periodic".into()),
        measurand: None,
        phase: Some("L1".into()),
        location: None,
        format: Some("Raw".into()),
        unit: Some("Wh".into()),
        value: format!("{number}.0"),
    })
}

async fn kept(store: &Store) -> Vec<(i64, String)> {
    let sql = "SELECT measured_at, value FROM meter_values WHERE transaction_id = 7 AND context = 'Sample.Periodic'
        AND measurand IS NULL AND phase = 'L1' AND location IS NULL AND format = 'Raw' AND unit = 'Wh' AND connector = 1
        AND charge_point = 'CP1' ORDER BY measured_at";
    sqlx::query_as(sql).fetch_all(store.readers()).await.unwrap()
}

fn expected(range: std::ops::Range<i64>) -> Vec<(i64, String)> {
    values(range).map(|value| (value.measured_at, value.value)).collect()
}

/// More than fit into one batch, or into the queue.
#[tokio::test]
async fn all_values_are_there_after_a_flush() {
    let (store, _data) = store().await;
    store.meter_values().push(values(0..2345)).await.unwrap();
    store.meter_values().flush().await.unwrap();
    assert_eq!(kept(&store).await, expected(0..2345));
    assert_eq!((store.meter_values().waiting(), store.meter_values().lost()), (0, 0));
}

#[tokio::test]
async fn values_are_written_within_a_second_without_a_flush() {
    let (store, _data) = store().await;
    let began = std::time::Instant::now();
    store.meter_values().push(values(0..3)).await.unwrap();
    while store.meter_values().waiting() > 0 {
        tokio::task::yield_now().await;
    }
    let took = began.elapsed();
    assert!((400..1000).contains(&took.as_millis()), "{took:?}");
    assert_eq!(kept(&store).await, expected(0..3));
}

#[tokio::test]
async fn values_that_wait_are_written_when_the_store_is_closed() {
    let (store, data) = store().await;
    store.meter_values().push(values(0..42)).await.unwrap();
    store.close().await;
    assert!(store.meter_values().push(values(42..43)).await.is_err());
    let again = Store::open(&super::support::database(data.path()).await).await.unwrap();
    assert_eq!(kept(&again).await, expected(0..42));
}

#[tokio::test]
async fn a_value_that_the_database_refuses_costs_no_other() {
    let (store, _data) = store().await;
    let mut all: Vec<_> = values(0..700).collect();
    // PostgreSQL has no text with NUL in it; SQLite takes everything, unless it is told otherwise.
    all[300].value = "\0".into();
    if store.kind() == Kind::Sqlite {
        let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON meter_values WHEN NEW.measured_at = 300
            BEGIN SELECT RAISE(ABORT, 'refused'); END";
        store.write(move |db| Box::pin(async move { Ok(db.execute(refuse).await.map(drop)?) })).await.unwrap();
    }
    store.meter_values().push(all).await.unwrap();
    store.meter_values().flush().await.unwrap();
    assert_eq!(kept(&store).await, [expected(0..300), expected(301..700)].concat());
    assert_eq!((store.meter_values().waiting(), store.meter_values().lost()), (0, 1));
}
