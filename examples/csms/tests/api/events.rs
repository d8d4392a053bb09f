//! `/events`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::expect;
use crate::support::{Csms, Station, csms};

const AT: &str = "2026-03-01T10:00:00Z";

/// The kinds of events that the document tells of.
fn documented(document: &Value) -> BTreeSet<String> {
    let text = document["paths"]["/api/v1/events"]["get"]["description"].as_str().unwrap();
    let kinds = text.split_once("`event` is ").unwrap().1.split_once("and `data`").unwrap().0;
    kinds.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Reserves for a second; the number of the reservation.
async fn reserve(csms: &Csms, station: &mut Station) -> Value {
    let soon = onwire::types::DateTime::from_unix_millis(onwire::types::DateTime::now().unix_millis() + 1000);
    let asked = json!({"chargePoint": "CP1", "connector": 2, "idTag": "B", "expiryDate": soon.to_string()});
    let (_, reserved) = tokio::join!(
        station.obey("ReserveNow", json!({"status": "Accepted"})),
        expect(csms, 201, "POST", "/api/v1/reservations", Some(asked)),
    );
    reserved["id"].clone()
}

/// Makes everything happen that is told, and says what is told of it, in order.
async fn happen(station: &mut Station) -> Vec<(&'static str, Value)> {
    let mut told = vec![
        ("connected", json!({"protocol": "ocpp1.6"})),
        ("booted", json!({"status": "Accepted", "vendor": "onwire", "model": "test"})),
    ];
    let report = |status: &str, error: &str| json!({"connectorId": 1, "status": status, "errorCode": error, "timestamp": AT, "vendorErrorCode": "E7"});
    station.call("StatusNotification", report("Faulted", "GroundFailure")).await;
    told.push((
        "status",
        json!({"connector": 1, "status": "Faulted", "errorCode": "GroundFailure",
        "vendorErrorCode": "E7", "at": AT}),
    ));
    let start = |meter: i64| json!({"connectorId": 1, "idTag": "A", "meterStart": meter, "timestamp": AT});
    let id = station.call("StartTransaction", start(5)).await["transactionId"].clone();
    told.push(("transactionStarted", json!({"id": id, "connector": 1, "idTag": "A", "active": true})));
    let values = json!({"connectorId": 1, "transactionId": id,
        "meterValue": [{"timestamp": AT, "sampledValue": [{"value": "7", "unit": "Wh"}]}]});
    station.call("MeterValues", values).await;
    told.push((
        "meterValues",
        json!({"connector": 1, "transactionId": id, "values": [{"measuredAt": AT, "connector": 1,
        "context": null, "measurand": null, "phase": null, "location": null, "format": null, "unit": "Wh",
        "value": "7"}]}),
    ));
    let stop = json!({"transactionId": id, "meterStop": 9, "timestamp": AT, "reason": "Local"});
    station.call("StopTransaction", stop).await;
    told.push(("transactionStopped", json!({"id": id, "stopReason": "Local", "energyWh": 4, "estimated": false})));
    // Its stop is lost.
    let id = station.call("StartTransaction", start(9)).await["transactionId"].clone();
    told.push(("transactionStarted", json!({"id": id})));
    station.call("StatusNotification", report("Available", "NoError")).await;
    told.push(("status", json!({"status": "Available"})));
    told.push(("transactionStopped", json!({"id": id, "energyWh": 0, "estimated": true})));
    station.call("FirmwareStatusNotification", json!({"status": "Downloading"})).await;
    told.push(("firmwareStatus", json!({"status": "Downloading", "requestId": null})));
    station.call("SignedFirmwareStatusNotification", json!({"status": "SignatureVerified", "requestId": 3})).await;
    told.push(("firmwareStatus", json!({"status": "SignatureVerified", "requestId": 3})));
    station.call("DiagnosticsStatusNotification", json!({"status": "Uploading"})).await;
    told.push(("diagnosticsStatus", json!({"status": "Uploading"})));
    station.call("LogStatusNotification", json!({"status": "Uploaded", "requestId": 4})).await;
    told.push(("logStatus", json!({"status": "Uploaded", "requestId": 4})));
    let event = json!({"type": "TamperDetectionActivated", "timestamp": AT, "techInfo": "door"});
    station.call("SecurityEventNotification", event).await;
    told.push(("securityEvent", json!({"type": "TamperDetectionActivated", "techInfo": "door", "at": AT})));
    told
}

#[tokio::test]
async fn every_kind_of_event_that_is_documented_arrives_at_those_who_listen() {
    let (csms, _data) = csms(&[]).await;
    let mut all = csms.listen(None).await;
    let mut one = csms.listen(Some("CP1")).await;
    let mut other = csms.listen(Some("CP2")).await;
    let mut station = csms.booted("CP1").await;
    let reservation = reserve(&csms, &mut station).await;
    let mut told = happen(&mut station).await;
    // Connections that replace each other, until one is not let in.
    let mut connections = vec![station];
    for _ in 0..3 {
        connections.push(csms.station("CP1").await);
        told.push(("connected", json!({})));
    }
    let refused = csms.http("GET", "/ocpp/CP1", None).await;
    assert_eq!(refused.0, 426, "{refused:?}");
    assert!(Station::try_connect(&format!("{}CP1", csms.url)).await.is_err());
    told.push(("heldBack", json!({})));
    connections.pop().unwrap().close().await.unwrap();
    told.push(("disconnected", json!({})));

    let mut seen = BTreeSet::new();
    for events in [&mut all, &mut one] {
        let mut left = told.iter();
        while left.len() > 0 {
            let (kind, data) = events.next().await.unwrap();
            assert_eq!(data["chargePoint"], "CP1", "{kind}: {data}");
            seen.insert(kind.clone());
            // These come in their own time.
            match &*kind {
                "message" => assert!(data["text"].as_str().unwrap().starts_with('['), "{data}"),
                "configuration" => assert_eq!(data["listVersion"], 0),
                "reservationExpired" => assert_eq!(data["reservationId"], reservation),
                _ => {}
            }
            if ["message", "configuration", "reservationExpired"].contains(&&*kind) {
                continue;
            }
            let (wanted, parts) = left.next().unwrap();
            assert_eq!(kind, *wanted, "{data}");
            for (name, value) in parts.as_object().unwrap() {
                assert_eq!(&data[name], value, "{kind}: {data}");
            }
        }
    }
    // Unless it was there before.
    if seen.insert("reservationExpired".to_owned()) {
        assert_eq!(all.wait("reservationExpired").await, json!({"chargePoint": "CP1", "reservationId": reservation}));
    }
    assert_eq!(seen, documented(&csms.get("/api/openapi.json").await));
    // The first that this one hears of anybody is of its own charge point.
    let _second = csms.booted("CP2").await;
    let (kind, data) = other.next().await.unwrap();
    assert_eq!(data["chargePoint"], "CP2", "{kind}: {data}");
}

#[tokio::test]
async fn the_stream_ends_with_the_server() {
    let (csms, _data) = csms(&[]).await;
    let mut events = csms.listen(None).await;
    csms.stop().await;
    while events.next().await.is_some() {}
}
