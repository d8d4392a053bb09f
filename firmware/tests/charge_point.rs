//! A charge point against a scripted central system, in memory and in simulated time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::time::Duration;

use onwire::ocpp::v16::*;
use onwire::session::Config;
use onwire::types::{DateTime, Decimal};
use onwire::{CallFailure, Connection, Instant, Peer, Router};
use onwire_firmware::{ChargePoint, Charged, Configuration, Hardware, Model, Reading};

/// Hardware on tokio's paused clock; what it is told is written down.
#[derive(Default)]
struct Bench {
    log: RefCell<Vec<String>>,
    energy_wh: Cell<i64>,
    clock: Cell<i64>,
    broken: Cell<bool>,
}

impl Hardware for Bench {
    async fn start_charging(&self, connector: i64) -> bool {
        self.log.borrow_mut().push(format!("start {connector}"));
        !self.broken.get()
    }

    async fn stop_charging(&self, connector: i64) {
        self.log.borrow_mut().push(format!("stop {connector}"));
    }

    fn cut_off(&self, connector: i64) {
        self.log.borrow_mut().push(format!("cut off {connector}"));
    }

    async fn read_meter(&self, _connector: i64) -> Reading {
        self.energy_wh.set(self.energy_wh.get() + 100);
        Reading { energy_wh: self.energy_wh.get(), power_w: Some(Decimal::new(70_005, 1)) }
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn now(&self) -> DateTime {
        DateTime::from_unix_millis(self.clock.get())
    }

    fn set_clock(&self, to: DateTime) {
        self.clock.set(to.unix_millis());
    }
}

/// Answers as it was told to, and writes down what it was sent.
struct CentralSystem {
    log: RefCell<Vec<String>>,
    /// Answers to BootNotification, the next one last; then Accepted with 300 s.
    boots: RefCell<Vec<(RegistrationStatus, i64)>>,
    authorize: AuthorizationStatus,
    start: AuthorizationStatus,
}

impl Default for CentralSystem {
    fn default() -> Self {
        let accepted = || AuthorizationStatus::Accepted;
        Self { log: RefCell::default(), boots: RefCell::default(), authorize: accepted(), start: accepted() }
    }
}

impl CentralSystem {
    fn note(&self, what: String) {
        self.log.borrow_mut().push(what);
    }

    fn take_log(&self) -> Vec<String> {
        self.log.take()
    }
}

#[onwire::handlers(ocpp::v16, role = CentralSystem, local)]
impl CentralSystem {
    #[on(BootNotification)]
    fn boot(&self) -> BootNotificationResponse {
        self.note("boot".to_owned());
        let (status, interval) = self.boots.borrow_mut().pop().unwrap_or((RegistrationStatus::Accepted, 300));
        BootNotificationResponse::new(status, DateTime::from_unix_millis(1_755_134_629_000), interval)
    }

    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        self.note("heartbeat".to_owned());
        HeartbeatResponse::new(DateTime::UNIX_EPOCH)
    }

    #[on(StatusNotification)]
    fn status(&self, req: StatusNotificationRequest) -> StatusNotificationResponse {
        self.note(format!("{} {}", req.connector_id, req.status));
        StatusNotificationResponse::new()
    }

    #[on(Authorize)]
    fn authorize(&self, req: AuthorizeRequest) -> AuthorizeResponse {
        self.note(format!("authorize {}", req.id_tag));
        AuthorizeResponse::new(IdTagInfo::new(self.authorize.clone()))
    }

    #[on(StartTransaction)]
    fn start(&self, req: StartTransactionRequest) -> StartTransactionResponse {
        self.note(format!("start {} at {}", req.id_tag, req.meter_start));
        StartTransactionResponse::new(IdTagInfo::new(self.start.clone()), 7)
    }

    #[on(MeterValues)]
    fn meter_values(&self, req: MeterValuesRequest) -> MeterValuesResponse {
        let values: Vec<_> = req.meter_value[0].sampled_value.iter().map(|sample| sample.value.to_string()).collect();
        self.note(format!("meter {:?} {values:?}", req.transaction_id));
        MeterValuesResponse::new()
    }

    #[on(StopTransaction)]
    fn stop(&self, req: StopTransactionRequest) -> StopTransactionResponse {
        self.note(format!("stop {} at {} {:?}", req.transaction_id, req.meter_stop, req.reason.unwrap()));
        StopTransactionResponse::new()
    }
}

fn charge_point(connectors: usize) -> ChargePoint<Bench> {
    let model = Model { vendor: "V".into(), model: "M".into(), firmware_version: None };
    ChargePoint::new(Bench::default(), model, Configuration::default(), connectors)
}

