//! The schema of migration 4.

use std::path::Path;

use async_tungstenite::tokio::connect_async;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

use crate::fill::{KEY, PASSWORD, command};
use crate::support::fixture::assert_has;
use crate::support::{Csms, Station, fixture, look_into};

/// Flags without which a server would delete entries by their age, or refuse what is to be tried.
const FLAGS: [&str; 8] =
    ["--message-log-days", "0", "--meter-value-days", "0", "--audit-log-days", "0", "--security-event-days", "0"];

/// The data folder after today's migrations have run.
async fn migrated() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    fixture::unpack("0004", data.path()).await;
    let users = command(data.path(), &["user", "list"]).await;
    assert!(users.starts_with("alice\tadmin\t") && users.contains("\nbob\tviewer\t"), "{users}");
    data
}

/// Asks with the token of the fixture.
async fn get(csms: &Csms, data: &Path, path: &str) -> Value {
    let token = std::fs::read_to_string(data.join("billing.token")).unwrap();
    let request = reqwest::Client::new().get(format!("{}/api/v1/{path}", csms.http)).bearer_auth(token);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

#[tokio::test]
async fn every_row_is_kept() {
    let data = migrated().await;
    let rows = fixture::rows("0004", &mut look_into(data.path()).await).await;
    let rows: Vec<_> = rows.iter().map(|(table, rows)| (table.as_str(), *rows)).collect();
    let expected = [
        ("api_tokens", 1),
        ("audit_log", 20),
        ("certificates", 2),
        ("charge_points", 2),
        ("charging_profiles", 1),
        ("configuration_keys", 2),
        ("connectors", 2),
        ("counters", 6),
        ("file_requests", 2),
        ("files", 2),
        ("id_tags", 3),
        ("local_list_entries", 3),
        ("message_log", 52),
        ("meter_values", 8),
        ("reservations", 3),
        ("security_events", 1),
        ("settings", 1),
        ("transactions", 2),
        ("unknown_stops", 1),
        ("users", 2),
        ("web_sessions", 1),
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn what_charge_points_said_reads_as_before() {
    let data = migrated().await;
    let csms = Csms::start_in(data.path(), &FLAGS).await;
    let get = async |path: &str| get(&csms, data.path(), path).await;
    let expected = json!({"total": 2, "items": [
        {"id": "CP1", "bootPolicy": null, "accepted": true, "note": "car park, level -1", "vendor": "Example",
            "model": "Model 1", "serialNumber": "SN-1", "firmwareVersion": "1.0.2", "meterSerialNumber": "M-1",
            "firmwareStatus": "Installed", "diagnosticsStatus": "Uploaded", "listVersion": 1, "hasKey": true,
            "connectors": [
                {"connector": 1, "status": "Available", "info": "bay 7", "transactionId": null},
                {"connector": 2, "status": "Charging", "reportedAt": "2026-03-01T12:00:00Z", "transactionId": 2}]},
        {"id": "CP2", "bootPolicy": "pending", "accepted": false, "securityProfile": 1, "hasKey": false}]});
    assert_has(&get("charge-points").await, &expected);
    let expected = json!([
        {"id": 2, "connector": 2, "idTag": "VISITOR", "lastMeterWh": 900, "stoppedAt": null, "energyWh": 830, "active": true},
        {"id": 1, "chargePoint": "CP1", "connector": 1, "idTag": "TAG-1", "startedAt": "2026-03-01T10:00:00Z",
            "startMeterWh": 1000, "stoppedAt": "2026-03-01T11:00:00Z", "stopMeterWh": 3400,
            "stopReason": "EVDisconnected", "stopIdTag": "TAG-1", "estimated": false, "energyWh": 2400, "active": false}]);
    assert_has(&get("transactions").await["items"], &expected);
    let values = get("transactions/1/meter-values").await;
    let current = json!({"measurand": "Current.Import", "phase": "L1", "unit": "A", "value": "16.0"});
    let energy =
        |at: &str, wh: &str| json!({"measuredAt": at, "measurand": "Energy.Active.Import.Register", "value": wh});
    let expected = json!([
        current,
        energy("2026-03-01T10:15:00Z", "1500"),
        current,
        energy("2026-03-01T10:30:00Z", "2250"),
        current,
        energy("2026-03-01T11:00:00Z", "3400")
    ]);
    assert_has(&values["items"], &expected);
    let expected = json!([{"transactionId": 4711, "stoppedAt": "2026-03-01T08:00:00Z", "stopMeterWh": 5}]);
    assert_has(&get("unknown-stops").await["items"], &expected);
    let expected = json!([{"chargePoint": "CP1", "happenedAt": "2026-03-01T09:30:00Z", "kind": "FirmwareUpdated",
        "techInfo": "1.0.1 to 1.0.2"}]);
    assert_has(&get("security-events").await["items"], &expected);
    let messages = get("messages?limit=100").await;
    let messages = messages["items"].as_array().unwrap();
    let text = messages.last().unwrap()["text"].as_str().unwrap();
    assert_eq!((messages.len(), text.contains("BootNotification")), (52, true), "{text}");
    csms.stop().await;
}

#[tokio::test]
async fn what_operators_entered_reads_as_before() {
    let data = migrated().await;
    let csms = Csms::start_in(data.path(), &FLAGS).await;
    let get = async |path: &str| get(&csms, data.path(), path).await;
    let tag = json!({"status": "Accepted", "expiryDate": "2099-12-31T23:00:00Z", "group": "Fleet 1", "note": "旅行者"});
    let with = |more: Value| {
        let mut tag = tag.clone();
        tag.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        tag
    };
    let expected = json!([
        with(json!({"idTag": "Fleet", "parentIdTag": null})),
        with(json!({"idTag": "TAG-1", "parentIdTag": "FLEET"})),
        with(json!({"idTag": "TAG-2", "status": "Blocked"}))
    ]);
    assert_has(&get("id-tags").await["items"], &expected);
    let expected = json!({"version": 1, "entries": [
        {"idTag": "Fleet", "idTagInfo": {"status": "Accepted"}},
        {"idTag": "TAG-1", "idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET"}},
        {"idTag": "TAG-2", "idTagInfo": {"status": "Blocked"}}]});
    assert_has(&get("charge-points/CP1/local-list").await, &expected);
    let expected = json!([
        {"key": "HeartbeatInterval", "value": "600", "readonly": false},
        {"key": "NumberOfConnectors", "value": "2", "readonly": true}]);
    assert_has(&get("charge-points/CP1/configuration").await["items"], &expected);
    let expected = json!([
        {"id": 3, "idTag": "TAG-1", "status": "Accepted", "transactionId": null},
        {"id": 2, "idTag": "TAG-2", "status": "Refused", "answer": "Occupied"},
        {"id": 1, "idTag": "TAG-1", "status": "Used", "transactionId": 1}]);
    assert_has(&get("reservations").await["items"], &expected);
    let profile = get("charging-profiles/by%20night").await;
    assert_eq!(profile["profile"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"], 16.1);
    assert_has(&get("server").await, &json!({"unknownChargePoints": false, "unknownIdTags": true}));
    let certificates = get("certificates").await;
    let expected = json!([{"serial": "0a0b", "revoked": true}, {"chargePoint": "CP1", "revoked": false}]);
    assert_has(&certificates["items"], &expected);
    assert!(certificates["items"][1]["pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    let audit = get("audit?limit=100").await;
    let expected = json!({"actor": "user:alice", "action": "Login", "outcome": "done"});
    assert_eq!(audit["items"].as_array().unwrap().len(), 20);
    assert_has(&audit["items"][0], &expected);
    let expected = json!([{"name": "alice", "role": "admin"}, {"name": "bob", "role": "viewer"}]);
    assert_has(&get("users").await["items"], &expected);

    let files = get("files").await;
    let file = |kind: &str, name: &str| json!({"kind": kind, "name": name, "state": "complete"});
    assert_has(&files["items"], &json!([file("diagnostics", "CP1.log"), file("firmware", "fw-1.1.bin")]));
    let token = std::fs::read_to_string(data.path().join("billing.token")).unwrap();
    let content = format!("{}/api/v1/files/{}/content", csms.http, files["items"][0]["id"].as_str().unwrap());
    let content = reqwest::Client::new().get(content).bearer_auth(token).send().await.unwrap();
    assert_eq!(content.text().await.unwrap(), "diagnostics of a fixture");
    csms.stop().await;
}

#[tokio::test]
async fn keys_and_passwords_open_as_before_and_numbers_go_on() {
    let data = migrated().await;
    let csms = Csms::start_in(data.path(), &FLAGS).await;
    for (password, expected) in [(PASSWORD, 200), ("another password", 401)] {
        let (status, _) = csms.http("POST", "/api/v1/login", Some(json!({"name": "bob", "password": password}))).await;
        assert_eq!(status, expected);
    }
    let connect = async |key: &[u8]| {
        let mut request = format!("{}CP1", csms.url).into_client_request().unwrap();
        let basic = format!("Basic {}", BASE64.encode(&[b"CP1:", key].concat()));
        request.headers_mut().insert("Sec-WebSocket-Protocol", "ocpp1.6".parse().unwrap());
        request.headers_mut().insert("Authorization", basic.parse().unwrap());
        connect_async(request).await
    };
    assert!(connect(&[0; 20]).await.is_err());
    let (socket, _) = connect(&HEXLOWER.decode(KEY.as_bytes()).unwrap()).await.unwrap();
    let mut station = Station::new(socket);
    // What it sent before the update is known again: the sample, and the stop.
    let sample = json!([{"timestamp": "2026-03-01T12:15:00Z", "sampledValue": [
        {"value": "900", "context": "Sample.Periodic", "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": "16.0", "measurand": "Current.Import", "phase": "L1", "unit": "A"}]}]);
    station.call("MeterValues", json!({"connectorId": 2, "transactionId": 2, "meterValue": sample})).await;
    let stop = json!({"transactionId": 2, "meterStop": 1000, "timestamp": "2026-03-01T13:00:00Z"});
    station.call("StopTransaction", stop).await;
    let start = json!({"connectorId": 1, "idTag": "tag-1", "meterStart": 3400, "timestamp": "2026-03-01T14:00:00Z",
        "reservationId": 3});
    let started = station.call("StartTransaction", start).await;
    assert_eq!((&started["transactionId"], &started["idTagInfo"]["status"]), (&json!(3), &json!("Accepted")));
    let ended = get(&csms, data.path(), "transactions/2").await;
    assert_has(&ended, &json!({"stopMeterWh": 1000, "energyWh": 930, "active": false}));
    let values = get(&csms, data.path(), "transactions/2/meter-values").await;
    assert_eq!(values["items"].as_array().unwrap().len(), 2, "{values}");
    assert_has(&get(&csms, data.path(), "reservations/3").await, &json!({"status": "Used", "transactionId": 3}));
    csms.stop().await;
}
