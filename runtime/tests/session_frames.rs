//! What differs between the frames of OCPP 1.6, 2.0.1 and 2.1: unknown message types, unreadable ids, CALLRESULTERROR, SEND.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use onwire::codec::{Decoder, Encoder, Message, Reject};
use onwire::frame::Framing;
use onwire::ocpp::j::{FRAMING_1_6, FRAMING_2_0_1, FRAMING_2_1, spell_2};
use onwire::ocpp::v16::{self, *};
use onwire::session::{Config, Received, Session};
use onwire::{CallError, CallFailure, Connection, Dialect, ErrorCode, Instant, Secrets, Unanswered};

static V201: Dialect = dialect(&FRAMING_2_0_1);
static V21: Dialect = dialect(&FRAMING_2_1);

/// 1.6's messages in other frames.
const fn dialect(framing: &'static Framing) -> Dialect {
    Dialect {
        name: "test",
        subprotocols: &[],
        framing,
        actions: &["ClearCache", "Heartbeat", "Tick"],
        fresh: &[],
        spell: spell_2,
        secrets: Secrets::NONE,
    }
}

/// A message that is never answered.
struct Tick(HeartbeatRequest);

impl Message for Tick {
    fn blank() -> Self {
        Self(HeartbeatRequest::new())
    }