/// Connects both, runs `work` with the handles of the central system and of the charge point, and disconnects.
async fn connected<T, F: Future<Output = T>>(
    charge_point: &ChargePoint<Bench>,
    central_system: &CentralSystem,
    work: impl FnOnce(Peer, Peer) -> F,
) -> T {
    let at_cp = Connection::new("central system", CentralSystem::DIALECT, Config::default());
    let at_cs = Connection::new("CP1", CentralSystem::DIALECT, Config::default());
    let carry = async |from: &Connection, to: &Connection| {
        while let Some(frame) = from.transmit(Instant::default).await {
            to.receive(&frame, Instant::default());
        }
    };
    let work = work(at_cp.peer().clone(), at_cs.peer().clone());
    tokio::select! {
        done = work => done,
        () = side(carry(&at_cp, &at_cs), at_cp.serve(charge_point)) => panic!("a side never ends the test"),
        () = side(carry(&at_cs, &at_cp), at_cs.serve(central_system)) => panic!("a side never ends the test"),
    }
}

/// Transport and handlers of one side; the work goes on when the connection has ended.
async fn side(transport: impl Future<Output = ()>, handlers: impl Future<Output = ()>) {
    tokio::join!(transport, handlers);
    std::future::pending::<()>().await;
}

async fn after(seconds: u64) -> Reason {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Reason::Local
}

