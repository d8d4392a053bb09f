//! The messages of the security extension about certificates.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::json;

use csms::security::certificates::{Chains, read_pem, subject};

use crate::support::Csms;
use crate::world::{ask, succeeds};

fn request(common_name: &str, organization: &str, key: &KeyPair) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.distinguished_name.push(DnType::OrganizationName, organization);
    params.serialize_request(key).unwrap().pem().unwrap()
}

/// Security whitepaper A02, A03.
#[tokio::test]
async fn what_a_charge_point_asks_to_be_signed_comes_back_signed() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("ca");
    let folder = folder.to_str().unwrap();
    succeeds(data.path(), &["--cpo-name", "Operator", "make-ca", folder]).await;
    let csms = Csms::start_in(data.path(), &["--ca", folder, "--cpo-name", "Operator"]).await;
    let mut station = csms.booted("CP1").await;
    let key = KeyPair::generate().unwrap();

    for (name, organization) in [("CP2", "Operator"), ("CP1", "Other")] {
        let wrong = json!({"csr": request(name, organization, &key)});
        assert_eq!(station.call("SignCertificate", wrong).await["status"], "Rejected", "{name} {organization}");
    }
    let nonsense = json!({"csr": "nonsense"});
    assert_eq!(station.call("SignCertificate", nonsense).await["status"], "Rejected");

    let good = json!({"csr": request("CP1", "Operator", &key)});
    assert_eq!(station.call("SignCertificate", good).await["status"], "Accepted");
    let signed = station.obey("CertificateSigned", json!({"status": "Accepted"})).await;
    let certificates = read_pem(signed["certificateChain"].as_str().unwrap().as_bytes()).unwrap();
    let root = std::fs::read(format!("{folder}/ca.pem")).unwrap();
    Chains::new(&root).unwrap().check(&certificates).unwrap();
    let read = subject(&certificates[0]).unwrap();
    assert_eq!((read.common_name.as_str(), read.organization.as_deref()), ("CP1", Some("Operator")));

    let listed = ask(&csms, "GET", "/api/v1/certificates?chargePoint=CP1", &[], None).await.body;
    assert_eq!(listed["items"][0]["serial"], json!(read.serial));
    let path = format!("/api/v1/certificates/{}/revoke", read.serial);
    assert_eq!(ask(&csms, "POST", &path, &[], None).await.status, 204);
    let listed = ask(&csms, "GET", "/api/v1/certificates", &[], None).await.body;
    assert_eq!(listed["items"][0]["revoked"], json!(true));
}

#[tokio::test]
async fn certificates_come_in_pages_each_once() {
    let data = tempfile::tempdir().unwrap();
    let csms = Csms::start_in(data.path(), &[]).await;
    let serials: Vec<String> = (1..=5).map(|number| format!("{number:02x}")).collect();
    for serial in &serials {
        assert_eq!(ask(&csms, "POST", &format!("/api/v1/certificates/{serial}/revoke"), &[], None).await.status, 204);
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/certificates?limit=2".to_owned());
    for pages in 1.. {
        let page = ask(&csms, "GET", &path, &[], None).await.body;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["serial"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else {
            assert_eq!(pages, 3);
            break;
        };
        path = format!("/api/v1/certificates?limit=2&cursor={cursor}");
    }
    seen.sort();
    assert_eq!(seen, serials);
    assert_eq!(ask(&csms, "GET", "/api/v1/certificates?limit=0", &[], None).await.status, 400);
}

#[tokio::test]
async fn without_an_authority_nothing_is_signed() {
    let data = tempfile::tempdir().unwrap();
    let csms = Csms::start_in(data.path(), &[]).await;
    let mut station = csms.booted("CP1").await;
    let good = json!({"csr": request("CP1", "Operator", &KeyPair::generate().unwrap())});
    assert_eq!(station.call("SignCertificate", good).await["status"], "Rejected");
}

#[tokio::test]
async fn a_certificate_is_issued_by_the_command() {
    let data = tempfile::tempdir().unwrap();
    let (folder, out) = (data.path().join("ca"), data.path().join("out"));
    let (folder, out) = (folder.to_str().unwrap(), out.to_str().unwrap());
    succeeds(data.path(), &["make-ca", folder, "--name", "csms.example"]).await;
    succeeds(data.path(), &["--ca", folder, "issue-certificate", "CP1", "--out", out]).await;
    let certificates = read_pem(&std::fs::read(format!("{out}/CP1.pem")).unwrap()).unwrap();
    let root = std::fs::read(format!("{folder}/ca.pem")).unwrap();
    Chains::new(&root).unwrap().check(&certificates).unwrap();
    assert!(KeyPair::from_pem(&std::fs::read_to_string(format!("{out}/CP1.key")).unwrap()).is_ok());
    let outside = crate::world::program(data.path(), &["--ca", folder, "issue-certificate", "../CP1"]).await;
    assert!(!outside.status.success());
}
