//! Web pages: those of others are kept out, and browsers are told to be careful.

use serde_json::json;

use crate::support::{Csms, PATIENCE, csms};
use crate::world::ask;

/// What anybody may do where nobody has to log in.
async fn add_user(csms: &Csms, name: &str, headers: &[(&str, &str)]) -> u16 {
    let new = json!({"name": name, "password": "correct horse", "role": "viewer"});
    ask(csms, "POST", "/api/v1/users", headers, Some(new)).await.status
}

#[tokio::test]
async fn a_page_of_another_site_cannot_drive_the_open_server() {
    let (csms, _data) = csms(&[]).await;
    for headers in [
        [("origin", "http://evil.example")],
        [("origin", "null")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("referer", "http://evil.example/page")],
    ] {
        assert_eq!(add_user(&csms, "eve", &headers).await, 403, "{headers:?}");
    }
    // A name that leads here, but only since somebody has changed his DNS.
    assert_eq!(ask(&csms, "GET", "/api/v1/users", &[("host", "evil.example:8080")], None).await.status, 421);
    // The commands of the older interface are GET: a picture's address would do.
    let picture = [("sec-fetch-site", "cross-site")];
    assert_eq!(ask(&csms, "GET", "/api/ocpp/remoteStart/CP1?idTag=a", &picture, None).await.status, 403);

    // A form, from a browser that says nothing of it.
    let request = reqwest::Client::new().post(format!("{}/api/v1/users", csms.http)).timeout(PATIENCE);
    let form = request.header("content-type", "text/plain").body("{\"name\":\"eve\"}").send().await.unwrap();
    assert_eq!(form.status(), 415);

    // The server's own page, and programs.
    assert_eq!(add_user(&csms, "page", &[("origin", &csms.http), ("sec-fetch-site", "same-origin")]).await, 201);
}

#[tokio::test]
async fn a_name_that_was_set_is_the_server_s_own() {
    let (csms, _data) = csms(&["--host-name", "csms.example"]).await;
    for (host, status) in
        [("csms.example", 200), ("CSMS.example:80", 200), ("localhost:1", 200), ("other.example", 421)]
    {
        assert_eq!(ask(&csms, "GET", "/api/v1/users", &[("host", host)], None).await.status, status, "{host}");
    }
}

#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let (csms, _data) = csms(&["--trusted-proxy", "127.0.0.1", "--insecure"]).await;
    for path in ["/api/v1/users", "/no/such/path"] {
        let answer = ask(&csms, "GET", path, &[], None).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers.get(name).and_then(|found| found.to_str().ok()), Some(value), "{path}: {name}");
        }
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!answer.headers.contains_key("strict-transport-security"), "not in the clear");
    }
    let answer = ask(&csms, "GET", "/api/v1/users", &[("x-forwarded-proto", "https")], None).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(answer.headers.contains_key("strict-transport-security"));
}

#[tokio::test]
async fn behind_a_proxy_with_tls_the_cookie_is_for_tls_only() {
    let data = tempfile::tempdir().unwrap();
    crate::world::succeeds(data.path(), &["user", "add", "root", "--role", "admin"]).await;
    let credentials = json!({"name": "root", "password": crate::world::PASSWORD});
    for (proxy, is_secure) in [("127.0.0.1", true), ("192.0.2.1", false)] {
        let csms = Csms::start_in(data.path(), &["--trusted-proxy", proxy]).await;
        let https = [("x-forwarded-proto", "https")];
        let answer = ask(&csms, "POST", "/api/v1/login", &https, Some(credentials.clone())).await;
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        assert_eq!(cookie.contains("; Secure"), is_secure, "{cookie}");
    }
}
