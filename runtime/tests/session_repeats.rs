//! CALLs that are sent again: the same answer again, and no second run of the handler.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use onwire::ocpp::v16;
use onwire::session::{Config, Received, Session};
use onwire::{CallFailure, Connection, Instant};

const HEARTBEAT: &str = r#"[2,"7","Heartbeat",{}]"#;

/// A CALL that has an effect.
const START: &str = r#"[2,"7","StartTransaction",{}]"#;

fn session(change: impl FnOnce(&mut Config)) -> Session {
    let mut config = Config::default();
    change(&mut config);
    Session::new(&v16::DIALECT, config)
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

/// Handles the oldest CALL; returns the answer as it was sent.
fn handle(session: &mut Session, payload: &str, now: Instant) -> String {
    let call = session.next_call().expect("a CALL waits");
    assert!(session.answer(&call, format!("[3,{},{payload}]", call.id_token())));
    session.poll_transmit(now).unwrap()
}

#[test]
fn a_call_that_is_not_answered_yet_is_repeated_in_vain() {
    let mut cs = session(|_| {});
    assert_eq!(cs.receive(HEARTBEAT, at(0)), Received::Call);
    assert_eq!(cs.receive(HEARTBEAT, at(0)), Received::Repeated, "while it waits");
    let taken = cs.next_call().unwrap();
    assert_eq!(cs.receive(HEARTBEAT, at(0)), Received::Repeated, "while a handler is at it");
    assert_eq!(cs.next_call(), None);
    cs.answer(&taken, r#"[3,"7",{}]"#.to_owned());
    assert_eq!(cs.receive(HEARTBEAT, at(0)), Received::Repeated, "while its answer waits to be sent");
    assert_eq!(cs.poll_transmit(at(0)).unwrap(), r#"[3,"7",{}]"#);
    assert_eq!(cs.poll_transmit(at(0)), None, "one answer serves all");
}

#[test]
fn a_call_that_was_answered_gets_the_same_answer_again() {
    let mut cs = session(|_| {});
    cs.receive(START, at(0));
    let answer = handle(&mut cs, r#"{"transactionId":1}"#, at(1));
    for seconds in [1, 5, 10] {
        assert_eq!(cs.receive(START, at(seconds)), Received::AnsweredAgain);
        assert_eq!(cs.poll_transmit(at(seconds)).as_ref(), Some(&answer));
        assert_eq!(cs.next_call(), None, "its handler does not run again");
    }
    // Ten seconds after it was answered, however often it was repeated: a peer that uses one id for ever.
    assert_eq!(cs.receive(START, at(11)), Received::Call);
    assert_ne!(handle(&mut cs, r#"{"transactionId":2}"#, at(11)), answer);
}

#[test]
fn an_answer_of_the_moment_is_never_repeated_from_memory() {
    let boot = r#"[2,"7","BootNotification",{}]"#;
    let authorize = r#"[2,"7","Authorize",{}]"#;
    for call in [HEARTBEAT, boot, authorize] {
        let mut cs = session(|_| {});
        for second in 0..3 {
            assert_eq!(cs.receive(call, at(second)), Received::Call, "{call}");
            assert_eq!(cs.receive(call, at(second)), Received::Repeated, "while it is not answered");
            handle(&mut cs, "{}", at(second));
        }
    }
    let mut cs = session(|_| {});
    for (second, call) in [(0, HEARTBEAT), (1, boot)] {
        cs.receive(call, at(second));
        handle(&mut cs, "{}", at(second));
    }
    cs.receive(START, at(2));
    handle(&mut cs, "{}", at(2));
    assert_eq!(cs.receive(START, at(3)), Received::Call, "they show all the same that ids mean nothing");
}

#[test]
fn the_refusal_of_a_handler_is_repeated_too() {
    let mut cs = session(|_| {});
    cs.receive(START, at(0));
    let call = cs.next_call().unwrap();
    cs.answer(&call, r#"[4,"7","InternalError","",{}]"#.to_owned());
    let refusal = cs.poll_transmit(at(0)).unwrap();
    assert_eq!(cs.receive(START, at(1)), Received::AnsweredAgain);
    assert_eq!(cs.poll_transmit(at(1)), Some(refusal));
}

#[test]
fn the_same_id_with_another_text_is_another_call() {
    let mut cs = session(|_| {});
    cs.receive(START, at(0));
    let other = r#"[2,"7","Heartbeat",{ }]"#;
    assert_eq!(cs.receive(other, at(0)), Received::Call, "while the first one waits");
    let (first, second) = (cs.next_call().unwrap(), cs.next_call().unwrap());
    // Each is answered once, in whatever order.
    assert!(cs.answer(&second, r#"[3,"7",{"of":2}]"#.to_owned()));
    assert!(cs.answer(&first, r#"[3,"7",{"of":1}]"#.to_owned()));
    assert!(!cs.answer(&first, String::new()));
    while cs.poll_transmit(at(0)).is_some() {}
    assert_eq!(cs.receive(r#"[2,"7","Authorize",{"idTag":"A"}]"#, at(1)), Received::Call);
}

#[test]
fn a_peer_with_one_id_for_all_its_calls_gets_no_old_answers() {
    let mut cs = session(|_| {});
    cs.receive(r#"[2,"7","Authorize",{"idTag":"A"}]"#, at(0));
    handle(&mut cs, "{}", at(0));
    for seconds in [1, 11, 21] {
        assert_eq!(cs.receive(START, at(seconds)), Received::Call);
        handle(&mut cs, "{}", at(seconds));
    }
    // Also while another one like it waits: a device that tells of two equal events in a row.
    assert_eq!(cs.receive(START, at(31)), Received::Call);
    assert_eq!(cs.receive(START, at(31)), Received::Call);
    handle(&mut cs, "{}", at(31));
    handle(&mut cs, "{}", at(31));
    assert_eq!(cs.next_call(), None);
}

#[test]
fn two_calls_with_one_id_that_wait_show_it_too() {
    let mut cs = session(|_| {});
    cs.receive(r#"[2,"7","Authorize",{"idTag":"A"}]"#, at(0));
    cs.receive(START, at(0));
    assert_eq!(cs.receive(START, at(0)), Received::Call);
}

#[test]
fn what_was_refused_for_want_of_room_may_be_tried_again() {
    let mut cs = session(|config| config.inbox = 1);
    cs.receive(r#"[2,"6","Heartbeat",{}]"#, at(0));
    assert!(matches!(cs.receive(START, at(0)), Received::Refused(_)));
    cs.poll_transmit(at(0)).unwrap();
    handle(&mut cs, "{}", at(1));
    assert_eq!(cs.receive(START, at(2)), Received::Call);
}

#[test]
fn the_memory_for_answers_is_bounded_and_the_oldest_go_first() {
    let call = |id: u32| format!("[2,\"{id}\",\"StopTransaction\",{{}}]");
    let answered = |memory: usize, payload: &str| {
        let mut cs = session(|config| config.answer_memory = memory);
        for id in 100..110 {
            cs.receive(&call(id), at(0));
            handle(&mut cs, payload, at(0));
        }
        let known = (100..110).filter(|id| cs.receive(&call(*id), at(1)) == Received::AnsweredAgain);
        known.collect::<Vec<_>>()
    };
    assert_eq!(answered(0, "{}"), [0; 0], "switched off");
    let payload = format!("\"{}\"", "x".repeat(188));
    // An answer of 200 bytes and the few that its place takes.
    assert_eq!(answered(1024, &payload), [106, 107, 108, 109]);
    assert_eq!(answered(200, &payload), [0; 0], "one that alone takes more is not kept");
    assert_eq!(answered(1 << 16, &payload).len(), 8, "as many as may wait to be sent");
}

#[test]
fn a_flood_of_repeated_calls_is_bounded() {
    let mut cs = session(|config| config.inbox = 4);
    cs.receive(START, at(0));
    handle(&mut cs, "{}", at(0));
    for _ in 0..1000 {
        cs.receive(START, at(1));
    }
    assert!(!cs.wants_input());
    assert_eq!(std::iter::from_fn(|| cs.poll_transmit(at(1))).count(), 4);
}

#[test]
fn an_ended_connection_remembers_nothing() {
    let mut cs = session(|_| {});
    cs.receive(START, at(0));
    handle(&mut cs, "{}", at(0));
    cs.end(CallFailure::Disconnected);
    assert!(matches!(cs.receive(START, at(1)), Received::Ignored(_)));
    assert_eq!(cs.poll_transmit(at(1)), None);
}

#[test]
fn a_connection_s_writer_is_woken_for_the_same_answer() {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    struct Csms;
    #[onwire::handlers(ocpp::v16, role = CentralSystem)]
    impl Csms {
        #[on(StatusNotification)]
        fn status(&self) -> v16::StatusNotificationResponse {
            v16::StatusNotificationResponse::new()
        }
    }

    let connection = Connection::new("CP1", &v16::DIALECT, Config::default());
    connection.receive(START, at(0));
    assert!(pin!(connection.serve(&Csms)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let answer = connection.poll_transmit(at(0)).unwrap();

    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(flag.clone());
    let mut context = Context::from_waker(&waker);
    let mut transmit = pin!(connection.transmit(|| at(1)));
    assert_eq!(transmit.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(connection.receive(START, at(1)), Received::AnsweredAgain);
    assert!(flag.0.load(Ordering::Relaxed));
    assert_eq!(transmit.as_mut().poll(&mut context), Poll::Ready(Some(answer)));
}
