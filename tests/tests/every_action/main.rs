//! Every action of OCPP 1.6 in both roles against PyPI `ocpp` with its schema validation on: called by name here and
//! answered there, called there and answered by typed handlers here.

mod handlers;

use onwire::net::{Client, PeerEvent, Server};
use onwire::ocpp::v16::*;
use onwire::{ActionEntry, CallFailure, Peer};
use onwire_tests::program::Program;
use serde_json::Value;

use handlers::{CentralSystem, ChargePoint, Everything};

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

fn answers(exchanges: &[Exchange]) -> Everything {
    Everything::new(exchanges.iter().map(|(entry, _, response)| (entry.name.to_owned(), response.clone())))
}

/// The actions that `role` may start, as the program is told them.
fn started_by(role: &str) -> String {
    let names: Vec<_> = ACTIONS.iter().filter(|entry| entry.may_start(role)).map(|entry| entry.name).collect();
    names.join(",")
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
async fn a_central_system_and_a_charge_point_of_others_call_all_that_they_may() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ocpp/CP-PY", server.local_addr().unwrap());
    let mut events = server.peers().events();
    let mut program = Program::python("every_action.py", &["charge-point", &url, &started_by("ChargePoint")]);
    let (exchanges, _) = exchanges(&mut program).await;
    tokio::spawn(server.serve(CentralSystem(answers(&exchanges))));
    let Some(Ok(PeerEvent::Connected(charge_point))) = events.next().await else { panic!("it did not connect") };

    program.expect("called").await;
    let called = call_everything(&charge_point, "CentralSystem", &exchanges).await;
    let due = ACTIONS.iter().filter(|entry| entry.may_start("CentralSystem")).count();
    assert_eq!((called, exchanges.len()), (due, ACTIONS.len()));
    charge_point.disconnect(CallFailure::Disconnected);
    program.expect("done").await;
    program.succeeds().await;
}

#[tokio::test]
async fn a_charge_point_and_a_central_system_of_others_call_all_that_they_may() {
    let mut program = Program::python("every_action.py", &["central-system", &started_by("CentralSystem")]);
    let (exchanges, _) = exchanges(&mut program).await;
    let port = program.expect("listening").await["port"].as_u64().unwrap();
    let handlers = ChargePoint(answers(&exchanges));
    let client = Client::connect(&format!("ws://127.0.0.1:{port}/ocpp/CP1"), handlers).await.unwrap();
    let central_system = client.peer();
    let both = async {
        program.expect("called").await;
        call_everything(&central_system, "ChargePoint", &exchanges).await
    };
    // If the connection has ended, the program says why.
    let Ok(called) = client.run_until(both).await else { panic!("{}", program.event().await) };
    assert_eq!(called, ACTIONS.iter().filter(|entry| entry.may_start("ChargePoint")).count());
    program.expect("done").await;
    program.succeeds().await;
}
