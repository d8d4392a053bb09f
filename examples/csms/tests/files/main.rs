//! Firmware, diagnostics and logs, end to end: a scripted charge point that downloads and uploads as it was told to.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

#[path = "../support/mod.rs"]
mod support;

mod ftp;
mod http;
mod reported;

use std::path::Path;

use serde_json::{Value, json};
use support::{Csms, PATIENCE, Station};

/// A body that is larger than any buffer on the way.
fn image() -> Vec<u8> {
    (0..3_000_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(PATIENCE).build().unwrap()
}

impl Csms {
    /// Puts firmware into the server, and returns its entry.
    async fn put_firmware(&self, name: &str, image: Vec<u8>) -> Value {
        let response = client().put(format!("{}/api/v1/files/firmware/{name}", self.http)).body(image);
        let response = response.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 201, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Sends an order; the charge point gives that answer. The API's answer, and what the charge point was asked.
    async fn order(&self, station: &mut Station, order: &str, body: Value, answer: Value) -> (Value, Value) {
        let path = format!("/api/v1/charge-points/CP1/{order}");
        let action = match order {
            "update-firmware" if body["signed"] == true => "SignedUpdateFirmware",
            "update-firmware" => "UpdateFirmware",
            "get-diagnostics" => "GetDiagnostics",
            _ => "GetLog",
        };
        let (ordered, asked) = tokio::join!(self.http("POST", &path, Some(body)), station.obey(action, answer));
        assert_eq!(ordered.0, 200, "{}", ordered.1);
        (ordered.1, asked)
    }

    async fn file(&self, ordered: &Value) -> Value {
        self.get(&format!("/api/v1/files/{}", ordered["fileId"].as_str().unwrap())).await
    }

    async fn content(&self, ordered: &Value) -> reqwest::Response {
        let url = format!("{}/api/v1/files/{}/content", self.http, ordered["fileId"].as_str().unwrap());
        client().get(url).send().await.unwrap()
    }
}

/// What is in the folder of files.
fn on_disk(data: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(data.join("files")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

async fn connected(flags: &[&str]) -> (Csms, Station, tempfile::TempDir) {
    let (csms, data) = support::csms(flags).await;
    let station = csms.booted("CP1").await;
    (csms, station, data)
}

fn diagnostics(name: &str) -> Value {
    json!({"fileName": name})
}
