use serde_json::json;

use crate::{AT, LATER, millis, served, start};

#[tokio::test]
async fn a_tag_is_worth_what_was_entered_whatever_its_case() {
    let mut served = served(&[]).await;
    let past = millis("2026-01-01T00:00:00Z");
    let future = millis("2199-01-01T00:00:00Z");
    served.enter("Good", "Accepted", Some(future), Some("Family")).await;
    served.enter("Late", "Accepted", Some(past), None).await;
    served.enter("Old", "Expired", None, None).await;
    served.enter("Bad", "Blocked", None, Some("Family")).await;
    served.enter("Wrong", "Invalid", None, None).await;
    let mut station = served.csms.booted("CP1").await;
    for (id_tag, info) in [
        ("gOOD", json!({"status": "Accepted", "expiryDate": "2199-01-01T00:00:00.000Z", "parentIdTag": "Family"})),
        ("late", json!({"status": "Expired", "expiryDate": "2026-01-01T00:00:00.000Z"})),
        ("OLD", json!({"status": "Expired"})),
        ("bad", json!({"status": "Blocked", "parentIdTag": "Family"})),
        ("Wrong", json!({"status": "Invalid"})),
        ("stranger", json!({"status": "Accepted"})),
    ] {
        let mut answer = station.call("Authorize", json!({"idTag": id_tag})).await["idTagInfo"].clone();
        if let Some(expiry) = answer.get("expiryDate") {
            assert_eq!(millis(expiry.as_str().unwrap()), millis(info["expiryDate"].as_str().unwrap()));
            answer["expiryDate"] = info["expiryDate"].clone();
        }
        assert_eq!(answer, info, "{id_tag}");
    }
}

#[tokio::test]
async fn a_closed_server_knows_no_strangers() {
    let mut served = served(&["--open", "false"]).await;
    served.enter("Known", "Accepted", None, None).await;
    served.execute("INSERT INTO charge_points (id, registered, created_at) VALUES ('CP1', 1, 0)").await;
    let mut station = served.csms.booted("CP1").await;
    for (id_tag, status) in [("Known", "Accepted"), ("Unknown", "Invalid")] {
        assert_eq!(station.call("Authorize", json!({"idTag": id_tag})).await["idTagInfo"]["status"], status);
    }
    // The start is answered all the same, with a transaction that its stop can name.
    let (status, id) = start(&mut station, 1, "Unknown", 0, AT).await;
    assert_eq!(status, "Invalid");
    assert!(id > 0);
    let stop = json!({"transactionId": id, "meterStop": 0, "timestamp": LATER, "reason": "DeAuthorized"});
    assert_eq!(station.call("StopTransaction", stop).await, json!({}));
    let sql = "SELECT id_tag_status, stop_reason FROM transactions";
    assert_eq!(served.row::<(String, String)>(sql).await, ("Invalid".into(), "DeAuthorized".into()));
}

/// OCPP 1.6 §7.2: ConcurrentTx is for StartTransaction only.
#[tokio::test]
async fn an_entered_tag_is_in_one_transaction_at_a_time() {
    let mut served = served(&[]).await;
    served.enter("Tag", "Accepted", None, None).await;
    let mut one = served.csms.booted("CP1").await;
    let mut two = served.csms.booted("CP2").await;
    let (status, first) = start(&mut one, 1, "Tag", 0, AT).await;
    assert_eq!(status, "Accepted");
    let (status, second) = start(&mut two, 1, "TAG", 0, AT).await;
    assert_eq!(status, "ConcurrentTx");
    assert_ne!(first, second);
    // Its owner has to be let in to stop.
    assert_eq!(one.call("Authorize", json!({"idTag": "tag"})).await["idTagInfo"]["status"], "Accepted");
    let stop = json!({"transactionId": first, "meterStop": 5, "timestamp": LATER, "idTag": "tag"});
    assert_eq!(one.call("StopTransaction", stop).await["idTagInfo"]["status"], "Accepted");
    // The one that was refused locks nobody out.
    assert_eq!(start(&mut one, 2, "Tag", 0, LATER).await.0, "Accepted");
    // Charge points without a card reader send one tag for everybody.
    assert_eq!(start(&mut one, 3, "free", 0, AT).await.0, "Accepted");
    assert_eq!(start(&mut two, 3, "free", 0, AT).await.0, "Accepted");
}

#[tokio::test]
async fn who_may_be_in_several_transactions_is_a_setting() {
    for (tags, entered, stranger) in [("none", "ConcurrentTx", "ConcurrentTx"), ("all", "Accepted", "Accepted")] {
        let mut served = served(&["--concurrent-tx", tags]).await;
        served.enter("Tag", "Accepted", None, None).await;
        let mut station = served.csms.booted("CP1").await;
        for (connector, id_tag, status) in
            [(1, "Tag", "Accepted"), (2, "tag", entered), (3, "free", "Accepted"), (4, "FREE", stranger)]
        {
            assert_eq!(start(&mut station, connector, id_tag, 0, AT).await.0, status, "{tags}: {id_tag}");
        }
    }
}
