//! `/transactions`, `/unknown-stops`, `/messages`.

use serde_json::{Value, json};

use crate::support::{Csms, Station, csms};
use crate::{expect, refused};

const LIST: &str = "/api/v1/transactions";

async fn start(station: &mut Station, connector: i64, tag: &str, at: &str) -> i64 {
    let request = json!({"connectorId": connector, "idTag": tag, "meterStart": 100, "timestamp": at});
    station.call("StartTransaction", request).await["transactionId"].as_i64().unwrap()
}

async fn ids(csms: &Csms, query: &str) -> Vec<i64> {
    let page = csms.get(&format!("{LIST}?{query}")).await;
    assert_eq!(page["total"], page["items"].as_array().unwrap().len(), "{page}");
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn they_are_listed_with_their_energy_and_found_by_what_they_are() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let first = start(&mut station, 1, "Tag1", "2026-01-01T10:00:00Z").await;
    let second = start(&mut station, 2, "Tag2", "2026-01-02T10:00:00Z").await;
    let stop =
        json!({"transactionId": first, "meterStop": 1600, "timestamp": "2026-01-01T11:00:00Z", "reason": "Remote"});
    station.call("StopTransaction", stop).await;
    let found = csms.get(&format!("{LIST}/{first}")).await;
    assert_eq!((&found["energyWh"], &found["active"]), (&json!(1500), &json!(false)), "{found}");
    assert_eq!((&found["stopReason"], &found["idTag"]), (&json!("Remote"), &json!("Tag1")), "{found}");
    for (query, expected) in [
        ("", vec![second, first]),
        ("active=true", vec![second]),
        ("active=false", vec![first]),
        ("idTag=TAG1", vec![first]),
        ("connector=2", vec![second]),
        ("chargePoint=CP2", vec![]),
        ("from=2026-01-02T00:00:00Z", vec![second]),
        ("to=2026-01-02T00:00:00Z", vec![first]),
    ] {
        assert_eq!(ids(&csms, query).await, expected, "{query}");
    }
    let page = csms.get(&format!("{LIST}?limit=1")).await;
    let next = csms.get(&format!("{LIST}?limit=1&cursor={}", page["nextCursor"].as_str().unwrap())).await;
    assert_eq!((&next["items"][0]["id"], &next["nextCursor"]), (&json!(first), &json!(null)));
    refused(&csms, 404, "notFound", "GET", &format!("{LIST}/999"), None).await;
    refused(&csms, 400, "badRequest", "GET", &format!("{LIST}?from=yesterday"), None).await;
}

#[tokio::test]
async fn one_that_runs_is_stopped_at_its_charge_point() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let id = start(&mut station, 1, "Tag1", "2026-01-01T10:00:00Z").await;
    let stop = format!("{LIST}/{id}/stop");
    let (sent, answer) = tokio::join!(
        station.obey("RemoteStopTransaction", json!({"status": "Accepted"})),
        expect(&csms, 200, "POST", &stop, None),
    );
    assert_eq!((sent, answer), (json!({"transactionId": id}), json!({"status": "Accepted"})));
    let ended = json!({"transactionId": id, "meterStop": 200, "timestamp": "2026-01-01T11:00:00Z"});
    station.call("StopTransaction", ended).await;
    refused(&csms, 409, "conflict", "POST", &stop, None).await;
    refused(&csms, 404, "notFound", "POST", &format!("{LIST}/999/stop"), None).await;
}

#[tokio::test]
async fn meter_values_come_in_pages_and_signed_ones_byte_for_byte() {
    let (csms, data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let id = start(&mut station, 1, "Tag1", "2026-01-01T10:00:00Z").await;
    let signed = "OCMF|{\"a\" : 1 }|  \\u00e4";
    let at = |minute: i64, values: Value| json!({"timestamp": format!("2026-01-01T10:0{minute}:00Z"), "sampledValue": values});
    let phases = json!([{"value": "1", "measurand": "Voltage", "phase": "L1"}, {"value": "2", "measurand": "Voltage",
        "phase": "L2"}, {"value": "3", "measurand": "Voltage", "phase": "L3"}]);
    let last = json!([{"value": signed, "format": "SignedData"}]);
    let values = json!({"connectorId": 1, "transactionId": id, "meterValue": [at(1, phases.clone()), at(2, phases)]});
    station.call("MeterValues", values).await;
    let stop = json!({"transactionId": id, "meterStop": 200, "timestamp": "2026-01-01T11:00:00Z",
        "transactionData": [at(3, last)]});
    station.call("StopTransaction", stop).await;
    drop(station);
    // What it was told is written when it has ended.
    csms.stop().await;
    let csms = Csms::start_in(data.path(), &[]).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = csms.get(&format!("{LIST}/{id}/meter-values?limit=2{cursor}")).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["value"].as_str().unwrap().to_owned()));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["1", "2", "3", "1", "2", "3", signed]);
    let client = reqwest::Client::new();
    let export = client.get(format!("{}{LIST}/{id}/signed-data", csms.http)).send().await.unwrap();
    assert_eq!(export.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(export.text().await.unwrap(), format!("{signed}\n"));
    let export = client.get(format!("{}{LIST}/{id}/signed-data", csms.http)).header("accept", "application/json");
    let export: Value = export.send().await.unwrap().json().await.unwrap();
    assert_eq!(export, json!({"transactionId": id, "values": [signed]}));
}

