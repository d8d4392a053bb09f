#![allow(unused)]

use onwire::Peer;
use onwire::ocpp::v16::*;

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        unreachable!()
    }

    #[after(Heartbeat)]
    async fn after_heartbeat(&self, peer: &Peer) -> bool {
        true
    }
}

fn main() {}
