#![allow(unused)]

use onwire::Peer;
use onwire::ocpp::v16::*;

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(BootNotification)]
    async fn boot(&self, peer: &Peer, req: HeartbeatRequest) -> BootNotificationResponse {
        unreachable!()
    }
}

fn main() {}
