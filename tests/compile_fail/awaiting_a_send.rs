#![allow(unused)]

use onwire::Peer;
use onwire_tests::stream::*;

async fn wait(peer: &Peer) {
    peer.call(BeatRequest::new(1)).await;
    peer.send(BeatRequest::new(1)).await;
    peer.send(AskRequest::new());
}

fn main() {}
