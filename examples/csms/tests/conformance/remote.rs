//! Remote start and stop, resets, unlocking, triggers.

use serde_json::{Value, json};

use crate::{lab, now};

#[tokio::test]
async fn tc_010_remote_start_cable_plugged_in_first() {
    let mut lab = lab().await;
    lab.report(1, "Preparing").await;
    lab.status("RemoteStartTransaction", json!({"connectorId": 1, "idTag": "TAG"}), "Accepted").await;
    assert_eq!(lab.authorize("TAG").await, "Accepted");
    assert_eq!(lab.start(1, "TAG", json!({})).await.0, "Accepted");
    lab.report(1, "Charging").await;
}

#[tokio::test]
async fn tc_011_1_remote_start_first() {
    let mut lab = lab().await;
    lab.status("RemoteStartTransaction", json!({"idTag": "TAG"}), "Accepted").await;
    assert_eq!(lab.authorize("TAG").await, "Accepted");
    lab.report(1, "Preparing").await;
    assert_eq!(lab.start(1, "TAG", json!({})).await.0, "Accepted");
    lab.report(1, "Charging").await;
}

#[tokio::test]
async fn tc_011_2_remote_start_first_time_out() {
    let mut lab = lab().await;
    lab.status("RemoteStartTransaction", json!({"connectorId": 1, "idTag": "TAG"}), "Accepted").await;
    assert_eq!(lab.authorize("TAG").await, "Accepted");
    lab.report(1, "Preparing").await;
    lab.report(1, "Available").await;
    assert_eq!(lab.csms.get("/api/v1/transactions").await["items"], json!([]));
}

#[tokio::test]
async fn tc_012_remote_stop() {
    let mut lab = lab().await;
    let (_, id) = lab.start(1, "TAG", json!({})).await;
    lab.report(1, "Charging").await;
    lab.status("RemoteStopTransaction", json!({"transactionId": id}), "Accepted").await;
    lab.stop(id, "Remote", None).await;
    lab.report(1, "Finishing").await;
    lab.report(1, "Available").await;
}

#[tokio::test]
async fn tc_013_hard_reset() {
    reset("Hard").await;
}

#[tokio::test]
async fn tc_014_soft_reset() {
    reset("Soft").await;
}

async fn reset(kind: &str) {
    let mut lab = lab().await;
    lab.status("Reset", json!({"type": kind}), "Accepted").await;
    lab.station = lab.csms.booted("CP1").await;
    for connector in 0..=2 {
        lab.report(connector, "Available").await;
    }
}

#[tokio::test]
async fn tc_017_1_unlock_no_session_no_fixed_cable() {
    lab().await.status("UnlockConnector", json!({"connectorId": 1}), "Unlocked").await;
}

#[tokio::test]
async fn tc_017_2_unlock_no_session_fixed_cable() {
    lab().await.status("UnlockConnector", json!({"connectorId": 1}), "NotSupported").await;
}

#[tokio::test]
async fn tc_018_1_unlock_with_a_session() {
    let mut lab = lab().await;
    let (_, id) = lab.start(1, "TAG", json!({})).await;
    lab.status("UnlockConnector", json!({"connectorId": 1}), "Unlocked").await;
    lab.stop(id, "UnlockCommand", None).await;
    lab.report(1, "Finishing").await;
    lab.report(1, "Available").await;
}

#[tokio::test]
async fn tc_026_remote_start_rejected() {
    lab().await.status("RemoteStartTransaction", json!({"connectorId": 1, "idTag": "TAG"}), "Rejected").await;
}

#[tokio::test]
async fn tc_028_remote_stop_rejected() {
    let mut lab = lab().await;
    let (_, id) = lab.start(1, "TAG", json!({})).await;
    lab.status("RemoteStopTransaction", json!({"transactionId": id + 1}), "Rejected").await;
    assert_eq!(lab.transaction(id).await["active"], true);
}

#[tokio::test]
async fn tc_030_unlock_failed() {
    lab().await.status("UnlockConnector", json!({"connectorId": 1}), "UnlockFailed").await;
}

#[tokio::test]
async fn tc_031_unlock_unknown_connector() {
    lab().await.status("UnlockConnector", json!({"connectorId": 9}), "NotSupported").await;
}

/// OCPP 1.6 §5.17: the answer comes before the message that was asked for.
#[tokio::test]
async fn tc_054_trigger_message() {
    let mut lab = lab().await;
    let status = json!({"connectorId": 1, "status": "Preparing", "errorCode": "NoError", "timestamp": now()});
    let values = json!({"connectorId": 1, "meterValue": [{"timestamp": now(), "sampledValue": [{"value": "5", "unit": "A",
            "measurand": "Current.Import", "context": "Trigger"}]}]});
    for (request, payload) in [
        (json!({"requestedMessage": "MeterValues", "connectorId": 1}), values),
        (json!({"requestedMessage": "Heartbeat"}), json!({})),
        (json!({"requestedMessage": "StatusNotification", "connectorId": 1}), status),
        (json!({"requestedMessage": "DiagnosticsStatusNotification"}), json!({"status": "Idle"})),
        (json!({"requestedMessage": "FirmwareStatusNotification"}), json!({"status": "Idle"})),
    ] {
        lab.status("TriggerMessage", request.clone(), "Accepted").await;
        lab.station.call(request["requestedMessage"].as_str().unwrap(), payload).await;
    }
    lab.status("TriggerMessage", json!({"requestedMessage": "BootNotification"}), "Accepted").await;
    lab.station.boot().await;
    let charge_point = lab.csms.get("/api/v1/charge-points/CP1").await;
    assert_eq!(charge_point["firmwareStatus"], "Idle");
    assert_eq!(charge_point["diagnosticsStatus"], "Idle");
    assert_eq!(lab.connector(1).await["status"], "Preparing");
}

#[tokio::test]
async fn tc_055_trigger_message_rejected() {
    let mut lab = lab().await;
    lab.status("TriggerMessage", json!({"requestedMessage": "MeterValues", "connectorId": 9}), "Rejected").await;
}

/// OCPP 1.6 §4.3.
#[tokio::test]
async fn tc_064_data_transfer_to_the_central_system() {
    let mut lab = lab().await;
    let answer =
        lab.station.call("DataTransfer", json!({"vendorId": "com.unknown", "messageId": "x", "data": "y"})).await;
    assert_eq!(answer, json!({"status": "UnknownVendorId"}));
    assert_eq!(answer.get("data"), None::<&Value>);
}
