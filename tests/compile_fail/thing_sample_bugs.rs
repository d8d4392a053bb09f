#![allow(unused)]

use onwire::alink::system::*;
use onwire::types::RawJson;
use onwire_firmware::ota::{Action, Reason};
use onwire_tests::tracker::*;

// A sample of a vendor's takes the method that sets properties for a service of that name ..
struct Service;

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Service {
    #[on(Set)]
    fn set(&self) {}
}

// .. waits for updates where devices tell their versions ..
struct Updates;

#[onwire::handlers(onwire::alink::system, role = Device)]
impl Updates {
    #[on(OtaInform)]
    fn offered(&self, update: OtaInformRequest) {}
}

// .. hands the envelope to what wants its inside ..
struct Envelope;

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Envelope {
    #[on(PropertySet)]
    fn set(&self, message: RawJson) {}
}

// .. and tells of a failure as of success.
const FAILED: Reason = 100;

fn main() {}
