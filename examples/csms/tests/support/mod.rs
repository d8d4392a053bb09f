//! The program as its users have it, and a charge point that does what a test says. Each test has a server of its own, on a
//! free port and with a folder of its own.

#![allow(dead_code, unreachable_pub, unused_imports, missing_docs, reason = "each test uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

#[path = "../../../support/database.rs"]
mod database;
mod events;
#[path = "../../../support/fixture.rs"]
pub mod fixture;

use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::{ConnectStream, connect_async};
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::{Error, Message};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

pub use self::database::{database, database_by_tls, is_sqlite, look_into};
pub use self::events::Events;

pub const PATIENCE: Duration = Duration::from_secs(30);

/// The running program; killed when the test ends.
pub struct Csms {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it logs, if the test says how much that is to be.
    log: Option<Lines<BufReader<ChildStderr>>>,
    /// `ws://HOST:PORT/ocpp/`
    pub url: String,
    /// `http://HOST:PORT`
    pub http: String,
    /// The same two with TLS, if it was told to `--tls-listen`.
    pub tls: Option<(String, String)>,
}

impl Csms {
    /// On loopback, open, with its data in that folder, and with more flags.
    pub async fn start_in(data: &Path, flags: &[&str]) -> Self {
        Self::start_with(data, flags, &[]).await
    }

    /// The same with environment variables; with `RUST_LOG`, the log is for [`Csms::logged`].
    pub async fn start_with(data: &Path, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let csms = Self::try_start_with(data, flags, environment).await;
        csms.expect("the program has ended; standard error says why")
    }

    /// `None` if the program ends before it listens.
    pub async fn try_start_with(data: &Path, flags: &[&str], environment: &[(&str, &str)]) -> Option<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_csms"));
        if !flags.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.arg("--data").arg(data).args(flags);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CSMS_")) {
            command.env_remove(name);
        }
        command.env("CSMS_DATABASE", database(data).await);
        let level = std::env::var("RUST_LOG").unwrap_or_else(|_| "error".to_owned());
        command
            .env("RUST_LOG", level)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if environment.iter().any(|(name, level)| *name == "RUST_LOG" && *level != "off") {
            command.stderr(Stdio::piped());
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = child.stderr.take().map(|log| BufReader::new(log).lines());
        let (mut urls, mut pages) = (Vec::new(), Vec::new());
        let is_plain = !flags.windows(2).any(|pair| pair == ["--listen", "none"]);
        let addresses = [is_plain, flags.contains(&"--tls-listen")].iter().filter(|is| **is).count();
        while pages.len() < addresses {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
            let line = line?;
            if let Some(found) = line.strip_prefix("charge points connect to ") {
                urls.push(found.replace("{identity}", ""));
            }
            if let Some(found) = line.strip_prefix("the page is at ") {
                pages.push(found.trim_end_matches("/web/").to_owned());
            }
        }
        let tls = if addresses == 2 { urls.pop().zip(pages.pop()) } else { None };
        Some(Self { child, lines, log, url: urls.pop().unwrap(), http: pages.pop().unwrap(), tls })
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// The next line of its standard output; `None` at the end.
    pub async fn line(&mut self) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time").unwrap()
    }

    /// Waits until it logs something with that text.
    pub async fn logged(&mut self, text: &str) {
        let log = self.log.as_mut().expect("it was started with RUST_LOG");
        loop {
            let line = tokio::time::timeout(PATIENCE, log.next_line()).await.expect("a line in time").unwrap();
            let line = line.expect("it runs");
            eprintln!("{line}");
            if line.contains(text) {
                return;
            }
        }
    }

    /// Kills it at once (SIGKILL). What the system had of its writes stays, unlike after a power cut.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to end, as a service manager would, and waits for that.
    pub async fn stop(mut self) {
        self.end().await;
    }

    /// The same: what it was told is written then.
    pub async fn end(&mut self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").arg(pid).status().await.unwrap().success());
        assert!(self.ended().await.success());
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap()
    }

    pub async fn station(&self, identity: &str) -> Station {
        self.station_with(identity, "ocpp1.6").await.0
    }

    /// A charge point that offers that subprotocol, and the one that was agreed on.
    pub async fn station_with(&self, identity: &str, subprotocol: &str) -> (Station, String) {
        Station::open(&format!("{}{identity}", self.url), subprotocol).await
    }

    /// A charge point that was accepted.
    pub async fn booted(&self, identity: &str) -> Station {
        let mut station = self.station(identity).await;
        station.boot().await;
        station
    }

    /// An HTTP request to the program: status and JSON (`null` if the body is none).
    pub async fn http(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.http));
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let response = request.timeout(PATIENCE).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    /// The JSON of a GET that succeeds.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.http("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

/// The program in a new folder, which goes with it.
pub async fn csms(flags: &[&str]) -> (Csms, TempDir) {
    let data = tempfile::tempdir().unwrap();
    (Csms::start_in(data.path(), flags).await, data)
}

