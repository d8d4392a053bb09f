//! The charge point in C on its WebSocket: it charges and obeys at PyPI `ocpp` as central system, at our example of one and
//! at typed handlers, and says why it cannot.
//!
//! `cargo xtask test --stage c` compiles it and runs this, where there is a valgrind under that.

mod faults;
mod handlers;

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use onwire::ocpp::v16::*;
use onwire::{CallFailure, ErrorCode};
use onwire_tests::program::Program;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use handlers::CentralSystem;

/// Leaks, wrong accesses and what is used before it is written make the program end with status 99.
const VALGRIND: [&str; 5] =
    ["--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=all", "--errors-for-leak-kinds=all"];

/// The program with its arguments.
fn charge_point(arguments: &[&str]) -> Command {
    let program = std::env::var_os("ONWIRE_C_PROGRAM").expect("it is set by `cargo xtask test --stage c`");
    let mut command = match std::env::var_os("ONWIRE_VALGRIND") {
        Some(valgrind) => {
            let mut watched = Command::new(valgrind);
            watched.args(VALGRIND).arg(PathBuf::from(program));
            watched
        }
        None => Command::new(program),
    };
    // libwebsockets would take it for loopback too.
    command.args(arguments).env_remove("http_proxy");
    command
}

/// All that a program still says.
async fn rest(program: &mut Program) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(line) = program.line().await {
        said.push(line);
    }
    said
}

/// From `before`, where it stands, the line goes on with this.
fn after<'l>(line: &'l str, before: &str) -> &'l str {
    line.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {line:?}")).1
}

#[tokio::test]
async fn charges_and_obeys_at_pypi_ocpp_as_central_system() {
    let mut central_system = Program::python("central_system.py", &["--remote"]);
    let port = central_system.expect("listening").await["port"].as_u64().unwrap();
    let url = format!("ws://127.0.0.1:{port}/ocpp/CP1");
    let mut charge_point = Program::start(charge_point(&[&url, "--stay"]));

    let connected = central_system.expect("connected").await;
    assert_eq!((&connected["path"], &connected["subprotocol"]), (&json!("/ocpp/CP1"), &json!("ocpp1.6")));
    let mut seen = Vec::new();
    let mut readings = Vec::new();
    loop {
        let event = central_system.event().await;
        let payload = &event["payload"];
        match event["event"].as_str().unwrap() {
            "call" => {
                let what = ["status", "idTag", "reason", "transactionId"].map(|name| &payload[name]);
                let what = what.into_iter().find(|value| !value.is_null()).unwrap_or(&Value::Null);
                seen.push(format!("{} {what}", event["action"].as_str().unwrap()));
                if event["action"] == "MeterValues" {
                    let reading = &payload["meterValue"][0]["sampledValue"][0];
                    assert_eq!(reading["unit"], "Wh");
                    readings.push(reading["value"].as_str().unwrap().parse::<i64>().unwrap());
                }
            }
            "configuration" => {
                let keys = event["configuration_key"].as_array().unwrap();
                let interval = keys.iter().find(|key| key["key"] == "HeartbeatInterval").unwrap();
                // As this central system's BootNotification.conf said.
                assert_eq!(interval["value"], "300");
                seen.push("configuration".into());
            }
            "remote_start" | "remote_stop" => assert_eq!(event["status"], "Accepted"),
            "done" => break,
            other => panic!("{other}"),
        }
    }
    central_system.succeeds().await;
    seen.dedup();
    let session = |tag: &str, transaction: u32, reason: &str| {
        [
            format!("Authorize \"{tag}\""),
            "StatusNotification \"Preparing\"".into(),
            format!("StartTransaction \"{tag}\""),
            "StatusNotification \"Charging\"".into(),
            format!("MeterValues {transaction}"),
            format!("StopTransaction \"{reason}\""),
            "StatusNotification \"Finishing\"".into(),
            "StatusNotification \"Available\"".into(),
        ]
    };
    let boot = ["BootNotification null".into(), "StatusNotification \"Available\"".into()];
    let expected =
        [&boot[..], &session("TAG1", 1, "Local"), &["configuration".into()], &session("REMOTE1", 2, "Remote")].concat();
    assert_eq!(seen, expected);
    assert!(readings.len() >= 3 && readings.is_sorted() && readings[0] > 0, "{readings:?}");

    let said = rest(&mut charge_point).await;
    charge_point.succeeds().await;
    assert_eq!(said[..3], ["connected", "accepted by the central system", "transaction 1: started for \"TAG1\""]);
    assert!(said[3].starts_with("transaction 1: ") && said[3].ends_with(" Wh, stopped (Local)"), "{said:?}");
    assert_eq!(
        said[4..7],
        [
            "the central system asked for GetConfiguration",
            "the central system asked for RemoteStartTransaction",
            "transaction 2: started for \"REMOTE1\"",
        ]
    );
    assert_eq!(said[7], "the central system asked for RemoteStopTransaction");
    assert!(said[8].starts_with("transaction 2: ") && said[8].ends_with(" Wh, stopped (Remote)"), "{said:?}");
    assert_eq!(said[9..], ["the central system has ended the connection"]);
}

