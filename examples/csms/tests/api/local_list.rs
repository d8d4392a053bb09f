//! `/charge-points/{id}/local-list`.

use serde_json::{Value, json};

use crate::support::{Csms, Station, csms};
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
    assert_eq!(answer, json!({"version": 1, "status": "Accepted", "messages": 1, "accepted": 1}));

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
            json!({"type": "Differential", "entries": [{"idTag": "A"}, {"idTag": "B"}, {"idTag": "a"}]}),
            "/entries/2/idTag",
        ),
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

/// A charge point with a list of version 7, which takes that many entries at once, and has room for so many.
async fn limited(at_once: &str, room: &str) -> (Csms, tempfile::TempDir, Station) {
    let (csms, data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let key = |key: &str, value: &str| json!({"key": key, "readonly": true, "value": value});
    let keys =
        json!({"configurationKey": [key("sendLocalListMaxLength", at_once), key("LocalAuthListMaxLength", room)]});
    let (_, _) = tokio::join!(
        station.obey("GetConfiguration", keys),
        expect(&csms, 200, "POST", "/api/v1/charge-points/CP1/commands/GetConfiguration", Some(json!({}))),
    );
    let refresh = format!("{LIST}/refresh");
    tokio::join!(
        station.obey("GetLocalListVersion", json!({"listVersion": 7})),
        expect(&csms, 200, "POST", &refresh, None),
    );
    (csms, data, station)
}

/// Version, type and tags of a SendLocalList.
fn told(sent: &Value) -> (i64, &str, String) {
    let tags = sent["localAuthorizationList"].as_array().unwrap().iter().map(|entry| entry["idTag"].as_str().unwrap());
    (sent["listVersion"].as_i64().unwrap(), sent["updateType"].as_str().unwrap(), tags.collect())
}

fn tags(tags: &str) -> Value {
    tags.chars().map(|tag| json!({"idTag": tag.to_string(), "idTagInfo": {"status": "Accepted"}})).collect()
}

/// The version and the tags that are known here.
async fn known(csms: &Csms) -> (Value, String) {
    let list = csms.get(LIST).await;
    let tags = list["entries"].as_array().unwrap().iter().map(|entry| entry["idTag"].as_str().unwrap());
    (list["version"].clone(), tags.collect())
}

/// OCPP 1.6 §9.2.3.
#[tokio::test]
async fn a_list_longer_than_what_is_taken_at_once_goes_in_several_messages() {
    let (csms, _data, mut station) = limited("2", "5").await;
    for tag in ["A", "B", "C", "D", "E"] {
        expect(&csms, 201, "POST", "/api/v1/id-tags", Some(json!({"idTag": tag}))).await;
    }
    let accepted = json!({"status": "Accepted"});
    let all = async |station: &mut Station| {
        let mut sent = Vec::new();
        for _ in 0..3 {
            sent.push(station.obey("SendLocalList", accepted.clone()).await);
        }
        sent
    };
    let (sent, answer) =
        tokio::join!(all(&mut station), expect(&csms, 200, "POST", LIST, Some(json!({"type": "Full"}))));
    let parts: Vec<_> = sent.iter().map(told).collect();
    let wanted = [(8, "Full", "AB".into()), (9, "Differential", "CD".into()), (10, "Differential", "E".into())];
    assert_eq!(parts, wanted);
    assert_eq!(answer, json!({"version": 10, "status": "Accepted", "messages": 3, "accepted": 3}));
    assert_eq!(known(&csms).await, (json!(10), "ABCDE".into()));

    // The same by the paths of another server, and of changes.
    let (sent, answer) = tokio::join!(all(&mut station), csms.get("/api/ocpp/localList/full/CP1"));
    assert_eq!((told(&sent[0]).1, told(&sent[2]).0), ("Full", 13));
    assert_eq!(answer, json!({"cpId": "CP1", "listVersion": 13, "status": "Accepted"}));
    let changes = json!({"type": "Differential", "entries": tags("VWXYZ")});
    let (sent, _) = tokio::join!(all(&mut station), expect(&csms, 200, "POST", LIST, Some(changes)));
    assert_eq!((told(&sent[0]), told(&sent[2])), ((14, "Differential", "VW".into()), (16, "Differential", "Z".into())));

    // There is no room for it: nothing is sent.
    expect(&csms, 201, "POST", "/api/v1/id-tags", Some(json!({"idTag": "F"}))).await;
    let problem = refused(&csms, 422, "invalidPayload", "POST", LIST, Some(json!({"type": "Full"}))).await;
    assert_eq!((&problem["pointer"], &problem["detail"]), (&json!("/entries"), &json!("more than 5 items")));
    assert_eq!(known(&csms).await, (json!(16), "ABCDEVWXYZ".into()));
}

#[tokio::test]
async fn a_list_that_fails_in_the_midst_is_known_as_far_as_it_was_taken() {
    let (csms, _data, mut station) = limited("2", "1000").await;
    let list = json!({"type": "Full", "entries": tags("ABCDE")});
    let (_, answer) = tokio::join!(
        async {
            station.obey("SendLocalList", json!({"status": "Accepted"})).await;
            station.obey("SendLocalList", json!({"status": "Failed"})).await;
            station.obey("GetLocalListVersion", json!({"listVersion": 8})).await;
        },
        expect(&csms, 200, "POST", LIST, Some(list.clone())),
    );
    assert_eq!(answer, json!({"version": 9, "status": "Failed", "messages": 3, "accepted": 1}));
    assert_eq!(known(&csms).await, (json!(8), "AB".into()));

    // A refusal says the same; the charge point has done nothing.
    let refuses = async |station: &mut Station| {
        station.obey("SendLocalList", json!({"status": "Accepted"})).await;
        let (id, _) = station.expect("SendLocalList").await;
        station.refuse(&id, "InternalError", "full").await;
    };
    let (_, problem) =
        tokio::join!(refuses(&mut station), refused(&csms, 502, "callError", "POST", LIST, Some(list.clone())));
    assert!(problem["detail"].as_str().unwrap().ends_with("(1 of 3 messages were accepted before)"), "{problem}");
    assert_eq!(known(&csms).await, (json!(9), "AB".into()));

    // Silence: it has taken the second part, as it says afterwards. Others wait their turn meanwhile.
    let patient = format!("{LIST}?timeoutSeconds=1");
    let (_, problem) = tokio::join!(
        async {
            station.obey("SendLocalList", json!({"status": "Accepted"})).await;
            station.expect("SendLocalList").await;
            refused(&csms, 409, "conflict", "POST", LIST, Some(list.clone())).await;
            station.obey("GetLocalListVersion", json!({"listVersion": 11})).await;
        },
        refused(&csms, 504, "timeout", "POST", &patient, Some(list.clone())),
    );
    assert!(problem["detail"].as_str().unwrap().ends_with("(1 of 3 messages were accepted before)"), "{problem}");
    assert_eq!(known(&csms).await, (json!(11), "ABCD".into()));

    // Gone before anybody could ask: nobody knows, until it is asked before the next list.
    let ends = async |mut station: Station| {
        station.expect("SendLocalList").await;
        station.close().await.unwrap();
    };
    let (_, _) = tokio::join!(ends(station), refused(&csms, 504, "disconnected", "POST", LIST, Some(list.clone())));
    assert_eq!(known(&csms).await.0, Value::Null);
    let mut station = csms.station("CP1").await;
    let (sent, _) = tokio::join!(
        async {
            station.obey("GetLocalListVersion", json!({"listVersion": 12})).await;
            station.obey("SendLocalList", json!({"status": "Accepted"})).await
        },
        expect(&csms, 200, "POST", LIST, Some(json!({"type": "Full", "entries": tags("A")}))),
    );
    assert_eq!(told(&sent), (13, "Full", "A".into()));
    assert_eq!(known(&csms).await, (json!(13), "A".into()));
}

/// OCPP 1.6 §7.1: an entry of a full list says what its tag is worth.
#[tokio::test]
async fn a_full_list_with_an_entry_that_says_nothing_is_not_sent() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let entries = json!([{"idTag": "A", "idTagInfo": {"status": "Accepted"}}, {"idTag": "B"}]);
    let command = json!({"listVersion": 5, "updateType": "Full", "localAuthorizationList": entries});
    for (path, body, pointer) in [
        (LIST, json!({"type": "Full", "entries": entries}), "/entries/1/idTagInfo"),
        ("/api/v1/charge-points/CP1/commands/SendLocalList", command.clone(), "/localAuthorizationList/1/idTagInfo"),
        ("/api/ocpp/localList/diff/CP1", command, "/localAuthorizationList/1/idTagInfo"),
    ] {
        let problem = refused(&csms, 422, "invalidPayload", "POST", path, Some(body)).await;
        assert_eq!(problem["pointer"], pointer, "{problem}");
    }
    // Of changes, it takes the entry away.
    let (sent, _) = tokio::join!(
        station.obey("SendLocalList", json!({"status": "Accepted"})),
        expect(&csms, 200, "POST", LIST, Some(json!({"type": "Differential", "entries": entries}))),
    );
    assert_eq!(sent["localAuthorizationList"], entries);
}
