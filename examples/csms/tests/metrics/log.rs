//! The program's own log.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::{PATIENCE, Station};

#[tokio::test]
async fn in_a_file_there_are_no_colours() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_csms"));
    command.args(["--listen", "127.0.0.1:0", "--insecure", "--id-tag", "TAG1", "--data"]).arg(data.path());
    command.arg("--database").arg(crate::support::database(data.path()).await).env("RUST_LOG", "debug");
    command.env_remove("NO_COLOR").stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(std::fs::File::create(&path).unwrap());
    let mut program = command.kill_on_drop(true).spawn().unwrap();
    let mut printed = BufReader::new(program.stdout.take().unwrap()).lines();
    tokio::time::timeout(PATIENCE, printed.next_line()).await.unwrap().unwrap().expect("it starts");
    program.kill().await.unwrap();
    let log = std::fs::read_to_string(path).unwrap();
    assert!(log.contains("DEBUG") && !log.contains('\u{1b}'), "{log}");
}

#[tokio::test]
async fn as_json_each_line_of_a_connection_has_the_identity() {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_csms"));
    command.args(["--listen", "127.0.0.1:0", "--log-format", "json", "--data"]).arg(data.path());
    command.arg("--database").arg(crate::support::database(data.path()).await);
    command.env("RUST_LOG", "info").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = command.kill_on_drop(true).spawn().unwrap();
    let mut printed = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut log = BufReader::new(program.stderr.take().unwrap()).lines();
    let url = loop {
        let line = tokio::time::timeout(PATIENCE, printed.next_line()).await.unwrap().unwrap().unwrap();
        if let Some(url) = line.strip_prefix("charge points connect to ") {
            break url.replace("{identity}", "CP1");
        }
    };
    let mut station = Station::connect(&url).await;
    let boot = json!({"chargePointVendor": "onwire", "chargePointModel": "test"});
    station.call("BootNotification", boot).await;
    loop {
        let line = tokio::time::timeout(PATIENCE, log.next_line()).await.unwrap().unwrap().expect("a line");
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["span"]["name"] == "connection" {
            assert_eq!((&line["span"]["identity"], &line["level"]), (&json!("CP1"), &json!("INFO")), "{line}");
            return;
        }
    }
}
