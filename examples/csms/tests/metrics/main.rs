//! Seeing inside: metrics, the message log, the program's log.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

#[path = "../support/mod.rs"]
mod support;

mod counts;
mod log;
mod messages;

/// What `/metrics` says.
async fn metrics(csms: &support::Csms) -> String {
    let response = reqwest::get(format!("{}/metrics", csms.http)).await.unwrap();
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    response.text().await.unwrap()
}

/// The value of the metric with that name and those labels, as they are written.
fn value(metrics: &str, name: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}
