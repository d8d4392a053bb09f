//! `/charge-points`.

use serde_json::json;

use crate::support::csms;
use crate::{expect, refused};

const LIST: &str = "/api/v1/charge-points";

#[tokio::test]
async fn they_are_entered_changed_and_taken_out() {
    let (csms, _data) = csms(&[]).await;
    let new =
        json!({"id": "CP 1/ä".replace('/', "-"), "bootPolicy": "pending", "note": "by the door", "securityProfile": 1});
    let entered = expect(&csms, 201, "POST", LIST, Some(new.clone())).await;
    assert_eq!((&entered["id"], &entered["registered"]), (&json!("CP 1-ä"), &json!(true)), "{entered}");
    assert_eq!((&entered["bootPolicy"], &entered["note"]), (&json!("pending"), &json!("by the door")), "{entered}");
    assert_eq!((&entered["connected"], &entered["connectors"]), (&json!(false), &json!([])), "{entered}");
    refused(&csms, 409, "conflict", "POST", LIST, Some(new)).await;
    let one = format!("{LIST}/CP%201-%C3%A4");
    let changed = expect(&csms, 200, "PATCH", &one, Some(json!({"bootPolicy": null, "securityProfile": 2}))).await;
    assert_eq!((&changed["bootPolicy"], &changed["note"]), (&json!(null), &json!("by the door")), "{changed}");
    assert_eq!(changed["securityProfile"], 2);
    assert_eq!(csms.get(&one).await, changed);
    let problem = refused(&csms, 422, "invalidPayload", "PATCH", &one, Some(json!({"securityProfile": 4}))).await;
    assert_eq!(problem["pointer"], "/securityProfile");
    let problem = refused(&csms, 422, "invalidPayload", "PATCH", &one, Some(json!({"bootPolicy": "maybe"}))).await;
    assert_eq!(problem["pointer"], "/bootPolicy");
    expect(&csms, 204, "DELETE", &one, None).await;
    refused(&csms, 404, "notFound", "GET", &one, None).await;
    refused(&csms, 404, "notFound", "DELETE", &one, None).await;
    refused(&csms, 404, "notFound", "PATCH", &one, Some(json!({}))).await;
}

#[tokio::test]
async fn pages_have_each_of_them_once() {
    let (csms, _data) = csms(&[]).await;
    for number in 0..7 {
        expect(&csms, 201, "POST", LIST, Some(json!({"id": format!("CP{number}"), "note": "100%_sure"}))).await;
    }
    let mut station = csms.booted("CP3").await;
    for (query, total) in
        [("q=", 7), ("q=100%25_S", 7), ("connected=false", 6), ("connected=true", 1), ("q=cp5", 1), ("q=%25x", 0)]
    {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = csms.get(&format!("{LIST}?limit=3&{query}{cursor}")).await;
            assert_eq!(page["total"], total, "{query}: {page}");
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            let Some(next) = page["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen.len(), usize::try_from(total).unwrap(), "{query}: {seen:?}");
        assert!(seen.is_sorted_by(|one, other| one < other), "{query}: {seen:?}");
    }
    station.call("Heartbeat", json!({})).await;
    let found = csms.get(&format!("{LIST}/CP3")).await;
    assert!(found["connected"] == true && found["connectedSince"].is_string(), "{found}");
    assert!(found["remoteAddress"].as_str().unwrap().starts_with("127.0.0.1:"), "{found}");
    assert!(found["lastSeenAt"].is_string() && found["protocol"] == "ocpp1.6", "{found}");
}

#[tokio::test]
async fn pages_that_there_are_not() {
    let (csms, _data) = csms(&[]).await;
    for query in ["limit=0", "limit=501", "limit=x", "cursor=%21", "connected=perhaps"] {
        refused(&csms, 400, "badRequest", "GET", &format!("{LIST}?{query}"), None).await;
    }
    for id in ["", "a/b", "a\u{0}b", "a\nb", &"x".repeat(49)] {
        let problem = refused(&csms, 422, "invalidPayload", "POST", LIST, Some(json!({"id": id}))).await;
        assert_eq!(problem["pointer"], "/id");
    }
}

#[tokio::test]
async fn taking_one_out_ends_its_connection() {
    let (csms, _data) = csms(&[]).await;
    expect(&csms, 201, "POST", LIST, Some(json!({"id": "CP1"}))).await;
    let mut station = csms.booted("CP1").await;
    expect(&csms, 204, "DELETE", &format!("{LIST}/CP1"), None).await;
    station.ends().await;
}

#[tokio::test]
async fn its_meter_values_are_there_whether_or_not_there_was_a_transaction() {
    let (csms, data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let start = json!({"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": "2026-01-01T10:00:00Z"});
    let id = station.call("StartTransaction", start).await["transactionId"].clone();
    for (minute, connector, transaction, value) in [
        (1, 0, json!(null), "main"),
        (2, 1, id.clone(), "named"),
        (3, 2, json!(null), "idle"),
        (4, 2, json!(4711), "unknown"),
    ] {
        let mut values = json!({"connectorId": connector, "meterValue": [
            {"timestamp": format!("2026-01-01T10:0{minute}:00Z"), "sampledValue": [{"value": value}]}]});
        if !transaction.is_null() {
            values["transactionId"] = transaction;
        }
        station.call("MeterValues", values).await;
    }
    drop(station);
    // What it was told is written when it has ended.
    csms.stop().await;
    let csms = crate::support::Csms::start_in(data.path(), &[]).await;
    for (query, expected) in [
        ("", vec!["unknown", "idle", "named", "main"]),
        ("&connector=0", vec!["main"]),
        ("&connector=2", vec!["unknown", "idle"]),
        ("&withoutTransaction=true", vec!["unknown", "idle", "main"]),
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = csms.get(&format!("/api/v1/charge-points/CP1/meter-values?limit=2{query}{cursor}")).await;
            seen.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let values: Vec<_> = seen.iter().map(|item| item["value"].as_str().unwrap()).collect();
        assert_eq!(values, expected, "{query}");
        if query == "&connector=2" {
            assert_eq!(
                (&seen[0]["transactionId"], &seen[1]["transactionId"]),
                (&json!(4711), &json!(null)),
                "{seen:?}"
            );
            assert!(seen[0]["receivedAt"].is_string() && seen[0]["connector"] == 2, "{seen:?}");
        }
    }
    refused(&csms, 404, "notFound", "GET", "/api/v1/charge-points/CP9/meter-values", None).await;
}
