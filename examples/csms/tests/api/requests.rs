//! What holds for every request: errors are problems, bodies have a limit, the health of the program.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::{PATIENCE, csms};
use crate::{expect, refused};

#[tokio::test]
async fn every_error_is_a_problem() {
    let (csms, _data) = csms(&[]).await;
    let tags = "/api/v1/id-tags";
    refused(&csms, 404, "notFound", "GET", "/api/v1/coffee", None).await;
    refused(&csms, 404, "notFound", "POST", "/api/coffee", None).await;
    refused(&csms, 405, "methodNotAllowed", "PATCH", tags, Some(json!({}))).await;
    refused(&csms, 415, "unsupportedMediaType", "POST", tags, None).await;
    refused(&csms, 400, "badRequest", "GET", "/api/v1/transactions/one", None).await;
    let large = json!({"idTag": "A", "note": "x".repeat(2 << 20)});
    refused(&csms, 413, "tooLarge", "POST", tags, Some(large)).await;
    let client = Client::new();
    for (body, detail) in [(&b"{\"idTag\":"[..], "EOF"), (b"\xff", "UTF-8")] {
        let request = client.request(Method::POST, format!("{}{tags}", csms.http)).timeout(PATIENCE);
        let request = request.header("content-type", "application/json; charset=utf-8").body(body.to_vec());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: Value = response.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(detail) && problem["pointer"] == "", "{problem}");
    }
}

#[tokio::test]
async fn it_says_whether_it_is_up_and_ready() {
    let (csms, _data) = csms(&[]).await;
    expect(&csms, 200, "GET", "/healthz", None).await;
    expect(&csms, 200, "GET", "/readyz", None).await;
}
