//! The security extension, security profiles, the subprotocol.

use std::path::Path;

use async_tungstenite::tokio::connect_async;
use async_tungstenite::tungstenite::Message;
use csms::security::authority::Authority;
use csms::security::keys;
use futures_util::StreamExt;
use onwire::net::{Client, ClientTls, ConnectError};
use onwire::ocpp::v16::*;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::{Value, json};

use crate::support::{Csms, PATIENCE};
use crate::world::{app, basic, connect, enter, status, succeeds};
use crate::{Lab, lab, now};

const OLD: &str = "00112233445566778899aabbccddeeff00112233";
const NEW: &str = "ffeeddccbbaa99887766554433221100ffeeddcc";

fn key(text: &str) -> [(&'static str, String); 1] {
    [basic("CP1", &keys::parse(text).unwrap())]
}

/// OCPP-J 1.6 §6.2.2: after the change, the old password is worth nothing.
#[tokio::test]
async fn tc_073_update_of_the_basic_auth_password() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", Some(OLD)).await;
    let csms = Csms::start_in(data.path(), &[]).await;
    let mut station = connect(&csms, "CP1", &key(OLD)).await.unwrap();
    station.boot().await;
    let request = json!({"key": "AuthorizationKey", "value": NEW});
    let (seen, (code, answer)) = tokio::join!(
        station.obey("ChangeConfiguration", json!({"status": "Accepted"})),
        csms.http("POST", "/api/v1/charge-points/CP1/commands/ChangeConfiguration", Some(request.clone()))
    );
    assert_eq!((code, answer, seen), (200, json!({"status": "Accepted"}), request));
    assert_eq!(status(&csms, "CP1", &key(OLD)).await, 401);
    let mut station = connect(&csms, "CP1", &key(NEW)).await.unwrap();
    station.call("Heartbeat", json!({})).await;
}

/// A server with a test authority, and the charge point's request for a certificate.
async fn with_authority() -> (Lab, String) {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("ca");
    let folder = folder.to_str().unwrap();
    succeeds(data.path(), &["--cpo-name", "Operator", "make-ca", folder]).await;
    let csms = Csms::start_in(data.path(), &["--ca", folder, "--cpo-name", "Operator"]).await;
    let station = csms.booted("CP1").await;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "CP1");
    params.distinguished_name.push(DnType::OrganizationName, "Operator");
    let request = params.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap();
    (Lab { csms, data, station }, request)
}

