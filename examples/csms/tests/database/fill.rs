//! Fills every table by what charge points and operators do.

use std::path::Path;
use std::process::Stdio;

use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Csms, Station, fixture};

/// The key of the charge point CP1, and the server's secret that it is hashed with.
pub(crate) const KEY: &str = "00112233445566778899aabbccddeeff00112233";
const SECRET: &str = "the secret of a fixture and of no server";

/// The password of every user.
pub(crate) const PASSWORD: &str = "correct horse";

/// Runs `csms` with a command.
pub(crate) async fn command(data: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_csms"));
    command.arg("--data").arg(data).args(arguments).env("RUST_LOG", "error").stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CSMS_")) {
        command.env_remove(name);
    }
    command.env("CSMS_DATABASE", crate::support::database(data).await).env("CSMS_PASSWORD", PASSWORD);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn ok(csms: &Csms, method: &str, path: &str, body: Value) -> Value {
    let (status, answer) = csms.http(method, &format!("/api/v1{path}"), Some(body)).await;
    assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
    answer
}

/// Sends a command to CP1, which gives that answer.
async fn commanded(csms: &Csms, station: &mut Station, action: &str, request: Value, answer: Value) -> Value {
    let path = format!("/charge-points/CP1/commands/{action}");
    tokio::join!(ok(csms, "POST", &path, request), station.obey(action, answer)).1
}

/// Asks for something that makes the server send CP1 a command, which gives that answer.
async fn asked(
    csms: &Csms,
    station: &mut Station,
    (method, path, body): (&str, &str, Value),
    (action, answer): (&str, Value),
) -> (Value, Value) {
    tokio::join!(ok(csms, method, path, body), station.obey(action, answer))
}

fn samples(at: &str, wh: i64) -> Value {
    json!({"timestamp": at, "sampledValue": [
        {"value": wh.to_string(), "context": "Sample.Periodic", "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": "16.0", "measurand": "Current.Import", "phase": "L1", "unit": "A"},
    ]})
}

/// What the charge point CP1 does.
async fn charge(station: &mut Station) {
    let status = |connector: i64, status: &str, at: &str| {
        json!({"connectorId": connector, "errorCode": "NoError", "status": status, "timestamp": at, "info": "bay 7",
            "vendorId": "com.example"})
    };
    station.call("StatusNotification", status(1, "Available", "2026-03-01T09:00:00Z")).await;
    station.call("StatusNotification", status(2, "Available", "2026-03-01T09:00:00Z")).await;
    let start = |connector: i64, tag: &str, meter: i64, at: &str| json!({"connectorId": connector, "idTag": tag, "meterStart": meter, "timestamp": at});
    // The first has ended, the second runs.
    let first = station.call("StartTransaction", start(1, "TAG-1", 1000, "2026-03-01T10:00:00Z")).await;
    let id = first["transactionId"].as_i64().unwrap();
    for (at, wh) in [("2026-03-01T10:15:00Z", 1500), ("2026-03-01T10:30:00Z", 2250)] {
        let values = json!({"connectorId": 1, "transactionId": id, "meterValue": [samples(at, wh)]});
        station.call("MeterValues", values).await;
    }
    let stop = json!({"transactionId": id, "idTag": "TAG-1", "meterStop": 3400, "reason": "EVDisconnected",
        "timestamp": "2026-03-01T11:00:00Z", "transactionData": [samples("2026-03-01T11:00:00Z", 3400)]});
    station.call("StopTransaction", stop).await;
    let second = station.call("StartTransaction", start(2, "VISITOR", 70, "2026-03-01T12:00:00Z")).await;
    let values = json!({"connectorId": 2, "transactionId": second["transactionId"], "meterValue": [samples("2026-03-01T12:15:00Z", 900)]});
    station.call("MeterValues", values).await;
    let unknown = json!({"transactionId": 4711, "meterStop": 5, "timestamp": "2026-03-01T08:00:00Z"});
    station.call("StopTransaction", unknown).await;
    let event = json!({"type": "FirmwareUpdated", "timestamp": "2026-03-01T09:30:00Z", "techInfo": "1.0.1 to 1.0.2"});
    station.call("SecurityEventNotification", event).await;
    station.call("FirmwareStatusNotification", json!({"status": "Installed"})).await;
    station.call("StatusNotification", status(2, "Charging", "2026-03-01T12:00:00Z")).await;
}

