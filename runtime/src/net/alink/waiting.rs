//! Requests that wait for an answer which comes as a message of its own.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use super::messages::Message;
use crate::alink::{FRAMING, FileBlockFrame, NtpResponse, RawDirection, ShadowMessage, Topic};
use crate::frame::Frame;

/// How many wait at once on one connection.
const PLACES: usize = 32;

/// What is waited for. Only the clock's answers say to what they belong; the others are told by what they bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// The platform's clock, by what the device said the time was, in milliseconds.
    Clock(i64),
    /// The shadow.
    Shadow,
    /// That the shadow was changed to this version.
    ShadowVersion(i64),
    /// Raw bytes.
    Raw,
    /// A block of a file, by the request's id.
    Block(u32),
    /// That a block of a file has come, by the request's id.
    Uploaded(u32),
}

impl Expected {
    fn is(self, topic: Topic<'_>, payload: &[u8]) -> bool {
        let text = || std::str::from_utf8(payload).unwrap_or_default();
        match (self, topic) {
            // One that cannot be read is somebody's.
            (Self::Clock(sent), Topic::Ntp { is_response: true, .. }) => {
                NtpResponse::parse(text()).map_or(true, |response| response.device_send.unix_millis() == sent)
            }
            (Self::Shadow, Topic::ShadowGet { .. }) => {
                !matches!(ShadowMessage::parse(text()), Ok(ShadowMessage::Control(_)))
            }
            (Self::ShadowVersion(wanted), Topic::ShadowGet { .. }) => match ShadowMessage::parse(text()) {
                Ok(ShadowMessage::Control(_)) => false,
                // Another one's answer comes late.
                Ok(ShadowMessage::Reply(Ok(state))) => state.version.is_none_or(|version| version == wanted),
                Ok(ShadowMessage::Reply(Err(_))) | Err(_) => true,
            },
            (Self::Block(id), Topic::ThingReply { path: "file/download", .. }) => {
                // Nor does a refusal say whose it is, once it is read.
                FileBlockFrame::parse(payload).map_or(true, |frame| frame.id.trim_matches('"').parse() == Ok(id))
            }
            (Self::Uploaded(id), Topic::ThingReply { path: "file/upload/mqtt/send", .. }) => {
                match (FRAMING.split)(text()) {
                    Ok(Frame::CallResult { id: of, .. } | Frame::CallError { id: of, .. }) => {
                        text().get(of).map(|of| of.trim_matches('"').parse()) == Some(Ok(id))
                    }
                    // One that cannot be read is somebody's.
                    _ => true,
                }
            }
            (Self::Raw, Topic::Raw { direction: RawDirection::UpReply, .. }) => true,
            _ => false,
        }
    }
}

/// Who waits on one connection, oldest first.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Vec<(Expected, oneshot::Sender<Message>)>>);

impl Waiting {
    /// A place, unless all are taken.
    pub(super) fn put(&self, expected: Expected) -> Option<oneshot::Receiver<Message>> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Who has given up makes room.
        places.retain(|(_, place)| !place.is_closed());
        if places.len() >= PLACES {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        places.push((expected, sender));
        Some(receiver)
    }

    /// Gives a message to who has waited longest for one like it; gives it back if nobody does.
    pub(super) fn answer(&self, message: Message) -> Option<Message> {
        let Some(topic) = message.topic() else { return Some(message) };
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found =
            places.iter().position(|(expected, place)| !place.is_closed() && expected.is(topic, &message.payload));
        let place = found.take().map(|index| places.remove(index).1);
        drop(places);
        match place {
            Some(place) => place.send(message).err(),
            None => Some(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, payload: &str) -> Message {
        Message::new(topic.into(), payload.into())
    }

    #[test]
    fn an_answer_goes_to_who_asked_for_it() {
        let waiting = Waiting::default();
        let mut first = waiting.put(Expected::Clock(1)).unwrap();
        let mut second = waiting.put(Expected::Clock(2)).unwrap();
        let mut raw = waiting.put(Expected::Raw).unwrap();
        let clock = |sent| {
            let text = format!(r#"{{"deviceSendTime":"{sent}","serverRecvTime":"5","serverSendTime":"5"}}"#);
            message("/ext/ntp/a1/d/response", &text)
        };
        assert_eq!(waiting.answer(clock(2)), None);
        assert_eq!(second.try_recv(), Ok(clock(2)));
        assert_eq!(waiting.answer(clock(3)), Some(clock(3)), "nobody's");
        assert!(first.try_recv().is_err() && raw.try_recv().is_err());
        let reply = message("/sys/a1/d/thing/model/up_raw_reply", "\u{1}");
        assert_eq!(waiting.answer(reply.clone()), None);
        assert_eq!(raw.try_recv(), Ok(reply.clone()));
        assert_eq!(waiting.answer(reply.clone()), Some(reply));
        let broken = message("/ext/ntp/a1/d/response", "{");
        assert_eq!(waiting.answer(broken.clone()), None);
        assert_eq!(first.try_recv(), Ok(broken));
    }

    #[test]
    fn a_late_answer_of_the_shadow_is_not_taken_for_the_next_one() {
        let waiting = Waiting::default();
        let mut place = waiting.put(Expected::ShadowVersion(5)).unwrap();
        let written = |version| {
            let text = format!(r#"{{"method":"reply","payload":{{"status":"success","version":{version}}}}}"#);
            message("/shadow/get/a1/d", &text)
        };
        let control = message("/shadow/get/a1/d", r#"{"method":"control","payload":{},"version":5}"#);
        assert!(waiting.answer(written(4)).is_some() && waiting.answer(control).is_some());
        assert_eq!(waiting.answer(written(5)), None);
        assert!(place.try_recv().is_ok());
    }

    #[test]
    fn places_are_few_and_given_back() {
        let waiting = Waiting::default();
        let mut places: Vec<_> = (0..PLACES).map(|_| waiting.put(Expected::Raw).unwrap()).collect();
        assert!(waiting.put(Expected::Raw).is_none());
        places.pop();
        assert!(waiting.put(Expected::Raw).is_some());
    }
}
