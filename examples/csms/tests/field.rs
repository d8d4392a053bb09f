//! What real charge points send, against the program: all of it is answered with a CALLRESULT.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use async_tungstenite::tokio::connect_async;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::{Error, Message};
use futures_util::StreamExt;
use serde_json::{Value, json};
use support::{Csms, PATIENCE, Station, csms};

/// The next frame that is no CALL of the server, which asks for the configuration after a boot.
async fn answer(station: &mut Station) -> Value {
    loop {
        let frame = station.receive().await;
        if frame[0] != 2 {
            return frame;
        }
    }
}

/// Sends a CALL with that id and returns the payload of its CALLRESULT.
async fn call(station: &mut Station, id: &str, action: &str, payload: Value) -> Value {
    station.send(&json!([2, id, action, payload])).await;
    let answer = answer(station).await;
    assert_eq!((&answer[0], &answer[1]), (&json!(3), &json!(id)), "{answer}");
    answer[2].clone()
}

/// A cellular module's library: its own name of the subprotocol, its IMEI as identity, time-stamps without a zone.
#[tokio::test]
async fn a_cellular_module_charges() {
    let (csms, _data) = csms(&[]).await;
    let (mut socket, echoed) = csms.station_with("864431061234567", "ocpp1.6.0").await;
    assert_eq!(echoed, "ocpp1.6.0", "what was offered is echoed");
    let socket = &mut socket;
    let boot = json!({"chargePointModel": "EC800M", "chargePointVendor": "Quectel"});
    let boot = call(socket, "1", "BootNotification", boot).await;
    assert_eq!(boot["status"], "Accepted");
    assert!(boot["currentTime"].as_str().unwrap().ends_with('Z'));
    let shown = "/api/v1/charge-points/864431061234567";
    assert_eq!(csms.get(shown).await["protocol"], "ocpp1.6.0");
    let now = "2024-03-22T13:57:11.000000";
    assert_eq!(call(socket, "2", "Authorize", json!({"idTag": "TAG1"})).await["idTagInfo"]["status"], "Accepted");
    let start = json!({"connectorId": 1, "idTag": "TAG1", "meterStart": 0, "timestamp": now});
    let transaction = call(socket, "3", "StartTransaction", start.clone()).await["transactionId"].clone();
    // It saw no answer and repeats the start, under another id: it is the same transaction.
    assert_eq!(call(socket, "4", "StartTransaction", start).await["transactionId"], transaction);
    let values = json!({"connectorId": 1, "transactionId": transaction,
        "meterValue": [{"timestamp": now, "sampledValue": [{"value": 12.5, "unit": "kWh"}]}]});
    assert_eq!(call(socket, "5", "MeterValues", values).await, json!({}));
    let stop = json!({"transactionId": transaction, "meterStop": 12500, "timestamp": now});
    call(socket, "6", "StopTransaction", stop).await;
}