/// A charge point that does what the test says, frame by frame.
pub struct Station {
    socket: WebSocketStream<ConnectStream>,
    next_id: u32,
    /// CALLs of the server that came while an answer was waited for.
    calls: VecDeque<Value>,
}

impl Station {
    pub fn new(socket: WebSocketStream<ConnectStream>) -> Self {
        Self { socket, next_id: 0, calls: VecDeque::new() }
    }

    /// Connects to a URL with the identity, speaking 1.6.
    pub async fn connect(url: &str) -> Self {
        Self::open(url, "ocpp1.6").await.0
    }

    /// [`Station::connect`], unless it is refused.
    pub async fn try_connect(url: &str) -> Result<Self, Error> {
        let mut request = url.into_client_request()?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", "ocpp1.6".parse().unwrap());
        Ok(Self::new(connect_async(request).await?.0))
    }

    /// The same with that subprotocol on offer; returns the one that was agreed on too.
    pub async fn open(url: &str, subprotocol: &str) -> (Self, String) {
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", subprotocol.parse().unwrap());
        let (socket, response) = connect_async(request).await.unwrap();
        let agreed = response.headers()["Sec-WebSocket-Protocol"].to_str().unwrap().to_owned();
        (Self::new(socket), agreed)
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// The next frame, whatever it is.
    pub async fn receive(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a message in time");
            if let Message::Text(text) = message.expect("the connection stands").unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// Waits for the end of the connection; frames before it are dropped.
    pub async fn ends(&mut self) {
        let end = async { while matches!(self.socket.next().await, Some(Ok(_))) {} };
        tokio::time::timeout(PATIENCE, end).await.expect("an end in time");
    }

    /// The frames that come until the connection ends.
    pub async fn leftovers(&mut self) -> Vec<Value> {
        self.leftovers_and_code().await.0
    }

    /// The same, and the code of the Close.
    pub async fn leftovers_and_code(&mut self) -> (Vec<Value>, Option<u16>) {
        let (mut frames, mut code) = (Vec::new(), None);
        let end = async {
            while let Some(Ok(message)) = self.socket.next().await {
                match message {
                    Message::Text(text) => frames.push(serde_json::from_str(&text).unwrap()),
                    Message::Close(frame) => code = frame.map(|frame| frame.code.into()),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, end).await.expect("an end in time");
        (frames, code)
    }

    pub async fn close(mut self) -> Result<(), Error> {
        self.socket.close(None).await
    }

    /// Boots, is accepted, and answers what the server asks then: no configuration, and an empty local list.
    pub async fn boot(&mut self) {
        let boot = json!({"chargePointVendor": "onwire", "chargePointModel": "test"});
        assert_eq!(self.call("BootNotification", boot).await["status"], "Accepted");
        self.obey("GetConfiguration", json!({})).await;
        self.obey("GetLocalListVersion", json!({"listVersion": 0})).await;
    }

    /// Sends a CALL and returns its answer: `Ok` with the payload, or `Err` with the whole CALLERROR.
    pub async fn try_call(&mut self, action: &str, payload: Value) -> Result<Value, Value> {
        self.next_id += 1;
        let id = format!("cp-{}", self.next_id);
        self.send(&json!([2, id, action, payload])).await;
        loop {
            let frame = self.receive().await;
            if frame[0] == 2 {
                self.calls.push_back(frame);
                continue;
            }
            assert_eq!(frame[1], json!(id), "{frame}");
            return if frame[0] == 3 { Ok(frame[2].clone()) } else { Err(frame) };
        }
    }

    /// Sends a CALL and returns the payload of its CALLRESULT.
    pub async fn call(&mut self, action: &str, payload: Value) -> Value {
        self.try_call(action, payload).await.unwrap_or_else(|refused| panic!("{action}: {refused}"))
    }

    /// Waits for the server's next CALL, which is that action: its id and payload.
    pub async fn expect(&mut self, action: &str) -> (Value, Value) {
        let frame = match self.calls.pop_front() {
            Some(call) => call,
            None => self.receive().await,
        };
        assert_eq!((&frame[0], &frame[2]), (&json!(2), &json!(action)), "{frame}");
        (frame[1].clone(), frame[3].clone())
    }

    /// Answers a CALL of the server.
    pub async fn answer(&mut self, id: &Value, payload: Value) {
        self.send(&json!([3, id, payload])).await;
    }

    /// Refuses a CALL of the server.
    pub async fn refuse(&mut self, id: &Value, code: &str, description: &str) {
        self.send(&json!([4, id, code, description, {}])).await;
    }

    /// Waits for the server's next CALL, which is that action, answers it, and returns its payload.
    pub async fn obey(&mut self, action: &str, response: Value) -> Value {
        let (id, payload) = self.expect(action).await;
        self.answer(&id, response).await;
        payload
    }
}
