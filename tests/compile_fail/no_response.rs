#![allow(unused)]

use onwire::ocpp::v16::*;

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(Heartbeat)]
    fn heartbeat(&self) {}
}

fn main() {}
