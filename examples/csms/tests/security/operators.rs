//! Log-ins, sessions, roles, API tokens.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Csms, is_sqlite};
use crate::world::{Answer, PASSWORD, ask, at_most, program, succeeds};

/// A server with a user of each role.
async fn csms() -> (Csms, TempDir) {
    let data = tempfile::tempdir().unwrap();
    for role in ["viewer", "operator", "admin"] {
        succeeds(data.path(), &["user", "add", role, "--role", role]).await;
    }
    (Csms::start_in(data.path(), &[]).await, data)
}

/// Cookie and CSRF token of somebody who has logged in.
async fn log_in(csms: &Csms, name: &str) -> (String, String) {
    let answer = try_log_in(csms, name, PASSWORD).await;
    assert_eq!((answer.status, &answer.body["name"]), (200, &json!(name)), "{answer:?}");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict") && !cookie.contains("Secure"), "{cookie}");
    (cookie.split(';').next().unwrap().to_owned(), answer.body["csrf"].as_str().unwrap().to_owned())
}

async fn try_log_in(csms: &Csms, name: &str, password: &str) -> Answer {
    ask(csms, "POST", "/api/v1/login", &[], Some(json!({"name": name, "password": password}))).await
}

async fn make_token(csms: &Csms, admin: &(String, String), token: Value) -> Answer {
    let headers = [("cookie", admin.0.as_str()), ("x-csrf-token", admin.1.as_str())];
    ask(csms, "POST", "/api/v1/tokens", &headers, Some(token)).await
}

#[tokio::test]
async fn without_users_and_tokens_everything_is_open_on_loopback_and_with_them_nothing_is() {
    let data = tempfile::tempdir().unwrap();
    let csms = Csms::start_in(data.path(), &[]).await;
    assert_eq!(ask(&csms, "GET", "/api/v1/users", &[], None).await.status, 200);
    // While it runs.
    succeeds(data.path(), &["user", "add", "root", "--role", "admin"]).await;
    let refused = ask(&csms, "GET", "/api/v1/users", &[], None).await;
    assert_eq!((refused.status, &refused.body["kind"]), (401, &json!("unauthorized")));
    assert_eq!(refused.headers["www-authenticate"], "Bearer realm=\"csms\"");
    log_in(&csms, "root").await;
}

#[tokio::test]
async fn a_session_lasts_until_log_out_and_changes_need_its_token() {
    let (csms, _data) = csms().await;
    let (cookie, csrf) = log_in(&csms, "admin").await;
    let (cookie, csrf) = (("cookie", cookie.as_str()), ("x-csrf-token", csrf.as_str()));
    assert_eq!(ask(&csms, "GET", "/api/v1/users", &[cookie], None).await.status, 200);
    let new = json!({"name": "new", "password": PASSWORD, "role": "viewer"});
    for headers in [&[cookie][..], &[cookie, ("x-csrf-token", "wrong")]] {
        let refused = ask(&csms, "POST", "/api/v1/users", headers, Some(new.clone())).await;
        assert_eq!((refused.status, &refused.body["kind"]), (403, &json!("forbidden")));
    }
    assert_eq!(ask(&csms, "POST", "/api/v1/users", &[cookie, csrf], Some(new)).await.status, 201);
    assert_eq!(ask(&csms, "POST", "/api/v1/logout", &[cookie, csrf], None).await.status, 204);
    assert_eq!(ask(&csms, "GET", "/api/v1/users", &[cookie], None).await.status, 401);
}

