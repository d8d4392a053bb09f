use serde_json::{Value, json};

use crate::support::Csms;
use crate::{AT, LATER, Served, millis, report, served, start, start_of};

#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
struct Row {
    stopped_at: Option<i64>,
    stop_meter: Option<i64>,
    stop_reason: Option<String>,
    estimated: i64,
}

async fn transaction(served: &mut Served, id: i64) -> Row {
    served
        .row(&format!("SELECT stopped_at, stop_meter, stop_reason, estimated FROM transactions WHERE id = {id}"))
        .await
}

fn stop_of(id: i64, meter: i64, at: &str) -> Value {
    json!({"transactionId": id, "meterStop": meter, "timestamp": at, "reason": "Local", "idTag": "A"})
}

#[tokio::test]
async fn the_same_start_under_another_message_id_is_the_same_transaction() {
    let mut served = served(&[]).await;
    served.enter("A", "Accepted", None, Some("P")).await;
    let mut station = served.csms.booted("CP1").await;
    let first = station.call("StartTransaction", start_of(1, "A", 5, AT)).await;
    assert_eq!(first["idTagInfo"], json!({"status": "Accepted", "parentIdTag": "P"}));
    assert_eq!(station.call("StartTransaction", start_of(1, "a", 5, AT)).await, first);
    assert_eq!(served.count("transactions").await, 1);
    // Also after another connection, a restart of the server, and its stop.
    let Served { csms, data, .. } = served;
    csms.kill().await;
    let csms = Csms::start_in(data.path(), &[]).await;
    let mut station = csms.station("CP1").await;
    assert_eq!(station.call("StartTransaction", start_of(1, "A", 5, AT)).await, first);
    let id = first["transactionId"].as_i64().unwrap();
    let stopped = station.call("StopTransaction", stop_of(id, 9, LATER)).await;
    assert_eq!(station.call("StartTransaction", start_of(1, "A", 5, AT)).await, first);
    assert_eq!(station.call("StopTransaction", stop_of(id, 9, LATER)).await, stopped);
    // What differs in anything is another transaction.
    for other in [start_of(2, "A", 5, AT), start_of(1, "B", 5, AT), start_of(1, "A", 6, AT), start_of(1, "A", 5, LATER)]
    {
        assert_ne!(station.call("StartTransaction", other).await["transactionId"], first["transactionId"]);
    }
    let mut other = csms.booted("CP2").await;
    assert_ne!(other.call("StartTransaction", start_of(1, "A", 5, AT)).await["transactionId"], first["transactionId"]);
}

#[tokio::test]
async fn a_clock_that_starts_anew_makes_another_transaction_once_the_older_one_is_long_over() {
    let mut served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    let (_, first) = start(&mut station, 1, "A", 0, "1970-01-01T00:00:10Z").await;
    station.call("StopTransaction", stop_of(first, 9, "1970-01-01T00:10:00Z")).await;
    served.execute("UPDATE transactions SET stop_received_at = stop_received_at - 3600000").await;
    let (_, second) = start(&mut station, 1, "A", 0, "1970-01-01T00:00:10Z").await;
    assert!(second > first);
}

#[tokio::test]
async fn a_repeated_stop_changes_nothing() {
    let mut served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 0, AT).await;
    let mut stop = stop_of(id, 900, LATER);
    stop["transactionData"] = json!([{"timestamp": LATER, "sampledValue": [{"value": "900"}]}]);
    let answer = station.call("StopTransaction", stop.clone()).await;
    assert_eq!(answer, json!({"idTagInfo": {"status": "Accepted"}}));
    assert_eq!(station.call("StopTransaction", stop.clone()).await, answer);
    stop["meterStop"] = json!(901);
    assert_eq!(station.call("StopTransaction", stop).await, answer);
    let row = transaction(&mut served, id).await;
    assert_eq!((row.stop_meter, row.stopped_at, row.estimated), (Some(900), Some(millis(LATER)), 0));
    assert_eq!(served.count("meter_values").await, 1);
    assert_eq!(served.count("unknown_stops").await, 0);
}

/// OCPP 1.6 errata §3.18.
#[tokio::test]
async fn stops_of_no_known_transaction_are_answered_and_kept_once_each() {
    let mut served = served(&[]).await;
    let mut one = served.csms.booted("CP1").await;
    let mut two = served.csms.booted("CP2").await;
    let (_, foreign) = start(&mut two, 1, "A", 0, AT).await;
    for (id, meter) in [(-1, 5), (-1, 5), (-1, 6), (0, 5), (4711, 5), (4711, 5), (foreign, 5)] {
        let answer = one.call("StopTransaction", stop_of(id, meter, LATER)).await;
        assert_eq!(answer, json!({"idTagInfo": {"status": "Accepted"}}));
    }
    assert_eq!(served.count("unknown_stops WHERE transaction_id = -1").await, 2);
    assert_eq!(served.count("unknown_stops").await, 5);
    assert_eq!(transaction(&mut served, foreign).await.stopped_at, None, "another charge point's is not touched");
}

#[tokio::test]
async fn a_reason_beyond_1_6_is_kept_as_it_was_sent() {
    let mut served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 0, AT).await;
    let mut stop = stop_of(id, 3, LATER);
    stop["reason"] = json!("EnergyLimitReached");
    station.call("StopTransaction", stop).await;
    assert_eq!(transaction(&mut served, id).await.stop_reason.as_deref(), Some("EnergyLimitReached"));
}