#[tokio::test(start_paused = true)]
async fn boot_is_repeated_until_accepted_at_the_interval_that_is_asked_for() {
    let (cp, cs) = (charge_point(2), CentralSystem::default());
    *cs.boots.borrow_mut() = vec![(RegistrationStatus::Pending, 0), (RegistrationStatus::Rejected, 90)];
    let start = tokio::time::Instant::now();
    connected(&cp, &cs, async |to_cs, _| cp.boot(&to_cs).await).await.unwrap();
    // 90 s as told, then 60 s of the charge point's own choice.
    assert_eq!(start.elapsed().as_secs(), 150);
    assert_eq!(cs.take_log(), ["boot", "boot", "boot", "0 Available", "1 Available", "2 Available"]);
    assert_eq!(cp.hardware().now().unix_millis(), 1_755_134_629_000);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_come_at_the_interval_of_the_boot() {
    let (cp, cs) = (charge_point(1), CentralSystem::default());
    *cs.boots.borrow_mut() = vec![(RegistrationStatus::Accepted, 10)];
    connected(&cp, &cs, async |to_cs, _| {
        cp.boot(&to_cs).await.unwrap();
        let _ = tokio::time::timeout(Duration::from_secs(35), cp.heartbeats(&to_cs)).await;
    })
    .await;
    assert_eq!(cs.take_log()[3..], ["heartbeat", "heartbeat", "heartbeat"]);
}

#[tokio::test(start_paused = true)]
async fn a_local_session_is_authorized_metered_and_stopped() {
    let (cp, cs) = (charge_point(1), CentralSystem::default());
    let charged = connected(&cp, &cs, async |to_cs, _| cp.charge(&to_cs, 1, "TAG1".into(), after(130)).await).await;
    assert_eq!(charged, Ok(Charged::Stopped { transaction_id: 7, energy_wh: 300, reason: Reason::Local }));
    assert_eq!(
        cs.take_log(),
        [
            "authorize TAG1",
            "1 Preparing",
            "start TAG1 at 100",
            "1 Charging",
            r#"meter Some(7) ["200", "7000.5"]"#,
            r#"meter Some(7) ["300", "7000.5"]"#,
            "stop 7 at 400 Local",
            "1 Finishing",
            "1 Available"
        ]
    );
    assert_eq!(*cp.hardware().log.borrow(), ["start 1", "stop 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_is_not_accepted_does_not_charge() {
    let (cp, mut cs) = (charge_point(1), CentralSystem::default());
    cs.authorize = AuthorizationStatus::Blocked;
    let charged = connected(&cp, &cs, async |to_cs, _| cp.charge(&to_cs, 1, "TAG1".into(), after(1)).await).await;
    assert_eq!(charged, Ok(Charged::NotAuthorized(AuthorizationStatus::Blocked)));
    assert_eq!(cs.take_log(), ["authorize TAG1"]);

    // The verdict may come with the start only.
    (cs.authorize, cs.start) = (AuthorizationStatus::Accepted, AuthorizationStatus::Invalid);
    let charged = connected(&cp, &cs, async |to_cs, _| cp.charge(&to_cs, 1, "TAG1".into(), after(1)).await).await;
    assert!(matches!(charged, Ok(Charged::Stopped { reason: Reason::DeAuthorized, .. })), "{charged:?}");
    assert!(cs.take_log().iter().any(|line| line.starts_with("stop 7") && line.ends_with("DeAuthorized")));
    assert_eq!(*cp.hardware().log.borrow(), ["start 1", "stop 1"]);
}

#[tokio::test(start_paused = true)]
async fn connectors_that_do_not_exist_or_cannot_start_do_not_charge() {
    let (cp, cs) = (charge_point(1), CentralSystem::default());
    for connector in [-1, 0, 2, i64::MAX] {
        let charged =
            connected(&cp, &cs, async |to_cs, _| cp.charge(&to_cs, connector, "TAG1".into(), after(1)).await).await;
        assert_eq!(charged, Ok(Charged::Occupied), "{connector}");
    }
    cp.hardware().broken.set(true);
    let charged = connected(&cp, &cs, async |to_cs, _| cp.charge(&to_cs, 1, "TAG1".into(), after(1)).await).await;
    assert_eq!(charged, Ok(Charged::Refused));
    assert_eq!(cs.take_log(), ["authorize TAG1", "1 Preparing", "1 Available"]);
}

#[tokio::test(start_paused = true)]
async fn the_central_system_starts_and_stops_sessions() {
    let (cp, cs) = (charge_point(2), CentralSystem::default());
    let remote_start =
        |connector_id| RemoteStartTransactionRequest { connector_id, ..RemoteStartTransactionRequest::new("REMOTE") };
    connected(&cp, &cs, async |to_cs, to_cp| {
        let commands = async {
            // TC_027: connector 0 is refused, and so is one that does not exist.
            for connector in [Some(0), Some(3)] {
                let response = to_cp.call(remote_start(connector)).await.unwrap();
                assert_eq!(response.status, RemoteStartStopStatus::Rejected, "{connector:?}");
            }
            assert_eq!(to_cp.call(remote_start(Some(1))).await.unwrap().status, RemoteStartStopStatus::Accepted);
            assert_eq!(to_cp.call(remote_start(Some(1))).await.unwrap().status, RemoteStartStopStatus::Rejected);
            tokio::time::sleep(Duration::from_secs(30)).await;
            let another = to_cp.call(RemoteStopTransactionRequest::new(8)).await.unwrap();
            assert_eq!(another.status, RemoteStartStopStatus::Rejected);
            let ours = to_cp.call(RemoteStopTransactionRequest::new(7)).await.unwrap();
            assert_eq!(ours.status, RemoteStartStopStatus::Accepted);
            tokio::time::sleep(Duration::from_secs(1)).await;
            // Free again; without a connector the first free one is taken.
            assert_eq!(to_cp.call(remote_start(None)).await.unwrap().status, RemoteStartStopStatus::Accepted);
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        tokio::select! {
            () = commands => {}
            failed = cp.obey(&to_cs) => panic!("{failed:?}"),
        }
    })
    .await;
    let log = cs.take_log();
    assert!(log.contains(&"stop 7 at 200 Remote".to_owned()), "{log:?}");
    assert_eq!(log.iter().filter(|line| line.starts_with("start REMOTE")).count(), 2, "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn the_contactor_opens_when_the_connection_is_lost_during_a_session() {
    let (cp, cs) = (charge_point(1), CentralSystem::default());
    let charged = connected(&cp, &cs, async |to_cs, _| {
        tokio::join!(cp.charge(&to_cs, 1, "TAG1".into(), std::future::pending()), async {
            tokio::time::sleep(Duration::from_secs(90)).await;
            to_cs.disconnect(CallFailure::Disconnected);
        })
        .0
    });
    // The connection's own end is the test's: the session sees it at its next call.
    let charged = tokio::time::timeout(Duration::from_secs(600), charged).await;
    assert!(matches!(charged, Ok(Err(CallFailure::NotSent))), "{charged:?}");
    assert_eq!(*cp.hardware().log.borrow(), ["start 1", "stop 1"]);
}

#[tokio::test(start_paused = true)]
async fn the_contactor_opens_when_the_session_is_dropped() {
    let (cp, cs) = (charge_point(2), CentralSystem::default());
    connected(&cp, &cs, async |to_cs, to_cp| {
        let commands = async {
            for connector in [1, 2] {
                let start = RemoteStartTransactionRequest::new("REMOTE");
                let start = RemoteStartTransactionRequest { connector_id: Some(connector), ..start };
                assert_eq!(to_cp.call(start).await.unwrap().status, RemoteStartStopStatus::Accepted);
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
        };
        tokio::select! {
            () = commands => {}
            failed = cp.obey(&to_cs) => panic!("{failed:?}"),
        }
        // Nobody obeys any more.
        let refused = to_cp.call(RemoteStartTransactionRequest::new("REMOTE")).await.unwrap();
        assert_eq!(refused.status, RemoteStartStopStatus::Rejected);
    })
    .await;
    assert_eq!(*cp.hardware().log.borrow(), ["start 1", "start 2", "cut off 1", "cut off 2"]);
}
