//! Which topic a frame belongs on, and which frame a topic brings.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::framing::{self, FRAMING};
use super::{DeviceRef, Ota, Topic, upgrade};
use crate::core::frame::{Defect, Frame};
use crate::core::mqtt::NotPublished;
use crate::core::topic::Direction;

/// Which services are called over a topic that waits for the answer (RRPC), and which of the two.
#[derive(Debug, Clone, Default)]
pub struct SyncServices {
    /// Their methods: `thing.service.{id}`.
    pub methods: Vec<Box<str>>,
    /// On `/ext/rrpc/..`, as a device asks with the first bit of `ext` when it connects; on `/sys/../rrpc/request/..` otherwise.
    pub extended: bool,
}

impl SyncServices {
    /// Those of a generated module, `SYNC_SERVICES`, or of a model that is read when the program runs.
    pub fn new<M: Into<Box<str>>>(methods: impl IntoIterator<Item = M>, extended: bool) -> Self {
        Self { methods: methods.into_iter().map(Into::into).collect(), extended }
    }
}

/// What came on a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arrived {
    /// For [`Connection::receive_as`](crate::Connection::receive_as).
    Frame {
        /// The frame.
        text: String,
        /// On which topic it is to be answered, if it is a call.
        reply: Option<String>,
    },
    /// A message on another topic: shadow, clock, update, raw bytes, the user's own, or that of another device.
    Message {
        /// What [`Topic::parse`] reads.
        topic: String,
        /// What it says.
        payload: Vec<u8>,
    },
    /// A message that is not text where text was due.
    Unreadable {
        /// On which topic.
        topic: String,
    },
}

/// Why a frame was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSent {
    /// The answer to a call that is not known, or no longer.
    #[error("an answer to no call")]
    NoCall,
    /// No frame, or one whose method belongs on no topic.
    #[error("no topic for this message")]
    NoTopic,
    /// MQTT did not take it.
    #[error(transparent)]
    NotPublished(#[from] NotPublished),
}

/// One device's topics, of either side.
#[derive(Debug)]
pub struct Routes {
    product_key: Box<str>,
    device_name: Box<str>,
    is_platform: bool,
    sync: SyncServices,
    /// What the platform says of updates comes as frames.
    frames_updates: bool,
}

impl Routes {
    /// The device's side.
    pub fn device(device: DeviceRef<'_>) -> Self {
        Self::new(device, false, SyncServices::default())
    }

    /// The platform's side.
    pub fn platform(device: DeviceRef<'_>, sync: SyncServices) -> Self {
        Self::new(device, true, sync)
    }

    fn new(device: DeviceRef<'_>, is_platform: bool, sync: SyncServices) -> Self {
        Self {
            product_key: device.product_key.into(),
            device_name: device.device_name.into(),
            is_platform,
            sync,
            frames_updates: false,
        }
    }

    /// Makes frames of `ota.device.upgrade` of what the platform says of updates, for a device that handles them as it handles
    /// calls; they are messages otherwise.
    pub fn frame_updates(&mut self) {
        self.frames_updates = true;
    }