/// What operators enter, and send to CP1.
async fn operate(csms: &Csms, station: &mut Station) {
    let configuration = json!({"configurationKey": [
        {"key": "HeartbeatInterval", "readonly": false, "value": "300"},
        {"key": "NumberOfConnectors", "readonly": true, "value": "2"}]});
    commanded(csms, station, "GetConfiguration", json!({}), configuration).await;
    let change = json!({"key": "HeartbeatInterval", "value": "600"});
    commanded(csms, station, "ChangeConfiguration", change, json!({"status": "Accepted"})).await;
    let list = ("POST", "/charge-points/CP1/local-list", json!({"type": "Full"}));
    asked(csms, station, list, ("SendLocalList", json!({"status": "Accepted"}))).await;
    for (tag, answer) in [("TAG-1", "Accepted"), ("TAG-2", "Occupied")] {
        let new = json!({"chargePoint": "CP1", "connector": 1, "idTag": tag, "expiryDate": "2099-01-01T00:00:00Z"});
        asked(csms, station, ("POST", "/reservations", new), ("ReserveNow", json!({"status": answer}))).await;
    }
    let profile = json!({"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute", "chargingSchedule": {"chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}]}});
    ok(csms, "PUT", "/charging-profiles/by%20night", profile).await;
    ok(csms, "PATCH", "/server", json!({"unknownChargePoints": false})).await;
}

/// Firmware for CP1, and diagnostics of it.
async fn files(csms: &Csms, station: &mut Station) {
    let client = reqwest::Client::new();
    let put = client.put(format!("{}/api/v1/files/firmware/fw-1.1.bin", csms.http)).body("firmware of a fixture");
    let file: Value = put.send().await.unwrap().json().await.unwrap();
    let update = ("POST", "/charge-points/CP1/update-firmware", json!({"fileId": file["id"]}));
    asked(csms, station, update, ("UpdateFirmware", json!({}))).await;
    let order = ("POST", "/charge-points/CP1/get-diagnostics", json!({}));
    let answer = ("GetDiagnostics", json!({"fileName": "CP1.log"}));
    let (_, request) = asked(csms, station, order, answer).await;
    let upload =
        client.put(format!("{}CP1.log", request["location"].as_str().unwrap())).body("diagnostics of a fixture");
    assert_eq!(upload.send().await.unwrap().status(), 201);
    station.call("DiagnosticsStatusNotification", json!({"status": "Uploaded"})).await;
}

/// A certificate for CP1.
async fn certificate(station: &mut Station) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "CP1");
    params.distinguished_name.push(DnType::OrganizationName, "Fixture");
    let csr = params.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap();
    assert_eq!(station.call("SignCertificate", json!({"csr": csr})).await["status"], "Accepted");
    station.obey("CertificateSigned", json!({"status": "Accepted"})).await;
}

#[tokio::test]
#[ignore = "records the fixture of today's schema"]
async fn record() {
    let (data, ca) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, ca) = (data.path(), ca.path().to_str().unwrap());
    std::fs::write(data.join("secret"), SECRET).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(data.join("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    command(data, &["--cpo-name", "Fixture", "make-ca", ca]).await;
    let csms = Csms::start_in(data, &["--ca", ca, "--cpo-name", "Fixture"]).await;
    for (tag, status, parent) in
        [("TAG-1", "Accepted", Some("FLEET")), ("TAG-2", "Blocked", None), ("Fleet", "Accepted", None)]
    {
        let tag = json!({"idTag": tag, "status": status, "parentIdTag": parent, "group": "Fleet 1",
            "expiryDate": "2099-12-31T23:00:00Z", "note": "旅行者"});
        ok(&csms, "POST", "/id-tags", tag).await;
    }
    ok(&csms, "POST", "/charge-points", json!({"id": "CP1", "note": "car park, level -1"})).await;
    ok(&csms, "POST", "/charge-points", json!({"id": "CP2", "bootPolicy": "pending", "securityProfile": 1})).await;
    let mut station = csms.station("CP1").await;
    let boot = json!({"chargePointVendor": "Example", "chargePointModel": "Model 1", "chargePointSerialNumber": "SN-1",
        "firmwareVersion": "1.0.2", "meterType": "Meter", "meterSerialNumber": "M-1"});
    assert_eq!(station.call("BootNotification", boot).await["status"], "Accepted");
    station.obey("GetConfiguration", json!({})).await;
    station.obey("GetLocalListVersion", json!({"listVersion": 0})).await;
    operate(&csms, &mut station).await;
    charge(&mut station).await;
    let new = json!({"chargePoint": "CP1", "connector": 1, "idTag": "TAG-1", "expiryDate": "2099-01-01T00:00:00Z"});
    let reserve = ("POST", "/reservations", new);
    asked(&csms, &mut station, reserve, ("ReserveNow", json!({"status": "Accepted"}))).await;
    files(&csms, &mut station).await;
    certificate(&mut station).await;
    ok(&csms, "POST", "/certificates/0a0b/revoke", json!({})).await;
    // It ends the connection.
    ok(&csms, "POST", "/charge-points/CP1/key", json!({"key": KEY})).await;
    station.ends().await;
    for (user, role) in [("alice", "admin"), ("bob", "viewer")] {
        command(data, &["user", "add", user, "--role", role]).await;
    }
    let token = command(data, &["token", "add", "billing", "--role", "admin"]).await;
    std::fs::write(data.join("billing.token"), token).unwrap();
    let login = json!({"name": "alice", "password": PASSWORD});
    ok(&csms, "POST", "/login", login).await;
    csms.stop().await;
    fixture::keep(data).await;
}
