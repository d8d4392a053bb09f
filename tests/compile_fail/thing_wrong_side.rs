#![allow(unused)]

use onwire_tests::tracker::*;

struct Tracker;

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Tracker {
    #[on(PropertyPost)]
    fn post(&self, req: PropertyPostRequest) {}

    #[on(Locate)]
    fn locate(&self) {}

    #[on(PropertySet)]
    fn set(&self, alarm: MovementAlarmOutput) {}
}

fn main() {}
