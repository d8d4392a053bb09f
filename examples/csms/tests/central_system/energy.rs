//! What is concluded from registers: samples from the field, as an operator sees the outcome.

use serde_json::{Value, json};

use crate::support::{Csms, Station};
use crate::{AT, Served, served, start, start_of};

/// MeterValues with one energy register, or none.
pub(crate) async fn register(station: &mut Station, transaction: Option<i64>, at: &str, sample: Value) {
    let mut values = json!({"connectorId": 1, "meterValue": [{"timestamp": at, "sampledValue": [sample]}]});
    if let Some(transaction) = transaction {
        values["transactionId"] = json!(transaction);
    }
    assert_eq!(station.call("MeterValues", values).await, json!({}));
}

pub(crate) fn wh(value: impl ToString) -> Value {
    json!({"value": value.to_string()})
}

fn kwh(value: &str) -> Value {
    json!({"value": value, "unit": "kWh", "measurand": "Energy.Active.Import.Register"})
}

pub(crate) async fn shown(csms: &Csms, id: i64) -> Value {
    csms.get(&format!("/api/v1/transactions/{id}")).await
}

#[track_caller]
fn is(shown: &Value, energy: Value, origin: &str, marks: Value) {
    let origin = if energy.is_null() { Value::Null } else { json!(origin) };
    let found = (&shown["energyWh"], &shown["energyOrigin"], &shown["marks"]);
    assert_eq!(found, (&energy, &origin, &marks), "{shown}");
}

/// Minutes after the start.
fn at(minute: usize) -> String {
    format!("2026-03-01T10:{minute:02}:00Z")
}

#[tokio::test]
async fn the_energy_of_sessions_from_the_field() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    let samples = [
        ("whole", 100, vec![wh(500)], 1600, json!(1500), "reported", json!([])),
        ("rounded", 269_456, vec![kwh("269.46")], 269_455, json!(0), "reported", json!(["rounded"])),
        ("stop -1", 1001, vec![wh(5000)], -1, json!(3999), "fromRegisters", json!(["stopMeterIgnored"])),
        (
            "all bits",
            1001,
            vec![wh(5000)],
            4_294_967_295_i64,
            json!(3999),
            "fromRegisters",
            json!(["stopMeterIgnored"]),
        ),
        ("reset", 10_000, vec![wh(15_000)], 1200, json!(5000), "fromRegisters", json!(["registerFell"])),
        ("reset, seen", 10_000, vec![wh(15_000), wh(200)], 1200, json!(6000), "fromRegisters", json!(["registerFell"])),
        (
            "of the session",
            4_076_334,
            vec![wh(104), wh(228), wh(353)],
            4_076_690,
            json!(356),
            "reported",
            json!(["sessionRegisters"]),
        ),
        ("no meter at all", -1, vec![], -1, json!(null), "", json!(["startMeterIgnored", "stopMeterIgnored"])),
    ];
    for (what, meter, registers, stop, energy, origin, marks) in samples {
        let mut station = csms.booted(&what.replace(' ', "%20")).await;
        let (_, id) = start(&mut station, 1, "A", meter, AT).await;
        for (minute, register_) in (1..).zip(registers) {
            register(&mut station, Some(id), &at(minute), register_).await;
        }
        let stop = json!({"transactionId": id, "meterStop": stop, "timestamp": at(30), "idTag": "A"});
        for _ in 0..2 {
            assert_eq!(station.call("StopTransaction", stop.clone()).await["idTagInfo"]["status"], "Accepted");
            let shown = shown(&csms, id).await;
            is(&shown, energy.clone(), origin, marks.clone());
            // As it was sent.
            assert_eq!((&shown["startMeterWh"], &shown["stopMeterWh"]), (&json!(meter), &stop["meterStop"]), "{what}");
        }
    }
}