    /// Whose they are.
    pub fn own(&self) -> DeviceRef<'_> {
        DeviceRef { product_key: &self.product_key, device_name: &self.device_name }
    }

    /// What a message is; `None` for one's own, from a broker that was asked for too much.
    pub fn arrived(&self, topic: String, payload: Vec<u8>) -> Option<Arrived> {
        let own = self.own();
        let Some(parsed) = Topic::parse(&topic).filter(|parsed| parsed.device() == Some(own)) else {
            return Some(Arrived::Message { topic, payload });
        };
        if self.frames_updates && matches!(parsed, Topic::Ota { what: Ota::Upgrade, .. }) {
            let frame = core::str::from_utf8(&payload).ok().and_then(upgrade::framed);
            return Some(match frame {
                Some(text) => Arrived::Frame { text, reply: None },
                None => Arrived::Message { topic, payload },
            });
        }
        // What is not framed belongs to the user, who may call by RRPC in words of his own.
        let is_framed = |is_call: bool| {
            let frame = core::str::from_utf8(&payload).ok().and_then(|text| (FRAMING.split)(text).ok());
            frame.is_some_and(|frame| matches!(frame, Frame::Call { .. } | Frame::Send { .. }) == is_call)
        };
        let own_direction = if self.is_platform { Direction::Down } else { Direction::Up };
        // Where a call waits for its answer, the topic says which it is; Aliyun's Node.js SDK writes another id into the answer.
        let mut answered = None;
        let (method, reply) = match parsed {
            Topic::Thing { .. } | Topic::ThingReply { .. } if parsed.direction() == Some(own_direction) => return None,
            // One of the two is a frame of bytes, which no session can write or read.
            _ if !parsed.is_framed() => return Some(Arrived::Message { topic, payload }),
            Topic::Thing { device, path } => (parsed.method(), Some(Topic::ThingReply { device, path }.to_string())),
            Topic::ThingReply { .. } => (None, None),
            Topic::Session { action, .. } if !self.is_platform => match action.ends_with("_reply") {
                true => (None, None),
                false => return None,
            },
            Topic::RrpcRequest { device, id } if !self.is_platform && is_framed(true) => {
                (None, Some(Topic::RrpcResponse { device, id }.to_string()))
            }
            Topic::RrpcResponse { id, .. } if self.is_platform && is_session_id(id) && is_framed(false) => {
                answered = Some(id.to_owned());
                (None, None)
            }
            Topic::ExtRrpc { id, rest } => match Topic::parse(rest) {
                Some(Topic::Thing { .. }) if self.is_platform => {
                    answered = Some(id.to_owned());
                    (None, None)
                }
                Some(service @ Topic::Thing { .. }) => (service.method(), Some(topic.clone())),
                _ => return Some(Arrived::Message { topic, payload }),
            },
            _ => return Some(Arrived::Message { topic, payload }),
        };
        let Ok(text) = String::from_utf8(payload) else { return Some(Arrived::Unreadable { topic }) };
        Some(match reply {
            Some(reply) => Arrived::Frame { text: call(text, method.as_deref()), reply: Some(reply) },
            None => {
                let text = match answered {
                    Some(id) => with_id(text, &id),
                    None => text,
                };
                Arrived::Frame { text, reply: None }
            }
        })
    }

    /// The topic of a frame of a [`Connection`](crate::Connection); that of an answer is the `reply` of its call.
    ///
    /// # Errors
    /// [`NotSent::NoCall`] and [`NotSent::NoTopic`].
    pub fn topic(&self, frame: &str, reply: Option<&str>) -> Result<String, NotSent> {
        let token = |range| frame.get(range).unwrap_or("");
        match (FRAMING.split)(frame).map_err(|_| NotSent::NoTopic)? {
            Frame::Call { id, action, .. } | Frame::Send { id, action, .. } => {
                self.topic_of(token(action), token(id)).ok_or(NotSent::NoTopic)
            }
            Frame::CallResult { .. } | Frame::CallError { .. } => Ok(reply.ok_or(NotSent::NoCall)?.to_owned()),
            Frame::ResultError { .. } => Err(NotSent::NoTopic),
        }
    }

    /// The topic of a frame of a [`Connection`](crate::Connection), and what stands on it: the frame, or what an update that it
    /// tells of looks like there.
    ///
    /// # Errors
    /// As [`Routes::topic`].
    pub fn leaving<'f>(&self, frame: &'f str, reply: Option<&str>) -> Result<(String, Cow<'f, str>), NotSent> {
        let topic = self.topic(frame, reply)?;
        let update = if topic.starts_with("/ota/device/upgrade/") { upgrade::pushed(frame) } else { None };
        Ok((topic, update.map_or(Cow::Borrowed(frame), Cow::Owned)))
    }

    /// Where a call of ours goes.
    fn topic_of(&self, method: &str, id_token: &str) -> Option<String> {
        let device = self.own();
        let mut path = String::new();
        let topic = Topic::of_method(device, method, &mut path)?.to_string();
        if !self.sync.methods.iter().any(|sync| **sync == *method) {
            return Some(topic);
        }
        let id = id_token.trim_matches('"');
        Some(match self.sync.extended {
            true => Topic::ExtRrpc { id, rest: &topic }.to_string(),
            false => Topic::RrpcRequest { device, id }.to_string(),
        })
    }
}

