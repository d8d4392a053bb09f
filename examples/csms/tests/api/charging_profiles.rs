//! `/charging-profiles`, and their use in commands.

use serde_json::{Value, json};

use crate::support::csms;
use crate::{expect, refused};

const LIST: &str = "/api/v1/charging-profiles";

fn profile() -> Value {
    json!({"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute", "chargingSchedule": {"chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}]}})
}

#[tokio::test]
async fn they_are_kept_by_name() {
    let (csms, _data) = csms(&[]).await;
    let one = format!("{LIST}/by%20night");
    let entered = expect(&csms, 201, "PUT", &one, Some(profile())).await;
    assert_eq!((&entered["name"], &entered["profile"]), (&json!("by night"), &profile()), "{entered}");
    let mut other = profile();
    other["stackLevel"] = json!(3);
    assert_eq!(expect(&csms, 200, "PUT", &one, Some(other.clone())).await["profile"], other);
    assert_eq!(csms.get(&one).await["profile"], other);
    let list = csms.get(LIST).await;
    assert_eq!((&list["total"], &list["items"][0]["name"]), (&json!(1), &json!("by night")));
    let mut wrong = profile();
    wrong["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] = json!(16.123);
    let problem = refused(&csms, 422, "invalidPayload", "PUT", &one, Some(wrong)).await;
    assert_eq!(problem["pointer"], "/chargingSchedule/chargingSchedulePeriod/0/limit");
    expect(&csms, 204, "DELETE", &one, None).await;
    refused(&csms, 404, "notFound", "GET", &one, None).await;
    refused(&csms, 404, "notFound", "DELETE", &one, None).await;
}

#[tokio::test]
async fn commands_take_them_by_name() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    expect(&csms, 201, "PUT", &format!("{LIST}/night"), Some(profile())).await;
    let command = |action: &str, name: &str| format!("/api/v1/charge-points/CP1/commands/{action}?profile={name}");
    let set = command("SetChargingProfile", "night");
    let (sent, _) = tokio::join!(
        station.obey("SetChargingProfile", json!({"status": "Accepted"})),
        expect(&csms, 200, "POST", &set, Some(json!({"connectorId": 2}))),
    );
    assert_eq!(sent, json!({"connectorId": 2, "csChargingProfiles": profile()}));
    let start = command("RemoteStartTransaction", "night");
    let (sent, _) = tokio::join!(
        station.obey("RemoteStartTransaction", json!({"status": "Accepted"})),
        expect(&csms, 200, "POST", &start, Some(json!({"idTag": "A"}))),
    );
    assert_eq!(sent, json!({"idTag": "A", "chargingProfile": profile()}));
    let both = json!({"connectorId": 2, "csChargingProfiles": profile()});
    refused(&csms, 422, "invalidPayload", "POST", &set, Some(both)).await;
    refused(&csms, 400, "badRequest", "POST", &command("SetChargingProfile", "day"), Some(json!({}))).await;
    refused(&csms, 400, "badRequest", "POST", &command("ClearCache", "night"), Some(json!({}))).await;
}
