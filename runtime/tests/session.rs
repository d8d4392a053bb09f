//! Two sessions against each other in memory, in simulated time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use std::time::Duration;

use onwire::ocpp::v16::{self, *};
use onwire::session::{CallToken, Config, Outcome, Received, Session};
use onwire::{CallError, CallFailure, ErrorCode, Instant};

/// Moves everything that one side wants to send to the other; returns what it was received as.
fn carry(from: &mut Session, to: &mut Session, now: Instant) -> Vec<Received> {
    std::iter::from_fn(|| from.poll_transmit(now)).map(|frame| to.receive(&frame, now)).collect()
}

fn session(change: impl FnOnce(&mut Config)) -> Session {
    let mut config = Config::default();
    change(&mut config);
    Session::new(&v16::DIALECT, config)
}

fn pair() -> (Session, Session) {
    (session(|_| {}), session(|config| config.first_id = 1000))
}

/// Answers the oldest waiting CALL.
fn answer(session: &mut Session, payload: &str) {
    let call = session.next_call().expect("a CALL waits");
    assert!(session.answer(&call, format!("[3,{},{payload}]", call.id_token())));
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

fn outcome(session: &mut Session, token: CallToken) -> Outcome {
    session.take_outcome(token).expect("the call has ended")
}

#[test]
fn a_call_is_correlated_with_its_answer() {
    let (mut cp, mut cs) = pair();
    let token = cp.call(&HeartbeatRequest::new()).unwrap();
    assert_eq!(carry(&mut cp, &mut cs, at(0)), [Received::Call]);
    let call = cs.next_call().unwrap();
    assert_eq!((call.action(), call.payload(), call.id_token()), ("Heartbeat", "{}", "\"1\""));
    cs.answer(&call, format!("[3,{},{{\"currentTime\":\"2025-01-01T00:00:00Z\"}}]", call.id_token()));
    assert_eq!(carry(&mut cs, &mut cp, at(1)), [Received::Answer(token)]);
    assert_eq!(outcome(&mut cp, token).unwrap(), r#"{"currentTime":"2025-01-01T00:00:00Z"}"#);
    assert_eq!(cp.take_outcome(token), None, "an outcome is taken once");
}

#[test]
fn one_call_is_outstanding_in_each_direction_and_calls_of_both_sides_cross() {
    let (mut cp, mut cs) = pair();
    let first = cp.call(&HeartbeatRequest::new()).unwrap();
    let second = cp.call(&HeartbeatRequest::new()).unwrap();
    let crossing = cs.call(&ClearCacheRequest::new()).unwrap();
    assert_eq!(carry(&mut cp, &mut cs, at(0)), [Received::Call], "the second call waits");
    assert_eq!(carry(&mut cs, &mut cp, at(0)), [Received::Call], "the other side's call does not");
    answer(&mut cp, "{\"status\":\"Accepted\"}");
    assert_eq!(carry(&mut cp, &mut cs, at(0)), [Received::Answer(crossing)]);
    answer(&mut cs, "{}");
    assert_eq!(carry(&mut cs, &mut cp, at(0)), [Received::Answer(first)]);
    assert_eq!(carry(&mut cp, &mut cs, at(0)), [Received::Call], "now the second goes out");
    answer(&mut cs, "{}");
    assert_eq!(carry(&mut cs, &mut cp, at(0)), [Received::Answer(second)]);
}

#[test]
fn a_session_knows_which_of_its_calls_were_sent() {
    let mut cp = session(|_| {});
    let [sent, waits, given_up] = [(); 3].map(|()| cp.call(&HeartbeatRequest::new()).unwrap());
    assert_eq!(cp.was_sent(sent), None, "nothing was asked of it yet");
    cp.poll_transmit(at(0)).unwrap();
    cp.abandon(given_up);
    assert_eq!((cp.was_sent(sent), cp.was_sent(waits)), (Some(true), None));
    cp.end(CallFailure::Disconnected);
    assert_eq!((cp.was_sent(sent), cp.was_sent(waits)), (Some(true), Some(false)));
    assert_eq!(outcome(&mut cp, waits), Err(CallFailure::NotSent));
}

#[test]
fn a_call_times_out_from_the_moment_it_is_sent_and_a_late_answer_is_ignored() {
    let (mut cp, mut cs) = pair();
    let token = cp.call(&HeartbeatRequest::new()).unwrap();
    let next = cp.call(&HeartbeatRequest::new()).unwrap();
    assert_eq!(cp.poll_deadline(), None, "nothing is sent yet");
    carry(&mut cp, &mut cs, at(100));
    assert_eq!(cp.poll_deadline(), Some(at(130)));
    assert_eq!(cp.handle_timeout(at(129)), None);
    assert_eq!(cp.handle_timeout(at(130)), Some(token));
    assert_eq!(outcome(&mut cp, token), Err(CallFailure::Timeout));
    answer(&mut cs, "{}");
    assert_eq!(carry(&mut cs, &mut cp, at(131)), [Received::Late]);
    // The next call is not mistaken for it.
    carry(&mut cp, &mut cs, at(131));
    answer(&mut cs, "{}");
    assert_eq!(carry(&mut cs, &mut cp, at(132)), [Received::Answer(next)]);
    assert_eq!(outcome(&mut cp, next).unwrap(), "{}");
}

#[test]
fn a_call_may_have_a_time_out_of_its_own_before_and_after_it_is_sent() {
    let (mut cp, mut cs) = pair();
    let first = cp.call(&HeartbeatRequest::new()).unwrap();
    let second = cp.call(&HeartbeatRequest::new()).unwrap();
    cp.set_timeout(second, Duration::from_secs(300));
    carry(&mut cp, &mut cs, at(100));
    assert_eq!(cp.poll_deadline(), Some(at(130)));
    cp.set_timeout(first, Duration::from_secs(5));
    assert_eq!(cp.poll_deadline(), Some(at(105)));
    assert_eq!(cp.handle_timeout(at(105)), Some(first));
    carry(&mut cp, &mut cs, at(110));
    assert_eq!(cp.poll_deadline(), Some(at(410)), "from the moment it is sent");
    assert_eq!(cp.handle_timeout(at(409)), None);
    assert_eq!(cp.handle_timeout(at(410)), Some(second));
}

#[test]
fn an_answer_with_another_id_is_no_answer() {
    let (mut cp, mut cs) = pair();
    let token = cp.call(&HeartbeatRequest::new()).unwrap();
    carry(&mut cp, &mut cs, at(0));
    for stray in [r#"[3,"2",{}]"#, r#"[3,"",{}]"#, r#"[4,"9","InternalError","",{}]"#, "[3,-1,{}]"] {
        assert_eq!(cp.receive(stray, Instant::default()), Received::Late, "{stray}");
    }
    assert_eq!(cp.take_outcome(token), None);
    assert_eq!(cp.receive("[3,1,{}]", Instant::default()), Received::Answer(token), "some peers echo a number");
}

#[test]
fn a_refusal_carries_code_description_and_details() {
    let (mut cp, mut cs) = pair();
    let token = cp.call(&HeartbeatRequest::new()).unwrap();
    carry(&mut cp, &mut cs, at(0));
    cp.receive(r#"[4,"1","OccurenceConstraintViolation","no","{}"]"#, Instant::default());
    let refused = outcome(&mut cp, token).unwrap_err();
    assert_eq!(refused, CallFailure::Refused(CallError::new(ErrorCode::OccurrenceConstraintViolation, "no")));
}

#[test]
fn queues_are_bounded() {
    let mut cp = session(|config| config.call_queue = 2);
    let mut cs = session(|config| config.inbox = 2);
    cp.call(&HeartbeatRequest::new()).unwrap();
    cp.call(&HeartbeatRequest::new()).unwrap();
    assert_eq!(cp.call(&HeartbeatRequest::new()), Err(CallFailure::QueueFull));

    for id in 1..=2 {
        assert_eq!(cs.receive(&format!("[2,\"{id}\",\"Heartbeat\",{{}}]"), Instant::default()), Received::Call);
    }
    assert!(!cs.wants_input(), "reading stops while two CALLs wait");
    // While an answer is waited for, reading goes on until twice as many wait.
    cs.call(&ClearCacheRequest::new()).unwrap();
    cs.poll_transmit(at(0)).unwrap();
    for id in 3..=4 {
        assert!(cs.wants_input());
        assert_eq!(cs.receive(&format!("[2,\"{id}\",\"Heartbeat\",{{}}]"), Instant::default()), Received::Call);
    }
    assert!(!cs.wants_input(), "the rest stays in the transport");
    // Whoever reads on all the same has it refused.
    let Received::Refused(error) = cs.receive(r#"[2,"5","Heartbeat",{}]"#, Instant::default()) else {
        panic!("it was taken")
    };
    assert_eq!(error.code, ErrorCode::GenericError);
    assert!(cs.poll_transmit(at(0)).unwrap().starts_with(r#"[4,"5","GenericError","#));
    for id in 1..=4 {
        assert_eq!(
            cs.next_call().map(|call| call.id_token().to_owned()),
            Some(format!("\"{id}\"")).filter(|_| id <= 2)
        );
    }
}

#[test]
fn an_abandoned_call_is_not_sent_or_blocks_until_its_answer() {
    let (mut cp, mut cs) = pair();
    let sent = cp.call(&HeartbeatRequest::new()).unwrap();
    let waiting = cp.call(&HeartbeatRequest::new()).unwrap();
    let last = cp.call(&HeartbeatRequest::new()).unwrap();
    carry(&mut cp, &mut cs, at(0));
    cp.abandon(sent);
    cp.abandon(waiting);
    assert_eq!(carry(&mut cp, &mut cs, at(0)), [], "the peer is still at the first one");
    answer(&mut cs, "{}");
    carry(&mut cs, &mut cp, at(0));
    assert_eq!(cp.take_outcome(sent), None, "nobody waits for it");
    assert_eq!(carry(&mut cp, &mut cs, at(0)), [Received::Call]);
    answer(&mut cs, "{}");
    assert_eq!(carry(&mut cs, &mut cp, at(0)), [Received::Answer(last)]);
}

#[test]
fn the_end_of_the_connection_ends_every_call() {
    let (mut cp, mut cs) = pair();
    let sent = cp.call(&HeartbeatRequest::new()).unwrap();
    let waiting = cp.call(&HeartbeatRequest::new()).unwrap();
    carry(&mut cp, &mut cs, at(0));
    cp.end(CallFailure::Replaced);
    assert_eq!(outcome(&mut cp, sent), Err(CallFailure::Replaced));
    assert_eq!(outcome(&mut cp, waiting), Err(CallFailure::NotSent), "the caller may try it elsewhere");
    assert_eq!(cp.call(&HeartbeatRequest::new()), Err(CallFailure::NotSent));
    assert!(matches!(cp.receive(r#"[2,"1","Reset",{}]"#, Instant::default()), Received::Ignored(_)));
    assert_eq!(cp.poll_transmit(at(0)), None);
}

#[test]
fn a_broken_call_is_refused_and_other_nonsense_ignored() {
    let mut cs = session(|_| {});
    assert!(matches!(cs.receive(r#"[2,"7","Heartbeat"]"#, Instant::default()), Received::Refused(_)));
    assert_eq!(cs.poll_transmit(at(0)).unwrap(), r#"[4,"7","FormationViolation","no payload",{}]"#);
    for nonsense in ["", "hello", "[]", "{}", "[5,\"1\",{}]", "[6,\"1\",\"A\",{}]", "[2,{},\"A\",{}]", "\u{0}"] {
        assert!(matches!(cs.receive(nonsense, Instant::default()), Received::Ignored(_)), "{nonsense:?}");
    }
    assert_eq!(cs.poll_transmit(at(0)), None);
}

#[test]
fn a_request_that_may_not_be_sent_takes_no_place() {
    let mut cp = session(|_| {});
    let failure = cp.call(&AuthorizeRequest::new("a tag that is longer than twenty")).unwrap_err();
    assert!(matches!(failure, CallFailure::Unsendable(_)));
    assert_eq!(cp.poll_transmit(at(0)), None);
}

#[test]
fn a_shorter_time_out_is_kept() {
    let mut cp = session(|config| config.call_timeout = Duration::from_secs(5));
    cp.call(&HeartbeatRequest::new()).unwrap();
    cp.poll_transmit(at(10)).unwrap();
    assert_eq!(cp.poll_deadline(), Some(at(15)));
}

#[test]
fn a_peer_that_does_not_take_its_answers_is_not_read() {
    let mut cs = session(|config| config.inbox = 4);
    for id in 0..1000 {
        cs.receive(&format!("[2,\"{id}\"]"), Instant::default());
    }
    assert!(!cs.wants_input());
    assert_eq!(std::iter::from_fn(|| cs.poll_transmit(at(0))).count(), 4);
    assert!(cs.wants_input());
}

#[test]
fn no_call_is_begun_while_the_peer_does_not_take_its_answers() {
    let mut cs = session(|config| config.inbox = 2);
    for id in 1..=2 {
        cs.receive(&format!("[2,\"{id}\",\"Heartbeat\",{{}}]"), at(0));
        answer(&mut cs, "{}");
    }
    cs.call(&ClearCacheRequest::new()).unwrap();
    assert!(!cs.wants_input());
    cs.receive(r#"[2,"3","Heartbeat",{}]"#, at(0));
    assert_eq!(cs.next_call(), None);
    assert!(matches!(cs.receive(r#"[2,"4"]"#, at(0)), Received::Ignored(_)), "a refusal is an answer too");
    cs.poll_transmit(at(0)).unwrap();
    assert!(cs.wants_input());
    assert_eq!(cs.next_call().unwrap().id_token(), "\"3\"");
}

#[test]
fn an_answer_that_comes_twice_answers_no_other_call() {
    let (mut cp, mut cs) = pair();
    let first = cp.call(&HeartbeatRequest::new()).unwrap();
    carry(&mut cp, &mut cs, at(0));
    assert_eq!(cp.receive(r#"[3,"1",{}]"#, at(1)), Received::Answer(first));
    let second = cp.call(&HeartbeatRequest::new()).unwrap();
    carry(&mut cp, &mut cs, at(1));
    assert_eq!(cp.receive(r#"[3,"1",{}]"#, at(2)), Received::Late);
    assert_eq!(cp.receive(r#"[4,"1","InternalError","",{}]"#, at(2)), Received::Late);
    assert_eq!(cp.receive(r#"[3,"2",{}]"#, at(3)), Received::Answer(second));
}

#[test]
fn of_a_connection_that_is_given_up_nothing_is_acknowledged_or_begun() {
    let mut cs = session(|_| {});
    for id in 1..=2 {
        let call = format!("[2,\"{id}\",\"Heartbeat\",{{}}]");
        assert_eq!(cs.receive_as(&call, Some(onwire::session::Receipt(id)), at(0)), Received::Call);
    }
    let call = cs.next_call().unwrap();
    cs.give_up(CallFailure::TryAgainLater);
    assert_eq!(cs.next_call(), None, "it comes again");
    assert!(!cs.answer(&call, String::new()));
    assert_eq!((cs.poll_receipt(), cs.poll_transmit(at(0))), (None, None));
    assert!(cs.is_over());
}