/// A call with its method. The topic says what is meant, whatever the message says: a broker let the device say it
/// there, and nowhere else.
fn call(mut text: String, method: Option<&str>) -> String {
    let Some(method) = method else { return text };
    match (FRAMING.split)(&text) {
        Err(bad) if bad.defect == Defect::Call => framing::with_method(&text, method).unwrap_or(text),
        Ok(Frame::Call { action, .. } | Frame::Send { action, .. })
            if text.get(action.clone()) != Some(method)
                && !method.contains(['"', '\\'])
                && !method.contains(char::is_control) =>
        {
            text.replace_range(action, method);
            text
        }
        _ => text,
    }
}

/// Whether the id may be that of a call: those of requests in the user's own words are larger than any session counts, so that an
/// answer to one is never taken for that to the other.
fn is_session_id(id: &str) -> bool {
    id.parse::<u64>().map_or(true, |id| id <= u32::MAX.into())
}

/// The answer with that id in place of its own.
fn with_id(mut text: String, id: &str) -> String {
    let own = match (FRAMING.split)(&text) {
        Ok(Frame::CallResult { id, .. } | Frame::CallError { id, .. }) => id,
        _ => return text,
    };
    // It comes from a topic, which may be anything.
    if !id.contains(['"', '\\']) && !id.contains(char::is_control) {
        text.replace_range(own, &("\"".to_owned() + id + "\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_a_broker_brings_back_is_nobodys() {
        let device = DeviceRef { product_key: "a1", device_name: "d" };
        let sides = [Routes::device(device), Routes::platform(device, SyncServices::default())];
        for (path, platform_sends) in [
            ("file/download", false),
            ("file/download_reply", true),
            ("file/upload/mqtt/send", false),
            ("file/upload/mqtt/send_reply", true),
        ] {
            for (routes, is_platform) in sides.iter().zip([false, true]) {
                let arrived = routes.arrived("/sys/a1/d/thing/".to_owned() + path, Vec::from(*b"\0\0"));
                assert_eq!(arrived.is_none(), is_platform == platform_sends, "{path}, {is_platform}");
            }
        }
    }

    #[test]
    fn an_answer_to_a_call_that_waits_is_told_by_its_topic() {
        let device = DeviceRef { product_key: "a1", device_name: "d" };
        let routes = Routes::platform(device, SyncServices::default());
        for topic in ["/sys/a1/d/rrpc/response/77", "/ext/rrpc/77/sys/a1/d/thing/service/Go"] {
            let text = r#"{"code":200,"id":"another","data":{"id":1}}"#;
            let frame = routes.arrived(topic.to_owned(), text.as_bytes().to_vec());
            let text = r#"{"code":200,"id":"77","data":{"id":1}}"#.to_owned();
            assert_eq!(frame, Some(Arrived::Frame { text, reply: None }));
        }
        // The answer to a request in the user's own words, even if it looks like that to a call.
        let own = "/sys/a1/d/rrpc/response/4611686018427387904";
        let arrived = routes.arrived(own.to_owned(), br#"{"code":200,"id":"1"}"#.to_vec());
        assert!(matches!(arrived, Some(Arrived::Message { .. })), "{arrived:?}");
        let odd = routes.arrived(r#"/sys/a1/d/rrpc/response/7"7"#.to_owned(), br#"{"code":200,"id":"1"}"#.to_vec());
        assert_eq!(odd, Some(Arrived::Frame { text: r#"{"code":200,"id":"1"}"#.to_owned(), reply: None }));
    }
}
