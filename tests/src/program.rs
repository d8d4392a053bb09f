//! Programs that tests talk to over their standard output.

#![allow(missing_docs, reason = "the names say it")]

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A peer's own time-outs are 10 s for each step.
const PATIENCE: Duration = Duration::from_secs(60);

fn variable(name: &str) -> PathBuf {
    PathBuf::from(
        std::env::var_os(name).unwrap_or_else(|| panic!("{name} is set by `cargo xtask test --stage interop`")),
    )
}

/// A program that prints lines, killed when the test ends.
pub struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts a command.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// A peer in Python, with its arguments.
    pub fn python(script: &str, arguments: &[&str]) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
        let mut command = Command::new(variable("ONWIRE_PEERS_PYTHON"));
        command.arg(script).args(arguments);
        Self::start(command)
    }

    /// A peer in JavaScript, with its arguments.
    pub fn node(script: &str, arguments: &[&str]) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
        let mut command = Command::new("node");
        command.arg(script).args(arguments).env("NODE_PATH", variable("ONWIRE_PEERS_NODE").join("node_modules"));
        Self::start(command)
    }

    /// A program of `examples/`.
    pub fn example(name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(variable("ONWIRE_PROGRAMS").join(name));
        command.args(arguments);
        Self::start(command)
    }

    /// The next line; `None` at the end.
    pub async fn line(&mut self) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time").unwrap()
    }

    /// The next event of a Python peer.
    pub async fn event(&mut self) -> Value {
        let line = self.line().await.expect("another event");
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_ne!(event["event"], "error", "{event}");
        event
    }

    /// The next event, which has that name.
    pub async fn expect(&mut self, name: &str) -> Value {
        let event = self.event().await;
        assert_eq!(event["event"], name, "{event}");
        event
    }

    /// Ends it at once, without a word.
    pub async fn killed(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for its end.
    pub async fn ends(mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("an end in time").unwrap()
    }

    /// Waits for its end, which is without an error.
    pub async fn succeeds(self) {
        let status = self.ends().await;
        assert!(status.success(), "{status}");
    }
}
