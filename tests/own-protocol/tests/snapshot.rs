//! What was generated, and that it works.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use onwire::session::Config;
use onwire::{Connection, Instant, Router};
use own_protocol::till::{Payment, SaleRequest};
use own_protocol::{Office, Till};

#[test]
fn the_generated_code_is_reviewed() {
    let code = include_str!(concat!(env!("OUT_DIR"), "/till.rs"));
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!("till", code) });
}

#[test]
fn a_sale_is_booked() {
    let (till, office) = (Till, Office::default());
    let at_office = Connection::new("till 1", Office::DIALECT, Config::default());
    let at_till = Connection::new("office", Till::DIALECT, Config::default());
    let mut sale = SaleRequest::new("4006381333931", "1.20".parse::<onwire::types::Decimal>().unwrap());
    sale.payment = Some(Payment::Card);
    let mut call = pin!(at_till.peer().call(sale));
    let mut context = Context::from_waker(Waker::noop());
    let (mut office_runs, mut till_runs) = (pin!(at_office.serve(&office)), pin!(at_till.serve(&till)));
    for _ in 0..3 {
        for (from, to) in [(&at_till, &at_office), (&at_office, &at_till)] {
            while let Some(frame) = from.poll_transmit(Instant::default()) {
                to.receive(&frame);
            }
            let _ = (office_runs.as_mut().poll(&mut context), till_runs.as_mut().poll(&mut context));
        }
    }
    let Poll::Ready(response) = call.as_mut().poll(&mut context) else { panic!("no answer") };
    assert_eq!(response.unwrap().receipt, 1);
}
