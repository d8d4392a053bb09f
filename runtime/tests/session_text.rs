//! Calls and answers by an action's name and JSON text: what leaves has been judged by the generated types.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics has failed")]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use onwire::codec::{Quirk, Quirks};
use onwire::ocpp::j::{FRAMING_2_1, spell_2};
use onwire::ocpp::v16::{self, *};
use onwire::session::{Config, Session};
use onwire::types::RawJson;
use onwire::{ActionEntry, CallError, CallFailure, Connection, Dialect, ErrorCode, Instant, Routed, Secrets};

const NOW: Instant = Instant::from_millis(0);

fn action(name: &str) -> &'static ActionEntry {
    ActionEntry::find(ACTIONS, name).unwrap()
}

fn session() -> Session {
    Session::new(&v16::DIALECT, Config::default())
}

#[test]
fn the_table_has_all_actions_in_order_and_knows_who_starts_them() {
    let names: Vec<&str> = ACTIONS.iter().map(|entry| entry.name).collect();
    assert_eq!(names, v16::DIALECT.actions);
    let (boot, reset, data) = (action("BootNotification"), action("Reset"), action("DataTransfer"));
    assert!(boot.may_start("ChargePoint") && !boot.may_start("CentralSystem"));
    assert!(boot.may_reach("CentralSystem") && !boot.may_reach("ChargePoint"));
    assert!(reset.may_start("CentralSystem") && reset.may_reach("ChargePoint"));
    assert!(["ChargePoint", "CentralSystem"].iter().all(|role| data.may_start(role) && data.may_reach(role)));
    assert!(ActionEntry::find(ACTIONS, "Dance").is_none() && ActionEntry::find(ACTIONS, "").is_none());
}

