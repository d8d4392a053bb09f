//! `/id-tags`.

use serde_json::json;

use crate::support::csms;
use crate::{expect, refused};

const LIST: &str = "/api/v1/id-tags";

#[tokio::test]
async fn they_are_entered_changed_and_taken_out() {
    let (csms, _data) = csms(&[]).await;
    let new =
        json!({"idTag": "Tag1", "parentIdTag": "FLEET", "group": "Fleet", "expiryDate": "2030-01-02T03:04:05+01:00"});
    let entered = expect(&csms, 201, "POST", LIST, Some(new.clone())).await;
    assert_eq!((&entered["idTag"], &entered["status"]), (&json!("Tag1"), &json!("Accepted")), "{entered}");
    assert!(entered["expiryDate"].as_str().unwrap().starts_with("2030-01-02T02:04:05"), "{entered}");
    let mut same = new;
    same["idTag"] = json!("TAG1");
    refused(&csms, 409, "conflict", "POST", LIST, Some(same)).await;
    let one = format!("{LIST}/tAG1");
    assert_eq!(csms.get(&one).await, entered);
    let changed = expect(&csms, 200, "PATCH", &one, Some(json!({"status": "Blocked", "group": null}))).await;
    assert_eq!((&changed["status"], &changed["group"]), (&json!("Blocked"), &json!(null)), "{changed}");
    assert_eq!((&changed["parentIdTag"], &changed["idTag"]), (&json!("FLEET"), &json!("Tag1")), "{changed}");
    let replaced = expect(&csms, 200, "PUT", &one, Some(json!({"note": "lost"}))).await;
    assert_eq!((&replaced["status"], &replaced["parentIdTag"]), (&json!("Accepted"), &json!(null)), "{replaced}");
    expect(&csms, 201, "PUT", &format!("{LIST}/Tag2"), Some(json!({}))).await;
    expect(&csms, 204, "DELETE", &one, None).await;
    refused(&csms, 404, "notFound", "GET", &one, None).await;
    refused(&csms, 404, "notFound", "PATCH", &one, Some(json!({}))).await;
    refused(&csms, 404, "notFound", "DELETE", &one, None).await;
    let audit = csms.get("/api/v1/audit").await;
    let actions: Vec<_> =
        audit["items"].as_array().unwrap().iter().map(|item| item["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["delete", "create", "change", "change", "create"]);
}

#[tokio::test]
async fn they_are_found_by_status_group_and_text() {
    let (csms, _data) = csms(&[]).await;
    for (tag, status, group) in [("A1", "Accepted", "x"), ("A2", "Blocked", "x"), ("B1", "Accepted", "y")] {
        expect(&csms, 201, "POST", LIST, Some(json!({"idTag": tag, "status": status, "group": group}))).await;
    }
    for (query, tags) in [
        ("", vec!["A1", "A2", "B1"]),
        ("status=Accepted", vec!["A1", "B1"]),
        ("group=x", vec!["A1", "A2"]),
        ("q=a", vec!["A1", "A2"]),
        ("q=a&status=Blocked", vec!["A2"]),
        ("q=_", vec![]),
    ] {
        let page = csms.get(&format!("{LIST}?{query}")).await;
        let found: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|item| item["idTag"].as_str().unwrap()).collect();
        assert_eq!((found, &page["total"]), (tags.clone(), &json!(tags.len())), "{query}");
    }
    let page = csms.get(&format!("{LIST}?limit=2")).await;
    let next = csms.get(&format!("{LIST}?limit=2&cursor={}", page["nextCursor"].as_str().unwrap())).await;
    assert_eq!((&next["items"][0]["idTag"], &next["nextCursor"]), (&json!("B1"), &json!(null)));
}

#[tokio::test]
async fn what_is_no_tag_is_refused_with_a_pointer() {
    let (csms, _data) = csms(&[]).await;
    for (body, pointer) in [
        (json!({"idTag": "x".repeat(256)}), "/idTag"),
        (json!({"idTag": "A", "parentIdTag": "123456789012345678901"}), "/parentIdTag"),
        (json!({"idTag": ""}), "/idTag"),
        (json!({"idTag": 1}), "/idTag"),
        (json!({"idTag": "A", "status": "Good"}), "/status"),
        (json!({"idTag": "A", "expiryDate": "tomorrow"}), "/expiryDate"),
        (json!({"idTag": "A", "parentIdTag": ""}), "/parentIdTag"),
        (json!({"idTag": "A", "note": "x\u{0}"}), "/note"),
        (json!([]), ""),
    ] {
        let problem = refused(&csms, 422, "invalidPayload", "POST", LIST, Some(body)).await;
        assert_eq!(problem["pointer"], pointer, "{problem}");
    }
    refused(&csms, 400, "badRequest", "GET", &format!("{LIST}?status=Good"), None).await;
    refused(&csms, 400, "badRequest", "GET", &format!("{LIST}/a%00b"), None).await;
}

/// Some charge points send what they read from a card, whatever its length. What is sent to them stays valid.
#[tokio::test]
async fn a_tag_that_ocpp_has_no_room_for_may_charge_and_is_never_sent() {
    const TAG: &str = "123456789012345678901";
    let (csms, _data) = csms(&["--open", "false"]).await;
    expect(&csms, 201, "POST", "/api/v1/charge-points", Some(json!({"id": "CP1"}))).await;
    let entered = expect(&csms, 201, "POST", LIST, Some(json!({"idTag": TAG}))).await;
    assert_eq!(entered["tooLong"], true);
    assert_eq!(expect(&csms, 201, "PUT", &format!("{LIST}/Short"), Some(json!({}))).await["tooLong"], false);
    let mut station = csms.booted("CP1").await;
    assert_eq!(station.call("Authorize", json!({"idTag": TAG})).await["idTagInfo"]["status"], "Accepted");
    let start = json!({"connectorId": 1, "idTag": TAG, "meterStart": 0, "timestamp": "2026-01-01T10:00:00Z"});
    assert_eq!(station.call("StartTransaction", start).await["idTagInfo"]["status"], "Accepted");
    for path in ["/api/v1/charge-points/CP1/local-list", "/api/ocpp/localList/full/CP1"] {
        let method = if path.contains("v1") { "POST" } else { "GET" };
        let body = (method == "POST").then(|| json!({"type": "Full"}));
        let (sent, answer) = tokio::join!(
            station.obey("SendLocalList", json!({"status": "Accepted"})),
            expect(&csms, 200, method, path, body),
        );
        let info = json!({"status": "Accepted"});
        assert_eq!(sent["localAuthorizationList"], json!([{"idTag": "Short", "idTagInfo": info}]));
        assert_eq!(answer["leftOut"], json!([TAG]), "{answer}");
    }
    for (path, body) in [
        ("/api/v1/charge-points/CP1/commands/RemoteStartTransaction", json!({"idTag": TAG})),
        (
            "/api/v1/reservations",
            json!({"chargePoint": "CP1", "connector": 1, "idTag": TAG, "expiryDate": "2099-01-01T00:00:00Z"}),
        ),
    ] {
        let problem = refused(&csms, 422, "invalidPayload", "POST", path, Some(body)).await;
        assert_eq!((&problem["pointer"], &problem["detail"]), (&json!("/idTag"), &json!("longer than 20 characters")));
    }
}
