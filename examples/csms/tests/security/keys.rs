//! Security profiles 0 and 1: unknown charge points, keys, and their change.

use std::slice::from_ref;

use csms::security::keys::{self, Outcome};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Csms, is_sqlite};
use crate::world::{app, at_most, basic, connect, enter, status};

const OLD: &str = "00112233445566778899aabbccddeeff00112233";
const NEW: &str = "ffeeddccbbaa99887766554433221100ffeeddcc";

fn bytes(key: &str) -> Vec<u8> {
    keys::parse(key).unwrap()
}

#[tokio::test]
async fn an_unknown_charge_point_gets_404_unless_the_server_is_open() {
    let data = tempfile::tempdir().unwrap();
    let csms = Csms::start_in(data.path(), &["--open", "false"]).await;
    enter(&*app(data.path()).await, "KNOWN", None).await;
    assert_eq!(status(&csms, "CP1", &[]).await, 404);
    assert_eq!(status(&csms, "CP1", &[basic("CP1", b"a key of somebody")]).await, 404);
    assert_eq!(status(&csms, "KNOWN", &[]).await, 101);
    csms.stop().await;

    let csms = Csms::start_in(data.path(), &[]).await;
    assert_eq!(status(&csms, "CP1", &[]).await, 101);
    assert_eq!(status(&csms, &"x".repeat(49), &[]).await, 404, "nobody fills the database with long names");
    csms.stop().await;
    // It has entered itself.
    let csms = Csms::start_in(data.path(), &["--open", "false"]).await;
    assert_eq!(status(&csms, "CP1", &[]).await, 101);
}

/// OCPP-J 1.6 §6.2.2: the password is bytes, which need not be text. Some charge points send the digits all the same.
#[tokio::test]
async fn a_charge_point_with_a_key_needs_it_in_a_form_that_was_chosen() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", Some(OLD)).await;
    let (raw, text) = (basic("CP1", &bytes(OLD)), basic("CP1", OLD.as_bytes()));
    let (upper, wrong) = (basic("CP1", OLD.to_uppercase().as_bytes()), basic("CP1", &bytes(NEW)));
    for (form, raw_status, text_status) in [("either", 101, 101), ("bytes", 101, 401), ("text", 401, 101)] {
        let csms = Csms::start_in(data.path(), &["--key-form", form]).await;
        assert_eq!(status(&csms, "CP1", from_ref(&raw)).await, raw_status, "{form}");
        assert_eq!(status(&csms, "CP1", from_ref(&text)).await, text_status, "{form}");
        assert_eq!(status(&csms, "CP1", from_ref(&upper)).await, text_status, "{form}");
        assert_eq!(status(&csms, "CP1", from_ref(&wrong)).await, 401);
        assert_eq!(status(&csms, "CP1", &[]).await, 401);
        assert_eq!(status(&csms, "CP1", &[basic("CP2", &bytes(OLD))]).await, 401, "somebody else's name");
        csms.stop().await;
    }
    if !is_sqlite() {
        return;
    }
    let kept = std::fs::read(data.path().join("csms.db")).unwrap();
    let holds = |text: &[u8]| kept.windows(text.len()).any(|window| window == text);
    assert!(!holds(OLD.as_bytes()) && !holds(&bytes(OLD)), "the key itself is not kept");
}

#[tokio::test]
async fn another_server_secret_makes_all_keys_worthless() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", Some(OLD)).await;
    let csms = Csms::start_in(data.path(), &["--secret", &"another secret".repeat(3)]).await;
    assert_eq!(status(&csms, "CP1", &[basic("CP1", &bytes(OLD))]).await, 401);
}

