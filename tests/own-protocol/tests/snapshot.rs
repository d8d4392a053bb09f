//! What was generated, and that it works.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use onwire::codec::{Fault, Quirks, decode, encode};
use onwire::session::Config;
use onwire::types::RawJson;
use onwire::{Connection, Instant, Router};
use own_protocol::till::{Payment, Remarks, SaleRequest};
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
                to.receive(&frame, Instant::default());
            }
            let _ = (office_runs.as_mut().poll(&mut context), till_runs.as_mut().poll(&mut context));
        }
    }
    let Poll::Ready(response) = call.as_mut().poll(&mut context) else { panic!("no answer") };
    assert_eq!(response.unwrap().receipt, 1);
}

#[test]
fn what_the_schema_says_is_secret_is_not_for_logs() {
    let sale = r#"[2,"1","Sale",{"article":"1","price":1,"voucher":"F00D"}]"#;
    let masked = onwire::net::masked(&own_protocol::till::DIALECT, sale);
    assert_eq!(masked, r#"[2,"1","Sale",{"article":"1","price":1,"voucher":"***"}]"#);
}

#[test]
fn properties_that_an_open_object_does_not_name_are_kept() {
    let text = concat!(
        r#"{"article":"1","price":1,"remarks":{"cashier":"Li","shelf":{"row":[1, 2.50]},"#,
        r#""\u0062ag":true}}"#,
    );
    let sale: SaleRequest = decode(text, Quirks::NONE).unwrap();
    let mut remarks = sale.remarks.clone().unwrap();
    assert_eq!(remarks.cashier, "Li");
    assert_eq!(remarks.additional_properties["shelf"].as_str(), r#"{"row":[1, 2.50]}"#);
    assert_eq!(remarks.additional_properties["bag"].as_str(), "true");

    let mut written = String::new();
    encode(&sale, &mut written).unwrap();
    assert_eq!(decode::<SaleRequest>(&written, Quirks::NONE).unwrap(), sale);
    let through_serde: serde_json::Value = serde_json::to_value(&sale).unwrap();
    assert_eq!(through_serde, serde_json::from_str::<serde_json::Value>(text).unwrap());
    assert_eq!(serde_json::from_value::<SaleRequest>(through_serde).unwrap().remarks.unwrap().cashier, "Li");

    remarks.additional_properties.insert("cashier".into(), RawJson::new("7").unwrap());
    let refused = encode(&remarks, &mut written).unwrap_err();
    assert_eq!(refused.fault, Fault::Duplicate);
    let twice = r#"{"cashier":"Li","bag":1,"bag":2}"#;
    assert_eq!(decode::<Remarks>(twice, Quirks::ALL).unwrap_err().to_string(), "/bag: given twice");
}
