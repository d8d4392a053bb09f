//! A message that is never answered (OCPP 2.1's SEND), typed on both sides.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use onwire::session::{Config, Received};
use onwire::{CallId, Connection, Instant, Peer, Router};
use onwire_tests::stream::*;

struct Recorder {
    beats: RefCell<Vec<i64>>,
}

#[onwire::handlers(onwire_tests::stream, role = Sink, local)]
impl Recorder {
    #[on(Beat)]
    async fn beat(&self, peer: &Peer, id: CallId<'_>, req: BeatRequest) {
        assert_eq!((peer.identity(), id.is_empty()), ("source", false));
        self.beats.borrow_mut().push(req.number);
    }
}

struct Heart;

#[onwire::handlers(onwire_tests::stream, role = Source)]
impl Heart {
    #[on(Ask)]
    fn ask(&self) -> AskResponse {
        AskResponse::new(7)
    }
}

const NOW: Instant = Instant::from_millis(0);

fn turn(connection: &Connection, router: &impl Router) {
    assert!(pin!(connection.serve(router)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[test]
fn a_send_is_handled_and_nobody_answers() {
    let source = Connection::new("sink", Heart::DIALECT, Config::default());
    let sink = Connection::new("source", Recorder::DIALECT, Config::default());
    let recorder = Recorder { beats: RefCell::default() };

    // It does not wait for a call that is outstanding.
    let _ask = sink.peer().call(AskRequest::new());
    let ask = sink.poll_transmit(NOW).unwrap();
    source.peer().send(BeatRequest::new(1)).unwrap();
    source.peer().send(BeatRequest::new(2)).unwrap();
    while let Some(frame) = source.poll_transmit(NOW) {
        assert_eq!(sink.receive(&frame, NOW), Received::Call);
    }
    turn(&sink, &recorder);
    assert_eq!(*recorder.beats.borrow(), [1, 2]);
    assert_eq!(sink.poll_transmit(NOW), None);
    source.receive(&ask, NOW);
    turn(&source, &Heart);
    assert_eq!(source.poll_transmit(NOW).unwrap(), r#"[3,"1",{"beats":7}]"#);

    // One that is broken, or that nobody handles, is dropped in silence.
    for frame in [r#"[6,"a","Beat",{"number":"x"}]"#, r#"[6,"b","Beat",{}]"#, r#"[6,"c","Drum",{}]"#] {
        assert_eq!(sink.receive(frame, NOW), Received::Call);
        turn(&sink, &recorder);
        assert_eq!(sink.poll_transmit(NOW), None, "{frame}");
    }
    // A peer that sends it as a CALL waits for something.
    sink.receive(r#"[2,"d","Beat",{"number":3}]"#, NOW);
    turn(&sink, &recorder);
    assert_eq!(sink.poll_transmit(NOW).unwrap(), r#"[3,"d",{}]"#);
    assert_eq!(*recorder.beats.borrow(), [1, 2, 3]);
    // And an action that came as a SEND is handled, and its answer kept back.
    source.receive(r#"[6,"e","Ask",{}]"#, NOW);
    turn(&source, &Heart);
    assert_eq!(source.poll_transmit(NOW), None);
}