/// Security whitepaper A01.FR.03-04, and what it leaves open: no answer.
#[tokio::test]
async fn a_key_is_changed_without_a_moment_in_which_the_charge_point_is_locked_out() {
    let data = tempfile::tempdir().unwrap();
    let app = app(data.path()).await;
    enter(&app, "CP1", Some(OLD)).await;
    let csms = Csms::start_in(data.path(), &[]).await;
    let (old, new) = ([basic("CP1", &bytes(OLD))], [basic("CP1", &bytes(NEW))]);

    // Refused: the old one only.
    let change = keys::begin_change(&app, "CP1", NEW).await.unwrap();
    keys::settle_change(&app, &change, Outcome::of_status("Rejected")).await.unwrap();
    assert_eq!((status(&csms, "CP1", &new).await, status(&csms, "CP1", &old).await), (401, 101));

    // No answer, and the old one is used: it is the only one.
    let change = keys::begin_change(&app, "CP1", NEW).await.unwrap();
    keys::settle_change(&app, &change, Outcome::Unknown).await.unwrap();
    assert_eq!((status(&csms, "CP1", &old).await, status(&csms, "CP1", &new).await), (101, 401));

    // It was only slow: the answer comes after it has connected again.
    keys::settle_change(&app, &change, Outcome::of_status("Accepted")).await.unwrap();
    assert_eq!((status(&csms, "CP1", &old).await, status(&csms, "CP1", &new).await), (401, 101));

    // No answer, and the new one is used: it is the only one.
    let change = keys::begin_change(&app, "CP1", OLD).await.unwrap();
    keys::settle_change(&app, &change, Outcome::Unknown).await.unwrap();
    assert_eq!((status(&csms, "CP1", &old).await, status(&csms, "CP1", &new).await), (101, 401));

    // After a restart: the old one may be used until then.
    let change = keys::begin_change(&app, "CP1", NEW).await.unwrap();
    keys::settle_change(&app, &change, Outcome::of_status("RebootRequired")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(status(&csms, "CP1", &old).await, 101);
    }
    assert_eq!((status(&csms, "CP1", &new).await, status(&csms, "CP1", &old).await), (101, 401));
    assert!(keys::begin_change(&app, "CP1", "short").await.is_err());
}

#[tokio::test]
async fn who_fails_too_often_has_to_wait_and_nobody_else() {
    let data = tempfile::tempdir().unwrap();
    let app = app(data.path()).await;
    enter(&app, "CP1", Some(OLD)).await;
    enter(&app, "CP2", Some(OLD)).await;
    let csms = Csms::start_in(data.path(), &[]).await;
    let wrong = [basic("CP1", &bytes(NEW))];
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(status(&csms, "CP1", &wrong).await);
    }
    assert!(answers.starts_with(&[401; 10]) && answers.ends_with(&[429; 2]), "{answers:?}");
    assert_eq!(status(&csms, "CP1", &[basic("CP1", &bytes(OLD))]).await, 429);
    assert_eq!(status(&csms, "CP2", &[basic("CP2", &bytes(OLD))]).await, 101);
}

/// Many share an address: behind a provider's NAT, or a site's router.
#[tokio::test]
async fn strangers_behind_an_address_do_not_hold_off_those_that_are_known() {
    let data = tempfile::tempdir().unwrap();
    let app = app(data.path()).await;
    enter(&app, "CP1", Some(OLD)).await;
    let csms = Csms::start_in(data.path(), &["--open", "false"]).await;
    let mut answers = Vec::new();
    while answers.last() != Some(&429) {
        answers.push(status(&csms, &format!("S{}", answers.len()), &[]).await);
        assert!(answers.len() < 2000, "strangers are never held off");
    }
    assert_eq!(status(&csms, "CP1", &[basic("CP1", &bytes(OLD))]).await, 101);
    // Whoever is known is counted for itself.
    assert_eq!(status(&csms, "CP1", &[basic("CP1", &bytes(NEW))]).await, 401);
    assert_eq!(status(&csms, "CP1", &[basic("CP1", &bytes(OLD))]).await, 101);
}

