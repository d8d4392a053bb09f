//! Handlers that panic, hang or are dropped hurt their own call only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use onwire::ocpp::v16::{self, *};
use onwire::session::{Config, Received, Session};
use onwire::types::DateTime;
use onwire::{CallFailure, Connection, Instant, Peer};

const BOOT: &str = r#"[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]"#;
const HEARTBEAT: &str = r#"[2,"2","Heartbeat",{}]"#;
const FAILED: &str = r#"[4,"1","InternalError","the handler failed",{}]"#;
const TOO_LONG: &str = r#"[4,"1","InternalError","the handler took too long",{}]"#;

/// What the boot handlers do.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Panics,
    PanicsLater,
    Hangs,
    HangsAfter,
    PanicsAfter,
}

struct Csms {
    mood: Mood,
    heartbeats: AtomicU32,
}

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(BootNotification)]
    async fn boot(&self) -> BootNotificationResponse {
        match self.mood {
            // Without the hook, which would print.
            Mood::Panics => std::panic::resume_unwind(Box::new(())),
            Mood::PanicsLater => {
                let mut first = true;
                std::future::poll_fn(|context| {
                    if first {
                        first = false;
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    std::panic::resume_unwind(Box::new(()))
                })
                .await
            }
            Mood::Hangs => std::future::pending().await,
            Mood::HangsAfter | Mood::PanicsAfter => {
                BootNotificationResponse::new(RegistrationStatus::Accepted, DateTime::UNIX_EPOCH, 300)
            }
        }
    }

    #[after(BootNotification)]
    async fn booted(&self) {
        match self.mood {
            Mood::PanicsAfter => std::panic::resume_unwind(Box::new(())),
            _ => std::future::pending().await,
        }
    }

    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::UNIX_EPOCH)
    }

    #[after(Heartbeat)]
    fn beaten(&self) {
        self.heartbeats.fetch_add(1, Ordering::Relaxed);
    }
}

