//! Security profiles 2 and 3: TLS, certificates of charge points, also by way of a proxy.

use std::path::Path;

use csms::security::authority::{Authority, Issued};
use csms::security::{issued, keys};
use onwire::net::{Client, ClientTls, ConnectError};
use onwire::ocpp::v16::*;
use tokio::process::Command;

use crate::support::{Csms, PATIENCE};
use crate::world::{app, basic, enter, status, succeeds};

const KEY: &str = "00112233445566778899aabbccddeeff00112233";

#[derive(Debug)]
struct Charger;

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl Charger {
    #[on(ClearCache)]
    fn clear_cache(&self) -> ClearCacheResponse {
        ClearCacheResponse::new(ClearCacheStatus::Accepted)
    }
}

/// The flags of a server with TLS, by an authority that is made in the data folder.
async fn flags(data: &Path) -> Vec<String> {
    let folder = data.join("ca");
    let folder = folder.to_str().unwrap();
    succeeds(data, &["make-ca", folder]).await;
    let file = |name: &str| format!("{folder}/{name}");
    [
        "--tls-listen",
        "127.0.0.1:0",
        "--ca",
        folder,
        "--tls-certificate",
        &file("server.pem"),
        "--tls-key",
        &file("server.key"),
    ]
    .map(str::to_owned)
    .to_vec()
}

async fn start(data: &Path, flags: &[String]) -> Csms {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Csms::start_in(data, &flags).await
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A certificate for that identity from the authority in the data folder: certificate and key.
pub fn issue(data: &Path, identity: &str) -> (Issued, String) {
    Authority::open(&data.join("ca")).unwrap().issue(identity, Some("onwire"), 1).unwrap()
}

/// Connects with TLS and makes a call; the status of a refusal.
async fn connect(csms: &Csms, identity: &str, tls: &ClientTls, password: Option<Vec<u8>>) -> Result<(), u16> {
    let (url, _) = csms.tls.as_ref().unwrap();
    connect_to(url, identity, tls, password).await
}

/// The same with any address, `wss://HOST:PORT/ocpp/`.
pub async fn connect_to(url: &str, identity: &str, tls: &ClientTls, password: Option<Vec<u8>>) -> Result<(), u16> {
    let builder = Client::builder(&format!("{url}{identity}")).tls(tls.clone()).connect_timeout(PATIENCE);
    let builder = match password {
        Some(password) => builder.credentials(identity, password),
        None => builder,
    };
    let client = match builder.connect(Charger).await {
        Ok(client) => client,
        Err(ConnectError::Status { status, .. }) => return Err(status.as_u16()),
        Err(error) => panic!("{error}"),
    };
    let peer = client.peer();
    let boot = BootNotificationRequest::new("onwire", "test");
    client.run_until(async move { assert!(peer.call(boot).await.is_ok()) }).await.unwrap();
    Ok(())
}

#[tokio::test]
async fn profile_2_is_a_key_within_tls_and_the_clear_is_refused_from_then_on() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", Some(KEY)).await;
    let csms = start(data.path(), &flags(data.path()).await).await;
    let tls = ClientTls::new(read(data.path().join("ca/ca.pem"))).unwrap();
    let key = keys::parse(KEY).unwrap();
    let in_the_clear = [basic("CP1", &key)];
    assert_eq!(status(&csms, "CP1", &in_the_clear).await, 101);
    assert_eq!(connect(&csms, "CP1", &tls, None).await, Err(401));
    assert_eq!(connect(&csms, "CP1", &tls, Some(b"sixteen letters!".to_vec())).await, Err(401));
    assert_eq!(connect(&csms, "CP1", &tls, Some(key.clone())).await, Ok(()));
    // Security whitepaper A05.FR.09, also after a restart.
    assert_eq!(status(&csms, "CP1", &in_the_clear).await, 403);
    csms.stop().await;
    let csms = Csms::start_in(data.path(), &[]).await;
    assert_eq!(status(&csms, "CP1", &in_the_clear).await, 403);
}

#[tokio::test]
async fn profile_3_is_the_charge_point_s_own_certificate_unless_it_is_revoked() {
    let data = tempfile::tempdir().unwrap();
    let app = app(data.path()).await;
    for identity in ["CP1", "CP2"] {
        enter(&app, identity, Some(KEY)).await;
    }
    let csms = start(data.path(), &flags(data.path()).await).await;
    let root = read(data.path().join("ca/ca.pem"));
    let (issued, own_key) = issue(data.path(), "CP1");
    let own = ClientTls::with_certificate(&root, &issued.pem, &own_key).unwrap();
    assert_eq!(connect(&csms, "CP1", &own, None).await, Ok(()));
    assert_eq!(connect(&csms, "CP2", &own, None).await, Err(403), "somebody else's");
    assert_eq!(connect(&csms, "CP2", &own, Some(keys::parse(KEY).unwrap())).await, Err(403));
    let without = ClientTls::new(&root).unwrap();
    assert_eq!(connect(&csms, "CP1", &without, Some(keys::parse(KEY).unwrap())).await, Err(403), "profile 2 is lower");
    succeeds(data.path(), &["revoke-certificate", &issued.serial]).await;
    assert_eq!(connect(&csms, "CP1", &own, None).await, Err(403));

    // Of an authority that nobody trusts.
    let other = tempfile::tempdir().unwrap();
    Authority::make(&other.path().join("ca"), "other").unwrap();
    let (stranger, stranger_key) = issue(other.path(), "CP1");
    let stranger = ClientTls::with_certificate(&root, &stranger.pem, &stranger_key).unwrap();
    let (url, _) = csms.tls.as_ref().unwrap();
    assert!(Client::builder(&format!("{url}CP1")).tls(stranger).connect(Charger).await.is_err());
}

