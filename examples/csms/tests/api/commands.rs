//! `POST /charge-points/{id}/commands/{Action}`.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::json;

use crate::support::{csms, look_into};
use crate::{expect, refused};

fn path(id: &str, action: &str) -> String {
    format!("/api/v1/charge-points/{id}/commands/{action}")
}

#[tokio::test]
async fn the_request_of_ocpp_goes_in_and_its_response_comes_out() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let request = json!({"type": "Hard"});
    let reset = path("CP1", "Reset");
    let (sent, answer) = tokio::join!(
        station.obey("Reset", json!({"status": "Accepted"})),
        expect(&csms, 200, "POST", &reset, Some(request.clone())),
    );
    assert_eq!((sent, answer), (request, json!({"status": "Accepted"})));
    let audit = csms.get("/api/v1/audit?limit=1").await;
    let entry = &audit["items"][0];
    assert_eq!((&entry["actor"], &entry["action"]), (&json!("open"), &json!("Reset")), "{audit}");
    assert_eq!((&entry["target"], &entry["outcome"]), (&json!("CP1"), &json!("Accepted")), "{audit}");
    assert_eq!(entry["detail"], json!({"type": "Hard"}));
}

#[tokio::test]
async fn a_wrong_payload_is_refused_with_a_pointer_before_anything_is_sent() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let schedule = json!({"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": "x"}]});
    let profile = json!({"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute", "chargingSchedule": schedule});
    for (action, payload, pointer) in [
        ("Reset", json!({"type": "Firm"}), "/type"),
        ("Reset", json!({}), "/type"),
        ("ClearCache", json!([]), ""),
        ("UnlockConnector", json!({"connectorId": 1, "why": "x"}), "/why"),
        (
            "SetChargingProfile",
            json!({"connectorId": 1, "csChargingProfiles": profile}),
            "/csChargingProfiles/chargingSchedule/chargingSchedulePeriod/0/limit",
        ),
    ] {
        let problem = refused(&csms, 422, "invalidPayload", "POST", &path("CP1", action), Some(payload)).await;
        assert_eq!(problem["pointer"], pointer, "{problem}");
    }
    // The next thing that it gets is what comes now.
    let clear = path("CP1", "ClearCache");
    tokio::join!(
        station.obey("ClearCache", json!({"status": "Rejected"})),
        expect(&csms, 200, "POST", &clear, Some(json!({}))),
    );
}

#[tokio::test]
async fn who_is_not_there_and_what_there_is_not() {
    let (csms, _data) = csms(&[]).await;
    expect(&csms, 201, "POST", "/api/v1/charge-points", Some(json!({"id": "CP1"}))).await;
    let clear = Some(json!({}));
    refused(&csms, 409, "offline", "POST", &path("CP1", "ClearCache"), clear.clone()).await;
    refused(&csms, 404, "notFound", "POST", &path("CP2", "ClearCache"), clear.clone()).await;
    refused(&csms, 404, "unknownAction", "POST", &path("CP1", "MakeCoffee"), clear.clone()).await;
    // A charge point starts it, and a central system never does.
    refused(&csms, 404, "unknownAction", "POST", &path("CP1", "BootNotification"), clear.clone()).await;
    refused(&csms, 400, "badRequest", "POST", &format!("{}?timeoutSeconds=0", path("CP1", "ClearCache")), clear).await;
}

#[tokio::test]
async fn no_answer_in_time_is_a_504() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let clear = format!("{}?timeoutSeconds=1", path("CP1", "ClearCache"));
    let asked = refused(&csms, 504, "timeout", "POST", &clear, Some(json!({})));
    let (_, _) = tokio::join!(asked, station.expect("ClearCache"));
}

#[tokio::test]
async fn an_end_of_the_connection_is_a_504_of_its_own_kind() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let clear = path("CP1", "ClearCache");
    let asked = refused(&csms, 504, "disconnected", "POST", &clear, Some(json!({})));
    tokio::join!(asked, async {
        station.expect("ClearCache").await;
        station.close().await.unwrap();
    });
}

