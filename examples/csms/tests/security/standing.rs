//! Connections that stand end with what they were let in with, also if that is taken back while they are let in.

use csms::security::authority::Authority;
use csms::security::{keys, sessions, users};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use sqlx::{AnyConnection, Executor};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{Csms, csms, is_sqlite, look_into};
use crate::world::{PASSWORD, app, ask, basic, connect, connect_to, enter, status, succeeds};

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

/// Begins a transaction in which nobody else writes that charge point, and does that in it.
async fn meanwhile(db: &mut AnyConnection, sql: &'static str) {
    db.execute(if is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" }).await.unwrap();
    db.execute(sql).await.unwrap();
}

/// The server has judged the key, and waits to write that it was used; then the key is another, and whoever changed it has
/// found no connection to end.
#[tokio::test]
async fn a_key_that_is_changed_while_a_charge_point_is_let_in_ends_its_connection() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", Some(KEY)).await;
    let mut csms = Csms::start_with(data.path(), &[], &[("RUST_LOG", "csms::security=debug")]).await;
    let mut db = look_into(data.path()).await;
    meanwhile(&mut db, "UPDATE charge_points SET key_hash = 'another' WHERE id = 'CP1'").await;
    let headers = [basic("CP1", &keys::parse(KEY).unwrap())];
    let (url, http) = (csms.url.clone(), csms.http.clone());
    let letting_in = tokio::spawn(async move { connect_to(&url, "CP1", &headers).await });
    csms.logged("may connect").await;
    db.execute("COMMIT").await.unwrap();
    letting_in.await.unwrap().unwrap().ends().await;
    let found: serde_json::Value =
        reqwest::get(format!("{http}/api/v1/charge-points/CP1")).await.unwrap().json().await.unwrap();
    assert_eq!(found["connected"], false);
}

#[tokio::test]
async fn a_charge_point_that_is_removed_while_it_is_let_in_does_not_come_back() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", Some(KEY)).await;
    let flags = ["--open", "false"];
    let mut csms = Csms::start_with(data.path(), &flags, &[("RUST_LOG", "csms::security=debug")]).await;
    let mut db = look_into(data.path()).await;
    meanwhile(&mut db, "DELETE FROM charge_points WHERE id = 'CP1'").await;
    let headers = [basic("CP1", &keys::parse(KEY).unwrap())];
    let url = csms.url.clone();
    let letting_in = tokio::spawn(async move { connect_to(&url, "CP1", &headers).await });
    csms.logged("may connect").await;
    db.execute("COMMIT").await.unwrap();
    letting_in.await.unwrap().unwrap().ends().await;
    assert_eq!(csms.http("GET", "/api/v1/charge-points/CP1", None).await.0, 404);
    assert_eq!(status(&csms, "CP1", &[basic("CP1", &keys::parse(KEY).unwrap())]).await, 404);
}

/// The server has found the charge point, and waits to write its boot; then it is removed.
#[tokio::test]
async fn a_charge_point_that_is_removed_while_it_boots_is_not_accepted() {
    if !is_sqlite() {
        // There a writer does not keep out the next one.
        return;
    }
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", None).await;
    let flags = ["--open", "false"];
    let mut csms = Csms::start_with(data.path(), &flags, &[("RUST_LOG", "csms::ocpp=debug")]).await;
    let mut station = csms.station("CP1").await;
    let mut db = look_into(data.path()).await;
    meanwhile(&mut db, "DELETE FROM charge_points WHERE id = 'CP1'").await;
    let boot = json!({"chargePointVendor": "V", "chargePointModel": "M"});
    station.send(&json!([2, "1", "BootNotification", boot])).await;
    csms.logged("a boot is decided").await;
    db.execute("COMMIT").await.unwrap();
    let answer = station.receive().await;
    assert_eq!((&answer[0], &answer[2]["status"]), (&json!(3), &json!("Rejected")), "{answer}");
    let refused = station.try_call("Heartbeat", json!({})).await.unwrap_err();
    assert_eq!(refused[2], "SecurityError");
    station.close().await.unwrap();
    assert_eq!(csms.http("GET", "/api/v1/charge-points/CP1", None).await.0, 404);
}

#[tokio::test]
async fn a_password_that_is_changed_while_it_is_judged_opens_no_session() {
    let data = tempfile::tempdir().unwrap();
    succeeds(data.path(), &["user", "add", "anna", "--role", "admin"]).await;
    let app = app(data.path()).await;
    let (old, _) = users::find(&app.store, "anna").await.unwrap().unwrap();
    // It is judged: it takes its time.
    assert!(app.security.passwords.matches(PASSWORD.to_owned(), Some(old.clone())).await.unwrap());
    let new = app.security.passwords.hash("another horse".to_owned()).await.unwrap();
    users::change(&app.store, "anna", Some(new.clone()), None).await.unwrap();
    assert!(sessions::begin(&app.store, "anna", old.clone()).await.unwrap().is_none());
    let begun = sessions::begin(&app.store, "anna", new).await.unwrap().unwrap();
    assert!(sessions::find(&app.store, &begun.token).await.unwrap().is_some());
    // Somebody of the same name is somebody else.
    users::add(&app.store, "root", old.clone(), csms::security::access::Role::Admin).await.unwrap();
    users::remove(&app.store, "anna").await.unwrap();
    users::add(&app.store, "anna", old.clone() + "x", csms::security::access::Role::Viewer).await.unwrap();
    assert!(sessions::begin(&app.store, "anna", old).await.unwrap().is_none());
}

/// The caller closes its connection while the database is waited for.
#[tokio::test]
async fn a_change_ends_the_connection_and_is_audited_although_its_caller_has_gone() {
    let data = tempfile::tempdir().unwrap();
    let csms = Csms::start_in(data.path(), &[]).await;
    csms.http("POST", "/api/v1/charge-points", Some(json!({"id": "CP1"}))).await;
    let mut station = csms.booted("CP1").await;
    let mut db = look_into(data.path()).await;
    meanwhile(&mut db, "UPDATE charge_points SET note = 'x' WHERE id = 'CP1'").await;
    let mut caller = TcpStream::connect(csms.http.strip_prefix("http://").unwrap()).await.unwrap();
    let request = "DELETE /api/v1/charge-points/CP1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    caller.write_all(request.as_bytes()).await.unwrap();
    // Enough for the server to read it, which others' requests show.
    for _ in 0..20 {
        csms.get("/api/v1/server").await;
    }
    drop(caller);
    for _ in 0..20 {
        csms.get("/api/v1/server").await;
    }
    db.execute("COMMIT").await.unwrap();
    station.ends().await;
    let audit = csms.get("/api/v1/audit?limit=1").await;
    assert_eq!(audit["items"][0]["action"], "delete", "{audit}");
}