#[tokio::test]
async fn the_operator_s_name_has_to_be_in_the_certificate_if_it_was_set() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", None).await;
    let mut flags = flags(data.path()).await;
    flags.extend(["--cpo-name".to_owned(), "Operator".to_owned()]);
    let csms = start(data.path(), &flags).await;
    let root = read(data.path().join("ca/ca.pem"));
    let authority = Authority::open(&data.path().join("ca")).unwrap();
    for (operator, connected) in [("Operator", Ok(())), ("Other", Err(403))] {
        let (issued, key) = authority.issue("CP1", Some(operator), 1).unwrap();
        let own = ClientTls::with_certificate(&root, &issued.pem, &key).unwrap();
        assert_eq!(connect(&csms, "CP1", &own, None).await, connected, "{operator}");
    }
}

#[tokio::test]
async fn a_certificate_comes_by_way_of_a_proxy_that_is_trusted_and_of_no_other() {
    let data = tempfile::tempdir().unwrap();
    let app = app(data.path()).await;
    enter(&app, "CP1", Some(KEY)).await;
    flags(data.path()).await;
    let (issued, _) = issue(data.path(), "CP1");
    let escaped = percent_encoding::utf8_percent_encode(&issued.pem, percent_encoding::NON_ALPHANUMERIC).to_string();
    let proxied = [("x-forwarded-proto", "https".to_owned()), ("x-client-cert", escaped.clone())];
    let ca = data.path().join("ca");
    let flags = |proxy: &'static str, ca: &'static str| {
        ["--insecure", "--trusted-proxy", proxy, "--proxy-certificate-header", "X-Client-Cert", "--ca", ca]
    };
    let ca: &'static str = ca.to_str().unwrap().to_owned().leak();
    let csms = Csms::start_in(data.path(), &flags("192.0.2.1", ca)).await;
    assert_eq!(status(&csms, "CP1", &proxied).await, 401, "anybody could send that");
    csms.stop().await;
    let csms = Csms::start_in(data.path(), &flags("127.0.0.1", ca)).await;
    assert_eq!(status(&csms, "CP1", &[("x-client-cert", escaped)]).await, 401, "without TLS there is none");
    assert_eq!(status(&csms, "CP1", &proxied).await, 101);
    assert_eq!(status(&csms, "CP2", &proxied).await, 404);

    // The proxy may have asked for a certificate without judging it.
    let other = tempfile::tempdir().unwrap();
    Authority::make(&other.path().join("ca"), "other").unwrap();
    let (stranger, _) = issue(other.path(), "CP1");
    let escaped = percent_encoding::utf8_percent_encode(&stranger.pem, percent_encoding::NON_ALPHANUMERIC).to_string();
    let stranger = [("x-forwarded-proto", "https".to_owned()), ("x-client-cert", escaped)];
    assert_eq!(status(&csms, "CP1", &stranger).await, 403);
    issued::revoke(&app.store, &issued.serial).await.unwrap();
    assert_eq!(status(&csms, "CP1", &proxied).await, 403);
}

#[tokio::test]
async fn certificates_are_renewed_while_it_runs() {
    let data = tempfile::tempdir().unwrap();
    enter(&*app(data.path()).await, "CP1", None).await;
    let flags = flags(data.path()).await;
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut csms = Csms::start_with(data.path(), &flags, &[("RUST_LOG", "csms=info")]).await;
    let folder = data.path().join("ca");
    let old = ClientTls::new(read(folder.join("ca.pem"))).unwrap();
    assert_eq!(connect(&csms, "CP1", &old, None).await, Ok(()));
    // Another authority and another certificate of the server, as after a move.
    for name in ["ca.pem", "ca.key"] {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    succeeds(data.path(), &["make-ca", folder.to_str().unwrap()]).await;
    let new = ClientTls::new(read(folder.join("ca.pem"))).unwrap();
    let hang_up = Command::new("kill").args(["-HUP", &csms.id().to_string()]).status().await.unwrap();
    assert!(hang_up.success());
    csms.logged("certificates were read again").await;
    assert_eq!(connect(&csms, "CP1", &new, None).await, Ok(()));
    let (url, _) = csms.tls.as_ref().unwrap();
    assert!(Client::builder(&format!("{url}CP1")).tls(old).connect(Charger).await.is_err());
}

#[tokio::test]
async fn with_tls_only_there_is_no_address_in_the_clear() {
    let data = tempfile::tempdir().unwrap();
    let mut flags = flags(data.path()).await;
    flags.extend(["--listen".to_owned(), "none".to_owned()]);
    let csms = start(data.path(), &flags).await;
    assert!(csms.url.starts_with("wss://") && csms.http.starts_with("https://"), "{} {}", csms.url, csms.http);
}
