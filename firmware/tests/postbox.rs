//! An outbox on its way over connections that come and go.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

use std::cell::RefCell;
use std::time::Duration;

use onwire::ocpp::v16::{self, DataTransferRequest, HeartbeatRequest};
use onwire::session::Config;
use onwire::{CallFailure, Connection, Instant};
use onwire_firmware::outbox::{self, Clock, Outbox, Postbox};
use onwire_firmware::storage::{FileFlash, FlashFifo};
use tokio::task::yield_now;

type Storage = FlashFifo<FileFlash>;

/// tokio's clock, which stands until everybody waits.
struct Tokio(tokio::time::Instant);

impl Clock for Tokio {
    fn now(&self) -> Instant {
        Instant::from_millis(self.0.elapsed().as_millis().try_into().unwrap())
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

async fn postbox(path: &std::path::Path) -> Postbox<Storage> {
    let storage = FlashFifo::new(FileFlash::open(path, 8).unwrap(), 0..8 * 4096).unwrap();
    Postbox::new(Outbox::open(storage, outbox::Config::default()).await.unwrap())
}

fn connection() -> Connection {
    Connection::new("platform", &v16::DIALECT, Config::default())
}

/// What the device sends next; time-outs pass meanwhile.
async fn sent(connection: &Connection, clock: &Tokio) -> String {
    loop {
        yield_now().await;
        if connection.poll_deadline().is_some_and(|deadline| deadline <= clock.now()) {
            connection.handle_timeout(clock.now());
        }
        if let Some(frame) = connection.poll_transmit(clock.now()) {
            return frame;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn number(frame: &str) -> u32 {
    frame.split('"').nth(1).unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_not_answered_goes_out_again_with_its_id_on_any_connection_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    let clock = Tokio(tokio::time::Instant::now());
    let refusals = RefCell::new(Vec::new());
    let refused = |entry: outbox::Entry, error: &onwire::CallError| {
        refusals.borrow_mut().push((entry.id.number(), error.description.to_string()));
    };
    {
        let postbox = postbox(&path).await;
        postbox.push(&HeartbeatRequest::new()).await.unwrap();
        postbox.push(&DataTransferRequest::new("second")).await.unwrap();
        let first = connection();
        let script = async {
            let frame = sent(&first, &clock).await;
            assert!(frame.contains("Heartbeat"), "{frame}");
            // Nobody answers: it is sent again after ten seconds, the very same.
            let before = clock.now();
            assert_eq!(sent(&first, &clock).await, frame);
            assert!(clock.now().saturating_since(before) >= Duration::from_secs(10));
            first.end(CallFailure::Disconnected);
        };
        let (delivered, ()) = tokio::join!(postbox.deliver(first.peer(), &clock, &refused), script);
        delivered.unwrap();
        assert_eq!(postbox.len().await, 2);
    }
    // The device restarts.
    let postbox = postbox(&path).await;
    assert_eq!(postbox.len().await, 2);
    let second = connection();
    let script = async {
        let frame = sent(&second, &clock).await;
        assert!(frame.contains("Heartbeat"), "{frame}");
        second.receive(&format!(r#"[3,"{}",{{}}]"#, number(&frame)), clock.now());
        let next = sent(&second, &clock).await;
        assert!(next.contains("second") && number(&next) == number(&frame) + 1, "{next}");
        second.receive(&format!(r#"[4,"{}","460","no such order",{{}}]"#, number(&next)), clock.now());
        // What is pushed meanwhile goes out at once.
        let third = postbox.push(&HeartbeatRequest::new()).await.unwrap();
        let frame = sent(&second, &clock).await;
        assert_eq!(number(&frame), third.number());
        second.receive(&format!(r#"[3,"{}",{{}}]"#, number(&frame)), clock.now());
        while !postbox.is_empty().await {
            yield_now().await;
        }
        second.end(CallFailure::Disconnected);
    };
    let (delivered, ()) = tokio::join!(postbox.deliver(second.peer(), &clock, &refused), script);
    delivered.unwrap();
    assert_eq!(*refusals.borrow(), [(2_147_483_649, "no such order".to_owned())]);
}