#[tokio::test]
async fn a_callerror_is_a_502_with_its_code_and_details() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let clear = path("CP1", "ClearCache");
    let asked = refused(&csms, 502, "callError", "POST", &clear, Some(json!({})));
    let (problem, ()) = tokio::join!(asked, async {
        let (id, _) = station.expect("ClearCache").await;
        station.send(&json!([4, id, "OccurenceConstraintViolation", "not now", {"why": ["hot"]}])).await;
    });
    assert_eq!(problem["code"], "OccurenceConstraintViolation");
    assert_eq!(problem["description"], "not now");
    assert_eq!(problem["details"], json!({"why": ["hot"]}));
}

#[tokio::test]
async fn an_answer_that_the_schema_does_not_have_is_a_502() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let version = path("CP1", "GetLocalListVersion");
    let asked = refused(&csms, 502, "invalidResponse", "POST", &version, Some(json!({})));
    let (problem, _) = tokio::join!(asked, station.obey("GetLocalListVersion", json!({"listVersion": "seven"})));
    assert_eq!(problem["pointer"], "/listVersion");
}

#[tokio::test]
async fn raw_sends_what_the_schema_forbids_and_is_audited_as_such() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let odd = json!({"type": "Firm", "x": 1.50});
    let reset = format!("{}?raw=true", path("CP1", "Reset"));
    let (sent, answer) = tokio::join!(
        station.obey("Reset", json!({"done": "perhaps"})),
        expect(&csms, 200, "POST", &reset, Some(odd.clone())),
    );
    assert_eq!((sent, answer), (odd, json!({"done": "perhaps"})));
    let audit = csms.get("/api/v1/audit?limit=1").await;
    assert_eq!(audit["items"][0]["action"], "Reset (raw)", "{audit}");
}

#[tokio::test]
async fn configuration_is_kept_as_it_was_told_and_secrets_are_not() {
    let (csms, _data) = csms(&[]).await;
    expect(&csms, 201, "POST", "/api/v1/charge-points", Some(json!({"id": "CP1"}))).await;
    let mut station = csms.booted("CP1").await;
    let keys = json!({"configurationKey": [
        {"key": "HeartbeatInterval", "readonly": false, "value": "300"},
        {"key": "AuthorizationKey", "readonly": false, "value": "73656372657473656372657473656372"},
        {"key": "NumberOfConnectors", "readonly": true, "value": "2"}]});
    let (get, change) = (path("CP1", "GetConfiguration"), path("CP1", "ChangeConfiguration"));
    tokio::join!(station.obey("GetConfiguration", keys), expect(&csms, 200, "POST", &get, Some(json!({}))));
    for (key, value, status) in [
        ("heartbeatinterval", "60", "Accepted"),
        ("AuthorizationKey", "73656372657473656372657473656373", "Accepted"),
        ("NumberOfConnectors", "3", "Rejected"),
    ] {
        let request = Some(json!({"key": key, "value": value}));
        tokio::join!(
            station.obey("ChangeConfiguration", json!({"status": status})),
            expect(&csms, 200, "POST", &change, request),
        );
    }
    let kept = csms.get("/api/v1/charge-points/CP1/configuration").await;
    let kept: Vec<_> =
        kept["items"].as_array().unwrap().iter().map(|item| (&item["value"], &item["readonly"])).collect();
    let (no, yes, nothing) = (json!(false), json!(true), json!(null));
    assert_eq!(kept, [(&nothing, &no), (&json!("60"), &no), (&json!("2"), &yes)]);
    let audit = csms.get("/api/v1/audit").await.to_string();
    assert!(audit.contains("AuthorizationKey") && !audit.contains("7365637265"), "{audit}");
}

