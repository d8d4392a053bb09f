//! A charging session by the charging pile's thing model: started by the platform, ended by it, and settled.

use std::cell::RefCell;

use onwire::types::DateTime;
use onwire::{CallError, ErrorCode, Peer};
use onwire_tests::pile::*;
use onwire_tests::wire::Wire;

const BEGAN: DateTime = DateTime::from_unix_millis(1_700_000_000_000);
const ENDED: DateTime = DateTime::from_unix_millis(1_700_003_600_000);

/// A pile with one connector.
#[derive(Default)]
struct Charger {
    charges: RefCell<Option<StartChargingRequest>>,
}

#[onwire::handlers(onwire_tests::pile, role = Device, local)]
impl Charger {
    #[on(StartCharging)]
    async fn start(&self, req: StartChargingRequest) -> StartChargingResponse {
        let outcome = if self.charges.borrow().is_some() { Outcome::NotPossibleNow } else { Outcome::Done };
        let response = StartChargingResponse::new(req.order_no.clone(), req.gun, outcome, 0);
        self.charges.borrow_mut().get_or_insert(req);
        response
    }

    #[after(StartCharging)]
    async fn started(&self, peer: &Peer, req: StartChargingRequest, res: StartChargingResponse) {
        let result = StartResultOutput {
            order_no: req.order_no,
            gun: req.gun,
            outcome: res.outcome,
            reason: res.reason,
            started_at: BEGAN,
            meter_start: 118_000,
        };
        assert_eq!(peer.call(result.at(BEGAN)).await, Ok(StartResultResponse::new()));
    }

    #[on(StopCharging)]
    fn stop(&self, req: StopChargingRequest) -> Result<StopChargingResponse, CallError> {
        match &*self.charges.borrow() {
            Some(charges) if charges.order_no == req.order_no => {
                Ok(StopChargingResponse::new(req.order_no, req.gun, Outcome::Done, 0))
            }
            _ => Err(CallError::new(ErrorCode::Other("100002".into()), "no such order")),
        }
    }

    #[after(StopCharging)]
    async fn settle(&self, peer: &Peer) {
        let Some(charged) = self.charges.borrow_mut().take() else { return };
        assert_eq!(peer.call(order(charged).at(ENDED)).await, Ok(OrderUploadResponse::new()));
    }
}

fn order(charged: StartChargingRequest) -> OrderUploadOutput {
    OrderUploadOutput {
        order_no: charged.order_no,
        gun: charged.gun,
        serial: "NW-0031877".into(),
        user: charged.user,
        started_by: StartedBy::Application,
        vehicle_id: "WVWZZZ1KZAW000001".into(),
        plate_no: "粤A·12345".into(),
        started_at: BEGAN,
        ended_at: ENDED,
        duration: 3600,
        meter_start: 118_000,
        meter_end: 140_500,
        energy: 22_500,
        energy_sharp: 0,
        energy_peak: 12_500,
        energy_flat: 10_000,
        energy_valley: 0,
        cost_sharp: 0,
        cost_peak: 125_000,
        cost_flat: 70_000,
        cost_valley: 0,
        energy_cost: 195_000,
        service_cost: 90_000,
        total_cost: 285_000,
        fee_model: charged.fee_model,
        soc_start: 20,
        soc_end: 58,
        stop_reason: StopReason::StoppedByThePlatform,
        stop_code: 0,
        offline: false,
        uploads: 0,
    }
}

/// The platform, which keeps what is told.
#[derive(Default)]
struct Hub {
    started: RefCell<Vec<StartResultOutput>>,
    orders: RefCell<Vec<OrderUploadRequest>>,
}

#[onwire::handlers(onwire_tests::pile, role = Platform, local)]
impl Hub {
    #[on(StartResult)]
    fn started(&self, result: StartResultOutput) {
        self.started.borrow_mut().push(result);
    }

    #[on(OrderUpload)]
    async fn settle(&self, order: OrderUploadRequest) {
        self.orders.borrow_mut().push(order);
    }
}

fn start() -> StartChargingRequest {
    StartChargingRequest {
        order_no: "20231114-0007".into(),
        gun: 1,
        user: "u-58".into(),
        limit: Limit::Money,
        limit_value: 300_000,
        power_limit: 60_000,
        balance: 500_000,
        fee_model: "F3".into(),
    }
}

#[test]
fn a_session_is_started_stopped_and_settled() {
    let (wire, charger, hub) = (Wire::between::<Charger, Hub>(), Charger::default(), Hub::default());
    let peer = wire.platform.peer();
    let started = wire.run(&charger, &hub, peer.call(start())).unwrap();
    assert_eq!((started.outcome, started.order_no.as_str()), (Outcome::Done, "20231114-0007"));
    assert_eq!(hub.started.borrow()[0].meter_start, 118_000);
    let again = wire.run(&charger, &hub, peer.call(start())).unwrap();
    assert_eq!(again.outcome, Outcome::NotPossibleNow);

    let other = StopChargingRequest::new("another", 1, Cause::Operator);
    let refused = wire.run(&charger, &hub, peer.call(other)).unwrap_err();
    assert_eq!(refused.to_string(), "the peer refused: 100002: no such order");
    assert_eq!(*hub.orders.borrow(), []);
    let stop = StopChargingRequest::new("20231114-0007", 1, Cause::AskedByTheUser);
    assert_eq!(wire.run(&charger, &hub, peer.call(stop)).unwrap().outcome, Outcome::Done);
    assert_eq!(*hub.orders.borrow(), [order(start()).at(ENDED)]);
}
