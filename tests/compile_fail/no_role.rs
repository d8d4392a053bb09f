#![allow(unused)]

use onwire::Peer;
use onwire::ocpp::v16::*;

struct Csms;

#[onwire::handlers(ocpp::v16)]
impl Csms {
    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        unreachable!()
    }
}

fn main() {}
