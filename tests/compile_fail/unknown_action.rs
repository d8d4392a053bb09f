#![allow(unused)]

use onwire::Peer;
use onwire::ocpp::v16::*;

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(BootNotificatoin)]
    async fn boot(&self, req: BootNotificationRequest) -> BootNotificationResponse {
        unreachable!()
    }
}

fn main() {}
