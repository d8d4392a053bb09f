#![allow(unused)]

use onwire::net::Server;
use onwire::ocpp::v16::*;

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem, local)]
impl Csms {
    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        unreachable!()
    }
}

async fn serve(server: Server) {
    let _ = server.serve(Csms).await;
}

fn main() {}
