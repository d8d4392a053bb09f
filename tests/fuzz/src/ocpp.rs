//! Frames of OCPP-J, and the session that takes them.

use std::pin::pin;
use std::task::{Context, Waker};

use onwire::ocpp::j::{FRAMING_1_6, FRAMING_2_0_1, FRAMING_2_1};
use onwire::ocpp::v16::{self, *};
use onwire::session::Config;
use onwire::types::DateTime;
use onwire::{Connection, Instant};

const NOW: Instant = Instant::from_millis(0);

struct CentralSystem;

#[onwire::handlers(v16, role = CentralSystem, local)]
impl CentralSystem {
    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::from_unix_millis(0))
    }

    #[on(StatusNotification)]
    fn status(&self, _: StatusNotificationRequest) -> StatusNotificationResponse {
        StatusNotificationResponse::new()
    }
}

/// Lines: the first one goes to each version's reader, all of them to a central system that has called.
pub fn ocpp_frames(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    for framing in [&FRAMING_1_6, &FRAMING_2_0_1, &FRAMING_2_1] {
        let line = text.lines().next().unwrap_or_default();
        if let Ok(frame) = (framing.split)(line) {
            let again = (framing.split)(line);
            assert_eq!(again, Ok(frame));
        }
    }
    let connection = Connection::new("CP", &v16::DIALECT, Config::default());
    let mut handlers = pin!(connection.serve(&CentralSystem));
    let mut context = Context::from_waker(Waker::noop());
    let mut calling = pin!(connection.peer().call(ResetRequest::new(ResetType::Soft)));
    let mut is_answered = calling.as_mut().poll(&mut context).is_ready();
    for line in text.lines() {
        while let Some(frame) = connection.poll_transmit(NOW) {
            assert!((FRAMING_1_6.split)(&frame).is_ok(), "{frame}");
        }
        connection.receive(line, NOW);
        assert!(handlers.as_mut().poll(&mut context).is_pending(), "it is not closed");
        is_answered = is_answered || calling.as_mut().poll(&mut context).is_ready();
    }
    let mut deadlines = 0;
    while let Some(deadline) = connection.poll_deadline().filter(|_| deadlines < 100) {
        deadlines += 1;
        connection.handle_timeout(deadline);
        let _ = handlers.as_mut().poll(&mut context).is_ready();
        while let Some(frame) = connection.poll_transmit(deadline) {
            assert!((FRAMING_1_6.split)(&frame).is_ok(), "{frame}");
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let lines = [
        r#"[2,"a","Heartbeat",{}]"#,
        r#"[2,"a\u00e9","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2026-01-01T00:00:00Z"}]"#,
        r#"[2,"b","Dance",{"a":[1,{"b":null}]}]"#,
        r#"[3,"1",{"status":"Accepted"}]"#,
        r#"[4,"1","GenericError","no",{}]"#,
        r#"[5,"1","GenericError","no",{}]"#,
        r#"[6,"1","NotifyPeriodicEventStream",{}]"#,
        r#"[2,7,"Heartbeat",{}]"#,
        r#"[2,"","Heartbeat",{}, 1]"#,
    ];
    lines.iter().map(|line| line.to_string()).chain([lines.join("\n")]).map(String::into_bytes).collect()
}