    fn read(&mut self, decoder: &mut Decoder<'_>) -> Result<(), Reject> {
        self.0.read(decoder)
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Reject> {
        self.0.encode(encoder)
    }
}

impl Unanswered for Tick {
    const NAME: &'static str = "Tick";
}

const NOW: Instant = Instant::from_millis(0);

fn session(dialect: &'static Dialect) -> Session {
    Session::new(dialect, Config::default())
}

/// What is answered to a text.
fn answer(dialect: &'static Dialect, text: &str) -> Option<String> {
    let mut session = session(dialect);
    let received = session.receive(text, NOW);
    let answer = session.poll_transmit(NOW);
    assert_eq!(matches!(received, Received::Refused(_)), answer.is_some(), "{text}: {received:?}");
    answer
}

#[test]
fn a_message_type_that_is_unknown_is_refused_by_2_0_1_only() {
    assert!(std::ptr::eq(v16::DIALECT.framing, &FRAMING_1_6));
    for text in [r#"[7,"a",{}]"#, r#"[22,"a","Heartbeat",{}]"#, r#"[1,"a"]"#] {
        assert_eq!(answer(&v16::DIALECT, text), None);
        assert_eq!(answer(&V21, text), None);
        let refusal = r#"[4,"a","MessageTypeNotSupported","an unknown message type number",{}]"#;
        assert_eq!(answer(&V201, text).unwrap(), refusal);
    }
    let refusal = r#"[4,"-1","MessageTypeNotSupported","an unknown message type number",{}]"#;
    assert_eq!(answer(&V201, "[7]").unwrap(), refusal);
    // To 1.6 and 2.0.1 a SEND and a CALLRESULTERROR are such.
    for text in [r#"[6,"a","Tick",{}]"#, r#"[5,"a","InternalError","",{}]"#] {
        assert_eq!(answer(&v16::DIALECT, text), None);
        assert!(answer(&V201, text).unwrap().contains("MessageTypeNotSupported"));
    }
}

#[test]
fn what_has_no_readable_id_is_refused_by_2_x_as_minus_one() {
    for text in ["hello", "", "{}", "[]", "[2]", r#"[2,null,"Heartbeat",{}]"#, r#"[2,{},"A",{}]"#, r#"[2,"a"#] {
        assert_eq!(answer(&v16::DIALECT, text), None, "{text}");
        for dialect in [&V201, &V21] {
            let refusal = answer(dialect, text).unwrap();
            assert!(refusal.starts_with(r#"[4,"-1","RpcFrameworkError","#), "{text}: {refusal}");
            // So that two of us do not answer each other for ever.
            assert_eq!(answer(dialect, &refusal), None);
        }
    }
    for answer_or_send in ["[3]", "[3,null,{}]", "[4,{}]", r#"[3,"a"]"#] {
        for dialect in [&v16::DIALECT, &V201, &V21] {
            assert_eq!(answer(dialect, answer_or_send), None, "an answer is not answered: {answer_or_send}");
        }
    }
}

#[test]
fn an_id_that_is_too_long_is_echoed_as_it_came() {
    let id = "x".repeat(50);
    for dialect in [&v16::DIALECT, &V201, &V21] {
        assert!(answer(dialect, &format!(r#"[2,"{id}","Heartbeat"]"#)).unwrap().starts_with(&format!("[4,\"{id}\",")));
    }
}

#[test]
fn a_result_error_says_which_answer_the_peer_could_not_read() {
    let mut cs = session(&V21);
    cs.receive(r#"[2,"a","Heartbeat",{}]"#, NOW);
    let call = cs.next_call().unwrap();
    cs.answer(&call, r#"[3,"a",{}]"#.to_owned());
    cs.poll_transmit(NOW).unwrap();
    // A call of ours is outstanding; that is none of its business, not even with its id.
    let token = cs.call(&ClearCacheRequest::new()).unwrap();
    cs.poll_transmit(NOW).unwrap();
    for id in ["\"a\"", "\"1\""] {
        let received = cs.receive(&format!(r#"[5,{id},"OccurrenceConstraintViolation","no time",{{}}]"#), NOW);
        let error = CallError::new(ErrorCode::OccurrenceConstraintViolation, "no time");
        assert_eq!(received, Received::AnswerRefused { id: id.into(), error });
    }
    assert_eq!(cs.take_outcome(token), None);
    assert_eq!(cs.poll_transmit(NOW), None);
    assert_eq!(cs.receive(r#"[3,"1",{}]"#, NOW), Received::Answer(token));
}

#[test]
fn a_send_goes_out_while_a_call_is_outstanding_and_takes_an_id_of_its_own() {
    let mut cp = session(&V21);
    cp.call(&HeartbeatRequest::new()).unwrap();
    cp.call(&HeartbeatRequest::new()).unwrap();
    cp.send(&Tick::blank()).unwrap();
    let frames: Vec<String> = std::iter::from_fn(|| cp.poll_transmit(NOW)).collect();
    assert_eq!(frames, [r#"[2,"1","Heartbeat",{}]"#, r#"[6,"3","Tick",{}]"#]);
    assert_eq!(cp.receive(r#"[3,"3",{}]"#, NOW), Received::Late, "a SEND has no answer");
}

#[test]
fn sends_are_bounded_and_end_with_the_connection() {
    let mut config = Config::default();
    config.send_queue = 2;
    let mut cp = Session::new(&V21, config);
    cp.send(&Tick::blank()).unwrap();
    cp.send(&Tick::blank()).unwrap();
    assert_eq!(cp.send(&Tick::blank()), Err(CallFailure::QueueFull), "the newest is told, none is lost unseen");
    cp.poll_transmit(NOW).unwrap();
    cp.send(&Tick::blank()).unwrap();
    cp.end(CallFailure::Disconnected);
    assert_eq!(cp.send(&Tick::blank()), Err(CallFailure::NotSent));
    assert_eq!(cp.poll_transmit(NOW), None);

    for dialect in [&v16::DIALECT, &V201] {
        let connection = Connection::new("CP1", dialect, Config::default());
        assert_eq!(connection.peer().send(Tick::blank()), Err(CallFailure::Unsupported));
    }
}

#[test]
fn a_send_that_comes_in_is_handled_and_never_answered() {
    let mut cs = session(&V21);
    assert_eq!(cs.receive(r#"[6,"a","Tick",{"n":1}]"#, NOW), Received::Call);
    let send = cs.next_call().unwrap();
    assert_eq!((send.action(), send.payload(), send.wants_answer()), ("Tick", r#"{"n":1}"#, false));
    assert!(cs.answer(&send, "whatever".to_owned()));
    assert!(!cs.is_in_progress(&send));
    // Nor if its handler hangs, or it is broken.
    cs.receive(r#"[6,"b","Tick",{}]"#, NOW);
    cs.next_call().unwrap();
    cs.handle_timeout(NOW);
    cs.handle_timeout(Instant::from_millis(60_000));
    for broken in [r#"[6,"c"]"#, "[6]", r#"[6,"c","Tick""#, r#"[6,null,"Tick",{}]"#] {
        assert!(matches!(cs.receive(broken, NOW), Received::Ignored(_)), "{broken}");
    }
    assert_eq!(cs.poll_transmit(NOW), None);
    assert_eq!(cs.poll_deadline(), None);
}

#[test]
fn sends_stay_in_the_transport_also_while_an_answer_is_waited_for() {
    let mut config = Config::default();
    config.inbox = 2;
    let mut cs = Session::new(&V21, config);
    cs.call(&ClearCacheRequest::new()).unwrap();
    cs.poll_transmit(NOW).unwrap();
    let mut taken = 0;
    while cs.wants_input() {
        assert_eq!(cs.receive(&format!("[6,\"{taken}\",\"Tick\",{{}}]"), NOW), Received::Call);
        taken += 1;
    }
    assert_eq!(taken, 4, "the answer may stand behind them");
    assert!(matches!(cs.receive(r#"[6,"9","Tick",{}]"#, NOW), Received::Ignored(_)), "it should not have been read");
    assert_eq!(cs.poll_transmit(NOW), None, "nobody is told");
}
