#![allow(unused)]

use onwire::Peer;
use onwire::ocpp::v16::*;

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(Heartbeat)]
    fn heartbeat(&self, res: HeartbeatResponse) -> HeartbeatResponse {
        res
    }
}

fn main() {}
