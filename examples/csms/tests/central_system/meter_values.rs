use serde_json::json;

use crate::{AT, LATER, served, start};

#[tokio::test]
async fn samples_are_kept_as_they_were_sent() {
    let mut served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 0, AT).await;
    let signed = "AP;0;3;ALCV3ABBBISHMA2RYEGAZE3HV5YQBQRAEHAR2MNXEG7HQ==;\"\\ ,äöü充电桩\u{7f}";
    let values = json!({"connectorId": 1, "transactionId": id, "meterValue": [{"timestamp": LATER, "sampledValue": [
        {"value": "2935.600", "context": "Sample.Periodic", "measurand": "Energy.Active.Import.Register",
            "location": "Outlet", "unit": "Wh"},
        {"value": "31", "measurand": "Temperature", "unit": "Celsius"},
        {"value": "30", "measurand": "Temperature", "unit": "Celcius"},
        {"value": "7", "measurand": "Fan.Speed", "unit": "rpm", "phase": "L9", "context": "Now", "location": "Roof"},
        {"value": signed, "format": "SignedData", "context": "Transaction.End"}]}]});
    assert_eq!(station.call("MeterValues", values).await, json!({}));
    drop(station);
    served.csms.end().await;
    assert_eq!(served.count("meter_values").await, 5);
    let sql = "SELECT value, measurand, unit, phase, context, location, format FROM meter_values
        WHERE connector = 1 AND measured_at = 1772362800000 AND transaction_id = ";
    type Row = (String, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);
    let rows: Vec<Row> = served.rows(&format!("{sql}{id}")).await;
    let some = |text: &str| Some(text.to_owned());
    let expected: [Row; 5] = [
        (
            "2935.600".into(),
            some("Energy.Active.Import.Register"),
            some("Wh"),
            None,
            some("Sample.Periodic"),
            some("Outlet"),
            None,
        ),
        ("31".into(), some("Temperature"), some("Celsius"), None, None, None, None),
        // Two spellings of one unit.
        ("30".into(), some("Temperature"), some("Celsius"), None, None, None, None),
        ("7".into(), some("Fan.Speed"), some("rpm"), some("L9"), some("Now"), some("Roof"), None),
        (signed.into(), None, None, None, some("Transaction.End"), None, some("SignedData")),
    ];
    for row in &expected {
        assert!(rows.contains(row), "{row:?} is not in {rows:?}");
    }
}

#[tokio::test]
async fn signed_data_of_a_stop_is_durable_with_it() {
    let mut served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    let (_, id) = start(&mut station, 2, "A", 0, AT).await;
    let stop = json!({"transactionId": id, "meterStop": 5, "timestamp": LATER, "transactionData": [
        {"timestamp": LATER, "sampledValue": [{"value": "00FFa0", "format": "SignedData"}]}]});
    station.call("StopTransaction", stop).await;
    // At once: not by the way that has half a second.
    let sql = "SELECT value, connector, transaction_id FROM meter_values";
    assert_eq!(served.row::<(String, i64, i64)>(sql).await, ("00FFa0".into(), 2, id));
}

