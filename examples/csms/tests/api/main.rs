//! The REST interface as its users have it: the program, an HTTP client, and a charge point that does what a test says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

#[path = "../support/mod.rs"]
mod support;

mod charge_points;
mod charging_profiles;
mod commands;
mod document;
mod events;
mod id_tags;
mod legacy;
mod local_list;
mod requests;
mod reservations;
mod server;
mod transactions;

use serde_json::Value;
use support::Csms;

/// A request whose answer has that status; its JSON.
async fn expect(csms: &Csms, status: u16, method: &str, path: &str, body: Option<Value>) -> Value {
    let (found, answer) = csms.http(method, path, body).await;
    assert_eq!(found, status, "{method} {path}: {answer}");
    answer
}

/// A request that fails with a problem of that status and kind.
async fn refused(csms: &Csms, status: u16, kind: &str, method: &str, path: &str, body: Option<Value>) -> Value {
    let problem = expect(csms, status, method, path, body).await;
    assert_eq!((&problem["status"], &problem["kind"]), (&status.into(), &kind.into()), "{method} {path}: {problem}");
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
    problem
}
