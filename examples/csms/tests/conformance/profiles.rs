//! Smart charging.

use serde_json::{Value, json};

use crate::{Lab, lab};

fn profile(purpose: &str) -> Value {
    json!({"chargingProfileId": 7, "stackLevel": 1, "chargingProfilePurpose": purpose, "chargingProfileKind": "Absolute",
        "chargingSchedule": {"duration": 3600, "startSchedule": "2026-01-01T00:00:00Z", "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 8.1, "numberPhases": 3}, {"startPeriod": 60, "limit": 16}]}})
}

#[tokio::test]
async fn tc_056_tx_default_profile() {
    let mut lab = lab().await;
    let request = json!({"connectorId": 0, "csChargingProfiles": profile("TxDefaultProfile")});
    lab.status("SetChargingProfile", request, "Accepted").await;
}

#[tokio::test]
async fn tc_057_tx_profile() {
    let mut lab = lab().await;
    let (_, id) = lab.start(1, "TAG", json!({})).await;
    let mut profile = profile("TxProfile");
    profile["transactionId"] = json!(id);
    lab.status("SetChargingProfile", json!({"connectorId": 1, "csChargingProfiles": profile}), "Accepted").await;
}

/// By a profile that is kept by name.
#[tokio::test]
async fn tc_059_remote_start_with_a_profile() {
    let mut lab = lab().await;
    lab.operator("PUT", "/api/v1/charging-profiles/slow", profile("TxProfile")).await;
    let path = "/api/v1/charge-points/CP1/commands/RemoteStartTransaction?profile=slow";
    let (seen, (status, answer)) = tokio::join!(
        lab.station.obey("RemoteStartTransaction", json!({"status": "Accepted"})),
        lab.csms.http("POST", path, Some(json!({"connectorId": 1, "idTag": "TAG"})))
    );
    assert_eq!((status, answer), (200, json!({"status": "Accepted"})));
    assert_eq!(seen["chargingProfile"], profile("TxProfile"));
    assert_eq!(lab.start(1, "TAG", json!({})).await.0, "Accepted");
}

#[tokio::test]
async fn tc_066_composite_schedule() {
    let mut lab: Lab = lab().await;
    let answer = json!({"status": "Accepted", "connectorId": 1, "scheduleStart": "2026-01-01T00:00:00Z",
        "chargingSchedule": {"duration": 300, "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 8.1}]}});
    let request = json!({"connectorId": 1, "duration": 300, "chargingRateUnit": "A"});
    lab.command("GetCompositeSchedule", request, answer).await;
}

#[tokio::test]
async fn tc_067_clear_charging_profile() {
    let mut lab = lab().await;
    lab.status("ClearChargingProfile", json!({"id": 7}), "Accepted").await;
    let request = json!({"connectorId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1});
    lab.status("ClearChargingProfile", request, "Unknown").await;
}
