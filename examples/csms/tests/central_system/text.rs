//! Text that PostgreSQL rejects and SQLite takes: both keep the same of it, and nothing fails.

use serde_json::json;

use crate::{AT, LATER, served};

/// U+0000 in every text of a charge point, in every message that is kept.
#[tokio::test]
async fn a_message_with_u_0000_is_answered_and_kept_as_any_other() {
    let mut served = served(&[]).await;
    let mut events = served.csms.listen(None).await;
    let mut station = served.csms.station("CP1").await;
    let boot = json!({"chargePointVendor": "V\0", "chargePointModel": "M\0", "chargePointSerialNumber": "S\0",
        "chargeBoxSerialNumber": "B\0", "firmwareVersion": "F\0", "iccid": "I\0", "imsi": "J\0", "meterType": "T\0",
        "meterSerialNumber": "N\0", "extra\0": "X\0"});
    assert_eq!(station.call("BootNotification", boot).await["status"], "Accepted");
    let keys = json!({"configurationKey": [{"key": "Key\0", "readonly": false, "value": "v\0"}]});
    station.obey("GetConfiguration", keys).await;
    let (id, _) = station.expect("GetLocalListVersion").await;
    station.refuse(&id, "NotSupported\0", "no\0").await;
    events.wait("configuration").await;

    let status = json!({"connectorId": 1, "status": "Odd\0", "errorCode": "E\0", "info": "i\0", "vendorId": "v\0",
        "vendorErrorCode": "7\0", "timestamp": AT});
    station.call("StatusNotification", status).await;
    for (action, payload) in [
        ("FirmwareStatusNotification", json!({"status": "F\0"})),
        ("DiagnosticsStatusNotification", json!({"status": "D\0"})),
        ("LogStatusNotification", json!({"status": "L\0", "requestId": 4})),
        ("SecurityEventNotification", json!({"type": "K\0", "timestamp": AT, "techInfo": "t\0"})),
    ] {
        assert_eq!(station.call(action, payload).await, json!({}), "{action}");
    }
    assert_eq!(station.call("Authorize", json!({"idTag": "tag\0"})).await["idTagInfo"]["status"], "Accepted");
    let start = json!({"connectorId": 1, "idTag": "Tag\0", "meterStart": 0, "timestamp": AT});
    let started = station.call("StartTransaction", start).await;
    let id = &started["transactionId"];
    let sampled = json!({"value": "1\0", "context": "c\0", "measurand": "m\0", "phase": "p\0", "location": "l\0",
        "format": "f\0", "unit": "u\0"});
    let values = json!([{"timestamp": AT, "sampledValue": [sampled]}]);
    let metered = json!({"connectorId": 1, "transactionId": id, "meterValue": values});
    assert_eq!(station.call("MeterValues", metered).await, json!({}));
    let stop = json!({"transactionId": id, "meterStop": 5, "timestamp": LATER, "reason": "R\0", "idTag": "TAG\0"});
    assert_eq!(station.call("StopTransaction", stop).await["idTagInfo"]["status"], "Accepted");
    let unknown = json!({"transactionId": 99, "meterStop": 5, "timestamp": LATER, "reason": "R\0", "idTag": "U\0"});
    station.call("StopTransaction", unknown).await;

    // What an operator sees is the same on both databases.
    let shown = served.csms.get("/api/v1/charge-points/CP1").await;
    for (field, text) in [
        ("vendor", "V\u{fffd}"),
        ("model", "M\u{fffd}"),
        ("serialNumber", "S\u{fffd}"),
        ("meterSerialNumber", "N\u{fffd}"),
        ("firmwareStatus", "F\u{fffd}"),
        ("diagnosticsStatus", "D\u{fffd}"),
        ("logStatus", "L\u{fffd}"),
    ] {
        assert_eq!(shown[field], text, "{field}: {shown}");
    }
    let connector = shown["connectors"].as_array().unwrap().iter().find(|found| found["connector"] == 1).unwrap();
    assert_eq!((&connector["status"], &connector["info"]), (&json!("Odd\u{fffd}"), &json!("i\u{fffd}")));
    let keys = served.csms.get("/api/v1/charge-points/CP1/configuration").await;
    assert_eq!((&keys["items"][0]["key"], &keys["items"][0]["value"]), (&json!("Key\u{fffd}"), &json!("v\u{fffd}")));
    let found = served.csms.get("/api/v1/security-events").await;
    assert_eq!(
        (&found["items"][0]["kind"], &found["items"][0]["techInfo"]),
        (&json!("K\u{fffd}"), &json!("t\u{fffd}"))
    );
    let found = served.csms.get("/api/v1/transactions").await;
    let found = &found["items"][0];
    assert_eq!((&found["idTag"], &found["stopReason"]), (&json!("Tag\u{fffd}"), &json!("R\u{fffd}")), "{found}");
    assert_eq!(found["stopIdTag"], "TAG\u{fffd}");
    assert_eq!(served.count("unknown_stops WHERE transaction_id = 99").await, 1);
    let (csms, data) = (served.csms, served.data);
    csms.stop().await;
    let mut db = crate::look_into(data.path()).await;
    let sql = "SELECT value, unit FROM meter_values";
    let kept: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(&mut db).await.unwrap();
    assert_eq!(kept, [("1\u{fffd}".to_owned(), "u\u{fffd}".to_owned())]);
}