/// Frames of the kind a 7 kW pile was seen to send.
#[tokio::test]
async fn a_pile_s_deviations_are_answered_with_callresults() {
    let (csms, _data) = csms(&[]).await;
    let (mut socket, _) = csms.station_with("pile%207kW", "ocpp1.6").await;
    let socket = &mut socket;
    let boot = json!({"chargePointVendor": "P", "chargePointModel": "ac_7kw", "firmwareVersion": "1", "iccid": "",
        "imsi": "", "customData": {"moduleVersion": "1", "networkType": "1"}});
    assert_eq!(call(socket, "a", "BootNotification", boot).await["status"], "Accepted");

    // Two CALLs at once, answered in order.
    let at = "2025-08-14T01:23:49Z";
    let status = json!({"connectorId": 1, "status": "Preparing", "errorCode": "NoError", "info": "", "timestamp": at});
    let start = json!({"connectorId": 1, "idTag": "a1", "meterStart": 0, "timestamp": at});
    socket.send(&json!([2, "b", "StatusNotification", status])).await;
    socket.send(&json!([2, "c", "StartTransaction", start])).await;
    assert_eq!(answer(socket).await, json!([3, "b", {}]));
    let started = answer(socket).await;
    assert_eq!((&started[0], &started[1]), (&json!(3), &json!("c")));

    let values = json!({"connectorId": 1, "transactionId": started[2]["transactionId"],
        "meterValue": [{"timestamp": at, "sampledValue": [{"value": "31", "measurand": "Temperature", "unit": "Celsius"}]}]});
    assert_eq!(call(socket, "d", "MeterValues", values).await, json!({}));
    let stop = json!({"connectorId": 1, "idTag": "a1", "transactionId": started[2]["transactionId"], "meterStop": 3,
        "reason": "EnergyLimitReached", "timestamp": at});
    assert_eq!(call(socket, "e", "StopTransaction", stop).await["idTagInfo"]["status"], "Accepted");

    // A numeric id comes back as a number, and null stands for an empty payload.
    socket.send(&json!([2, 5_692_377, "Heartbeat", null])).await;
    let heartbeat = answer(socket).await;
    assert_eq!((&heartbeat[0], &heartbeat[1]), (&json!(3), &json!(5_692_377)));
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_with_the_code_of_1_6() {
    let (csms, _data) = csms(&[]).await;
    let mut socket = csms.booted("CP1").await;
    for (payload, action, code) in [
        (json!({}), "Authorize", "OccurenceConstraintViolation"),
        (json!({"idTag": true}), "Authorize", "TypeConstraintViolation"),
        (json!([]), "Heartbeat", "FormationViolation"),
        (json!({"type": "Hard"}), "Reset", "NotSupported"),
        (json!({}), "MakeCoffee", "NotImplemented"),
    ] {
        socket.send(&json!([2, "x", action, payload])).await;
        let answer = socket.receive().await;
        assert_eq!((&answer[0], &answer[1], &answer[2]), (&json!(4), &json!("x"), &json!(code)), "{answer}");
    }
}

/// OCPP-J 1.6 §3.2: the handshake is completed without a subprotocol, and the connection closed at once.
#[tokio::test]
async fn without_a_common_subprotocol_the_connection_is_closed_at_once() {
    let (csms, _data) = csms(&[]).await;
    let mut request = format!("{}CP1", csms.url).into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "ocpp0.1".parse().unwrap());
    // A client of our kind insists on the header, which shows that it was not sent.
    let refused = connect_async(request).await.unwrap_err();
    assert!(matches!(refused, Error::Protocol(_)), "{refused}");
    let (mut socket, _) = connect_async(format!("{}CP1", csms.url)).await.unwrap();
    let closed = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
    assert!(matches!(closed, Some(Ok(Message::Close(_)))), "{closed:?}");
}

#[tokio::test]
async fn a_newer_connection_of_the_same_identity_takes_the_older_one_s_place() {
    let (csms, _data) = csms(&[]).await;
    let mut older = csms.booted("CP1").await;
    call(&mut older, "1", "Heartbeat", json!({})).await;
    let (mut newer, _) = csms.station_with("CP1", "ocpp1.6").await;
    older.ends().await;
    call(&mut newer, "1", "Heartbeat", json!({})).await;
}

/// A configuration of the field: numbers and text for booleans, nothing at all, and one key that nobody can read.
#[tokio::test]
async fn one_odd_key_takes_no_other_with_it() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.station("CP1").await;
    let boot = json!({"chargePointVendor": "V", "chargePointModel": "M"});
    assert_eq!(station.call("BootNotification", boot).await["status"], "Accepted");
    let told = json!({"configurationKey": [
        {"key": "HeartbeatInterval", "readonly": 1, "value": "300"}, {"key": "A", "readonly": "true", "value": "1"},
        {"key": "B", "value": "2"}, {"key": "C", "readonly": false, "value": true},
        {"key": "Odd", "readonly": false, "value": {"a": 1}}]});
    station.obey("GetConfiguration", told.clone()).await;
    station.obey("GetLocalListVersion", json!({"listVersion": 0})).await;
    let shown = async || {
        let shown = csms.get("/api/v1/charge-points/CP1/configuration").await;
        let items = shown["items"].as_array().unwrap().clone();
        let row = |item: Value| json!([item["key"], item["value"], item["readonly"], item["odd"]]);
        Value::Array(items.into_iter().map(row).collect())
    };
    let odd = r#"{"key":"Odd","readonly":false,"value":{"a":1}}"#;
    let expected = json!([
        ["A", "1", true, false],
        ["B", "2", false, false],
        ["C", "true", false, false],
        ["HeartbeatInterval", "300", true, false],
        ["Odd", odd, false, true]
    ]);
    // Once this is answered, what was told before is kept.
    let command = csms.http("POST", "/api/v1/charge-points/CP1/commands/GetConfiguration", Some(json!({})));
    let ((status, answer), _) = tokio::join!(command, station.obey("GetConfiguration", told));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(shown().await, expected);
    assert_eq!(answer["configurationKey"].as_array().expect("a list").len(), 4, "{answer}");
}