#[tokio::test]
async fn stops_of_no_known_transaction_are_listed() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    for id in [901, 902, 903] {
        let stop = json!({"transactionId": id, "meterStop": 200, "timestamp": "2026-01-01T11:00:00Z"});
        station.call("StopTransaction", stop).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = csms.get(&format!("/api/v1/unknown-stops?limit=2{cursor}")).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["transactionId"].as_i64().unwrap()));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    seen.sort_unstable();
    assert_eq!(seen, [901, 902, 903]);
}

#[tokio::test]
async fn an_operator_closes_one_by_hand() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let mut events = csms.listen(Some("CP1")).await;
    let values = |id: i64, value: i64| {
        json!({"connectorId": 1, "transactionId": id, "meterValue": [
            {"timestamp": "2026-01-01T10:30:00Z", "sampledValue": [{"value": value.to_string()}]}]})
    };
    for (connector, body, meter, energy, at) in [
        (1, json!({"meterWh": 900, "at": "2026-01-01T10:45:00Z"}), 900, 800, "2026-01-01T10:45:00"),
        (2, json!({}), 700, 600, "2026-01-01T10:30:00"),
    ] {
        let id = start(&mut station, connector, "Tag1", "2026-01-01T10:00:00Z").await;
        station.call("MeterValues", values(id, 700)).await;
        let close = format!("{LIST}/{id}/close");
        for (wrong, pointer) in [
            (json!({"meterWh": 900}), "/at"),
            (json!({"at": "2026-01-01T10:45:00Z"}), "/meterWh"),
            (json!({"meterWh": -1, "at": "2026-01-01T10:45:00Z"}), "/meterWh"),
            (json!({"meterWh": i64::MAX, "at": "2026-01-01T10:45:00Z"}), "/meterWh"),
        ] {
            let problem = refused(&csms, 422, "invalidPayload", "POST", &close, Some(wrong)).await;
            assert_eq!(problem["pointer"], pointer, "{problem}");
        }
        let closed = expect(&csms, 200, "POST", &close, Some(body.clone())).await;
        assert_eq!(closed, csms.get(&format!("{LIST}/{id}")).await);
        assert_eq!(events.wait("transactionStopped").await, closed);
        assert_eq!((&closed["active"], &closed["estimated"]), (&json!(false), &json!(true)), "{closed}");
        assert_eq!((&closed["closedBy"], &closed["stopReason"]), (&json!("open"), &json!(null)), "{closed}");
        assert_eq!((&closed["stopMeterWh"], &closed["energyWh"]), (&json!(meter), &json!(energy)), "{closed}");
        assert!(closed["stoppedAt"].as_str().unwrap().starts_with(at), "{closed}");
        refused(&csms, 409, "conflict", "POST", &close, Some(body.clone())).await;
        let entry = &csms.get("/api/v1/audit").await["items"][0];
        assert_eq!((&entry["action"], &entry["target"]), (&json!("close"), &json!(format!("transactions/{id}"))));
        assert_eq!(entry["detail"]["meterWh"], body["meterWh"]);
        // Values that waited change nothing of it; the charge point's own stop does.
        station.call("MeterValues", values(id, 1000)).await;
        assert_eq!(csms.get(&format!("{LIST}/{id}")).await["energyWh"], energy);
        let stop = json!({"transactionId": id, "meterStop": 1100, "timestamp": "2026-01-01T11:00:00Z"});
        station.call("StopTransaction", stop).await;
        assert_eq!(events.wait("transactionStopped").await["stopMeterWh"], 1100);
        let found = csms.get(&format!("{LIST}/{id}")).await;
        assert_eq!(
            (&found["energyWh"], &found["estimated"], &found["closedBy"]),
            (&json!(1000), &json!(false), &json!("open"))
        );
    }
    refused(&csms, 404, "notFound", "POST", &format!("{LIST}/999/close"), Some(json!({}))).await;
}
