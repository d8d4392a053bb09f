//! What these tests have in common.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Instant;

use async_tungstenite::tokio::connect_async;
use async_tungstenite::tungstenite::Error;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::http::HeaderValue;
use csms::app::{App, Policy};
use csms::config::Arguments;
use csms::security::{Security, keys};
use csms::store::{Store, sql};
use data_encoding::BASE64;
use serde_json::Value;
use tokio::process::Command;

use crate::support::{Csms, PATIENCE, Station, database};

/// The program with a command line of its own, until it ends.
pub async fn program(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_csms"));
    command.arg("--data").arg(data).args(arguments).env("RUST_LOG", "error").stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CSMS_")) {
        command.env_remove(name);
    }
    command.env("CSMS_DATABASE", database(data).await);
    let output = command.env("CSMS_PASSWORD", PASSWORD).kill_on_drop(true).output();
    tokio::time::timeout(PATIENCE, output).await.expect("it ends in time").unwrap()
}

/// [`program`], which succeeds; what it printed.
pub async fn succeeds(data: &Path, arguments: &[&str]) -> String {
    let output = program(data, arguments).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Of every user that a test enters.
pub const PASSWORD: &str = "correct horse";

/// The parts of a central system over the same database as a running one.
pub async fn app(data: &Path) -> Arc<App> {
    let (database, data) = (database(data).await, data.to_str().unwrap());
    let arguments = <Arguments as clap::Parser>::parse_from(["csms", "--data", data, "--database", &database]);
    let (config, _) = arguments.into_config().unwrap();
    let store = Store::open(&config.database).await.unwrap();
    Arc::new(App {
        urls: Vec::new(),
        admitted: Default::default(),
        clocks: Default::default(),
        refusals: Default::default(),
        lists: Default::default(),
        policy: Policy::new(config.open),
        security: Security::open(&config).unwrap(),
        files: csms::files::Files::open(&config, ("http", "127.0.0.1:0".parse().unwrap()), &store).await.unwrap(),
        metrics: csms::observe::metrics::Metrics::new(store.numbers()),
        store,
        peers: Default::default(),
        events: Default::default(),
        ends: tokio::sync::watch::channel(false).1,
        config,
    })
}

/// Enters a charge point, perhaps with a key.
pub async fn enter(app: &App, identity: &'static str, key: Option<&str>) {
    app.store
        .write(move |db| {
            Box::pin(async move {
                let sql = "INSERT INTO charge_points (id, registered, created_at) VALUES ($1, 1, 0)";
                sql::query(sql).bind(identity).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    if key.is_some() {
        assert!(keys::set(app, identity, key).await.unwrap());
    }
}

/// The header of HTTP Basic authentication.
pub fn basic(identity: &str, password: &[u8]) -> (&'static str, String) {
    let credentials = [identity.as_bytes(), b":", password].concat();
    ("authorization", format!("Basic {}", BASE64.encode(&credentials)))
}

/// Connects, if that is allowed: the charge point, or the status of the refusal.
pub async fn connect(csms: &Csms, identity: &str, headers: &[(&'static str, String)]) -> Result<Station, u16> {
    connect_to(&csms.url, identity, headers).await
}

/// [`connect`], by the server's URL.
pub async fn connect_to(url: &str, identity: &str, headers: &[(&'static str, String)]) -> Result<Station, u16> {
    let mut request = format!("{url}{identity}").into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("ocpp1.6"));
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(Station::new(socket)),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// The status of an opening handshake; 101 if it was completed.
pub async fn status(csms: &Csms, identity: &str, headers: &[(&'static str, String)]) -> u16 {
    connect(csms, identity, headers).await.map_or_else(|status| status, |_| 101)
}

/// Does `all`, and sees to it that no more answers have that status than failures are allowed: so many at once, and one more for
/// each interval (in seconds) that passes.
pub async fn at_most<T>(
    burst: usize,
    interval: u64,
    all: impl AsyncFnOnce() -> Vec<T>,
    failed: u16,
    status: impl Fn(&T) -> u16,
) -> Vec<T> {
    let began = Instant::now();
    let answers = all().await;
    let allowed = burst + usize::try_from(began.elapsed().as_secs() / interval).unwrap();
    let found = answers.iter().filter(|answer| status(answer) == failed).count();
    assert!((burst..=allowed).contains(&found), "{found} instead of {burst} to {allowed}");
    answers
}

/// An answer of the REST interface.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

/// A request with headers.
pub async fn ask(csms: &Csms, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = reqwest::Client::new().request(method, format!("{}{path}", csms.http)).timeout(PATIENCE);
    if let Some(body) = body {
        request = request.json(&body);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.json().await.unwrap_or(Value::Null) }
}