/// The operator triggers it, the charge point asks, the server signs, the charge point answers so.
async fn certificate(answer: &str) -> Lab {
    let (mut lab, csr) = with_authority().await;
    let trigger = json!({"requestedMessage": "SignChargePointCertificate"});
    lab.status("ExtendedTriggerMessage", trigger, "Accepted").await;
    let asked = lab.station.call("SignCertificate", json!({"csr": csr})).await;
    assert_eq!(asked, json!({"status": "Accepted"}));
    let signed = lab.station.obey("CertificateSigned", json!({"status": answer})).await;
    assert!(signed["certificateChain"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"), "{signed}");
    lab
}

#[tokio::test]
async fn tc_074_update_of_the_charge_point_certificate() {
    let lab = certificate("Accepted").await;
    let listed = lab.csms.get("/api/v1/certificates?chargePoint=CP1").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
}

/// Installs a root certificate and looks whether it is there.
async fn install(kind: &str) {
    let mut lab = lab().await;
    let request =
        json!({"certificateType": kind, "certificate": "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----"});
    lab.status("InstallCertificate", request, "Accepted").await;
    let installed = json!({"status": "Accepted", "certificateHashData": [hash()]});
    lab.command("GetInstalledCertificateIds", json!({"certificateType": kind}), installed).await;
}

fn hash() -> Value {
    json!({"hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "01"})
}

#[tokio::test]
async fn tc_075_1_install_the_manufacturer_root_certificate() {
    install("ManufacturerRootCertificate").await;
}

#[tokio::test]
async fn tc_075_2_install_the_central_system_root_certificate() {
    install("CentralSystemRootCertificate").await;
}

#[tokio::test]
async fn tc_076_delete_a_certificate() {
    let mut lab = lab().await;
    let installed = json!({"status": "Accepted", "certificateHashData": [hash()]});
    let kind = json!({"certificateType": "CentralSystemRootCertificate"});
    lab.command("GetInstalledCertificateIds", kind, installed).await;
    lab.status("DeleteCertificate", json!({"certificateHashData": hash()}), "Accepted").await;
}

/// The charge point tells of it, and the operator sees it.
async fn told(lab: &mut Lab, kind: &str) {
    let event = json!({"type": kind, "timestamp": now(), "techInfo": "why"});
    assert_eq!(lab.station.call("SecurityEventNotification", event).await, json!({}));
    let events = lab.csms.get("/api/v1/security-events?chargePoint=CP1").await;
    let shown = &events["items"][0];
    assert!(shown.as_object().unwrap().values().any(|value| value == kind), "{shown}");
}

#[tokio::test]
async fn tc_077_invalid_charge_point_certificate() {
    let mut lab = certificate("Rejected").await;
    told(&mut lab, "InvalidChargePointCertificate").await;
}

#[tokio::test]
async fn tc_078_invalid_central_system_certificate() {
    let mut lab = lab().await;
    let request = json!({"certificateType": "CentralSystemRootCertificate", "certificate": "nonsense"});
    lab.status("InstallCertificate", request, "Rejected").await;
    told(&mut lab, "InvalidCentralSystemCertificate").await;
}

#[tokio::test]
async fn tc_079_security_log() {
    let mut lab = lab().await;
    let request = json!({"logType": "SecurityLog", "requestId": 5, "log": {"remoteLocation": "http://127.0.0.1/log"}});
    lab.command("GetLog", request, json!({"status": "Accepted", "filename": "security.log"})).await;
    for status in ["Uploading", "Uploaded"] {
        let progress = json!({"status": status, "requestId": 5});
        assert_eq!(lab.station.call("LogStatusNotification", progress).await, json!({}));
        assert_eq!(lab.csms.get("/api/v1/charge-points/CP1").await["logStatus"], status);
    }
}

/// The statuses that come after SignedUpdateFirmware; each is shown to the operator.
async fn firmware(statuses: &[&str]) -> Lab {
    let mut lab = lab().await;
    let firmware = json!({"location": "http://127.0.0.1/firmware.bin", "retrieveDateTime": now(),
        "signingCertificate": "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----", "signature": "AAAA"});
    lab.status("SignedUpdateFirmware", json!({"requestId": 5, "firmware": firmware}), "Accepted").await;
    for status in statuses {
        let progress = json!({"status": status, "requestId": 5});
        assert_eq!(lab.station.call("SignedFirmwareStatusNotification", progress).await, json!({}));
        assert_eq!(lab.csms.get("/api/v1/charge-points/CP1").await["firmwareStatus"], *status);
    }
    lab
}

#[tokio::test]
async fn tc_080_secure_firmware_update() {
    firmware(&["Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting", "Installed"]).await;
}

#[tokio::test]
async fn tc_081_secure_firmware_update_invalid_signature() {
    let mut lab = firmware(&["Downloading", "Downloaded", "InvalidSignature"]).await;
    told(&mut lab, "InvalidFirmwareSignature").await;
}

#[derive(Debug)]
struct Charger;

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl Charger {
    #[on(ChangeConfiguration)]
    fn change_configuration(&self) -> ChangeConfigurationResponse {
        ChangeConfigurationResponse::new(ConfigurationStatus::Accepted)
    }
}

/// A server with TLS by an authority in its folder.
async fn secured(data: &Path) -> Csms {
    let folder = data.join("ca");
    let folder = folder.to_str().unwrap();
    succeeds(data, &["make-ca", folder]).await;
    let (certificate, key) = (format!("{folder}/server.pem"), format!("{folder}/server.key"));
    let flags = ["--tls-listen", "127.0.0.1:0", "--ca", folder, "--tls-certificate", &certificate, "--tls-key", &key];
    Csms::start_in(data, &flags).await
}

/// Connects with TLS and boots; the status of a refusal.
async fn boots(csms: &Csms, tls: &ClientTls, password: Option<&str>) -> Result<(), u16> {
    let (url, _) = csms.tls.as_ref().unwrap();
    let mut builder = Client::builder(&format!("{url}CP1")).tls(tls.clone()).connect_timeout(PATIENCE);
    if let Some(password) = password {
        builder = builder.credentials("CP1", keys::parse(password).unwrap());
    }
    let client = match builder.connect(Charger).await {
        Ok(client) => client,
        Err(ConnectError::Status { status, .. }) => return Err(status.as_u16()),
        Err(error) => panic!("{error}"),
    };
    let peer = client.peer();
    let booted = client.run_until(async move {
        let boot = peer.call(BootNotificationRequest::new("onwire", "test")).await.unwrap();
        assert_eq!(boot.status, RegistrationStatus::Accepted);
    });
    booted.await.unwrap();
    Ok(())
}

fn root(data: &Path) -> String {
    std::fs::read_to_string(data.join("ca/ca.pem")).unwrap()
}

/// Security whitepaper A05: told by configuration, and refused below it once it was used.
#[tokio::test]
async fn tc_083_upgrade_of_the_security_profile() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", Some(OLD)).await;
    let csms = secured(data.path()).await;
    let mut station = connect(&csms, "CP1", &key(OLD)).await.unwrap();
    station.boot().await;
    let request = json!({"key": "SecurityProfile", "value": "2"});
    let (_, (code, answer)) = tokio::join!(
        station.obey("ChangeConfiguration", json!({"status": "Accepted"})),
        csms.http("POST", "/api/v1/charge-points/CP1/commands/ChangeConfiguration", Some(request))
    );
    assert_eq!((code, answer), (200, json!({"status": "Accepted"})));
    drop(station);
    assert_eq!(boots(&csms, &ClientTls::new(root(data.path())).unwrap(), Some(OLD)).await, Ok(()));
    assert_eq!(status(&csms, "CP1", &key(OLD)).await, 403);
}

#[tokio::test]
async fn tc_085_basic_authentication_valid() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", Some(OLD)).await;
    let csms = Csms::start_in(data.path(), &[]).await;
    let mut station = connect(&csms, "CP1", &key(OLD)).await.unwrap();
    station.boot().await;
    assert_eq!(status(&csms, "CP1", &key(NEW)).await, 401);
    assert_eq!(status(&csms, "CP1", &[]).await, 401);
}

#[tokio::test]
async fn tc_086_tls_server_certificate_valid() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", Some(OLD)).await;
    let csms = secured(data.path()).await;
    let tls = ClientTls::new(root(data.path())).unwrap();
    assert_eq!(boots(&csms, &tls, Some(OLD)).await, Ok(()));
    assert_eq!(boots(&csms, &tls, Some(NEW)).await, Err(401));
}

#[tokio::test]
async fn tc_087_tls_client_certificate_valid() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", None).await;
    let csms = secured(data.path()).await;
    let (issued, own) = Authority::open(&data.path().join("ca")).unwrap().issue("CP1", Some("onwire"), 1).unwrap();
    let tls = ClientTls::with_certificate(root(data.path()), &issued.pem, &own).unwrap();
    assert_eq!(boots(&csms, &tls, None).await, Ok(()));
}

/// OCPP-J 1.6 §3.2: the handshake is completed without a subprotocol, and the connection closed at once.
#[tokio::test]
async fn tc_088_subprotocol() {
    let lab = lab().await;
    let (_, agreed) = lab.csms.station_with("CP2", "ocpp0.1, ocpp1.6").await;
    assert_eq!(agreed, "ocpp1.6");
    let (mut socket, response) = connect_async(format!("{}CP2", lab.csms.url)).await.unwrap();
    assert_eq!(response.headers().get("Sec-WebSocket-Protocol"), None);
    let end = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
    assert!(matches!(end, Some(Ok(Message::Close(_)))), "{end:?}");
}
