//! Connections that stand end with what they were let in with.

use csms::security::authority::Authority;
use csms::security::keys;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::support::{Csms, csms};
use crate::world::{app, ask, basic, connect, enter, status, succeeds};

const KEY: &str = "00112233445566778899aabbccddeeff00112233";

#[tokio::test]
async fn a_certificate_that_is_revoked_ends_the_connection_that_it_opened() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("ca");
    succeeds(data.path(), &["make-ca", folder.to_str().unwrap()]).await;
    for identity in ["CP1", "CP2", "CP3"] {
        enter(&*app(data.path()).await, identity, None).await;
    }
    // A proxy passes the certificates: it makes no difference who has looked at them.
    let proxy = ["--trusted-proxy", "127.0.0.1", "--proxy-certificate-header", "X-Client-Cert", "--insecure"];
    let csms = Csms::start_in(data.path(), &[&["--ca", folder.to_str().unwrap()][..], &proxy].concat()).await;
    let authority = Authority::open(&folder).unwrap();
    let issue = |identity: &str| {
        let (issued, _) = authority.issue(identity, None, 1).unwrap();
        let certificate = utf8_percent_encode(&issued.pem, NON_ALPHANUMERIC).to_string();
        (issued.serial, [("x-forwarded-proto", "https".to_owned()), ("x-client-cert", certificate)])
    };
    let ((first, by_first), (second, by_second), (_, by_third)) = (issue("CP1"), issue("CP2"), issue("CP3"));
    let mut one = connect(&csms, "CP1", &by_first).await.unwrap();
    let mut two = connect(&csms, "CP2", &by_second).await.unwrap();
    let mut three = connect(&csms, "CP3", &by_third).await.unwrap();
    for station in [&mut one, &mut two, &mut three] {
        station.boot().await;
    }

    let revoke = format!("/api/v1/certificates/{first}/revoke");
    assert_eq!(ask(&csms, "POST", &revoke, &[], None).await.status, 204);
    one.ends().await;
    assert_eq!(status(&csms, "CP1", &by_first).await, 403);
    // By the command, which is another process.
    succeeds(data.path(), &["revoke-certificate", &second]).await;
    two.ends().await;
    assert_eq!(status(&csms, "CP2", &by_second).await, 403);
    // With another certificate it comes back, and stays; nobody else was disturbed.
    let (_, renewed) = issue("CP1");
    let mut one = connect(&csms, "CP1", &renewed).await.unwrap();
    let (third, _) = issue("CP9");
    assert_eq!(ask(&csms, "POST", &format!("/api/v1/certificates/{third}/revoke"), &[], None).await.status, 204);
    for station in [&mut one, &mut three] {
        assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
    }
}

#[tokio::test]
async fn another_key_ends_the_connection_that_the_old_one_opened() {
    let (csms, _data) = csms(&[]).await;
    let path = "/api/v1/charge-points/CP1/key";
    csms.http("POST", "/api/v1/charge-points", Some(json!({"id": "CP1"}))).await;
    // Without any, on to one, to another, and to none.
    let mut keys = vec![None];
    for (method, body, next) in [
        ("POST", json!({"key": KEY}), Some(KEY)),
        ("POST", json!({"key": "a text of 16 and more bytes"}), Some("a text of 16 and more bytes")),
        ("DELETE", json!(null), None),
    ] {
        let headers = keys.pop().flatten().map(|key: &str| basic("CP1", &keys::parse(key).unwrap()));
        let mut station = connect(&csms, "CP1", headers.as_slice()).await.unwrap();
        let (code, answer) = csms.http(method, path, Some(body)).await;
        assert!(code == 200 || code == 204, "{answer}");
        station.ends().await;
        keys.push(next);
    }
}

#[tokio::test]
async fn an_operator_who_wants_more_or_nothing_of_a_charge_point_ends_its_connection() {
    let (csms, _data) = csms(&[]).await;
    let path = "/api/v1/charge-points/CP1";
    csms.http("POST", "/api/v1/charge-points", Some(json!({"id": "CP1"}))).await;
    let mut station = csms.booted("CP1").await;
    // Nothing that concerns it.
    for change in [json!({"note": "x"}), json!({"bootPolicy": "accept"}), json!({"securityProfile": 0})] {
        assert_eq!(csms.http("PATCH", path, Some(change)).await.0, 200);
        assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
    }
    assert_eq!(csms.http("PATCH", path, Some(json!({"bootPolicy": "reject"}))).await.0, 200);
    station.ends().await;
    let mut station = csms.station("CP1").await;
    let boot = json!({"chargePointVendor": "onwire", "chargePointModel": "test"});
    assert_eq!(station.call("BootNotification", boot).await["status"], "Rejected");
    assert_eq!(csms.http("PATCH", path, Some(json!({"securityProfile": 1}))).await.0, 200);
    station.ends().await;
}
