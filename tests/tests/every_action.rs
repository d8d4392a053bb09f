//! Every action of OCPP 1.6, called by name and by either role, answered by PyPI `ocpp` with its schema validation on.

use onwire::net::{Client, PeerEvent, Server};
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use onwire::{ActionEntry, CallFailure, Peer};
use onwire_tests::program::Program;
use serde_json::Value;

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::now())
    }
}

struct Charger;

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl Charger {
    #[on(ClearCache)]
    fn clear_cache(&self) -> ClearCacheResponse {
        ClearCacheResponse::new(ClearCacheStatus::Rejected)
    }
}

/// An action with the requests to be sent and the response that is due.
type Exchange = (&'static ActionEntry, Vec<String>, Value);

/// What the program says before it speaks, and the event after that.
async fn exchanges(program: &mut Program) -> (Vec<Exchange>, Value) {
    let mut all = Vec::new();
    loop {
        let event = program.event().await;
        if event["event"] != "action" {
            return (all, event);
        }
        let entry = ActionEntry::find(ACTIONS, event["name"].as_str().unwrap()).unwrap();
        let requests = event["requests"].as_array().unwrap().iter().map(Value::to_string).collect();
        all.push((entry, requests, event["response"].clone()));
        if all.len() == ACTIONS.len() {
            return (all, Value::Null);
        }
    }
}

/// Calls everything that `role` may start, and returns how many actions that were.
async fn call_everything(peer: &Peer, role: &str, exchanges: &[Exchange]) -> usize {
    let mut called = 0;
    for (entry, requests, response) in exchanges.iter().filter(|(entry, ..)| entry.may_start(role)) {
        for request in requests {
            let answer = peer.call_text(entry, request).await;
            let answer = answer.unwrap_or_else(|failure| panic!("{}: {failure}: {request}", entry.name));
            assert_eq!(&serde_json::from_str::<Value>(&answer).unwrap(), response, "{}", entry.name);
        }
        called += 1;
    }
    called
}

#[tokio::test]
async fn a_central_system_calls_everything_that_it_may_start() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ocpp/CP-PY", server.local_addr().unwrap());
    let mut events = server.peers().events();
    tokio::spawn(server.serve(Csms));
    let mut program = Program::python("every_action.py", &["charge-point", &url]);
    let (exchanges, _) = exchanges(&mut program).await;
    let Some(Ok(PeerEvent::Connected(charge_point))) = events.next().await else { panic!("it did not connect") };

    let called = call_everything(&charge_point, "CentralSystem", &exchanges).await;
    let due = ACTIONS.iter().filter(|entry| entry.may_start("CentralSystem")).count();
    assert_eq!((called, exchanges.len()), (due, ACTIONS.len()));
    charge_point.disconnect(CallFailure::Disconnected);
    program.expect("done").await;
    program.succeeds().await;
}

#[tokio::test]
async fn a_charge_point_calls_everything_that_it_may_start() {
    let mut program = Program::python("every_action.py", &["central-system"]);
    let (exchanges, _) = exchanges(&mut program).await;
    let port = program.expect("listening").await["port"].as_u64().unwrap();
    let client = Client::connect(&format!("ws://127.0.0.1:{port}/ocpp/CP1"), Charger).await.unwrap();
    let central_system = client.peer();
    let called = client.run_until(call_everything(&central_system, "ChargePoint", &exchanges)).await.unwrap();
    assert_eq!(called, ACTIONS.iter().filter(|entry| entry.may_start("ChargePoint")).count());
    program.expect("done").await;
    program.succeeds().await;
}
