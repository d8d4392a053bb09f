//! Local authorization lists.

use serde_json::{Value, json};

use crate::{Lab, lab};

const LIST: &str = "/api/v1/charge-points/CP1/local-list";

async fn version(status: i64) {
    let mut lab = lab().await;
    let path = format!("{LIST}/refresh");
    let (_, (code, answer)) = tokio::join!(
        lab.station.obey("GetLocalListVersion", json!({"listVersion": status})),
        lab.csms.http("POST", &path, None)
    );
    assert_eq!((code, &answer["version"]), (200, &json!(status)), "{answer}");
}

#[tokio::test]
async fn tc_042_1_local_list_version_not_supported() {
    version(-1).await;
}

#[tokio::test]
async fn tc_042_2_local_list_version_empty() {
    version(0).await;
}

/// Sends a list, and gives what the charge point saw of it.
async fn send(lab: &mut Lab, list: Value, status: &str) -> Value {
    let (seen, (code, answer)) = tokio::join!(
        lab.station.obey("SendLocalList", json!({"status": status})),
        lab.csms.http("POST", LIST, Some(list))
    );
    assert_eq!((code, &answer["status"]), (200, &json!(status)), "{answer}");
    assert!(seen["listVersion"].as_i64().unwrap() > 0, "neither 0 nor -1: {seen}");
    seen
}

fn entries() -> Value {
    json!([{"idTag": "TAG1", "idTagInfo": {"status": "Accepted"}}, {"idTag": "TAG2", "idTagInfo": {"status": "Blocked"}}])
}

#[tokio::test]
async fn tc_043_1_send_local_list_not_supported() {
    let mut lab = lab().await;
    send(&mut lab, json!({"type": "Full", "entries": entries()}), "NotSupported").await;
    assert_eq!(lab.csms.get(LIST).await["entries"], json!([]));
}

#[tokio::test]
async fn tc_043_3_send_local_list_failed() {
    let mut lab = lab().await;
    let list = json!({"type": "Full", "entries": entries()});
    let (_, (code, answer)) = tokio::join!(
        async {
            lab.station.obey("SendLocalList", json!({"status": "Failed"})).await;
            lab.station.obey("GetLocalListVersion", json!({"listVersion": 0})).await;
        },
        lab.csms.http("POST", LIST, Some(list))
    );
    assert_eq!((code, &answer["status"]), (200, &json!("Failed")), "{answer}");
    assert_eq!(lab.csms.get(LIST).await, json!({"version": 0, "entries": []}));
}

#[tokio::test]
async fn tc_043_4_send_local_list_full() {
    let mut lab = lab().await;
    lab.enter(json!({"idTag": "TAG1"})).await;
    let seen = send(&mut lab, json!({"type": "Full"}), "Accepted").await;
    assert_eq!(seen["updateType"], "Full");
    assert_eq!(seen["localAuthorizationList"], json!([{"idTag": "TAG1", "idTagInfo": {"status": "Accepted"}}]));
    let kept = lab.csms.get(LIST).await;
    assert_eq!((&kept["version"], &kept["entries"][0]["idTag"]), (&seen["listVersion"], &json!("TAG1")));
}

#[tokio::test]
async fn tc_043_5_send_local_list_differential() {
    let mut lab = lab().await;
    let full = send(&mut lab, json!({"type": "Full", "entries": entries()}), "Accepted").await;
    let changes = json!({"type": "Differential", "entries": [{"idTag": "TAG1"}]});
    let seen = send(&mut lab, changes, "Accepted").await;
    assert_eq!(
        (&seen["updateType"], &seen["localAuthorizationList"]),
        (&json!("Differential"), &json!([{"idTag": "TAG1"}]))
    );
    assert_eq!(seen["listVersion"].as_i64(), full["listVersion"].as_i64().map(|version| version + 1));
    let kept = lab.csms.get(LIST).await;
    assert_eq!((kept["entries"].as_array().unwrap().len(), &kept["entries"][0]["idTag"]), (1, &json!("TAG2")));
}
