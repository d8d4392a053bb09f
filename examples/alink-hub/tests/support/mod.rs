//! A hub of one's own for each test.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code, of which each test takes a part"
)]

#[path = "../../../support/database.rs"]
#[allow(unreachable_pub, missing_docs, reason = "for other tests, too")]
mod database;
#[path = "../../../support/fixture.rs"]
#[allow(unreachable_pub, missing_docs, reason = "for other tests, too")]
pub(crate) mod fixture;
pub(crate) mod raw;

use std::process::Stdio;
use std::time::Duration;

use onwire::alink::{Secret, SignMethod, sign};
use onwire::mqtt::Connect;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use self::database::database;
pub(crate) use self::database::{database_by_tls, is_sqlite, look_into};

onwire::include_protocol!(pub(crate) mod socket);

/// For what has to come at all; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it came in time")
}

/// A device's CONNECT; `more` are parameters of the client id.
pub(crate) fn login(product: &str, name: &str, secret: &str, more: &str) -> Connect {
    let pairs = [("clientId", "test"), ("deviceName", name), ("productKey", product)];
    let mut connect = Connect::new(format!("test|securemode=3,signmethod=hmacsha256{more}|"));
    connect.username = Some(format!("{name}&{product}"));
    connect.password = Some(sign(SignMethod::HmacSha256, &Secret::from(secret), &pairs).into());
    connect
}

/// The program, killed when the test ends.
#[derive(Debug)]
pub(crate) struct Hub {
    child: Child,
    pub(crate) data: TempDir,
    /// HOST:PORT.
    pub(crate) mqtt: String,
    pub(crate) mqtts: Option<String>,
    /// `http://HOST:PORT`.
    pub(crate) http: String,
    client: Client,
    /// What it has written to standard error.
    log: watch::Receiver<String>,
}

/// The program, with its data in that folder.
pub(crate) async fn command(data: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alink-hub"));
    command.arg("--data").arg(data.path()).kill_on_drop(true);
    // A developer's own settings are not what is tested.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HUB_")) {
        command.env_remove(name);
    }
    command.env("HUB_DATABASE", database(data.path()).await);
    command
}

struct Started {
    child: Child,
    mqtt: String,
    mqtts: Option<String>,
    http: String,
    log: watch::Receiver<String>,
}

/// Where it listens, or what it says instead.
async fn started(data: &TempDir, arguments: &[&str], filter: &str) -> Result<Started, String> {
    let mut command = command(data).await;
    command.env("RUST_LOG", filter);
    command.args(["--mqtt", "127.0.0.1:0"]);
    if !arguments.contains(&"--http") {
        command.args(["--http", "127.0.0.1:0"]);
    }
    let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    while !said.contains("http://") {
        let Some(line) = in_time(lines.next_line()).await.unwrap() else {
            let mut text = String::new();
            child.stderr.take().unwrap().read_to_string(&mut text).await.unwrap();
            return Err(text);
        };
        said += &line;
        said.push('\n');
    }
    let after = |scheme: &str| Some(said.split_once(scheme)?.1.lines().next()?.trim_end_matches('/').to_owned());
    let (mqtt, http) = (after(" mqtt://").unwrap(), after(" http://").unwrap().replace("0.0.0.0", "127.0.0.1"));
    let mqtts = after(" mqtts://");
    // Read on, so that it can print.
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let (written, log) = watch::channel(String::new());
    tokio::spawn(async move {
        while let Ok(Some(line)) = errors.next_line().await {
            eprintln!("{line}");
            written.send_modify(|log| *log = format!("{log}{line}\n"));
        }
    });
    Ok(Started { child, mqtt, mqtts, http: format!("http://{http}"), log })
}

impl Hub {
    pub(crate) async fn try_start(arguments: &[&str]) -> Result<Self, String> {
        Self::try_start_logging(arguments, "error").await
    }

    /// Starts with that filter for its log.
    pub(crate) async fn try_start_logging(arguments: &[&str], filter: &str) -> Result<Self, String> {
        Self::try_start_in(tempfile::tempdir().unwrap(), arguments, filter).await
    }

    /// With its data in that folder, which gets a thing model.
    pub(crate) async fn start_in(data: TempDir, arguments: &[&str]) -> Self {
        Self::try_start_in(data, arguments, "error").await.unwrap()
    }

    async fn try_start_in(data: TempDir, arguments: &[&str], filter: &str) -> Result<Self, String> {
        let models = data.path().join("models");
        std::fs::create_dir_all(&models).unwrap();
        let model = include_str!("../../../../schemas/thing/socket.json");
        std::fs::write(models.join("socket.json"), model).unwrap();
        let Started { child, mqtt, mqtts, http, log } = started(&data, arguments, filter).await?;
        Ok(Self { child, data, mqtt, mqtts, http, client: Client::new(), log })
    }

    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::try_start(arguments).await.unwrap()
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Ends it as a power cut would.
    pub(crate) async fn crash(&mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) async fn start_again(&mut self, arguments: &[&str]) {
        let again = started(&self.data, arguments, "error").await.unwrap();
        (self.child, self.mqtt, self.http, self.log) = (again.child, again.mqtt, again.http, again.log);
    }

