#![allow(unused)]

use onwire::Peer;
use onwire_tests::stream::*;

struct Recorder;

#[onwire::handlers(onwire_tests::stream, role = Sink)]
impl Recorder {
    #[on(Beat)]
    fn beat(&self, req: BeatRequest) -> AskResponse {
        unreachable!()
    }
}

fn main() {}