#[tokio::test]
async fn the_latest_register_of_a_running_transaction_is_durable_before_the_answer() {
    let mut served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 1000, AT).await;
    let sql = format!("SELECT last_meter FROM transactions WHERE id = {id}");
    for (minute, sample, register) in [
        ("10", json!({"value": "1.2345", "unit": "kWh"}), 1234),
        ("20", json!({"value": "1300"}), 1300),
        // Late, negative, of a phase, of the car, no register, signed, no number: none of them is it.
        ("15", json!({"value": "1250"}), 1300),
        ("30", json!({"value": "-300"}), 1300),
        ("31", json!({"value": "9999", "phase": "L1"}), 1300),
        ("32", json!({"value": "9999", "location": "EV"}), 1300),
        ("33", json!({"value": "9999", "measurand": "Energy.Active.Import.Interval"}), 1300),
        ("34", json!({"value": "9999", "format": "SignedData"}), 1300),
        ("35", json!({"value": "-"}), 1300),
        ("36", json!({"value": 1.5, "unit": "kWh", "measurand": "Energy.Active.Import.Register"}), 1500),
    ] {
        let at = format!("2026-03-01T10:{minute}:00Z");
        let values = json!({"connectorId": 1, "transactionId": id,
            "meterValue": [{"timestamp": at, "sampledValue": [sample]}]});
        station.call("MeterValues", values).await;
        assert_eq!(served.row::<(Option<i64>,)>(&sql).await.0, Some(register), "{minute}");
    }
    // Some leave the transaction out.
    let values = json!({"connectorId": 1, "meterValue": [{"timestamp": LATER, "sampledValue": [{"value": "1600"}]}]});
    station.call("MeterValues", values).await;
    assert_eq!(served.row::<(Option<i64>,)>(&sql).await.0, Some(1600));
    drop(station);
    served.csms.end().await;
    assert_eq!(served.count(&format!("meter_values WHERE transaction_id = {id}")).await, 11);
}

#[tokio::test]
async fn values_that_come_late_or_for_no_known_transaction_are_kept() {
    let mut served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 0, AT).await;
    let stop = json!({"transactionId": id, "meterStop": 500, "timestamp": LATER});
    station.call("StopTransaction", stop).await;
    for transaction in [json!(id), json!(4711), json!(-1), json!(null)] {
        let mut values = json!({"connectorId": 1, "meterValue": [{"timestamp": AT, "sampledValue": [{"value": "7"}]}]});
        if !transaction.is_null() {
            values["transactionId"] = transaction;
        }
        assert_eq!(station.call("MeterValues", values).await, json!({}));
    }
    drop(station);
    served.csms.end().await;
    assert_eq!(served.count("meter_values").await, 4);
    assert_eq!(served.count(&format!("meter_values WHERE transaction_id IN ({id}, 4711, -1)")).await, 3);
    assert_eq!(served.count("meter_values WHERE transaction_id IS NULL").await, 1);
    // A stop is the last word on its register.
    let sql = format!("SELECT stop_meter, last_meter FROM transactions WHERE id = {id}");
    assert_eq!(served.row::<(i64, i64)>(&sql).await, (500, 500));
}

#[tokio::test]
async fn what_comes_again_is_there_once() {
    let mut served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 0, AT).await;
    let signed = json!({"value": "00FFa0 ", "format": "SignedData"});
    // The same current on three phases that it does not name.
    let current = json!({"value": "16", "measurand": "Current.Import"});
    let sampled = json!([{"value": "500"}, current, current, current, signed]);
    let named = json!({"connectorId": 1, "transactionId": id,
        "meterValue": [{"timestamp": AT, "sampledValue": sampled}]});
    let unnamed = json!({"connectorId": 1, "meterValue": [{"timestamp": LATER, "sampledValue": sampled}]});
    for values in [&named, &unnamed, &named] {
        station.call("MeterValues", values.clone()).await;
    }
    // Again after a reconnect, and as data of the stop.
    let mut station = served.csms.station("CP1").await;
    station.call("MeterValues", named.clone()).await;
    let stop = json!({"transactionId": id, "meterStop": 900, "timestamp": LATER, "transactionData": [
        {"timestamp": AT, "sampledValue": sampled}, {"timestamp": "2026-03-01T10:59:59Z", "sampledValue": [signed]}]});
    station.call("StopTransaction", stop).await;
    // The transaction that it did not name has ended.
    station.call("MeterValues", unnamed).await;
    station.call("MeterValues", named).await;
    drop(station);
    served.csms.end().await;
    assert_eq!(served.count(&format!("meter_values WHERE transaction_id = {id} AND connector = 1")).await, 11);
    assert_eq!(served.count("meter_values WHERE value = '16'").await, 6);
    assert_eq!(served.count("meter_values WHERE value = '00FFa0 ' AND format = 'SignedData'").await, 3);
    assert_eq!(served.count("meter_values").await, 11);
}