    /// Asks it to end, which it does without an error.
    pub(crate) async fn stop(self) {
        self.end().await;
    }

    /// The same; returns its data folder.
    pub(crate) async fn end(mut self) -> TempDir {
        self.ask_to_end().await;
        self.ended().await;
        self.data
    }

    pub(crate) async fn ask_to_end(&self) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    }

    /// Waits until it has ended, without an error.
    pub(crate) async fn ended(&mut self) {
        assert!(in_time(self.child.wait()).await.unwrap().success());
    }

    pub(crate) async fn token(&self, name: &str, role: &str) -> String {
        let output = command(&self.data).await.args(["token", "add", name, "--role", role]).output().await.unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}/api/v1{path}", self.http);
        let mut request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = in_time(request.send()).await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    async fn good(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.send(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.good("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.good("POST", path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Value {
        self.good("PATCH", path, Some(body)).await
    }

    pub(crate) async fn put_text(&self, path: &str, text: &'static str) {
        let answer = self.client.put(format!("{}/api/v1{path}", self.http)).body(text).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    pub(crate) async fn upload(&self, path: &str, content: Vec<u8>) -> Value {
        let answer = self.client.post(format!("{}/api/v1{path}", self.http)).body(content).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// Sends JSON; status and answer.
    pub(crate) async fn json(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.send(method, path, Some(body)).await
    }

    /// Sends bytes, and gets some.
    pub(crate) async fn bytes(&self, method: &str, path: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
        let url = format!("{}/api/v1{path}", self.http);
        let request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url).body(body);
        let answer = in_time(request.send()).await.unwrap();
        (answer.status().as_u16(), in_time(answer.bytes()).await.unwrap().to_vec())
    }

    /// A number of `/metrics`; 0 if it is not there yet.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.client.get(format!("{}/metrics", self.http)).send().await.unwrap().text().await.unwrap();
        let number = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        number.unwrap_or(0)
    }

    /// The problem that a request ends with.
    pub(crate) async fn refused(&self, method: &str, path: &str, body: Value, status: u16) -> Value {
        let (got, answer) = self.send(method, path, Some(body)).await;
        assert_eq!(got, status, "{method} {path}: {answer}");
        answer
    }

    /// The answer to a request of somebody's, as it is.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> reqwest::Response {
        let request =
            self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{}{path}", self.http));
        let request = token.map(|token| request.try_clone().unwrap().bearer_auth(token)).unwrap_or(request);
        let request = body.map(|body| request.try_clone().unwrap().json(&body)).unwrap_or(request);
        in_time(request.send()).await.unwrap()
    }

    /// Enters a socket; its secret.
    pub(crate) async fn add(&self, name: &str) -> String {
        let added = self.post("/devices", json!({"productKey": "socket", "deviceName": name})).await;
        added["deviceSecret"].as_str().unwrap().to_owned()
    }

    /// Waits until the log has an entry with that text.
    pub(crate) async fn logged(&self, text: &str) {
        let mut live = self.listen().await;
        loop {
            let log = self.get("/log").await;
            if log.as_array().unwrap().iter().any(|entry| entry["content"].as_str().unwrap().contains(text)) {
                return;
            }
            live.wait("log").await;
        }
    }

    /// Waits until standard error has that text; all of it until then.
    pub(crate) async fn written(&mut self, text: &str) -> String {
        in_time(self.log.wait_for(|log| log.contains(text))).await.unwrap().clone()
    }

    /// What happens from now on.
    pub(crate) async fn listen(&self) -> Live {
        let answer = self.client.get(format!("{}/api/v1/events", self.http)).send().await.unwrap();
        let mut live = Live { answer, text: String::new() };
        while !live.text.contains("listening") {
            in_time(live.read()).await;
        }
        live.text.clear();
        live
    }
}

/// Server-sent events.
pub(crate) struct Live {
    answer: reqwest::Response,
    text: String,
}

impl Live {
    async fn read(&mut self) {
        let chunk = self.answer.chunk().await.unwrap().expect("the stream goes on");
        self.text.push_str(std::str::from_utf8(&chunk).unwrap());
    }

    /// The next event of that kind; others before it are passed over.
    pub(crate) async fn wait(&mut self, kind: &str) -> Value {
        // As a whole: signs of life come in between.
        in_time(self.next(kind)).await
    }

    /// Waits until the hub ends it.
    pub(crate) async fn ended(mut self) {
        while in_time(self.answer.chunk()).await.unwrap().is_some() {}
    }

    async fn next(&mut self, kind: &str) -> Value {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if event.lines().any(|line| line == format!("event: {kind}")) {
                    let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
                    return serde_json::from_str(data).unwrap();
                }
            }
            self.read().await;
        }
    }
}
