#![allow(unused)]

use onwire::ocpp::v16::*;

struct Charger;

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl Charger {
    #[on(ClearCache)]
    fn clear_cache(&self) -> ClearCacheResponse {
        unreachable!()
    }
}

struct Csms {
    inner: Charger,
}

#[onwire::handlers(ocpp::v16, role = CentralSystem, rest = self.inner)]
impl Csms {
    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        unreachable!()
    }
}

fn main() {}
