#![allow(unused)]

use onwire_tests::charger::*;

struct Pile;

#[onwire::handlers(onwire_tests::charger, role = Device)]
impl Pile {
    #[on(StartChargin)]
    async fn start(&self, req: StartChargingRequest) -> StartChargingResponse {
        unreachable!()
    }
}

fn main() {}
