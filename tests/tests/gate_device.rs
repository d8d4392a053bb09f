//! A charge point that is generic over asynchronous hardware and not `Send`: driven by hand over the core without I/O,
//! and the same one by tokio on Linux.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use onwire::net::{Client, Server};
use onwire::ocpp::v16::*;
use onwire::session::Config;
use onwire::types::DateTime;
use onwire::{Connection, Instant, Peer, Router};

trait Hardware {
    async fn close_contactor(&self) -> bool;
    async fn energy_wh(&self) -> i64;
}

struct ChargePoint<H> {
    hardware: H,
    transaction: Cell<Option<i64>>,
}

#[onwire::handlers(ocpp::v16, role = ChargePoint, local)]
impl<H: Hardware> ChargePoint<H> {
    #[on(RemoteStartTransaction)]
    async fn remote_start(&self) -> RemoteStartTransactionResponse {
        let closed = self.hardware.close_contactor().await;
        RemoteStartTransactionResponse::new(match closed {
            true => RemoteStartStopStatus::Accepted,
            false => RemoteStartStopStatus::Rejected,
        })
    }

    #[after(RemoteStartTransaction)]
    async fn start(&self, peer: &Peer, req: RemoteStartTransactionRequest) {
        let meter = self.hardware.energy_wh().await;
        let start = StartTransactionRequest::new(1, req.id_tag, meter, DateTime::UNIX_EPOCH);
        self.transaction.set(peer.call(start).await.ok().map(|started| started.transaction_id));
    }
}

/// Hardware on a slow bus: each access takes a few turns of the executor. `Rc` makes it `!Send`.
struct Bench(Rc<RefCell<Vec<&'static str>>>);

impl Hardware for Bench {
    async fn close_contactor(&self) -> bool {
        turns(3).await;
        self.0.borrow_mut().push("closed");
        true
    }

    async fn energy_wh(&self) -> i64 {
        turns(2).await;
        self.0.borrow_mut().push("metered");
        1234
    }
}

async fn turns(mut count: u32) {
    std::future::poll_fn(|context| {
        count -= 1;
        context.waker().wake_by_ref();
        if count == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(StartTransaction)]
    fn start(&self, req: StartTransactionRequest) -> StartTransactionResponse {
        assert_eq!((req.id_tag.as_str(), req.meter_start), ("TAG1", 1234));
        StartTransactionResponse::new(IdTagInfo::new(AuthorizationStatus::Accepted), 77)
    }
}

/// The whole executor: one flag that says whether anybody wants to run.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_hand_made_executor_drives_it_over_the_core_without_io() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let charge_point = ChargePoint { hardware: Bench(log.clone()), transaction: Cell::new(None) };
    let device = Connection::new("central system", ChargePoint::<Bench>::DIALECT, Config::default());
    let server = Connection::new("CP1", Csms::DIALECT, Config::default());
    let cp1 = server.peer().clone();

    let mut device_runs = pin!(device.serve(&charge_point));
    let mut server_runs = pin!(server.serve(&Csms));
    let mut call = pin!(cp1.call(RemoteStartTransactionRequest::new("TAG1")));
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(flag.clone());
    let mut context = Context::from_waker(&waker);
    let mut answer = None;
    while answer.is_none() || charge_point.transaction.get().is_none() {
        assert!(flag.0.swap(false, Ordering::SeqCst), "everybody sleeps: a wake-up was lost");
        let _ = device_runs.as_mut().poll(&mut context);
        let _ = server_runs.as_mut().poll(&mut context);
        if answer.is_none()
            && let Poll::Ready(response) = call.as_mut().poll(&mut context)
        {
            answer = Some(response.unwrap().status);
        }
        // The wire: whatever one side wants to send, the other receives.
        let now = Instant::default();
        for (from, to) in [(&device, &server), (&server, &device)] {
            while let Some(frame) = from.poll_transmit(now) {
                to.receive(&frame, now);
            }
        }
    }
    assert_eq!(answer, Some(RemoteStartStopStatus::Accepted));
    assert_eq!(charge_point.transaction.get(), Some(77));
    assert_eq!(*log.borrow(), ["closed", "metered"]);
}

#[tokio::test(flavor = "current_thread")]
async fn tokio_drives_the_same_one_on_linux() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ocpp/CP1", server.local_addr().unwrap());
    let peers = server.peers();
    tokio::spawn(server.serve(Csms));

    let log = Rc::new(RefCell::new(Vec::new()));
    let charge_point = ChargePoint { hardware: Bench(log.clone()), transaction: Cell::new(None) };
    let client = Client::connect(&url, &charge_point).await.unwrap();
    let remote_start = async {
        let cp1 = loop {
            match peers.get("CP1") {
                Some(peer) => break peer,
                None => tokio::task::yield_now().await,
            }
        };
        let response = cp1.call(RemoteStartTransactionRequest::new("TAG1")).await.unwrap();
        assert_eq!(response.status, RemoteStartStopStatus::Accepted);
        while charge_point.transaction.get().is_none() {
            tokio::task::yield_now().await;
        }
    };
    client.run_until(remote_start).await.unwrap();
    assert_eq!(charge_point.transaction.get(), Some(77));
    assert_eq!(*log.borrow(), ["closed", "metered"]);
}