#[tokio::test]
async fn charges_twice_at_our_example_of_a_central_system() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let mut csms = Program::example("csms", &["--listen", "127.0.0.1:0", "--data", folder]);
    let url = loop {
        let line = csms.line().await.expect("it prints its address");
        if let Some((_, rest)) = line.split_once("ws://") {
            let address = rest.split_once("{identity}").expect("the identity's place").0;
            break format!("ws://{address}C-CP1");
        }
    };
    let mut transactions = Vec::new();
    for _ in 0..2 {
        let mut charge_point = Program::start(charge_point(&[&url]));
        let said = rest(&mut charge_point).await;
        charge_point.succeeds().await;
        assert!(said.contains(&"accepted by the central system".to_owned()), "{said:?}");
        let last = said.last().unwrap();
        assert!(last.ends_with(" Wh, stopped (Local)"), "{said:?}");
        let number = after(last, "transaction ").split_once(':').unwrap().0;
        transactions.push(number.parse::<i64>().unwrap());
    }
    // The central system has kept the first one.
    assert!(transactions[0] > 0 && transactions[1] > transactions[0], "{transactions:?}");
}

#[tokio::test]
async fn every_step_and_every_command_at_typed_handlers() {
    let (mut central_system, url) = CentralSystem::serve(AuthorizationStatus::Accepted).await;
    let mut charge_point = Program::start(charge_point(&[&url, "--samples", "1", "--stay"]));
    for step in [
        "boot Example C 99",
        "status 0 Available",
        "status 1 Available",
        "authorize TAG1",
        "status 1 Preparing",
        "start 1 TAG1",
        "status 1 Charging",
        "meter values of Some(4711): Wh",
        "stop 4711 Some(Local)",
        "status 1 Finishing",
        "status 1 Available",
    ] {
        assert_eq!(central_system.next().await, step);
    }

    let peer = central_system.peers.get("CP1").expect("it is connected");
    let some = GetConfigurationRequest { key: Some(vec!["heartbeatinterval".into(), "Colour".into()]) };
    let some = peer.call(some).await.unwrap();
    assert_eq!(some.configuration_key.unwrap()[0].value.as_deref(), Some("300"));
    assert_eq!(some.unknown_key.unwrap(), ["Colour"]);
    // A message of several parts, and more than the answer has room for.
    let many = (0..150).map(|number| format!("{number:050}").as_str().into()).collect();
    let refused = peer.call(GetConfigurationRequest { key: Some(many) }).await.unwrap_err();
    assert!(matches!(&refused, CallFailure::Refused(error) if error.code == ErrorCode::InternalError), "{refused}");
    let refused = peer.call(UnlockConnectorRequest::new(1)).await.unwrap_err();
    assert!(matches!(&refused, CallFailure::Refused(error) if error.code == ErrorCode::NotSupported), "{refused}");
    let elsewhere =
        RemoteStartTransactionRequest { connector_id: Some(2), ..RemoteStartTransactionRequest::new("OURS") };
    assert_eq!(peer.call(elsewhere).await.unwrap().status, RemoteStartStopStatus::Rejected);
    let stop = peer.call(RemoteStopTransactionRequest::new(4711)).await.unwrap();
    assert_eq!(stop.status, RemoteStartStopStatus::Rejected);
    let trigger = peer.call(TriggerMessageRequest::new(MessageTrigger::Heartbeat)).await.unwrap();
    assert_eq!(trigger.status, TriggerMessageStatus::Accepted);
    assert_eq!(central_system.next().await, "heartbeat");

    // As a JSON string it is longer than it is.
    let start = peer.call(RemoteStartTransactionRequest::new("\"\\\u{1}é")).await.unwrap();
    assert_eq!(start.status, RemoteStartStopStatus::Accepted);
    assert_eq!(central_system.next().await, "authorize \"\\\u{1}é");
    assert_eq!(central_system.next().await, "status 1 Preparing");
    assert_eq!(central_system.next().await, "start 1 \"\\\u{1}é");
    assert_eq!(central_system.next().await, "status 1 Charging");
    let stop = peer.call(RemoteStopTransactionRequest::new(4711)).await.unwrap();
    assert_eq!(stop.status, RemoteStartStopStatus::Accepted);
    let mut stopped = central_system.next().await;
    while stopped.starts_with("meter values") {
        stopped = central_system.next().await;
    }
    assert_eq!(stopped, "stop 4711 Some(Remote)");
    assert_eq!(central_system.next().await, "status 1 Finishing");
    assert_eq!(central_system.next().await, "status 1 Available");

    peer.disconnect(CallFailure::Disconnected);
    let said = rest(&mut charge_point).await;
    charge_point.succeeds().await;
    assert_eq!(said.last().unwrap(), "the central system has ended the connection");
}

#[tokio::test]
async fn lines_are_a_transport_too() {
    let mut command = charge_point(&["--lines"]);
    let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let answer = r#"[3,"1",{"status":"Accepted","currentTime":"2026-01-01T00:00:00Z","interval":300}]"#;
    let mut input = program.stdin.take().unwrap();
    input.write_all(format!("{answer}\n[2,\"a\",\"ClearCache\",{{}}]\n").as_bytes()).await.unwrap();
    drop(input);
    let output = tokio::time::timeout(Duration::from_secs(60), program.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[0], r#"[2,"1","BootNotification",{"chargePointVendor":"Example","chargePointModel":"C 99"}]"#);
    assert_eq!(lines[1], r#"[4,"a","NotSupported","not in this example",{}]"#);
    assert!(lines[2].starts_with(r#"[2,"2","StatusNotification",{"connectorId":0,"#), "{said}");
    assert_eq!((lines.len(), output.status.code()), (3, Some(0)), "{said}");
}
