use serde_json::json;

use crate::{served, support::Csms};

fn boot() -> serde_json::Value {
    json!({"chargePointVendor": "V", "chargePointModel": "M"})
}

#[tokio::test]
async fn a_boot_is_kept_with_what_the_schema_does_not_know() {
    let mut served = served(&[]).await;
    let mut station = served.csms.station("CP1").await;
    let boot = json!({"chargePointVendor": "V", "chargePointModel": "M", "chargePointSerialNumber": "S",
        "chargeBoxSerialNumber": "B", "firmwareVersion": "1.2", "iccid": "", "imsi": "46000", "meterType": "T",
        "meterSerialNumber": "MS", "customData": {"moduleVersion": "FC4X", "networkType": "1"}, "extra": 1});
    let answer = station.call("BootNotification", boot).await;
    assert_eq!((&answer["status"], &answer["interval"]), (&json!("Accepted"), &json!(300)));
    let sql =
        "SELECT vendor, model, serial_number, charge_box_serial_number, firmware_version, iccid, imsi, meter_type,
        meter_serial_number, protocol FROM charge_points WHERE id = 'CP1'";
    let row: (String, String, String, String, String, String, String, String, String, String) = served.row(sql).await;
    let kept = [row.0, row.1, row.2, row.3, row.4, row.5, row.6, row.7, row.8, row.9];
    assert_eq!(kept, ["V", "M", "S", "B", "1.2", "", "46000", "T", "MS", "ocpp1.6"]);
    let sql = "SELECT extras, boot_status, accepted, registered FROM charge_points";
    let row: (String, String, i64, i64) = served.row(sql).await;
    let extras: serde_json::Value = serde_json::from_str(&row.0).unwrap();
    assert_eq!(extras, json!({"customData": {"moduleVersion": "FC4X", "networkType": "1"}, "extra": 1}));
    assert_eq!((row.1.as_str(), row.2, row.3), ("Accepted", 1, 0));
}

#[tokio::test]
async fn after_a_boot_configuration_and_list_version_are_read() {
    let mut served = served(&[]).await;
    let mut events = served.csms.listen(None).await;
    let mut station = served.csms.station("CP1").await;
    station.call("BootNotification", boot()).await;
    let keys = json!({"configurationKey": [{"key": "HeartbeatInterval", "readonly": false, "value": "300"},
        {"key": "AuthorizationKey", "readonly": false}]});
    assert_eq!(station.obey("GetConfiguration", keys).await, json!({}));
    assert_eq!(station.obey("GetLocalListVersion", json!({"listVersion": 7})).await, json!({}));
    assert_eq!(events.wait("configuration").await["listVersion"], 7);
    assert_eq!(served.count("charge_points WHERE list_version = 7").await, 1);
    let sql = "SELECT key, value, readonly FROM configuration_keys ORDER BY folded";
    let keys: Vec<(String, Option<String>, i64)> = served.rows(sql).await;
    assert_eq!(keys, [("AuthorizationKey".into(), None, 0), ("HeartbeatInterval".into(), Some("300".into()), 0)]);
    // Of a later boot, what is gone is gone.
    station.call("BootNotification", boot()).await;
    station.obey("GetConfiguration", json!({"configurationKey": [{"key": "A", "readonly": true, "value": ""}]})).await;
    station.obey("GetLocalListVersion", json!({"listVersion": -1})).await;
    assert_eq!(events.wait("configuration").await["listVersion"], -1);
    assert_eq!(served.count("charge_points WHERE list_version = -1").await, 1);
    assert_eq!(served.count("configuration_keys WHERE key = 'A' AND readonly = 1").await, 1);
    assert_eq!(served.count("configuration_keys").await, 1);
}

#[tokio::test]
async fn a_charge_point_that_refuses_these_questions_is_served_all_the_same() {
    let mut served = served(&[]).await;
    let mut events = served.csms.listen(None).await;
    let mut station = served.csms.station("CP1").await;
    station.call("BootNotification", boot()).await;
    let (id, _) = station.expect("GetConfiguration").await;
    station.refuse(&id, "InternalError", "").await;
    let (id, _) = station.expect("GetLocalListVersion").await;
    // While the server waits, it answers.
    station.call("Heartbeat", json!({})).await;
    station.refuse(&id, "NotSupported", "").await;
    assert_eq!(events.wait("configuration").await["listVersion"], -1);
    assert_eq!(served.count("charge_points WHERE list_version = -1").await, 1);
    assert_eq!(served.count("configuration_keys").await, 0);
}

