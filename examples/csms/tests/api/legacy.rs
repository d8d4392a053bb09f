//! `/api/ocpp`: paths and parameters of another server.

use serde_json::json;

use crate::support::csms;
use crate::{expect, refused};

#[tokio::test]
async fn connections_and_status() {
    let (csms, _data) = csms(&[]).await;
    assert_eq!(csms.get("/api/ocpp/connections").await, json!({"count": 0, "connections": []}));
    refused(&csms, 404, "notFound", "GET", "/api/ocpp/status/CP1", None).await;
    let _station = csms.booted("CP1").await;
    let found = csms.get("/api/ocpp/connections").await;
    assert_eq!((&found["count"], &found["connections"][0]["cpId"]), (&json!(1), &json!("CP1")), "{found}");
    let status = csms.get("/api/ocpp/status/CP1").await;
    assert_eq!((&status["cpId"], &status["connected"]), (&json!("CP1"), &json!(true)), "{status}");
    assert!(status["lastCommunicationTime"].is_string(), "{status}");
}

#[tokio::test]
async fn remote_start_and_stop() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let (sent, answer) = tokio::join!(
        station.obey("RemoteStartTransaction", json!({"status": "Accepted"})),
        csms.get("/api/ocpp/remoteStart/CP1?idTag=A&connectorId=2"),
    );
    assert_eq!((sent, answer), (json!({"connectorId": 2, "idTag": "A"}), json!({"cpId": "CP1", "status": "Accepted"})));
    let (sent, answer) = tokio::join!(
        station.obey("RemoteStopTransaction", json!({"status": "Rejected"})),
        csms.get("/api/ocpp/remoteStop/CP1?transactionId=7"),
    );
    assert_eq!((sent, answer), (json!({"transactionId": 7}), json!({"cpId": "CP1", "status": "Rejected"})));
    for query in ["", "?connectorId=1", "?idTag=", "?idTag=123456789012345678901", "?idTag=A&connectorId=x"] {
        refused(&csms, 400, "badRequest", "GET", &format!("/api/ocpp/remoteStart/CP1{query}"), None).await;
    }
    refused(&csms, 400, "badRequest", "GET", "/api/ocpp/remoteStop/CP1", None).await;
    refused(&csms, 404, "notFound", "GET", "/api/ocpp/remoteStart/CP2?idTag=A", None).await;
}

#[tokio::test]
async fn local_lists() {
    let (csms, _data) = csms(&[]).await;
    expect(&csms, 201, "POST", "/api/v1/id-tags", Some(json!({"idTag": "A"}))).await;
    let mut station = csms.booted("CP1").await;
    let (_, answer) = tokio::join!(
        station.obey("GetLocalListVersion", json!({"listVersion": 4})),
        csms.get("/api/ocpp/localList/version/CP1"),
    );
    assert_eq!(answer, json!({"cpId": "CP1", "listVersion": 4}));
    let (sent, answer) = tokio::join!(
        station.obey("SendLocalList", json!({"status": "Accepted"})),
        csms.get("/api/ocpp/localList/full/CP1?timeoutSeconds=20"),
    );
    assert_eq!((&sent["updateType"], &sent["localAuthorizationList"][0]["idTag"]), (&json!("Full"), &json!("A")));
    assert_eq!(answer, json!({"cpId": "CP1", "listVersion": sent["listVersion"], "status": "Accepted"}));
    let changes = json!({"listVersion": 12, "updateType": "Differential", "localAuthorizationList": [{"idTag": "A"}]});
    let diff = "/api/ocpp/localList/diff/CP1?timeoutSeconds=20";
    let (sent, answer) = tokio::join!(
        station.obey("SendLocalList", json!({"status": "Accepted"})),
        expect(&csms, 200, "POST", diff, Some(changes.clone())),
    );
    assert_eq!((sent, answer), (changes, json!({"cpId": "CP1", "listVersion": 12, "status": "Accepted"})));
    let problem = refused(&csms, 422, "invalidPayload", "POST", diff, Some(json!({"listVersion": "x"}))).await;
    assert_eq!(problem["pointer"], "/listVersion");
    tokio::join!(
        station.expect("GetLocalListVersion"),
        refused(&csms, 504, "timeout", "GET", "/api/ocpp/localList/version/CP1?timeoutSeconds=1", None),
    );
    refused(&csms, 400, "badRequest", "GET", "/api/ocpp/localList/version/CP1?timeoutSeconds=0", None).await;
}