/// A page in the operator's browser may open a WebSocket to loopback. Libraries of charge points send an Origin, too.
#[tokio::test]
async fn a_web_page_elsewhere_cannot_play_a_charge_point() {
    let data = tempfile::tempdir().unwrap();
    let mut csms = Csms::start_with(data.path(), &[], &[("RUST_LOG", "csms=warn")]).await;
    let from = |origin: &str| ("origin", origin.to_owned());
    let agent = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)".to_owned());
    let signs = [agent.clone(), ("accept-language", "de".to_owned()), ("cookie", "a=b".to_owned())];
    for origin in ["http://evil.example", "null", "file://"] {
        assert_eq!(status(&csms, "CP1", &[from(origin)]).await, 101, "{origin}: a library");
    }
    for sign in &signs[..2] {
        assert_eq!(status(&csms, "CP1", &[from("http://evil.example"), sign.clone()]).await, 403, "{sign:?}");
        csms.logged(sign.0).await;
    }
    for origin in ["null", "file://", "https://github.com/Links2004/arduinoWebSockets"] {
        assert_eq!(status(&csms, "CP2", &[from(origin), signs[2].clone()]).await, 403, "{origin}");
    }
    // Nobody's page, and the server's own.
    assert_eq!(status(&csms, "CP3", std::slice::from_ref(&agent)).await, 101);
    assert_eq!(status(&csms, "CP3", &[from(&csms.http), agent.clone()]).await, 101);
    // Whoever has the key may come from anywhere.
    csms.http("POST", "/api/v1/charge-points", Some(json!({"id": "CP4"}))).await;
    csms.http("POST", "/api/v1/charge-points/CP4/key", Some(json!({"key": OLD}))).await;
    let known = [from("http://evil.example"), agent.clone(), basic("CP4", &bytes(OLD))];
    assert_eq!(status(&csms, "CP4", &known).await, 101);
    let mut station = connect(&csms, "CP1", &[]).await.unwrap();
    let boot = json!({"chargePointVendor": "onwire", "chargePointModel": "test"});
    assert_eq!(station.call("BootNotification", boot).await["status"], "Accepted");
    csms.stop().await;
    let csms = Csms::start_in(data.path(), &["--admit-browsers"]).await;
    assert_eq!(status(&csms, "CP1", &[from("http://evil.example"), agent]).await, 101);
}

#[tokio::test]
async fn an_operator_sets_a_key_or_has_one_made_which_is_told_once() {
    let (csms, _data) = crate::support::csms(&[]).await;
    csms.http("POST", "/api/v1/charge-points", Some(json!({"id": "CP1"}))).await;
    let path = "/api/v1/charge-points/CP1/key";
    let (code, made) = csms.http("POST", path, Some(json!({"generate": true}))).await;
    assert_eq!(code, 200, "{made}");
    let made = made["key"].as_str().unwrap().to_owned();
    assert_eq!(status(&csms, "CP1", &[]).await, 401);
    assert_eq!(status(&csms, "CP1", &[basic("CP1", &bytes(&made))]).await, 101);

    let (code, own) = csms.http("POST", path, Some(json!({"key": NEW}))).await;
    assert_eq!((code, &own["key"]), (200, &serde_json::Value::Null));
    assert_eq!(status(&csms, "CP1", &[basic("CP1", &bytes(&made))]).await, 401);
    assert_eq!(status(&csms, "CP1", &[basic("CP1", &bytes(NEW))]).await, 101);
    assert_eq!(csms.get("/api/v1/charge-points/CP1").await["hasKey"], true);

    let (code, problem) = csms.http("POST", path, Some(json!({"key": "0011"}))).await;
    assert_eq!((code, &problem["pointer"]), (422, &json!("/key")));
    assert_eq!(csms.http("POST", "/api/v1/charge-points/CP9/key", Some(json!({}))).await.0, 404);
    assert_eq!(csms.http("DELETE", path, None).await.0, 204);
    assert_eq!(status(&csms, "CP1", &[]).await, 401, "it has used profile 1, and a lower one needs an operator's word");
    let lower = json!({"securityProfile": 0});
    assert_eq!(csms.http("PATCH", "/api/v1/charge-points/CP1", Some(lower)).await.0, 200);
    assert_eq!(status(&csms, "CP1", &[]).await, 101);
    let log = csms.get("/api/v1/audit").await.to_string();
    assert!(log.contains("set key") && !log.contains(NEW) && !log.contains(&made), "{log}");
}

/// Before any of them has been judged all have begun.
#[tokio::test]
async fn keys_that_are_guessed_at_the_same_time_are_no_way_around_the_limit() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", Some(OLD)).await;
    enter(&*app(data.path()).await, "CP2", Some(OLD)).await;
    let csms = Csms::start_in(data.path(), &[]).await;
    let wrong = [basic("CP1", &bytes(NEW))];
    let guesses = async || join_all((0..40).map(|_| status(&csms, "CP1", &wrong))).await;
    let answers = at_most(10, 10, guesses, 401, |status| *status).await;
    assert!(answers.iter().all(|status| matches!(status, 401 | 429)), "{answers:?}");
    // Its neighbours are let in, however many come at once.
    let right = [basic("CP2", &bytes(OLD))];
    assert_eq!(status(&csms, "CP2", &right).await, 101);
}
