//! Configuration keys and the cache.

use serde_json::json;

use crate::lab;

#[tokio::test]
async fn tc_019_1_all_configuration_keys() {
    let mut lab = lab().await;
    let keys =
        json!({"configurationKey": [{"key": "A", "readonly": false, "value": "1"}, {"key": "B", "readonly": true}]});
    lab.command("GetConfiguration", json!({}), keys).await;
    let kept = lab.csms.get("/api/v1/charge-points/CP1/configuration").await;
    let keys: Vec<_> = kept["items"].as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["A", "B"]);
}

#[tokio::test]
async fn tc_019_2_one_configuration_key() {
    let mut lab = lab().await;
    let key = json!({"configurationKey": [{"key": "SupportedFeatureProfiles", "readonly": true, "value": "Core"}]});
    lab.command("GetConfiguration", json!({"key": ["SupportedFeatureProfiles"]}), key).await;
}

#[tokio::test]
async fn tc_021_change_configuration() {
    let mut lab = lab().await;
    let request = json!({"key": "MeterValueSampleInterval", "value": "60"});
    lab.status("ChangeConfiguration", request, "Accepted").await;
    let kept = lab.csms.get("/api/v1/charge-points/CP1/configuration").await;
    assert_eq!(
        (&kept["items"][0]["key"], &kept["items"][0]["value"]),
        (&json!("MeterValueSampleInterval"), &json!("60"))
    );
}

#[tokio::test]
async fn tc_040_1_configuration_key_not_supported() {
    let request = json!({"key": "NoSuchKey", "value": "1"});
    lab().await.status("ChangeConfiguration", request, "NotSupported").await;
}

#[tokio::test]
async fn tc_040_2_configuration_value_invalid() {
    let mut lab = lab().await;
    let request = json!({"key": "MeterValueSampleInterval", "value": "-1"});
    lab.status("ChangeConfiguration", request, "Rejected").await;
    assert_eq!(lab.csms.get("/api/v1/charge-points/CP1/configuration").await["items"], json!([]));
}

#[tokio::test]
async fn tc_061_clear_cache() {
    lab().await.status("ClearCache", json!({}), "Accepted").await;
}
