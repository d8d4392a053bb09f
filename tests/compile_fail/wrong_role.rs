#![allow(unused)]

use onwire::Peer;
use onwire::ocpp::v16::*;

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(RemoteStartTransaction)]
    fn remote_start(&self, req: RemoteStartTransactionRequest) -> RemoteStartTransactionResponse {
        unreachable!()
    }
}

fn main() {}