#[tokio::test]
async fn more_commands_than_may_wait_are_refused() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let clear = format!("{}?timeoutSeconds=30", path("CP1", "ClearCache"));
    let ask = || csms.http("POST", &clear, Some(json!({})));
    let mut many: FuturesUnordered<_> = (0..12).map(|_| ask()).collect();
    // It answers nothing yet, so that the first ones to end are those that were not let in.
    let (status, problem) = many.next().await.unwrap();
    assert_eq!((status, &problem["kind"]), (503, &json!("queueFull")), "{problem}");
    let obeys = async {
        loop {
            station.obey("ClearCache", json!({"status": "Accepted"})).await;
        }
    };
    let rest = async {
        let mut answers = Vec::new();
        while let Some((status, _)) = many.next().await {
            answers.push(status);
        }
        answers
    };
    let answers = tokio::select! {
        answers = rest => answers,
        () = obeys => unreachable!("it obeys for ever"),
    };
    assert!(answers.iter().filter(|status| **status == 200).count() >= 8, "{answers:?}");
}

#[tokio::test]
async fn what_waited_in_vain_behind_another_command_was_not_sent_and_says_so() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    // It is long at it.
    let clear = format!("{}?timeoutSeconds=600", path("CP1", "ClearCache"));
    let clear = csms.http("POST", &clear, Some(json!({})));
    let meanwhile = async {
        let (id, _) = station.expect("ClearCache").await;
        let reset = format!("{}?timeoutSeconds=1", path("CP1", "Reset"));
        let raw = format!("{}?timeoutSeconds=1&raw=true", path("CP1", "Reset"));
        let key = format!("{}?timeoutSeconds=1", path("CP1", "ChangeConfiguration"));
        let new_key = json!({"key": "AuthorizationKey", "value": "00112233445566778899aabbccddeeff"});
        let reserve = json!({"chargePoint": "CP1", "connector": 1, "idTag": "A", "expiryDate": "2099-01-01T00:00:00Z"});
        let not_sent = async |path: &str, body| {
            let problem = refused(&csms, 409, "notSent", "POST", path, Some(body)).await;
            assert!(!problem["detail"].as_str().unwrap().contains("may have acted"), "{problem}");
        };
        tokio::join!(
            not_sent(&reset, json!({"type": "Hard"})),
            not_sent(&raw, json!({"type": "Hard"})),
            not_sent(&key, new_key),
            not_sent("/api/v1/reservations?timeoutSeconds=1", reserve),
        );
        // What depends on it is settled.
        assert_eq!(csms.get("/api/v1/reservations").await["items"][0]["status"], "Refused");
        assert_eq!(csms.get("/api/v1/charge-points/CP1").await["hasKey"], false);
        let audit = csms.get("/api/v1/audit").await;
        let outcomes: Vec<&str> =
            audit["items"].as_array().unwrap().iter().filter_map(|entry| entry["outcome"].as_str()).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.contains("not sent")).count(), 4, "{outcomes:?}");
        station.answer(&id, json!({"status": "Accepted"})).await;
    };
    let ((status, _), ()) = tokio::join!(clear, meanwhile);
    assert_eq!(status, 200);
    // None of them comes later.
    let next = path("CP1", "GetLocalListVersion");
    let next = expect(&csms, 200, "POST", &next, Some(json!({})));
    tokio::join!(next, station.obey("GetLocalListVersion", json!({"listVersion": 0})));
}

#[tokio::test]
async fn that_nothing_was_sent_is_told_although_the_audit_log_fails() {
    let (csms, data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let clear = format!("{}?timeoutSeconds=600", path("CP1", "ClearCache"));
    let clear = csms.http("POST", &clear, Some(json!({})));
    let meanwhile = async {
        let (id, _) = station.expect("ClearCache").await;
        let mut database = look_into(data.path()).await;
        sqlx::query("ALTER TABLE audit_log RENAME TO away").execute(&mut database).await.unwrap();
        let reserve = json!({"chargePoint": "CP1", "connector": 1, "idTag": "A", "expiryDate": "2099-01-01T00:00:00Z"});
        let reservations = "/api/v1/reservations";
        refused(&csms, 409, "notSent", "POST", &format!("{reservations}?timeoutSeconds=1"), Some(reserve)).await;
        assert_eq!(csms.get(reservations).await["items"][0]["status"], "Refused");
        station.answer(&id, json!({"status": "Accepted"})).await;
    };
    let ((status, _), ()) = tokio::join!(clear, meanwhile);
    assert_eq!(status, 503, "it is not in the audit log");
}
