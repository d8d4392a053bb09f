//! The OCA's compliance cases for central systems, by their numbers: a charge point that does what the case says, and an
//! operator who uses the REST interface. `docs/CONFORMANCE.md` has the table.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../security/world.rs"]
#[allow(dead_code, reason = "each test uses a part of it")]
mod world;

mod configuration;
mod files;
mod local_list;
mod profiles;
mod remote;
mod reservations;
mod security;
mod sessions;

use onwire::types::DateTime;
use serde_json::{Value, json};
use support::{Csms, Station};
use tempfile::TempDir;

/// The program, and a charge point with two connectors that it has accepted.
struct Lab {
    csms: Csms,
    data: TempDir,
    station: Station,
}

async fn lab() -> Lab {
    let (csms, data) = support::csms(&[]).await;
    let station = csms.booted("CP1").await;
    let mut lab = Lab { csms, data, station };
    for connector in 0..=2 {
        lab.report(connector, "Available").await;
    }
    lab
}

/// Now, as charge points write it.
fn now() -> String {
    DateTime::now().to_string()
}

impl Lab {
    /// What the operator sends, what the charge point sees and answers, what the operator gets.
    async fn command(&mut self, action: &str, request: Value, response: Value) {
        let path = format!("/api/v1/charge-points/CP1/commands/{action}");
        let (seen, (status, answer)) = tokio::join!(
            self.station.obey(action, response.clone()),
            self.csms.http("POST", &path, Some(request.clone()))
        );
        assert_eq!((status, &answer), (200, &response), "{action}");
        assert_eq!(seen, request, "{action}");
    }

    /// [`Lab::command`] with an answer that is a status.
    async fn status(&mut self, action: &str, request: Value, status: &str) {
        self.command(action, request, json!({"status": status})).await;
    }

    async fn report(&mut self, connector: i64, status: &str) {
        self.report_error(connector, status, "NoError").await;
    }

    async fn report_error(&mut self, connector: i64, status: &str, error: &str) {
        let report = json!({"connectorId": connector, "status": status, "errorCode": error, "timestamp": now()});
        assert_eq!(self.station.call("StatusNotification", report).await, json!({}));
        let shown = self.connector(connector).await;
        assert_eq!((&shown["status"], &shown["errorCode"]), (&json!(status), &json!(error)), "{shown}");
    }

    /// What the operator sees of a connector.
    async fn connector(&self, connector: i64) -> Value {
        let charge_point = self.csms.get("/api/v1/charge-points/CP1").await;
        let found = charge_point["connectors"].as_array().unwrap().iter().find(|one| one["connector"] == connector);
        found.cloned().unwrap_or(Value::Null)
    }

    async fn authorize(&mut self, id_tag: &str) -> String {
        let answer = self.station.call("Authorize", json!({"idTag": id_tag})).await;
        answer["idTagInfo"]["status"].as_str().unwrap().to_owned()
    }

    /// Starts a transaction at a register of 1000 Wh: what the tag is worth, and the number.
    async fn start(&mut self, connector: i64, id_tag: &str, more: Value) -> (String, i64) {
        let mut request = json!({"connectorId": connector, "idTag": id_tag, "meterStart": 1000, "timestamp": now()});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.station.call("StartTransaction", request).await;
        let id = answer["transactionId"].as_i64().unwrap();
        let shown = self.transaction(id).await;
        assert_eq!(
            (&shown["active"], &shown["idTagStatus"]),
            (&json!(true), &answer["idTagInfo"]["status"]),
            "{shown}"
        );
        assert_eq!(self.connector(connector).await["transactionId"], id);
        (answer["idTagInfo"]["status"].as_str().unwrap().to_owned(), id)
    }

    /// Stops it at 4000 Wh, and shows the operator so.
    async fn stop(&mut self, id: i64, reason: &str, id_tag: Option<&str>) -> Value {
        let mut request = json!({"transactionId": id, "meterStop": 4000, "timestamp": now(), "reason": reason});
        if let Some(id_tag) = id_tag {
            request["idTag"] = json!(id_tag);
        }
        let answer = self.station.call("StopTransaction", request).await;
        let shown = self.transaction(id).await;
        assert_eq!((&shown["active"], &shown["estimated"]), (&json!(false), &json!(false)), "{shown}");
        assert_eq!((&shown["stopReason"], &shown["energyWh"]), (&json!(reason), &json!(3000)), "{shown}");
        answer
    }

    async fn transaction(&self, id: i64) -> Value {
        self.csms.get(&format!("/api/v1/transactions/{id}")).await
    }

    /// A request of the operator that succeeds.
    async fn operator(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.csms.http(method, path, Some(body)).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Enters a tag.
    async fn enter(&self, tag: Value) {
        self.operator("POST", "/api/v1/id-tags", tag).await;
    }
}