/// `data` of a DataTransfer is text by the schema, and an object in the field; either way.
#[tokio::test]
async fn data_that_is_an_object_is_passed_on_as_its_text() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let request = json!({"vendorId": "com.example", "data": {"a": [1]}});
    station.call("DataTransfer", request).await;
    let body = json!({"vendorId": "com.example"});
    let command = csms.http("POST", "/api/v1/charge-points/CP1/commands/DataTransfer", Some(body));
    let response = json!({"status": "Accepted", "data": {"b": 2}});
    let ((status, answer), _) = tokio::join!(command, station.obey("DataTransfer", response));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["data"], r#"{"b":2}"#, "{answer}");
    let quirks = csms.get("/api/v1/charge-points/CP1").await["quirks"].clone();
    assert_eq!(quirks, json!(["JsonForText"]));
}

/// A register with decimals, and a list of meter values as its only one.
#[tokio::test]
async fn a_stop_with_decimals_ends_its_transaction() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let at = "2026-03-22T13:57:11Z";
    let start = json!({"connectorId": 1, "idTag": "TAG1", "meterStart": 12.75, "timestamp": at});
    let id = station.call("StartTransaction", start).await["transactionId"].clone();
    let value = json!({"timestamp": at, "sampledValue": {"value": "500", "unit": "Wh"}});
    station.call("MeterValues", json!({"connectorId": 1, "transactionId": id, "meterValue": value})).await;
    station.call("StopTransaction", json!({"transactionId": id, "meterStop": 26008.333, "timestamp": at})).await;
    let shown = csms.get(&format!("/api/v1/transactions/{id}")).await;
    assert_eq!((&shown["startMeterWh"], &shown["stopMeterWh"]), (&json!(12), &json!(26008)), "{shown}");
}

/// What is refused for its payload is lost: the charge point's page shows that there is such.
#[tokio::test]
async fn a_call_that_is_refused_for_its_payload_is_counted_and_logged() {
    let data = tempfile::tempdir().unwrap();
    let mut csms = Csms::start_with(data.path(), &[], &[("RUST_LOG", "csms=info")]).await;
    let mut station = csms.booted("CP1").await;
    for (count, action, payload, says) in [
        (1, "Authorize", json!({}), "Authorize: OccurenceConstraintViolation: /idTag: missing"),
        (
            2,
            "StopTransaction",
            json!({"transactionId": 1, "meterStop": {}}),
            "StopTransaction: TypeConstraintViolation",
        ),
    ] {
        station.try_call(action, payload).await.unwrap_err();
        csms.logged(says).await;
        let shown = csms.get("/api/v1/charge-points/CP1").await;
        assert_eq!(shown["refusedCalls"], count, "{shown}");
        assert!(shown["refusedCall"].as_str().unwrap().starts_with(says), "{shown}");
    }
    // What nobody handles, or may not send, is no matter of the payload.
    station.try_call("MakeCoffee", json!({})).await.unwrap_err();
    assert_eq!(csms.get("/api/v1/charge-points/CP1").await["refusedCalls"], 2);
    csms.stop().await;
    let again = Csms::start_in(data.path(), &[]).await;
    assert_eq!(again.get("/api/v1/charge-points/CP1").await["refusedCalls"], 2, "it is kept");
}

/// Sends a command that changes nothing, which is the next CALL that the charge point gets.
async fn clear_cache(csms: &Csms, station: &mut Station, id: &str) {
    let path = format!("/api/v1/charge-points/{id}/commands/ClearCache");
    let command = csms.http("POST", &path, Some(json!({})));
    let ((status, answer), _) = tokio::join!(command, station.obey("ClearCache", json!({"status": "Accepted"})));
    assert_eq!(status, 200, "{answer}");
}