#[tokio::test]
async fn a_stop_with_an_impossible_meter_leaves_the_last_register() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    let mut station = csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 1001, AT).await;
    register(&mut station, Some(id), &at(1), wh(5000)).await;
    let stop = json!({"transactionId": id, "meterStop": -1, "timestamp": at(30)});
    station.call("StopTransaction", stop).await;
    let found = shown(&csms, id).await;
    assert_eq!((&found["lastMeterWh"], &found["stopMeterWh"]), (&json!(5000), &json!(-1)), "{found}");
    // One that waited behind it counts, too.
    register(&mut station, Some(id), &at(29), wh(5500)).await;
    let found = shown(&csms, id).await;
    is(&found, json!(4499), "fromRegisters", json!(["stopMeterIgnored"]));
    assert_eq!((&found["lastMeterWh"], &found["stopMeterWh"]), (&json!(5500), &json!(-1)), "{found}");
    // The registers of the stop itself.
    let (_, id) = start(&mut station, 1, "A", 1001, &at(40)).await;
    let stop = json!({"transactionId": id, "meterStop": -1, "timestamp": at(50), "transactionData": [
        {"timestamp": at(40), "sampledValue": [{"value": "1001", "context": "Transaction.Begin"}]},
        {"timestamp": at(50), "sampledValue": [{"value": "7.001", "unit": "kWh", "context": "Transaction.End"}]}]});
    station.call("StopTransaction", stop).await;
    is(&shown(&csms, id).await, json!(6000), "fromRegisters", json!(["stopMeterIgnored"]));
}

#[tokio::test]
async fn energy_while_it_runs() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    let mut station = csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 4_076_334, AT).await;
    is(&shown(&csms, id).await, json!(0), "fromRegisters", json!([]));
    for (minute, value) in [(1, 104), (2, 228), (3, 353)] {
        register(&mut station, Some(id), &at(minute), wh(value)).await;
        is(&shown(&csms, id).await, json!(value), "fromRegisters", json!(["sessionRegisters"]));
    }
    // The stop is lost.
    crate::report(&mut station, 1, "Available", &at(4)).await;
    let found = shown(&csms, id).await;
    is(&found, json!(353), "estimated", json!(["sessionRegisters"]));
    assert_eq!((&found["stopMeterWh"], &found["stopReason"]), (&json!(4_076_687), &json!(null)), "{found}");
}

/// OCPP 1.6 §4.7: the main meter's values are of no transaction, whatever number they name.
#[tokio::test]
async fn the_main_meter_is_not_the_connector_s() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    let mut station = csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 1000, AT).await;
    for transaction in [json!(id), json!(null)] {
        let mut values =
            json!({"connectorId": 0, "meterValue": [{"timestamp": at(1), "sampledValue": [wh(9_000_000)]}]});
        if !transaction.is_null() {
            values["transactionId"] = transaction;
        }
        station.call("MeterValues", values).await;
    }
    is(&shown(&csms, id).await, json!(0), "fromRegisters", json!([]));
}

#[tokio::test]
async fn values_without_a_number_of_ours_are_those_of_what_runs_on_the_connector() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    for (what, number) in [("zero", json!(0)), ("negative", json!(-1_234_567)), ("none", json!(null))] {
        let mut station = csms.booted(what).await;
        let (_, id) = start(&mut station, 1, "A", 1000, AT).await;
        // What was measured before it began is not of it.
        for (minute, value) in [("09:59", 900), ("10:01", 1400), ("10:02", 1800)] {
            let mut values = json!({"connectorId": 1, "meterValue": [
                {"timestamp": format!("2026-03-01T{minute}:00Z"), "sampledValue": [wh(value)]}]});
            if !number.is_null() {
                values["transactionId"] = number.clone();
            }
            station.call("MeterValues", values).await;
        }
        is(&shown(&csms, id).await, json!(800), "fromRegisters", json!([]));
    }
}

/// A whole session that was kept at the charge point, twice: the answers to the first time were lost.
#[tokio::test]
async fn an_offline_session_counts_in_the_order_of_receipt_whatever_its_clock_says() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    let now = onwire::types::DateTime::now().unix_millis();
    let text = |millis: i64| onwire::types::DateTime::from_unix_millis(millis).to_string();
    let (minute, hour) = (60_000, 3_600_000);
    let sessions = [
        ("ahead", [now + 2 * hour, now + 2 * hour + minute, now + 2 * hour + 2 * minute, now + 2 * hour + 3 * minute]),
        ("unset", [30_000, 30_000 + minute, 30_000 + 2 * minute, 30_000 + 3 * minute]),
        ("set on the way", [30_000, 30_000 + minute, now - 2 * minute, now]),
        ("put back", [now + 2 * hour, now + 2 * hour + minute, now - minute, now]),
        ("jumping", [now - hour, now - 2 * hour, now - 3 * hour, now - 4 * hour]),
    ];
    for (what, times) in sessions {
        let mut station = csms.booted(&what.replace(' ', "%20")).await;
        let mut id = None;
        for _ in 0..2 {
            let started = station.call("StartTransaction", start_of(1, what, 1000, &text(times[0]))).await;
            let number = started["transactionId"].as_i64().unwrap();
            assert_eq!(*id.get_or_insert(number), number, "{what}");
            for (time, value) in times.into_iter().skip(1).zip([1500, 2500]) {
                register(&mut station, Some(number), &text(time), wh(value)).await;
            }
            let stop = json!({"transactionId": number, "meterStop": 4000, "timestamp": text(times[3]), "idTag": what});
            station.call("StopTransaction", stop).await;
            let marks = if times[0] > now + minute { json!(["clockAhead"]) } else { json!([]) };
            let found = shown(&csms, number).await;
            is(&found, json!(3000), "reported", marks);
            let kept = |name: &str| crate::millis(found[name].as_str().unwrap());
            assert_eq!((kept("startedAt"), kept("stoppedAt")), (times[0], times[3]), "{what}");
            assert!((kept("startReceivedAt") - now).abs() < hour, "{found}");
        }
    }
    assert_eq!(csms.get("/api/v1/transactions").await["total"], 5);
}