#[tokio::test]
async fn each_role_may_do_what_is_its() {
    let (csms, _data) = csms().await;
    for (role, certificates, users) in [("viewer", 200, 403), ("operator", 200, 403), ("admin", 200, 200)] {
        let (cookie, _) = log_in(&csms, role).await;
        let headers = [("cookie", cookie.as_str())];
        assert_eq!(ask(&csms, "GET", "/api/v1/certificates", &headers, None).await.status, certificates, "{role}");
        assert_eq!(ask(&csms, "GET", "/api/v1/users", &headers, None).await.status, users, "{role}");
        assert_eq!(ask(&csms, "GET", "/api/v1/audit", &headers, None).await.status, users, "{role}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_told_alike_and_not_for_ever() {
    let (csms, _data) = csms().await;
    let (wrong, unknown) =
        (try_log_in(&csms, "admin", "wrong horse").await, try_log_in(&csms, "nobody", PASSWORD).await);
    assert_eq!((wrong.status, &wrong.body), (401, &unknown.body));
    assert!(!wrong.headers.contains_key("set-cookie"));
    let mut last = 0;
    for _ in 0..12 {
        last = try_log_in(&csms, "admin", "wrong horse").await.status;
    }
    assert_eq!(last, 429);
    let held_back = try_log_in(&csms, "admin", PASSWORD).await;
    assert_eq!((held_back.status, &held_back.body["kind"]), (429, &json!("rateLimited")));
    assert!(held_back.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn a_token_opens_until_it_expires_or_is_deleted_and_is_kept_as_a_hash() {
    let (csms, data) = csms().await;
    let admin = log_in(&csms, "admin").await;
    let made = make_token(&csms, &admin, json!({"name": "billing", "role": "admin"})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let bearer = format!("Bearer {}", made.body["token"].as_str().unwrap());
    let headers = [("authorization", bearer.as_str())];
    let listed = ask(&csms, "GET", "/api/v1/tokens", &headers, None).await;
    assert_eq!((listed.status, listed.body["items"][0]["name"].as_str()), (200, Some("billing")));
    assert!(!listed.body.to_string().contains(made.body["token"].as_str().unwrap()));
    // No cookie, so no CSRF token.
    let past = json!({"name": "past", "role": "viewer", "expiresAt": "2020-01-01T00:00:00Z"});
    let past = ask(&csms, "POST", "/api/v1/tokens", &headers, Some(past)).await;
    let expired = format!("Bearer {}", past.body["token"].as_str().unwrap());
    for bad in [expired.as_str(), "Bearer csms_nonsense"] {
        assert_eq!(ask(&csms, "GET", "/api/v1/tokens", &[("authorization", bad)], None).await.status, 401, "{bad}");
    }
    let path = format!("/api/v1/tokens/{}", made.body["id"].as_str().unwrap());
    assert_eq!(ask(&csms, "DELETE", &path, &headers, None).await.status, 204);
    assert_eq!(ask(&csms, "GET", "/api/v1/tokens", &headers, None).await.status, 401);
    csms.stop().await;
    if !is_sqlite() {
        return;
    }
    let kept = std::fs::read(data.path().join("csms.db")).unwrap();
    let token = made.body["token"].as_str().unwrap().as_bytes();
    assert!(!kept.windows(token.len()).any(|window| window == token));
}

#[tokio::test]
async fn another_password_ends_sessions_and_the_last_administrator_stays() {
    let (csms, data) = csms().await;
    let (admin, csrf) = log_in(&csms, "admin").await;
    let headers = [("cookie", admin.as_str()), ("x-csrf-token", csrf.as_str())];
    for (method, body) in [("DELETE", None), ("PATCH", Some(json!({"role": "viewer"})))] {
        let refused = ask(&csms, method, "/api/v1/users/admin", &headers, body).await;
        assert_eq!((refused.status, &refused.body["kind"]), (409, &json!("conflict")));
    }
    let (viewer, _) = log_in(&csms, "viewer").await;
    let change = json!({"password": "another horse", "role": "operator"});
    assert_eq!(ask(&csms, "PATCH", "/api/v1/users/viewer", &headers, Some(change)).await.status, 204);
    assert_eq!(ask(&csms, "GET", "/api/v1/certificates", &[("cookie", &viewer)], None).await.status, 401);
    assert_eq!(try_log_in(&csms, "viewer", "another horse").await.body["role"], "operator");
    let short = ask(&csms, "PATCH", "/api/v1/users/viewer", &headers, Some(json!({"password": "short"}))).await;
    assert_eq!((short.status, &short.body["pointer"]), (422, &json!("/password")));
    assert_eq!(ask(&csms, "DELETE", "/api/v1/users/viewer", &headers, None).await.status, 204);
    assert_eq!(ask(&csms, "DELETE", "/api/v1/users/viewer", &headers, None).await.status, 404);

    let audit = ask(&csms, "GET", "/api/v1/audit", &headers, None).await.body;
    let entries = audit["items"].as_array().unwrap();
    let removed = entries.iter().find(|entry| entry["action"] == "RemoveUser" && entry["outcome"] == "done").unwrap();
    assert_eq!((&removed["actor"], &removed["target"]), (&json!("user:admin"), &json!("viewer")));
    assert!(!audit.to_string().contains("another horse"));
    let refused = program(data.path(), &["user", "remove", "admin"]).await;
    assert!(!refused.status.success());
}

#[tokio::test]
async fn the_first_administrator_may_come_from_a_file() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let flags = ["--admin-password-file", file.to_str().unwrap()];
    let csms = Csms::start_in(data.path(), &flags).await;
    log_in(&csms, "admin").await;
    csms.stop().await;
    std::fs::write(&file, "another horse").unwrap();
    let csms = Csms::start_in(data.path(), &flags).await;
    log_in(&csms, "admin").await;
}

#[tokio::test]
async fn a_token_made_by_the_command_opens() {
    let data = tempfile::tempdir().unwrap();
    let token = succeeds(data.path(), &["token", "add", "script", "--role", "admin"]).await;
    let csms = Csms::start_in(data.path(), &[]).await;
    let bearer = format!("Bearer {token}");
    assert_eq!(ask(&csms, "GET", "/api/v1/users", &[("authorization", &bearer)], None).await.status, 200);
    assert_eq!(ask(&csms, "GET", "/api/v1/users", &[], None).await.status, 401);
}

/// PostgreSQL rejects U+0000 in a text.
#[tokio::test]
async fn a_log_in_with_u_0000_is_refused_and_audited() {
    let (csms, _data) = csms().await;
    assert_eq!(try_log_in(&csms, "ad\0min", PASSWORD).await.status, 401);
    let (cookie, _) = log_in(&csms, "admin").await;
    let audit = ask(&csms, "GET", "/api/v1/audit?limit=2", &[("cookie", &cookie)], None).await.body;
    let refused = &audit["items"][1];
    assert_eq!((&refused["target"], &refused["outcome"]), (&json!("ad\u{fffd}min"), &json!("refused")), "{audit}");
}

/// Before any of them has been judged all have begun.
#[tokio::test]
async fn guesses_at_the_same_time_are_no_way_around_the_limits() {
    let (csms, _data) = csms().await;
    let token = || ask(&csms, "GET", "/api/v1/users", &[("authorization", "Bearer csms_wrong")], None);
    let answers =
        at_most(20, 10, async || join_all((0..100).map(|_| token())).await, 401, |answer| answer.status).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 401 | 429)), "{answers:?}");
}

#[tokio::test]
async fn passwords_that_are_guessed_at_the_same_time_are_no_way_around_the_limits() {
    let (csms, _data) = csms().await;
    let guess = || try_log_in(&csms, "admin", "wrong horse");
    let answers = at_most(10, 30, async || join_all((0..30).map(|_| guess())).await, 401, |answer| answer.status).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 401 | 429)), "{answers:?}");
}

/// More than may fail, and none of them does.
#[tokio::test]
async fn many_who_are_right_at_the_same_time_wait_for_each_other() {
    let (csms, _data) = csms().await;
    let logins = join_all((0..12).map(|_| try_log_in(&csms, "viewer", PASSWORD))).await;
    assert!(logins.iter().all(|answer| answer.status == 200), "{logins:?}");
    let admin = log_in(&csms, "admin").await;
    let made = make_token(&csms, &admin, json!({"name": "t", "role": "viewer"})).await;
    let bearer = format!("Bearer {}", made.body["token"].as_str().unwrap());
    let headers = [("authorization", bearer.as_str())];
    let answers = join_all((0..100).map(|_| ask(&csms, "GET", "/api/v1/server", &headers, None))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
}