/// The word that an answer consists of is the outcome of the entry in the audit log.
#[tokio::test]
async fn a_command_that_is_answered_with_u_0000_is_audited() {
    let served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    let path = "/api/v1/charge-points/CP1/commands/ChangeConfiguration";
    let request = json!({"key": "A", "value": "b"});
    for (status, outcome) in [("Odd\0", "Odd\u{fffd}"), ("Accepted", "Accepted")] {
        let (_, answer) = tokio::join!(
            station.obey("ChangeConfiguration", json!({"status": status})),
            served.csms.http("POST", path, Some(request.clone())),
        );
        assert_eq!(answer, (200, json!({"status": status})));
        let audit = served.csms.get("/api/v1/audit?limit=1").await;
        assert_eq!(audit["items"][0]["outcome"], outcome, "{audit}");
    }
    let (_, _) = tokio::join!(
        async {
            let (id, _) = station.expect("ChangeConfiguration").await;
            station.refuse(&id, "GenericError", "why\0").await;
        },
        served.csms.http("POST", path, Some(request)),
    );
    let audit = served.csms.get("/api/v1/audit?limit=1").await;
    let outcome = audit["items"][0]["outcome"].as_str().unwrap();
    assert!(outcome.contains("why\u{fffd}"), "{audit}");
}

/// PostgreSQL rejects an index entry of more than 2,704 bytes.
#[tokio::test]
async fn a_tag_or_a_key_that_is_too_long_for_an_index_is_kept_and_told_from_others() {
    let served = served(&[]).await;
    let mut events = served.csms.listen(None).await;
    let mut station = served.csms.station("CP1").await;
    let boot = json!({"chargePointVendor": "V", "chargePointModel": "M"});
    assert_eq!(station.call("BootNotification", boot).await["status"], "Accepted");
    // Of many different characters, so that PostgreSQL cannot compress it.
    let long: String = (0..6000_u32).map(|n| char::from_u32(0x4e00 + n.wrapping_mul(7919) % 20_000).unwrap()).collect();
    let keys = json!({"configurationKey": [{"key": format!("{long}a"), "readonly": true},
        {"key": format!("{long}b"), "readonly": true}]});
    station.obey("GetConfiguration", keys).await;
    station.obey("GetLocalListVersion", json!({"listVersion": 0})).await;
    events.wait("configuration").await;
    let keys = served.csms.get("/api/v1/charge-points/CP1/configuration").await;
    assert_eq!(keys["items"].as_array().unwrap().len(), 2);
    let mut ids = Vec::new();
    for tag in [format!("{long}A"), format!("{long}B"), format!("{long}a")] {
        let start = json!({"connectorId": 1, "idTag": tag, "meterStart": 0, "timestamp": AT});
        ids.push(station.call("StartTransaction", start).await["transactionId"].clone());
    }
    assert!(ids[0] != ids[1] && ids[0] == ids[2], "{ids:?}");
}
