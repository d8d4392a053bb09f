//! The OpenAPI document, and the page to try it.

use std::collections::BTreeSet;

use onwire::ocpp::v16::ACTIONS;
use reqwest::Client;
use serde_json::{Value, json};

use crate::support::csms;

/// Every `$ref`, and every place that it stands in.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get("$ref") {
                found.insert(target.clone());
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn it_lists_every_action_that_a_central_system_may_start_and_no_other() {
    let (csms, _data) = csms(&[]).await;
    let document = csms.get("/api/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let prefix = "/api/v1/charge-points/{id}/commands/";
    let paths = document["paths"].as_object().unwrap();
    let listed: Vec<&str> = paths.keys().filter_map(|path| path.strip_prefix(prefix)).collect();
    let mut expected: Vec<&str> =
        ACTIONS.iter().filter(|action| action.may_start("CentralSystem")).map(|action| action.name).collect();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(sorted, expected);
    let reset = &document["components"]["schemas"]["ocpp16.ResetRequest"];
    assert_eq!(reset["required"], json!(["type"]), "{reset}");
}

#[tokio::test]
async fn its_references_lead_somewhere() {
    let (csms, _data) = csms(&[]).await;
    let document = csms.get("/api/openapi.json").await;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    let lost: Vec<_> =
        found.iter().filter(|target| document.pointer(target.trim_start_matches('#')).is_none()).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[tokio::test]
async fn there_is_a_page_to_try_it_which_needs_nothing_from_elsewhere() {
    let (csms, _data) = csms(&[]).await;
    let client = Client::new();
    let page = client.get(format!("{}/api/docs/", csms.http)).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("http"), "{policy}");
    let text = page.text().await.unwrap();
    assert!(!text.contains("https://") && !text.contains("http://"), "{text}");
    let scripts = text.split("src=\"./").skip(1).map(|rest| rest.split('"').next().unwrap());
    let styles = text.split("href=\"./").skip(1).map(|rest| rest.split('"').next().unwrap());
    for file in scripts.chain(styles) {
        let answer = client.get(format!("{}/api/docs/{file}", csms.http)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{file}");
    }
    let start = client.get(format!("{}/api/docs/swagger-initializer.js", csms.http)).send().await.unwrap();
    assert!(start.text().await.unwrap().contains("/api/openapi.json"));
}
