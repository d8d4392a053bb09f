//! A thing-model service on a device, from an Aliyun thing model of ten lines: no OCPP anywhere.

use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use onwire::session::Config;
use onwire::types::Decimal;
use onwire::{CallFailure, Connection, Instant, Router};
use onwire_tests::charger::*;

struct Pile {
    started: Cell<Option<i64>>,
}

#[onwire::handlers(onwire_tests::charger, role = Device, local)]
impl Pile {
    #[on(StartCharging)]
    async fn start_charging(&self, req: StartChargingRequest) -> StartChargingResponse {
        self.started.set(Some(req.connector_id));
        let eco = req.mode == Mode::Eco;
        StartChargingResponse::new(true, if eco { Decimal::new(35, 1) } else { req.power_limit })
    }
}

/// Runs one call to its end on the spot.
fn turn(connection: &Connection, pile: &Pile, text: &str) -> String {
    connection.receive(text, Instant::default());
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(pin!(connection.serve(pile)).poll(&mut context), Poll::Pending);
    connection.poll_transmit(Instant::default()).unwrap()
}

#[test]
fn a_service_call_of_the_platform_reaches_the_typed_handler() {
    let pile = Pile { started: Cell::new(None) };
    let connection = Connection::new("platform", Pile::DIALECT, Config::default());
    let answer = turn(
        &connection,
        &pile,
        r#"{"method":"thing.service.StartCharging","id":"7","params":{"ConnectorId":2,"PowerLimit":7,"Mode":0},"version":"1.0.0"}"#,
    );
    assert_eq!(answer, r#"{"id":"7","code":200,"data":{"Result":1,"Power":7.0},"message":"success"}"#);
    assert_eq!(pile.started.get(), Some(2));

    // The id keeps its form, and a parameter out of range is told by name.
    let answer = turn(
        &connection,
        &pile,
        r#"{"method":"thing.service.StartCharging","id":8,"params":{"ConnectorId":9,"PowerLimit":7,"Mode":1}}"#,
    );
    assert_eq!(answer, r#"{"id":8,"code":460,"message":"/ConnectorId: number out of range","data":{}}"#);
    let answer = turn(&connection, &pile, r#"{"method":"thing.service.Dance","id":"9","params":{}}"#);
    assert_eq!(answer, r#"{"id":"9","code":404,"message":"this method is not served","data":{}}"#);
}

#[test]
fn the_platform_side_calls_it_typed() {
    let pile = Pile { started: Cell::new(None) };
    let device = Connection::new("platform", Pile::DIALECT, Config::default());
    let platform = Connection::new("pile", Pile::DIALECT, Config::default());
    let request = StartChargingRequest::new(1, Decimal::new(75, 1), Mode::Eco);
    let mut call = pin!(platform.peer().call(request));
    let frame = platform.poll_transmit(Instant::default()).unwrap();
    platform.receive(&turn(&device, &pile, &frame), Instant::default());
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(response) = call.as_mut().poll(&mut context) else { panic!("no answer") };
    assert_eq!(response, Ok(StartChargingResponse::new(true, Decimal::new(35, 1))));

    let too_much = StartChargingRequest::new(1, 8, Mode::Fast);
    let mut call = pin!(platform.peer().call(too_much));
    let Poll::Ready(Err(CallFailure::Unsendable(error))) = call.as_mut().poll(&mut context) else { panic!("was sent") };
    assert_eq!(error.to_string(), "/PowerLimit: number out of range");
}