/// Local time sent as UTC; then the clock is put right.
#[tokio::test]
async fn a_start_from_the_future_has_its_values_and_its_end() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    let mut station = csms.booted("CP1").await;
    let text = |ahead: i64| {
        onwire::types::DateTime::from_unix_millis(onwire::types::DateTime::now().unix_millis() + ahead).to_string()
    };
    let (_, id) = start(&mut station, 1, "A", 1000, &text(7_200_000)).await;
    register(&mut station, None, &text(0), wh(1700)).await;
    register(&mut station, Some(id), &text(0), wh(1900)).await;
    is(&shown(&csms, id).await, json!(900), "fromRegisters", json!(["clockAhead"]));
    // One that waited from before the start shows nothing of it.
    crate::report(&mut station, 1, "Available", &text(-3_600_000)).await;
    assert_eq!(shown(&csms, id).await["active"], true);
    crate::report(&mut station, 1, "Available", &text(0)).await;
    let found = shown(&csms, id).await;
    assert_eq!(found["active"], false);
    is(&found, json!(900), "estimated", json!(["clockAhead"]));
}

#[tokio::test]
async fn a_status_that_waited_from_before_the_start_does_not_end_it() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    let mut station = csms.booted("CP1").await;
    let text = |ahead: i64| {
        onwire::types::DateTime::from_unix_millis(onwire::types::DateTime::now().unix_millis() + ahead).to_string()
    };
    let (_, id) = start(&mut station, 1, "A", 1000, &text(-5000)).await;
    // By a clock that was put back since; by the same clock.
    for ahead in [7_200_000, -10_000] {
        crate::report(&mut station, 1, "Available", &text(ahead)).await;
        assert_eq!(shown(&csms, id).await["active"], true, "{ahead}");
    }
    // The clock was not set when it started, and was before.
    let (_, id) = start(&mut station, 2, "B", 1000, "1970-01-01T00:01:00Z").await;
    crate::report(&mut station, 2, "Available", &text(-600_000)).await;
    assert_eq!(shown(&csms, id).await["active"], true);
    crate::report(&mut station, 2, "Available", &text(0)).await;
    assert_eq!(shown(&csms, id).await["active"], false);
}

#[tokio::test]
async fn a_clock_that_is_steadily_ahead_is_shown_with_corrected_times() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    let mut station = csms.booted("CP1").await;
    let (lead, now) = (7_200_000, onwire::types::DateTime::now().unix_millis());
    let ahead =
        || onwire::types::DateTime::from_unix_millis(onwire::types::DateTime::now().unix_millis() + lead).to_string();
    let shows = async || csms.get("/api/v1/charge-points/CP1").await["clockLeadMs"].clone();
    for connector in [1, 2, 3] {
        assert_eq!(shows().await, json!(null));
        crate::report(&mut station, connector, "Preparing", &ahead()).await;
    }
    let close = |millis: &Value| (millis.as_i64().unwrap() - lead).abs() < 60_000;
    assert!(close(&shows().await));
    let (_, id) = start(&mut station, 1, "A", 0, &ahead()).await;
    let stop = json!({"transactionId": id, "meterStop": 10, "timestamp": ahead()});
    station.call("StopTransaction", stop).await;
    let found = shown(&csms, id).await;
    assert!(close(&found["clockLeadMs"]), "{found}");
    for name in ["correctedStartedAt", "correctedStoppedAt"] {
        assert!((crate::millis(found[name].as_str().unwrap()) - now).abs() < 600_000, "{found}");
    }
    assert!(crate::millis(found["startedAt"].as_str().unwrap()) >= now + lead - 60_000, "as it was sent: {found}");
}
