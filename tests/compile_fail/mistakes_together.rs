#![allow(unused)]

use onwire::Peer;
use onwire::ocpp::v16::*;

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(Heartbeat)]
    fn one(&self) -> HeartbeatResponse {
        unreachable!()
    }

    #[on(Heartbeat)]
    fn two(&mut self) -> HeartbeatResponse {
        unreachable!()
    }

    #[after(Authorize)]
    async fn three(&self, peer: &Peer) {}

    #[on(StartTransaction)]
    fn four(&self, req: StartTransactionRequest) {}

    #[on]
    fn five(&self) {}
}

fn main() {}