fn csms(mood: Mood) -> Csms {
    Csms { mood, heartbeats: AtomicU32::new(0) }
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

fn connection() -> Connection {
    Connection::new("CP1", &v16::DIALECT, Config::default())
}

fn step(future: Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn sent(connection: &Connection, now: Instant) -> Vec<String> {
    std::iter::from_fn(|| connection.poll_transmit(now)).collect()
}

const BEAT: &str = r#"[3,"2",{"currentTime":"1970-01-01T00:00:00Z"}]"#;

#[test]
fn a_handler_that_panics_is_answered_for_and_the_next_call_is_handled() {
    for mood in [Mood::Panics, Mood::PanicsLater] {
        let (connection, csms) = (connection(), csms(mood));
        connection.receive(BOOT, at(0));
        connection.receive(HEARTBEAT, at(0));
        let mut serve = pin!(connection.serve(&csms));
        step(serve.as_mut());
        step(serve.as_mut());
        assert_eq!(sent(&connection, at(0)), [FAILED, BEAT]);
        assert_eq!(csms.heartbeats.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn so_it_is_on_a_server() {
    let (connection, csms) = (connection(), csms(Mood::Panics));
    connection.receive(BOOT, at(0));
    connection.receive(HEARTBEAT, at(0));
    let mut serve = pin!(connection.serve_send(&csms));
    step(serve.as_mut());
    assert_eq!(sent(&connection, at(0)), [FAILED, BEAT]);
}

#[test]
fn an_after_handler_that_panics_does_not_keep_the_next_from_running() {
    let (connection, csms) = (connection(), csms(Mood::PanicsAfter));
    connection.receive(BOOT, at(0));
    connection.receive(HEARTBEAT, at(0));
    let mut serve = pin!(connection.serve(&csms));
    step(serve.as_mut());
    assert_eq!(sent(&connection, at(0)).len(), 2);
    assert_eq!(csms.heartbeats.load(Ordering::Relaxed), 1);
}

#[test]
fn a_handler_that_hangs_is_given_up_and_the_next_call_is_handled() {
    let (connection, csms) = (connection(), csms(Mood::Hangs));
    assert_eq!(connection.poll_deadline(), None);
    connection.receive(BOOT, at(10));
    connection.receive(HEARTBEAT, at(10));
    let mut serve = pin!(connection.serve(&csms));
    step(serve.as_mut());
    assert_eq!(connection.poll_deadline(), Some(Instant::default()), "its time starts with the next look at the clock");
    connection.handle_timeout(at(20));
    assert_eq!(connection.poll_deadline(), Some(at(80)));
    connection.handle_timeout(at(79));
    step(serve.as_mut());
    assert_eq!(sent(&connection, at(79)), [""; 0]);
    connection.handle_timeout(at(80));
    assert_eq!(sent(&connection, at(80)), [TOO_LONG]);
    step(serve.as_mut());
    assert_eq!(sent(&connection, at(80)), [BEAT]);
    // The peer's repetition of it gets that answer too.
    assert_eq!(connection.receive(BOOT, at(81)), Received::AnsweredAgain);
    assert_eq!(sent(&connection, at(81)), [TOO_LONG]);
}

#[test]
fn an_after_handler_that_hangs_is_dropped() {
    let (connection, csms) = (connection(), csms(Mood::HangsAfter));
    connection.receive(BOOT, at(0));
    connection.receive(HEARTBEAT, at(0));
    let mut serve = pin!(connection.serve(&csms));
    step(serve.as_mut());
    assert_eq!(sent(&connection, at(0)).len(), 2, "answers do not wait for it");
    connection.handle_timeout(at(1));
    assert_eq!(connection.poll_deadline(), Some(at(301)));
    connection.handle_timeout(at(301));
    step(serve.as_mut());
    assert_eq!(csms.heartbeats.load(Ordering::Relaxed), 1, "the next one runs");
    assert_eq!(connection.poll_deadline(), None);
}

#[test]
fn the_earliest_of_all_deadlines_is_the_next() {
    let (connection, csms) = (connection(), csms(Mood::Hangs));
    connection.receive(BOOT, at(0));
    let mut serve = pin!(connection.serve(&csms));
    step(serve.as_mut());
    connection.handle_timeout(at(0));
    assert_eq!(connection.poll_deadline(), Some(at(60)));
    let mut earlier = pin!(connection.deadline_before(Some(at(60))));
    assert!(!step(earlier.as_mut()));
    let _call = connection.peer().call(ClearCacheRequest::new());
    assert!(!step(earlier.as_mut()), "it is not sent yet");
    sent(&connection, at(5));
    assert_eq!(connection.poll_deadline(), Some(at(35)));
    assert!(step(earlier.as_mut()));
    connection.handle_timeout(at(35));
    assert_eq!(connection.poll_deadline(), Some(at(60)));
}

#[test]
fn a_handler_that_is_dropped_with_its_worker_is_answered_for() {
    let (connection, csms) = (connection(), csms(Mood::Hangs));
    connection.receive(BOOT, at(0));
    {
        let mut serve = pin!(connection.serve(&csms));
        step(serve.as_mut());
        connection.handle_timeout(at(0));
    }
    connection.receive(HEARTBEAT, at(1));
    let mut serve = pin!(connection.serve(&csms));
    step(serve.as_mut());
    assert_eq!(sent(&connection, at(1)), [BEAT], "the next call does not wait");
    connection.handle_timeout(at(60));
    assert_eq!(sent(&connection, at(60)), [TOO_LONG]);
}

#[test]
fn a_handler_that_hangs_does_not_outlive_its_connection_for_ever() {
    let (connection, csms) = (connection(), csms(Mood::Hangs));
    connection.receive(BOOT, at(0));
    let mut serve = pin!(connection.serve(&csms));
    step(serve.as_mut());
    connection.handle_timeout(at(0));
    connection.end(CallFailure::Disconnected);
    assert!(!step(serve.as_mut()), "the handler that runs is completed");
    connection.handle_timeout(at(60));
    assert!(step(serve.as_mut()));
    assert_eq!(connection.poll_deadline(), None);
}

#[test]
fn an_answer_too_late_is_not_sent() {
    let mut session = Session::new(&v16::DIALECT, Config::default());
    session.receive(BOOT, at(0));
    session.receive(HEARTBEAT, at(0));
    let (boot, beat) = (session.next_call().unwrap(), session.next_call().unwrap());
    session.handle_timeout(at(0));
    assert!(session.answer(&beat, BEAT.to_owned()));
    assert!(session.is_in_progress(&boot) && !session.is_in_progress(&beat));
    assert_eq!(session.handle_timeout(at(60)), None, "no call of ours");
    assert!(!session.is_in_progress(&boot));
    assert!(!session.answer(&boot, r#"[3,"1",{}]"#.to_owned()));
    let frames: Vec<String> = std::iter::from_fn(|| session.poll_transmit(at(60))).collect();
    assert_eq!(frames, [BEAT, TOO_LONG]);
}

#[test]
fn the_time_out_is_the_configuration_s_choice() {
    let mut config = Config::default();
    config.handler_timeout = std::time::Duration::MAX;
    let mut session = Session::new(&v16::DIALECT, config);
    session.receive(BOOT, at(0));
    let call = session.next_call().unwrap();
    session.handle_timeout(at(0));
    session.handle_timeout(at(1_000_000_000));
    assert!(session.is_in_progress(&call));
}

#[test]
fn a_handler_that_calls_its_peer_is_given_up_with_its_call() {
    struct Asks(Cell<u32>);

    #[onwire::handlers(ocpp::v16, role = CentralSystem, local)]
    impl Asks {
        #[on(Heartbeat)]
        async fn heartbeat(&self, peer: &Peer) -> Result<HeartbeatResponse, CallFailure> {
            self.0.set(self.0.get() + 1);
            let _ = peer.call(ClearCacheRequest::new()).await;
            let _ = peer.call(ClearCacheRequest::new()).await;
            peer.call(ClearCacheRequest::new()).await?;
            Ok(HeartbeatResponse::new(DateTime::UNIX_EPOCH))
        }
    }

    let (connection, asks) = (connection(), Asks(Cell::new(0)));
    connection.receive(HEARTBEAT, at(0));
    let mut serve = pin!(connection.serve(&asks));
    let mut frames = Vec::new();
    for seconds in 0..100 {
        step(serve.as_mut());
        frames.extend(sent(&connection, at(seconds)));
        while connection.poll_deadline().is_some_and(|deadline| deadline <= at(seconds)) {
            connection.handle_timeout(at(seconds));
        }
    }
    let calls = frames.iter().filter(|frame| frame.contains("ClearCache")).count();
    assert_eq!((calls, asks.0.get()), (2, 1), "{frames:?}");
    assert!(frames.last().unwrap().contains("took too long"));
    assert_eq!(connection.poll_deadline(), None);
}