/// OCPP-J 1.6 errata §3.8, and §5.4: a reconnect needs no BootNotification.
#[tokio::test]
async fn only_who_was_never_accepted_gets_a_security_error_and_acceptance_outlives_the_server() {
    let served = served(&[]).await;
    let mut station = served.csms.station("CP1").await;
    for (action, payload) in [
        ("Heartbeat", json!({})),
        ("Authorize", json!({"idTag": "A"})),
        ("StatusNotification", json!({"connectorId": 0, "status": "Available", "errorCode": "NoError"})),
        ("DataTransfer", json!({"vendorId": "V"})),
    ] {
        let refused = station.try_call(action, payload).await.unwrap_err();
        assert_eq!(refused[2], "SecurityError", "{refused}");
    }
    // It goes on as one that was accepted.
    station.obey("TriggerMessage", json!({"status": "Accepted"})).await;
    station.boot().await;
    station.call("Heartbeat", json!({})).await;
    drop(station);
    let mut station = served.csms.station("CP1").await;
    station.call("Heartbeat", json!({})).await;
    served.csms.kill().await;
    let csms = Csms::start_in(served.data.path(), &[]).await;
    let mut station = csms.station("CP1").await;
    station.call("Heartbeat", json!({})).await;
    let mut other = csms.station("CP2").await;
    assert_eq!(other.try_call("Heartbeat", json!({})).await.unwrap_err()[2], "SecurityError");
}

#[tokio::test]
async fn the_policy_of_a_charge_point_decides_what_its_boot_is_answered_with() {
    let mut served = served(&["--heartbeat-interval", "30"]).await;
    for (id, policy, accepted) in
        [("A", "'accept'", 0), ("P", "'pending'", 0), ("R", "'reject'", 0), ("N", "NULL", 0), ("W", "'pending'", 1)]
    {
        served
            .execute(&format!(
                "INSERT INTO charge_points (id, boot_policy, accepted, registered, created_at)
                    VALUES ('{id}', {policy}, {accepted}, 1, 0)"
            ))
            .await;
    }
    for (id, status, beats) in [
        ("A", "Accepted", true),
        ("P", "Pending", false),
        ("R", "Rejected", false),
        ("N", "Accepted", true),
        ("W", "Pending", true),
    ] {
        let mut station = served.csms.station(id).await;
        let answer = station.call("BootNotification", boot()).await;
        assert_eq!((&answer["status"], &answer["interval"]), (&json!(status), &json!(30)), "{id}");
        let heartbeat = station.try_call("Heartbeat", json!({})).await;
        assert_eq!(heartbeat.is_ok(), beats, "{id}: {heartbeat:?}");
        assert_eq!(served.count(&format!("charge_points WHERE id = '{id}' AND boot_status = '{status}'")).await, 1);
    }
    // Once it is configured, its next boot is accepted.
    served.execute("UPDATE charge_points SET boot_policy = 'accept' WHERE id = 'P'").await;
    let mut station = served.csms.station("P").await;
    assert_eq!(station.call("BootNotification", boot()).await["status"], "Accepted");
    station.call("Heartbeat", json!({})).await;
}

/// OCPP 1.6 §4.2: a charge point whose boot is pending sends what it was asked for, and nothing else.
#[tokio::test]
async fn a_charge_point_that_is_pending_may_send_what_it_was_asked_for() {
    let mut served = served(&[]).await;
    served
        .execute("INSERT INTO charge_points (id, boot_policy, registered, created_at) VALUES ('P', 'pending', 1, 0)")
        .await;
    let mut station = served.csms.station("P").await;
    assert_eq!(station.call("BootNotification", boot()).await["status"], "Pending");
    let trigger = "/api/v1/charge-points/P/commands/TriggerMessage";
    let status = json!({"connectorId": 1, "errorCode": "NoError", "status": "Available"});
    for (answer, comes) in [("NotImplemented", false), ("Accepted", true)] {
        let request = json!({"requestedMessage": "StatusNotification", "connectorId": 1});
        let (sent, _) = tokio::join!(
            served.csms.http("POST", trigger, Some(request)),
            station.obey("TriggerMessage", json!({"status": answer})),
        );
        assert_eq!(sent, (200, json!({"status": answer})));
        let reported = station.try_call("StatusNotification", status.clone()).await;
        assert_eq!(reported.is_ok(), comes, "{answer}: {reported:?}");
    }
    let refused = station.try_call("Heartbeat", json!({})).await.unwrap_err();
    assert_eq!(refused[2], "SecurityError", "nobody has asked for that");
    let start = "/api/v1/charge-points/P/commands/RemoteStartTransaction";
    let (code, problem) = served.csms.http("POST", start, Some(json!({"idTag": "A"}))).await;
    assert_eq!((code, &problem["kind"]), (409, &json!("pending")));
}
