//! `/charge-points/{id}/local-list`.

use serde_json::json;

use crate::support::csms;
use crate::{expect, refused};

const LIST: &str = "/api/v1/charge-points/CP1/local-list";

#[tokio::test]
async fn versions_follow_each_other_and_entries_are_known() {
    let (csms, _data) = csms(&[]).await;
    expect(&csms, 201, "POST", "/api/v1/charge-points", Some(json!({"id": "CP1"}))).await;
    expect(&csms, 201, "POST", "/api/v1/id-tags", Some(json!({"idTag": "Good", "parentIdTag": "P"}))).await;
    expect(&csms, 201, "POST", "/api/v1/id-tags", Some(json!({"idTag": "Bad", "status": "Blocked"}))).await;
    let mut station = csms.booted("CP1").await;
    let (sent, answer) = tokio::join!(
        station.obey("SendLocalList", json!({"status": "Accepted"})),
        expect(&csms, 200, "POST", LIST, Some(json!({"type": "Full"}))),
    );
    assert_eq!(
        sent,
        json!({"listVersion": 1, "updateType": "Full", "localAuthorizationList": [
        {"idTag": "Bad", "idTagInfo": {"status": "Blocked"}},
        {"idTag": "Good", "idTagInfo": {"parentIdTag": "P", "status": "Accepted"}}]})
    );
    assert_eq!(answer, json!({"version": 1, "status": "Accepted"}));

    let changes = json!([{"idTag": "BAD"}, {"idTag": "New", "idTagInfo": {"status": "Accepted"}}]);
    let (sent, _) = tokio::join!(
        station.obey("SendLocalList", json!({"status": "Accepted"})),
        expect(&csms, 200, "POST", LIST, Some(json!({"type": "Differential", "entries": changes}))),
    );
    assert_eq!((&sent["listVersion"], &sent["localAuthorizationList"]), (&json!(2), &changes));
    let list = csms.get(LIST).await;
    assert_eq!(
        list,
        json!({"version": 2, "entries": [
        {"idTag": "Good", "idTagInfo": {"parentIdTag": "P", "status": "Accepted"}},
        {"idTag": "New", "idTagInfo": {"status": "Accepted"}}]})
    );

    // It had another list meanwhile; the next version follows on what it says.
    tokio::join!(
        async {
            station.obey("SendLocalList", json!({"status": "VersionMismatch"})).await;
            station.obey("GetLocalListVersion", json!({"listVersion": 9})).await;
        },
        expect(&csms, 200, "POST", LIST, Some(json!({"type": "Full", "entries": []}))),
    );
    let (sent, _) = tokio::join!(
        station.obey("SendLocalList", json!({"status": "Accepted"})),
        expect(&csms, 200, "POST", LIST, Some(json!({"type": "Full", "entries": []}))),
    );
    assert_eq!(sent["listVersion"], 10);
    let refresh = format!("{LIST}/refresh");
    let (_, list) = tokio::join!(
        station.obey("GetLocalListVersion", json!({"listVersion": 0})),
        expect(&csms, 200, "POST", &refresh, None),
    );
    assert_eq!(list, json!({"version": 0, "entries": []}));
}

#[tokio::test]
async fn what_is_no_list_is_refused_with_a_pointer_into_the_body() {
    let (csms, _data) = csms(&[]).await;
    let _station = csms.booted("CP1").await;
    for (body, pointer) in [
        (json!({"type": "Differential"}), "/entries"),
        (json!({"type": "Some"}), "/type"),
        (json!({"type": "Full", "entries": [{"idTag": "123456789012345678901"}]}), "/entries/0/idTag"),
        (
            json!({"type": "Full", "entries": [{"idTag": "A", "idTagInfo": {"status": "Good"}}]}),
            "/entries/0/idTagInfo/status",
        ),
    ] {
        let problem = refused(&csms, 422, "invalidPayload", "POST", LIST, Some(body)).await;
        assert_eq!(problem["pointer"], pointer, "{problem}");
    }
    refused(&csms, 404, "notFound", "GET", "/api/v1/charge-points/CP2/local-list", None).await;
}