#[tokio::test]
async fn a_connector_that_is_available_has_no_transaction_and_a_late_stop_puts_the_estimate_right() {
    let mut served = served(&[]).await;
    served.enter("A", "Accepted", None, None).await;
    let mut station = served.csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 100, AT).await;
    let (_, other) = start(&mut station, 2, "B", 100, AT).await;
    let values = json!({"connectorId": 1, "transactionId": id, "meterValue": [
        {"timestamp": "2026-03-01T10:30:00Z", "sampledValue": [{"value": "0.75", "unit": "kWh"}]}]});
    station.call("MeterValues", values).await;
    // A status from before the start, one of another connector, and one of the whole charge point show nothing.
    report(&mut station, 1, "Available", "2026-03-01T09:59:59Z").await;
    report(&mut station, 0, "Available", LATER).await;
    report(&mut station, 3, "Available", LATER).await;
    assert_eq!(transaction(&mut served, id).await.stopped_at, None);
    report(&mut station, 1, "Available", LATER).await;
    let row = transaction(&mut served, id).await;
    assert_eq!((row.stopped_at, row.stop_meter, row.estimated), (Some(millis(LATER)), Some(750), 1));
    assert_eq!(transaction(&mut served, other).await.stopped_at, None);
    // Its driver is not locked out.
    let (status, next) = start(&mut station, 3, "A", 0, LATER).await;
    assert_eq!(status, "Accepted");
    // Later values better the estimate, and the stop ends it.
    let values = json!({"connectorId": 1, "transactionId": id, "meterValue": [
        {"timestamp": "2026-03-01T10:50:00Z", "sampledValue": [{"value": "800"}]}]});
    station.call("MeterValues", values).await;
    assert_eq!(transaction(&mut served, id).await.stop_meter, Some(800));
    station.call("StopTransaction", stop_of(id, 820, "2026-03-01T10:55:00Z")).await;
    let row = transaction(&mut served, id).await;
    assert_eq!(row.stopped_at, Some(millis("2026-03-01T10:55:00Z")));
    assert_eq!((row.stop_meter, row.stop_reason.as_deref(), row.estimated), (Some(820), Some("Local"), 0));
    assert_eq!(transaction(&mut served, next).await.stopped_at, None);
}

#[tokio::test]
async fn a_start_on_a_connector_ends_the_transaction_whose_stop_was_lost() {
    let mut served = served(&[]).await;
    served.enter("A", "Accepted", None, None).await;
    let mut station = served.csms.booted("CP1").await;
    let (_, lost) = start(&mut station, 1, "A", 100, AT).await;
    let (status, next) = start(&mut station, 1, "A", 200, LATER).await;
    assert_eq!(status, "Accepted", "nobody is locked out");
    let row = transaction(&mut served, lost).await;
    assert_eq!((row.stopped_at, row.stop_meter, row.estimated), (Some(millis(LATER)), Some(100), 1));
    assert_eq!(transaction(&mut served, next).await.stopped_at, None);
    // A repetition of the lost one's start does not begin it anew.
    assert_eq!(start(&mut station, 1, "A", 100, AT).await.1, lost);
    assert_eq!(transaction(&mut served, next).await.stopped_at, None);
    assert_eq!(served.count("transactions").await, 2);
}

#[tokio::test]
async fn what_makes_no_sense_is_answered() {
    let served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    let strange = json!({"connectorId": -7, "idTag": "\u{0}", "meterStart": i64::MIN, "timestamp": "0001-01-01T00:00:00Z",
        "reservationId": -3});
    let id = station.call("StartTransaction", strange).await["transactionId"].as_i64().unwrap();
    let values = json!({"connectorId": 99, "transactionId": 123_456, "meterValue": [
        {"timestamp": AT, "sampledValue": [{"value": "", "measurand": "Fluff\u{0}", "unit": "%%", "phase": "?"}]}]});
    assert_eq!(station.call("MeterValues", values).await, json!({}));
    let stop = json!({"transactionId": id, "meterStop": i64::MAX, "timestamp": "0001-01-01T00:00:00Z"});
    assert_eq!(station.call("StopTransaction", stop).await, json!({}));
}

#[tokio::test]
async fn numbers_begin_where_they_are_told_to_and_never_go_back() {
    let mut served = served(&["--first-transaction-id", "5000"]).await;
    let mut station = served.csms.booted("CP1").await;
    assert_eq!(start(&mut station, 1, "A", 0, AT).await.1, 5000);
    // The charge point knows its number.
    crate::energy::register(&mut station, Some(5000), AT, json!({"value": "3"})).await;
    // Of a transaction that the server before this one has begun.
    assert_eq!(station.call("StopTransaction", stop_of(1, 5, LATER)).await["idTagInfo"]["status"], "Accepted");
    assert_eq!(transaction(&mut served, 5000).await.stopped_at, None);
    drop(station);
    served.csms.stop().await;
    for (flags, number) in [(&["--first-transaction-id", "17"][..], 5001), (&[], 5002)] {
        let csms = Csms::start_in(served.data.path(), flags).await;
        let mut station = csms.booted("CP1").await;
        assert_eq!(start(&mut station, 1, "A", number, LATER).await.1, number);
        drop(station);
        csms.stop().await;
    }
}
