//! What charge points report of it, and what is kept of credentials.

use data_encoding::BASE64;
use rcgen::{CertificateParams, KeyPair};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde_json::{Value, json};

use super::{client, connected, diagnostics, on_disk};

async fn put(location: &Value, content: &'static str) -> u16 {
    let sent = client().put(format!("{}a.log", location.as_str().unwrap())).body(content).send().await;
    sent.unwrap().status().as_u16()
}

/// OCPP 1.6 §4.4; security whitepaper N01.
#[tokio::test]
async fn the_state_of_an_upload_follows_what_the_charge_point_reports() {
    let (csms, mut station, _data) = connected(&[]).await;
    let diagnostics_order =
        ("get-diagnostics", json!({}), diagnostics("a.log"), "DiagnosticsStatusNotification", "UploadFailed");
    let answer = json!({"status": "Accepted", "filename": "a.log"});
    let log_order = ("get-log", json!({"logType": "DiagnosticsLog"}), answer, "LogStatusNotification", "UploadFailure");
    for (order, body, answer, notification, failure) in [diagnostics_order, log_order] {
        let (first, asked) = csms.order(&mut station, order, body.clone(), answer.clone()).await;
        let location = if order == "get-log" { &asked["log"]["remoteLocation"] } else { &asked["location"] };
        let report = |status: &str| match order {
            "get-log" => json!({"status": status, "requestId": asked["requestId"]}),
            _ => json!({"status": status}),
        };
        assert_eq!(csms.file(&first).await["state"], "expected");
        station.call(notification, report("Uploading")).await;
        let file = csms.file(&first).await;
        assert_eq!((&file["state"], &file["complete"]), (&json!("uploading"), &json!(false)));
        station.call(notification, report(failure)).await;
        let file = csms.file(&first).await;
        assert_eq!((&file["state"], &file["reason"]), (&json!("failed"), &json!(failure)));
        // It tries again, and succeeds; what it reports then closes the request.
        assert_eq!(put(location, "one").await, 201);
        assert_eq!(csms.file(&first).await["state"], "complete");
        assert_eq!(put(location, "two").await, 201);
        station.call(notification, report("Uploaded")).await;
        assert_eq!(put(location, "three").await, 404, "{order}");
        let file = csms.file(&first).await;
        assert_eq!((&file["state"], &file["size"]), (&json!("complete"), &json!(3)));
        // The report was of the first one; it says nothing of the next.
        let (second, _) = csms.order(&mut station, order, body, answer).await;
        assert_eq!(csms.file(&second).await["state"], "expected");
    }
}

/// Security whitepaper L01: the charge point checks the signature with the certificate that comes with it.
#[tokio::test]
async fn signed_firmware_can_be_verified_by_who_downloads_it() {
    let keys = tempfile::tempdir().unwrap();
    let pair = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["firmware".to_owned()]).unwrap().self_signed(&pair).unwrap();
    let (key_file, certificate_file) = (keys.path().join("key.pem"), keys.path().join("certificate.pem"));
    std::fs::write(&key_file, pair.serialize_pem()).unwrap();
    std::fs::write(&certificate_file, certificate.pem()).unwrap();
    let flags = [
        "--firmware-signing-key",
        key_file.to_str().unwrap(),
        "--firmware-signing-certificate",
        certificate_file.to_str().unwrap(),
    ];
    let (csms, mut station, _data) = connected(&flags).await;
    let file = csms.put_firmware("fw.bin", b"an image".to_vec()).await;
    let body = json!({"fileId": file["id"], "signed": true, "installDate": "2027-01-01T00:00:00Z", "retries": 2});
    let accepted = json!({"status": "Accepted"});
    let (ordered, asked) = csms.order(&mut station, "update-firmware", body, accepted.clone()).await;
    assert_eq!((&ordered["status"], &ordered["requestId"]), (&json!("Accepted"), &asked["requestId"]));
    let firmware = &asked["firmware"];
    assert_eq!((&firmware["installDateTime"], &asked["retries"]), (&json!("2027-01-01T00:00:00Z"), &json!(2)));
    let location = firmware["location"].as_str().unwrap();
    let image = client().get(location).send().await.unwrap().bytes().await.unwrap();
    let (_, pem) =
        x509_parser::pem::parse_x509_pem(firmware["signingCertificate"].as_str().unwrap().as_bytes()).unwrap();
    let signer = pem.parse_x509().unwrap();
    let public_key =
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, signer.public_key().subject_public_key.data.to_vec());
    let signature = BASE64.decode(firmware["signature"].as_str().unwrap().as_bytes()).unwrap();
    public_key.verify(&image, &signature).unwrap();
    assert!(public_key.verify(b"another image", &signature).is_err());

    // A refused order leaves no way to the file.
    let refused = json!({"status": "InvalidCertificate"});
    let body = json!({"fileId": file["id"], "signed": true, "signature": "AAAA", "signingCertificate": "the maker's"});
    let (ordered, asked) = csms.order(&mut station, "update-firmware", body, refused).await;
    assert_eq!(ordered["status"], "InvalidCertificate");
    let firmware = &asked["firmware"];
    assert_eq!((&firmware["signature"], &firmware["signingCertificate"]), (&json!("AAAA"), &json!("the maker's")));
    assert_eq!(client().get(firmware["location"].as_str().unwrap()).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn no_credential_is_kept_in_the_database_or_its_message_log() {
    let (csms, mut station, data) = connected(&["--ftp-listen", "127.0.0.1:0"]).await;
    let file = csms.put_firmware("fw.bin", b"an image".to_vec()).await;
    let mut secrets = Vec::new();
    for transport in ["http", "ftp"] {
        let body = json!({"fileId": file["id"], "transport": transport});
        let (ordered, update) = csms.order(&mut station, "update-firmware", body, json!({})).await;
        let body = json!({"transport": transport});
        let (_, upload) = csms.order(&mut station, "get-diagnostics", body, diagnostics("a.log")).await;
        for location in [&update["location"], &upload["location"]] {
            let mut parts = location.as_str().unwrap().split(['/', ':', '@']);
            let secret = parts.find(|part| part.len() == 43).unwrap_or_else(|| panic!("{location}")).to_owned();
            assert!(!ordered.to_string().contains(&secret), "the API tells no secret");
            secrets.push(secret);
        }
    }
    assert_eq!(on_disk(data.path()).len(), 1);
    let log = async { while !kept(data.path()).contains("ftp://***@") {} };
    tokio::time::timeout(super::PATIENCE, log).await.expect("the message log");
    csms.stop().await;
    let kept = kept(data.path());
    assert!(kept.contains("/files/***/fw.bin"), "the message log has the messages");
    for secret in secrets {
        assert!(!kept.contains(&secret));
    }
}

/// What stands in the database's files.
fn kept(data: &std::path::Path) -> String {
    let entries = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file()).map(|path| std::fs::read(path).unwrap_or_default());
    String::from_utf8_lossy(&files.collect::<Vec<_>>().concat()).into_owned()
}
