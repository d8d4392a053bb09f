//! Boot, sessions, authorization, and what comes after an interruption.

use serde_json::{Value, json};

use crate::support::Csms;
use crate::{Lab, lab, now};

#[tokio::test]
async fn tc_001_cold_boot() {
    let mut lab = lab().await;
    let heartbeat = lab.station.call("Heartbeat", json!({})).await;
    assert!(heartbeat["currentTime"].as_str().unwrap().ends_with('Z'), "{heartbeat}");
    let charge_point = lab.csms.get("/api/v1/charge-points/CP1").await;
    assert_eq!((&charge_point["accepted"], &charge_point["connected"]), (&json!(true), &json!(true)));
    assert_eq!((&charge_point["vendor"], &charge_point["model"]), (&json!("onwire"), &json!("test")));
    assert_eq!(charge_point["connectors"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn tc_003_session_plug_in_first() {
    let mut lab = lab().await;
    lab.report(1, "Preparing").await;
    assert_eq!(lab.authorize("TAG").await, "Accepted");
    charge(&mut lab).await;
}

#[tokio::test]
async fn tc_004_1_session_identification_first() {
    let mut lab = lab().await;
    assert_eq!(lab.authorize("TAG").await, "Accepted");
    lab.report(1, "Preparing").await;
    charge(&mut lab).await;
}

/// From the start to the connector's being free.
async fn charge(lab: &mut Lab) {
    let (status, id) = lab.start(1, "TAG", json!({})).await;
    assert_eq!(status, "Accepted");
    lab.report(1, "Charging").await;
    let values = json!({"connectorId": 1, "transactionId": id, "meterValue": [{"timestamp": now(), "sampledValue": [
        {"value": "2500", "context": "Sample.Periodic", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}]}]});
    assert_eq!(lab.station.call("MeterValues", values).await, json!({}));
    assert_eq!(lab.transaction(id).await["lastMeterWh"], 2500);
    assert_eq!(lab.authorize("TAG").await, "Accepted");
    assert_eq!(lab.stop(id, "Local", Some("TAG")).await, json!({"idTagInfo": {"status": "Accepted"}}));
    lab.report(1, "Finishing").await;
    lab.report(1, "Available").await;
    assert_eq!(lab.connector(1).await["transactionId"], Value::Null);
    let path = format!("/api/v1/transactions/{id}/meter-values");
    lab.csms.end().await;
    let csms = Csms::start_in(lab.data.path(), &[]).await;
    assert_eq!(csms.get(&path).await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn tc_004_2_session_identification_first_connection_time_out() {
    let mut lab = lab().await;
    assert_eq!(lab.authorize("TAG").await, "Accepted");
    lab.report(1, "Preparing").await;
    lab.report(1, "Available").await;
    assert_eq!(lab.csms.get("/api/v1/transactions").await["items"], json!([]));
}

#[tokio::test]
async fn tc_005_1_ev_side_disconnected() {
    let mut lab = lab().await;
    let (_, id) = lab.start(1, "TAG", json!({})).await;
    lab.report(1, "Charging").await;
    lab.report(1, "SuspendedEV").await;
    assert_eq!(lab.stop(id, "EVDisconnected", None).await, json!({}));
    lab.report(1, "Finishing").await;
    lab.report(1, "Available").await;
}

#[tokio::test]
async fn tc_007_session_with_a_cached_id() {
    let mut lab = lab().await;
    lab.enter(json!({"idTag": "CACHED", "expiryDate": "2199-01-01T00:00:00Z", "parentIdTag": "FAMILY"})).await;
    lab.report(1, "Preparing").await;
    // The cache is brought up to date by the answer to the start.
    let start = json!({"connectorId": 1, "idTag": "cached", "meterStart": 0, "timestamp": now()});
    let answer = lab.station.call("StartTransaction", start).await;
    let info = &answer["idTagInfo"];
    assert_eq!((&info["status"], &info["parentIdTag"]), (&json!("Accepted"), &json!("FAMILY")));
    assert!(info["expiryDate"].as_str().unwrap().starts_with("2199-01-01T00:00:00"), "{info}");
    lab.report(1, "Charging").await;
}

#[tokio::test]
async fn tc_023_1_authorize_invalid() {
    refused(json!({"idTag": "TAG", "status": "Invalid"}), "Invalid").await;
}

#[tokio::test]
async fn tc_023_2_authorize_expired() {
    refused(json!({"idTag": "TAG", "expiryDate": "2020-01-01T00:00:00Z"}), "Expired").await;
}

#[tokio::test]
async fn tc_023_3_authorize_blocked() {
    refused(json!({"idTag": "TAG", "status": "Blocked"}), "Blocked").await;
}

async fn refused(tag: Value, status: &str) {
    let mut lab = lab().await;
    lab.enter(tag).await;
    assert_eq!(lab.authorize("TAG").await, status);
    // A charge point that starts all the same is told so, too.
    assert_eq!(lab.start(1, "TAG", json!({})).await.0, status);
}

#[tokio::test]
async fn tc_024_lock_failure() {
    let mut lab = lab().await;
    lab.report(1, "Preparing").await;
    assert_eq!(lab.authorize("TAG").await, "Accepted");
    lab.report_error(1, "Faulted", "ConnectorLockFailure").await;
}

#[tokio::test]
async fn tc_032_1_power_failure_stop_at_boot() {
    let mut lab = lab().await;
    let (_, id) = lab.start(1, "TAG", json!({})).await;
    lab.report(1, "Charging").await;
    lab.station = lab.csms.booted("CP1").await;
    lab.report(0, "Available").await;
    // The status comes before the stop: what the server had to estimate is put right.
    lab.report(1, "Available").await;
    let shown = lab.transaction(id).await;
    assert_eq!((&shown["active"], &shown["estimated"]), (&json!(false), &json!(true)), "{shown}");
    lab.stop(id, "PowerLoss", None).await;
}

#[tokio::test]
async fn tc_037_1_offline_start_valid_id() {
    let mut lab = offline().await;
    let (status, id) = lab.start(1, "TAG", json!({"timestamp": "2026-01-01T00:00:00Z"})).await;
    assert_eq!(status, "Accepted");
    assert_eq!(lab.transaction(id).await["startedAt"], "2026-01-01T00:00:00Z");
    lab.report(1, "Charging").await;
}

#[tokio::test]
async fn tc_037_3_offline_start_invalid_id_is_stopped() {
    let mut lab = offline().await;
    lab.enter(json!({"idTag": "BAD", "status": "Invalid"})).await;
    let (status, id) = lab.start(1, "BAD", json!({})).await;
    assert_eq!(status, "Invalid");
    lab.stop(id, "DeAuthorized", None).await;
    lab.report(1, "Finishing").await;
}

#[tokio::test]
async fn tc_039_offline_transaction() {
    let mut lab = offline().await;
    let (status, id) = lab.start(1, "TAG", json!({"timestamp": "2026-01-01T00:00:00Z"})).await;
    assert_eq!(status, "Accepted");
    let values = json!({"connectorId": 1, "transactionId": id, "meterValue": [
        {"timestamp": "2026-01-01T00:30:00Z", "sampledValue": [{"value": "2000"}]}]});
    assert_eq!(lab.station.call("MeterValues", values).await, json!({}));
    assert_eq!(lab.stop(id, "Local", Some("TAG")).await["idTagInfo"]["status"], "Accepted");
}

/// A charge point that was away, and comes back without another boot.
async fn offline() -> Lab {
    let mut lab = lab().await;
    lab.station = lab.csms.station("CP1").await;
    lab
}