/// A charge point that was accepted elsewhere, or long ago, goes on without a boot.
#[tokio::test]
async fn an_entered_charge_point_that_goes_on_without_a_boot_counts_as_accepted() {
    let data = tempfile::tempdir().unwrap();
    let mut csms = Csms::start_with(data.path(), &[], &[("RUST_LOG", "csms=info")]).await;
    for (id, policy) in [("CP1", Value::Null), ("CP2", json!("accept")), ("CP3", json!("reject"))] {
        let new = json!({"id": id, "bootPolicy": policy});
        assert_eq!(csms.http("POST", "/api/v1/charge-points", Some(new)).await.0, 201);
    }
    let at = "2026-03-22T13:57:11Z";
    let start = json!({"connectorId": 1, "idTag": "TAG1", "meterStart": 0, "timestamp": at});

    let mut station = csms.station("CP1").await;
    // Nothing says yet that it takes itself for accepted.
    assert_eq!(station.try_call("Authorize", json!({"idTag": "TAG1"})).await.unwrap_err()[2], "SecurityError");
    station.call("Heartbeat", json!({})).await;
    csms.logged("is served all the same").await;
    let (id, asked) = station.expect("TriggerMessage").await;
    assert_eq!(asked, json!({"requestedMessage": "BootNotification"}));
    station.refuse(&id, "NotImplemented", "").await;
    station.call("Authorize", json!({"idTag": "TAG1"})).await;
    station.call("Heartbeat", json!({})).await;
    station.call("StartTransaction", start.clone()).await;
    // The next that it is sent is this: it is asked once.
    clear_cache(&csms, &mut station, "CP1").await;

    let mut station = csms.station("CP2").await;
    let id = station.call("StartTransaction", start.clone()).await["transactionId"].clone();
    station.call("StopTransaction", json!({"transactionId": id, "meterStop": 5, "timestamp": at})).await;

    // What was rejected, or would be, stays so, and is not sent anything.
    let mut station = csms.station("CP3").await;
    for _ in 0..2 {
        assert_eq!(station.try_call("StartTransaction", start.clone()).await.unwrap_err()[2], "SecurityError");
        assert_eq!(station.try_call("Heartbeat", json!({})).await.unwrap_err()[2], "SecurityError");
        let boot = json!({"chargePointVendor": "V", "chargePointModel": "M"});
        assert_eq!(station.call("BootNotification", boot).await["status"], "Rejected");
    }
    clear_cache(&csms, &mut station, "CP3").await;

    // Nobody has entered this one: it is asked for its boot, and accepted with it.
    let mut station = csms.station("CP4").await;
    assert_eq!(station.try_call("Heartbeat", json!({})).await.unwrap_err()[2], "SecurityError");
    csms.logged("is refused: it is asked for a boot").await;
    station.obey("TriggerMessage", json!({"status": "Accepted"})).await;
    // A CALLERROR would destroy it.
    let id = station.call("StartTransaction", start).await["transactionId"].clone();
    let values = json!([{"timestamp": at, "sampledValue": [{"value": "3"}]}]);
    station.call("MeterValues", json!({"connectorId": 1, "transactionId": id, "meterValue": values})).await;
    station.call("StopTransaction", json!({"transactionId": id, "meterStop": 5, "timestamp": at})).await;
    assert_eq!(csms.get(&format!("/api/v1/transactions/{id}")).await["energyWh"], 5);
    station.boot().await;
    station.call("Heartbeat", json!({})).await;
}

/// Behind some networks a link is forgotten after less than two minutes of silence.
#[tokio::test]
async fn pings_are_a_setting_of_each_charge_point() {
    let (csms, _data) = csms(&[]).await;
    let path = "/api/v1/charge-points/CP1";
    let new = json!({"id": "CP1", "pingInterval": 600});
    assert_eq!(csms.http("POST", "/api/v1/charge-points", Some(new)).await.0, 201);
    assert_eq!(csms.get(path).await["pingInterval"], 600);
    for (wrong, pointer) in
        [(json!({"pingInterval": 4}), "/pingInterval"), (json!({"pingTimeout": 3601}), "/pingTimeout")]
    {
        let (status, problem) = csms.http("PATCH", path, Some(wrong)).await;
        assert_eq!((status, &problem["pointer"]), (422, &json!(pointer)), "{problem}");
    }
    let change = json!({"pingInterval": 5, "pingTimeout": 60});
    let (status, changed) = csms.http("PATCH", path, Some(change)).await;
    assert_eq!((status, &changed["pingInterval"], &changed["pingTimeout"]), (200, &json!(5), &json!(60)));

    let mut request = format!("{}CP1", csms.url).into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "ocpp1.6".parse().unwrap());
    let (mut socket, _) = connect_async(request).await.unwrap();
    let pinged = tokio::time::timeout(PATIENCE, socket.next()).await.expect("long before the two minutes of others");
    assert!(matches!(pinged, Some(Ok(Message::Ping(_)))), "{pinged:?}");

    let (_, changed) = csms.http("PATCH", path, Some(json!({"pingInterval": null}))).await;
    assert_eq!((&changed["pingInterval"], &changed["pingTimeout"]), (&Value::Null, &json!(60)));
}