#[test]
fn text_for_the_wire_is_judged_strictly_and_text_from_it_as_liberally_as_asked_for() {
    let status = action("StatusNotification").request;
    let careless = r#"{ "connectorId": "1", "errorCode": "NoError", "status": "Available", "extra": 1 }"#;
    assert_eq!(status.sendable(careless).unwrap_err().to_string(), "/connectorId: not an integer");
    let (text, noticed) = status.received(careless, Quirks::ALL).unwrap();
    assert_eq!(text, r#"{"connectorId":1,"errorCode":"NoError","status":"Available"}"#);
    assert!(noticed.contains(Quirk::TextForNumber) && noticed.contains(Quirk::UnknownProperty), "{noticed:?}");
    assert_eq!(status.received(careless, Quirks::NONE).unwrap_err().pointer, "/connectorId");
    // What may be read and not be sent stays as it came.
    let newer = r#"{"connectorId":1, "errorCode":"Newer", "status":"Available"}"#;
    assert_eq!(status.received(newer, Quirks::ALL).unwrap().0, newer);
    assert_eq!(action("Heartbeat").request.received("null", Quirks::ALL).unwrap().0, "{}");
}

#[test]
fn a_request_that_nothing_has_judged_goes_out_as_it_is() {
    let mut central_system = session();
    let request = RawJson::new(r#"{"type":"Firm", "x":1e400}"#).unwrap();
    central_system.call_unjudged(action("Reset"), &request).unwrap();
    assert_eq!(central_system.poll_transmit(NOW).unwrap(), r#"[2,"1","Reset",{"type":"Firm", "x":1e400}]"#);
}

#[test]
fn a_call_and_its_answer_go_by_text() {
    let (mut central_system, mut charge_point) = (session(), session());
    let reset = action("Reset");
    let error = central_system.call_text(reset, r#"{"type":1}"#).unwrap_err();
    assert_eq!(error.to_string(), "the request cannot be sent: /type: not a string");
    let token = central_system.call_text(reset, r#"{ "type": "Hard" }"#).unwrap();
    let frame = central_system.poll_transmit(NOW).unwrap();
    assert_eq!(frame, r#"[2,"1","Reset",{"type":"Hard"}]"#);

    charge_point.receive(&frame, NOW);
    let call = charge_point.next_call().unwrap();
    let error = charge_point.answer_text(&call, reset, r#"{"status":"Perhaps"}"#).unwrap_err();
    assert_eq!(error.pointer, "/status");
    assert!(charge_point.answer_text(&call, reset, r#"{"status":"Accepted"}"#).unwrap());
    assert!(!charge_point.answer_error(&call, &ErrorCode::InternalError.into()), "it is answered");
    central_system.receive(&charge_point.poll_transmit(NOW).unwrap(), NOW);
    assert_eq!(central_system.take_outcome(token), Some(Ok(r#"{"status":"Accepted"}"#.into())));
}

#[test]
fn a_refusal_by_hand_is_a_callerror() {
    let mut session = session();
    session.receive(r#"[2,"7","Reset",{"type":"Hard"}]"#, NOW);
    let call = session.next_call().unwrap();
    assert!(session.answer_error(&call, &CallError::new(ErrorCode::NotSupported, "never")));
    assert_eq!(session.poll_transmit(NOW).unwrap(), r#"[4,"7","NotSupported","never",{}]"#);
}

enum Tick {}

impl Routed for Tick {
    const NAME: &'static str = "Tick";
    type Request = HeartbeatRequest;
}

static TICK: ActionEntry = ActionEntry::unanswered::<Tick>(&["ChargePoint"]);
static V21: Dialect = Dialect {
    name: "test",
    subprotocols: &[],
    framing: &FRAMING_2_1,
    actions: &["Tick"],
    fresh: &[],
    spell: spell_2,
    secrets: Secrets::NONE,
};

#[test]
fn what_is_never_answered_is_sent_and_not_called() {
    let mut sender = Session::new(&V21, Config::default());
    assert_eq!(sender.call_text(&TICK, "{}"), Err(CallFailure::Unsupported));
    assert_eq!(sender.send_text(action("Heartbeat"), "{}"), Err(CallFailure::Unsupported));
    assert!(matches!(sender.send_text(&TICK, "[]"), Err(CallFailure::Unsendable(_))));
    sender.send_text(&TICK, "{}").unwrap();
    let frame = sender.poll_transmit(NOW).unwrap();
    assert_eq!(frame, r#"[6,"1","Tick",{}]"#);

    let mut receiver = Session::new(&V21, Config::default());
    for (text, answer) in [(frame.as_str(), None), (r#"[2,"7","Tick",{}]"#, Some(r#"[3,"7",{}]"#.to_owned()))] {
        receiver.receive(text, NOW);
        let call = receiver.next_call().unwrap();
        assert!(receiver.answer_text(&call, &TICK, "").unwrap());
        assert_eq!(receiver.poll_transmit(NOW), answer);
    }
}

#[test]
fn a_peer_is_called_by_text() {
    let connection = Connection::new("CP1", &v16::DIALECT, Config::default());
    let mut outcomes = Vec::new();
    for (id, answer) in [
        (1, r#"[3,"1",{ "status": "Accepted", "vendor": 1 }]"#),
        (2, r#"[3,"2",{}]"#),
        (3, r#"[4,"3","NotSupported","no",{}]"#),
    ] {
        let mut call = pin!(connection.peer().call_text(action("Reset"), r#"{"type":"Soft"}"#));
        let mut context = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
        assert_eq!(connection.poll_transmit(NOW).unwrap(), format!(r#"[2,"{id}","Reset",{{"type":"Soft"}}]"#));
        connection.receive(answer, NOW);
        let Poll::Ready(outcome) = call.poll(&mut context) else { panic!("call {id} is answered") };
        outcomes.push(outcome.map_err(|failure| failure.to_string()));
    }
    let expected = [
        Ok(r#"{"status":"Accepted"}"#.to_owned()),
        Err("the peer's answer is invalid: /status: missing".to_owned()),
        Err("the peer refused: NotSupported: no".to_owned()),
    ];
    assert_eq!(outcomes, expected);
    assert!(connection.peer().noticed_quirks().contains(Quirk::UnknownProperty));
}
