//! Meter values on their way into the database.

use std::time::Duration;

use csms::store::records::columns::Time;
use csms::store::{Kind, MeterValue, Sample, Store};
use sqlx::Executor;

use super::store;

pub(super) fn values(range: std::ops::Range<i64>) -> impl Iterator<Item = MeterValue> + Clone {
    range.map(|number| MeterValue {
        charge_point: "CP1".into(),
        connector: 1,
        transaction_id: Some(7),
        measured_at: Time(number),
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
    values(range).map(|value| (value.measured_at.0, value.value)).collect()
}

/// More than fit into one batch, or into the queue.
#[tokio::test]
async fn all_values_are_there_after_a_flush() {
    let (store, _data) = store().await;
    store.meter_values().push(Sample::of_message(values(0..2345))).await.unwrap();
    store.meter_values().flush().await.unwrap();
    assert_eq!(kept(&store).await, expected(0..2345));
    assert_eq!((store.meter_values().waiting(), store.meter_values().lost()), (0, 0));
}

/// On a clock that goes on when everybody waits: what waits is written in its time, by nobody's order, and what comes later is
/// another batch.
#[tokio::test]
async fn values_are_written_after_half_a_second_without_a_flush() {
    let (store, _data) = store().await;
    let before = store.numbers().commits.get();
    let push = async |range| store.meter_values().push(Sample::of_message(values(range))).await.unwrap();
    tokio::time::pause();
    push(0..3).await;
    tokio::time::sleep(Duration::from_millis(450)).await;
    push(3..4).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    // The database has its own time.
    tokio::time::resume();
    push(4..5).await;
    store.meter_values().flush().await.unwrap();
    assert_eq!(store.numbers().commits.get() - before, 2, "four by their time, and one by the flush");
    assert_eq!(kept(&store).await, expected(0..5));
}

#[tokio::test]
async fn values_that_wait_are_written_when_the_store_is_closed() {
    let (store, data) = store().await;
    store.meter_values().push(Sample::of_message(values(0..42))).await.unwrap();
    store.close().await;
    assert!(store.meter_values().push(Sample::of_message(values(42..43))).await.is_err());
    let again = Store::open(&super::support::database(data.path()).await).await.unwrap();
    assert_eq!(kept(&again).await, expected(0..42));
}

#[tokio::test]
async fn a_value_that_the_database_refuses_costs_no_other() {
    let (store, _data) = store().await;
    let all: Vec<_> = values(0..700).collect();
    let refuse = match store.kind() {
        Kind::Sqlite => {
            "CREATE TRIGGER refuse BEFORE INSERT ON meter_values WHEN NEW.measured_at = 300
                BEGIN SELECT RAISE(ABORT, 'refused'); END"
        }
        Kind::Postgres => "ALTER TABLE meter_values ADD CHECK (measured_at <> 300)",
    };
    store.write(move |db| Box::pin(async move { Ok(db.execute(refuse).await.map(drop)?) })).await.unwrap();
    store.meter_values().push(Sample::of_message(all)).await.unwrap();
    store.meter_values().flush().await.unwrap();
    assert_eq!(kept(&store).await, [expected(0..300), expected(301..700)].concat());
    assert_eq!((store.meter_values().waiting(), store.meter_values().lost()), (0, 1));
}

#[tokio::test]
async fn a_value_that_comes_again_is_there_once() {
    let (store, _data) = store().await;
    let all: Vec<_> = values(0..700).collect();
    // Twice within one message, as of phases that are not named: both are there.
    let twice: Vec<_> = all.iter().chain(&all).cloned().collect();
    for message in [&all, &twice, &all, &twice] {
        store.meter_values().push(Sample::of_message(message.iter().cloned())).await.unwrap();
    }
    store.meter_values().flush().await.unwrap();
    let (mut found, mut wanted) = (kept(&store).await, [expected(0..700), expected(0..700)].concat());
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    // Whatever differs is another value.
    let first = all[0].clone();
    let others = [
        MeterValue { connector: 2, ..first.clone() },
        MeterValue { transaction_id: None, ..first.clone() },
        MeterValue { context: None, ..first.clone() },
        MeterValue { context: None, measurand: first.context.clone(), ..first.clone() },
        MeterValue { phase: Some("L2".into()), ..first.clone() },
        MeterValue { location: Some(String::new()), ..first.clone() },
        MeterValue { format: None, ..first.clone() },
        MeterValue { unit: Some("kWh".into()), ..first.clone() },
        MeterValue { value: "0.00".into(), ..first.clone() },
        MeterValue { charge_point: "CP2".into(), ..first },
    ];
    for other in others.clone().into_iter().chain(others) {
        store.meter_values().push(Sample::of_message([other])).await.unwrap();
    }
    store.meter_values().flush().await.unwrap();
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM meter_values").fetch_one(store.readers()).await.unwrap();
    assert_eq!((count, store.meter_values().lost()), (1410, 0));
}
