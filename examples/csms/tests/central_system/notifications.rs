use serde_json::json;

use crate::{AT, millis, report, served};

#[tokio::test]
async fn the_status_of_connectors_is_kept() {
    let mut served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    let fault = json!({"connectorId": 2, "status": "Faulted", "errorCode": "OtherError", "info": "hot", "timestamp": AT,
        "vendorId": "V", "vendorErrorCode": "E7"});
    assert_eq!(station.call("StatusNotification", fault).await, json!({}));
    report(&mut station, 2, "Meditating", AT).await;
    let fault = json!({"connectorId": 1, "status": "Faulted", "errorCode": "OtherError", "info": "hot", "timestamp": AT,
        "vendorId": "V", "vendorErrorCode": "E7"});
    station.call("StatusNotification", fault).await;
    let sql = "SELECT connector, status, error_code, info, vendor_id, vendor_error_code, reported_at
        FROM connectors WHERE charge_point = 'CP1' ORDER BY connector";
    type Row = (i64, String, String, Option<String>, Option<String>, Option<String>, i64);
    let some = |text: &str| Some(text.to_owned());
    let rows: Vec<Row> = served.rows(sql).await;
    let at = millis(AT);
    assert_eq!(
        rows,
        [
            (1, "Faulted".into(), "OtherError".into(), some("hot"), some("V"), some("E7"), at),
            (2, "Meditating".into(), "NoError".into(), None, None, None, at),
        ]
    );
}

#[tokio::test]
async fn progress_of_firmware_diagnostics_and_logs_is_kept() {
    let mut served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    for (action, payload, column, status) in [
        ("FirmwareStatusNotification", json!({"status": "Downloading"}), "firmware_status", "Downloading"),
        ("DiagnosticsStatusNotification", json!({"status": "Uploaded"}), "diagnostics_status", "Uploaded"),
        ("LogStatusNotification", json!({"status": "Uploading", "requestId": 4}), "log_status", "Uploading"),
        (
            "SignedFirmwareStatusNotification",
            json!({"status": "InvalidSignature", "requestId": 5}),
            "firmware_status",
            "InvalidSignature",
        ),
    ] {
        assert_eq!(station.call(action, payload).await, json!({}));
        let sql = format!("charge_points WHERE id = 'CP1' AND {column} = '{status}' AND {column}_at > 0");
        assert_eq!(served.count(&sql).await, 1, "{action}");
    }
}

#[tokio::test]
async fn security_events_are_kept() {
    let mut served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    let event = json!({"type": "TamperDetectionActivated", "timestamp": AT, "techInfo": "door"});
    assert_eq!(station.call("SecurityEventNotification", event).await, json!({}));
    let sql = "SELECT charge_point, kind, tech_info, happened_at FROM security_events";
    let row: (String, String, String, i64) = served.row(sql).await;
    assert_eq!(row, ("CP1".into(), "TamperDetectionActivated".into(), "door".into(), millis(AT)));
}

/// OCPP 1.6 §4.3.
#[tokio::test]
async fn data_transfer_reaches_the_handler_of_its_vendor_and_message() {
    let served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    for (request, answer) in [
        (json!({"vendorId": "somebody.else"}), json!({"status": "UnknownVendorId"})),
        (json!({"vendorId": "onwire.example", "messageId": "Sing"}), json!({"status": "UnknownMessageId"})),
        (json!({"vendorId": "onwire.example"}), json!({"status": "UnknownMessageId"})),
        (
            json!({"vendorId": "OnWire.Example", "messageId": "echo", "data": "{\"a\":1}"}),
            json!({"status": "Accepted", "data": "{\"a\":1}"}),
        ),
        (json!({"vendorId": "onwire.example", "messageId": "Echo"}), json!({"status": "Rejected"})),
    ] {
        assert_eq!(station.call("DataTransfer", request.clone()).await, answer, "{request}");
    }
}

#[tokio::test]
async fn coming_and_going_sets_the_time_it_was_last_seen() {
    let mut served = served(&[]).await;
    let mut events = served.csms.listen(None).await;
    let station = served.csms.booted("CP1").await;
    events.wait("configuration").await;
    let sql = "SELECT last_seen_at FROM charge_points";
    served.execute("UPDATE charge_points SET last_seen_at = 1").await;
    station.close().await.unwrap();
    events.wait("disconnected").await;
    assert!(served.row::<(i64,)>(sql).await.0 > 1);
    served.execute("UPDATE charge_points SET last_seen_at = 1").await;
    let _station = served.csms.station("CP1").await;
    events.wait("connected").await;
    // Writes are done in the order in which they come.
    served.csms.http("POST", "/api/v1/id-tags", Some(json!({"idTag": "A"}))).await;
    assert!(served.row::<(i64,)>(sql).await.0 > 1);
}
