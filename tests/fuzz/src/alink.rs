//! Messages of Alink: their topics, their envelopes, and the session that takes them.

use std::pin::pin;
use std::task::{Context, Waker};

use onwire::alink::{Arrived, DeviceRef, FRAMING, Routes, SyncServices, Topic};
use onwire::frame::Frame;
use onwire::session::{Config, Receipt};
use onwire::{Connection, Instant, Router};

use crate::socket::{Properties, PropertyGetResponse};

const NOW: Instant = Instant::from_millis(0);
const OWN: DeviceRef<'_> = DeviceRef { product_key: "a1", device_name: "d" };

struct Device;

#[onwire::handlers(crate::socket, role = Device, local)]
impl Device {
    #[on(PropertySet)]
    fn set(&self, _: Properties) {}

    #[on(PropertyGet)]
    fn get(&self) -> PropertyGetResponse {
        Properties::default()
    }
}

struct Platform;

#[onwire::handlers(crate::socket, role = Platform, local)]
impl Platform {
    #[on(PropertyPost)]
    fn posted(&self, _: Properties) {}
}

/// Lines by twos: a topic, and what is said on it. Both sides hear it.
pub fn alink_messages(data: &[u8]) {
    let mut device = Routes::device(OWN);
    if data.len().is_multiple_of(3) {
        device.frame_updates();
    }
    hear(data, device, &Device);
    let sync = SyncServices::new(["thing.service.Toggle"], data.len().is_multiple_of(2));
    hear(data, Routes::platform(OWN, sync), &Platform);
}

fn hear<R: Router>(data: &[u8], routes: Routes, router: &R) {
    let connection = Connection::new("peer", R::DIALECT, Config::default());
    let mut handlers = pin!(connection.serve(router));
    let mut context = Context::from_waker(Waker::noop());
    let mut calling =
        pin!(connection.peer().call(Properties::default().at(onwire::types::DateTime::from_unix_millis(0))));
    let mut is_answered = calling.as_mut().poll(&mut context).is_ready();
    let mut replies: Vec<Option<String>> = Vec::new();
    let mut lines = data.split(|byte| *byte == b'\n');
    while let (Some(topic), Some(payload)) = (lines.next(), lines.next()) {
        let Some(topic) = crate::text(topic) else { continue };
        let is_own = Topic::parse(topic).is_some_and(|topic| topic.device() == Some(OWN));
        match routes.arrived(topic.to_owned(), payload.to_vec()) {
            Some(Arrived::Frame { text, reply }) => {
                assert!(is_own, "{topic} is another's");
                // Made of what has another form on its topic.
                if let Some(Topic::Ota { .. }) = Topic::parse(topic) {
                    assert!(matches!((FRAMING.split)(&text), Ok(Frame::Send { .. })), "{text}");
                }
                replies.push(reply);
                let receipt = Receipt(u32::try_from(replies.len() - 1).unwrap_or(u32::MAX));
                connection.receive_as(&text, Some(receipt), NOW);
            }
            Some(Arrived::Message { topic: kept, payload: bytes }) => assert_eq!((&*kept, &*bytes), (topic, payload)),
            Some(Arrived::Unreadable { .. }) => assert!(std::str::from_utf8(payload).is_err()),
            _ => {}
        }
        assert!(handlers.as_mut().poll(&mut context).is_pending(), "it is not closed");
        while let Some(Receipt(done)) = connection.poll_receipt() {
            assert!(usize::try_from(done).is_ok_and(|done| done < replies.len()));
        }
        is_answered = is_answered || calling.as_mut().poll(&mut context).is_ready();
        while let Some((frame, receipt)) = connection.poll_transmit_for(NOW) {
            assert!((FRAMING.split)(&frame).is_ok(), "{frame}");
            let reply = receipt.and_then(|Receipt(number)| replies.get(usize::try_from(number).ok()?)?.as_deref());
            if let Ok((topic, _)) = routes.leaving(&frame, reply) {
                let device = Topic::parse(&topic).and_then(|topic| topic.device());
                assert_eq!(device, Some(OWN), "{topic}");
            }
        }
    }
    while let Some(deadline) = connection.poll_deadline() {
        connection.handle_timeout(deadline);
        let _ = handlers.as_mut().poll(&mut context).is_ready();
        if deadline > Instant::from_millis(3_600_000) {
            break;
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let lines = [
        (
            "/sys/a1/d/thing/service/property/set",
            r#"{"method":"thing.service.property.set","id":"7","params":{"Power":1},"version":"1.0.0"}"#,
        ),
        ("/sys/a1/d/thing/service/property/get", r#"{"id":8,"params":["Power"]}"#),
        (
            "/sys/a1/d/thing/event/property/post",
            r#"{"id":"1","sys":{"ack":0},"params":{"Power":{"value":1.5,"time":1}},"method":"thing.event.property.post"}"#,
        ),
        ("/sys/a1/d/thing/event/property/post_reply", r#"{"id":"1","code":200,"data":{},"message":"success"}"#),
        ("/sys/a1/d/thing/service/property/set_reply", r#"{"id":"1","code":460,"data":"","message":"no"}"#),
        ("/ext/rrpc/77/sys/a1/d/thing/service/Toggle", r#"{"id":"7","method":"thing.service.Toggle","params":{}}"#),
        ("/sys/a1/d/rrpc/request/77", r#"{"id":"7","method":"thing.service.Toggle","params":{}}"#),
        ("/sys/a1/d/rrpc/response/77", r#"{"id":"x","code":200,"data":{}}"#),
        ("/ext/rrpc/77/sys/a1/d/thing/service/Toggle", r#"{"id":"x","code":200,"data":{}}"#),
        ("/ext/session/a1/d/combine/login_reply", r#"{"id":"1","code":200,"data":{}}"#),
        ("/ota/device/upgrade/a1/d", r#"{"code":"1000","data":{"version":"2"},"id":1}"#),
        ("/ota/device/upgrade/a1/d", r#"{"id":"1","method":"thing.ota.upgrade","params":{"version":"2"}}"#),
        ("/sys/a1/d/thing/file/download_reply", "\0\u{2}{}"),
        ("/a1/d/user/x", "hello"),
    ];
    let lines: Vec<String> = lines.map(|(topic, payload)| format!("{topic}\n{payload}")).to_vec();
    lines.iter().cloned().chain([lines.join("\n")]).map(String::into_bytes).collect()
}
