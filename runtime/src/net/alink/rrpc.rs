//! Requests of the platform in the user's own words, which wait for the answer (RRPC).

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::messages::{Message, Publisher};
use crate::alink::{DeviceRef, Topic};
use crate::mqtt::QoS;
use crate::net::random_first_id;

/// How many wait at once on one connection.
const PLACES: usize = 32;

/// The first id: above all that sessions count, so that no answer is taken for that to a service.
const FIRST_ID: u64 = 1 << 62;

/// Why a request came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RrpcFailure {
    /// No topic that can be asked on; nothing was sent. It begins with a slash, has no wildcard, and is none of the model's, whose
    /// services are calls. Behind a broker, and for a sub-device, it is below `/{pk}/{dn}/user/`: nothing else comes back from there.
    #[error("no topic for a request")]
    Topic,
    /// 32 requests wait for this device already; nothing was sent.
    #[error("too many requests are waiting")]
    TooMany,
    /// The time ended while the request waited to be sent, because the device does not read; nothing was sent.
    #[error("the request was not sent in time: the device does not read")]
    Expired,
    /// No answer in time. The device may have acted on the request.
    #[error("the device did not answer in time")]
    Timeout,
    /// The connection has ended. The device may have acted on the request.
    #[error("the connection ended before the answer came")]
    Disconnected,
}

/// What one device was asked.
#[derive(Debug)]
pub(super) struct Asked {
    product_key: Box<str>,
    device_name: Box<str>,
    /// A broker that is asked for the answers on the topic of the question brings the question back, too.
    is_echoed: bool,
    /// What is answered on a topic of nobody's does not come back to who asked.
    is_own_only: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    has_ended: bool,
    last_id: u64,
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    /// On which the answer comes.
    topic: String,
    /// What comes back before it.
    echo: Option<Vec<u8>>,
    answer: oneshot::Sender<Vec<u8>>,
}

impl Asked {
    pub(super) fn new(device: DeviceRef<'_>, is_echoed: bool) -> Self {
        let (product_key, device_name) = (device.product_key.into(), device.device_name.into());
        Self { product_key, device_name, is_echoed, is_own_only: is_echoed, state: Mutex::default() }
    }

    /// Of a device that shares its gateway's connection.
    pub(super) fn behind_gateway(device: DeviceRef<'_>) -> Self {
        Self { is_own_only: true, ..Self::new(device, false) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an answer; gives the message back if it is none.
    pub(super) fn answered(&self, message: Message) -> Option<Message> {
        let mut state = self.state();
        let Some(index) = state.places.iter().position(|place| place.topic == message.topic) else {
            return Some(message);
        };
        if let Some(place) = state.places.get_mut(index)
            && place.echo.take().is_some_and(|echo| echo == message.payload)
        {
            return None;
        }
        let place = state.places.swap_remove(index);
        drop(state);
        // Whoever asked may have given up: then it is late, and nobody's.
        let _ = place.answer.send(message.payload);
        None
    }

    /// The connection has ended: nobody answers any more.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.has_ended = true;
        state.places.clear();
    }

    /// Where to ask and a place for the answer.
    fn put(&self, topic: Option<&str>, payload: &[u8]) -> Result<(String, oneshot::Receiver<Vec<u8>>), RrpcFailure> {
        let device = DeviceRef { product_key: &self.product_key, device_name: &self.device_name };
        if topic.is_some_and(|topic| !self.is_fit(device, topic)) {
            return Err(RrpcFailure::Topic);
        }
        let mut state = self.state();
        if state.has_ended {
            return Err(RrpcFailure::Disconnected);
        }
        // Who has given up makes room.
        state.places.retain(|place| !place.answer.is_closed());
        if state.places.len() >= PLACES {
            return Err(RrpcFailure::TooMany);
        }
        state.last_id = match state.last_id {
            // A late answer to an earlier connection's question is not taken for one of this.
            0 => FIRST_ID | u64::from(random_first_id()) << 16,
            last => last.wrapping_add(1),
        };
        let id = state.last_id.to_string();
        let (asked, answer) = match topic {
            Some(topic) => {
                let asked = Topic::ExtRrpc { id: &id, rest: topic }.to_string();
                (asked.clone(), asked)
            }
            None => (
                Topic::RrpcRequest { device, id: &id }.to_string(),
                Topic::RrpcResponse { device, id: &id }.to_string(),
            ),
        };
        let echo = (self.is_echoed && topic.is_some()).then(|| payload.to_vec());
        let (sender, receiver) = oneshot::channel();
        state.places.push(Place { topic: answer, echo, answer: sender });
        Ok((asked, receiver))
    }

    fn is_fit(&self, device: DeviceRef<'_>, topic: &str) -> bool {
        let is_name = topic.starts_with('/') && !topic.contains(['+', '#', '\0']) && topic.len() <= 1024;
        is_name
            && match Topic::parse(topic) {
                Some(Topic::Thing { .. } | Topic::ThingReply { .. }) => false,
                Some(Topic::User { device: of, .. }) if self.is_own_only => of == device,
                _ => !self.is_own_only,
            }
    }
}

impl Publisher {
    /// Asks the device in words of the user's own, and waits for its answer: on `/ext/rrpc/{id}{topic}`, or on the system's topic
    /// (`/sys/{pk}/{dn}/rrpc/request/{id}`) if none is named. The cloud waits for 1 to 8 s. The device's side is
    /// [`DeviceBuilder::on_rrpc`](super::DeviceBuilder::on_rrpc) and `on_system_rrpc`. Services of the model are calls, and not
    /// asked for here.
    ///
    /// Within [`Platform::message`](super::Platform::message) it waits in vain: nothing is read of the device meanwhile.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use onwire::net::alink::{Publisher, RrpcFailure};
    ///
    /// async fn open_door(lock: &Publisher) -> Result<Vec<u8>, RrpcFailure> {
    ///     lock.rrpc(Some("/a1X/SN1/user/door"), "open", Duration::from_secs(5)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`RrpcFailure`].
    pub async fn rrpc(
        &self,
        topic: Option<&str>,
        payload: impl Into<Vec<u8>>,
        patience: Duration,
    ) -> Result<Vec<u8>, RrpcFailure> {
        // Only a platform's publishers are handed out.
        let asked = self.asked.as_ref().ok_or(RrpcFailure::Disconnected)?;
        let payload = payload.into();
        let (topic, answer) = asked.put(topic, &payload)?;
        let mut over = pin!(sleep(patience));
        tokio::select! {
            biased;
            queued = self.publish(topic, payload, QoS::AtMostOnce) => queued.map_err(|_| RrpcFailure::Disconnected)?,
            () = &mut over => return Err(RrpcFailure::Expired),
        }
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|_| RrpcFailure::Disconnected),
            () = over => Err(RrpcFailure::Timeout),
        }
    }

    /// Takes an answer to [`Publisher::rrpc`]; gives the message back if it is none.
    pub(super) fn answered(&self, message: Message) -> Option<Message> {
        match &self.asked {
            Some(asked) => asked.answered(message),
            None => Some(message),
        }
    }
}

/// Ends what was asked when the connection's future ends, however it does.
pub(super) struct Ending(pub(super) std::sync::Arc<Asked>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1", device_name: "d" };

    fn message(topic: &str, payload: &str) -> Message {
        Message::new(topic.into(), payload.into())
    }

    #[test]
    fn an_answer_goes_to_who_asked_and_an_id_is_none_of_a_session() {
        let asked = Asked::new(DEVICE, false);
        let (topic, mut first) = asked.put(Some("/any/topic"), b"?").unwrap();
        let (system, mut second) = asked.put(None, b"?").unwrap();
        let id = topic.strip_prefix("/ext/rrpc/").unwrap().strip_suffix("/any/topic").unwrap();
        assert!(id.parse::<u64>().unwrap() > u32::MAX.into(), "{id}");
        let response = system.replace("request", "response");
        assert_eq!(asked.answered(message("/ext/rrpc/7/any/topic", "x")), Some(message("/ext/rrpc/7/any/topic", "x")));
        assert_eq!(asked.answered(message(&response, "{\"code\":200}")), None);
        assert_eq!(asked.answered(message(&topic, "?")), None);
        assert_eq!((first.try_recv(), second.try_recv()), (Ok(b"?".to_vec()), Ok(b"{\"code\":200}".to_vec())));
        assert!(asked.answered(message(&topic, "again")).is_some(), "it was answered");
        let (_, mut third) = asked.put(None, b"").unwrap();
        asked.end();
        assert!(third.try_recv().is_err());
        assert_eq!(asked.put(None, b"").unwrap_err(), RrpcFailure::Disconnected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_had_no_room_in_time_was_not_sent() {
        let (publisher, mut sent) = Publisher::platform(std::sync::Arc::new(Asked::new(DEVICE, false)));
        let patience = Duration::from_secs(5);
        assert_eq!(publisher.rrpc(None, "1", patience).await, Err(RrpcFailure::Timeout), "nobody answers");
        while tokio::time::timeout(patience, publisher.publish("/a1/d/user/x", "", QoS::AtMostOnce)).await.is_ok() {}
        assert_eq!(publisher.rrpc(None, "2", patience).await, Err(RrpcFailure::Expired));
        // The first request, and no other.
        let mut requests = 0;
        while let Ok(outgoing) = sent.try_recv() {
            requests += usize::from(format!("{outgoing:?}").contains("/rrpc/request/"));
        }
        assert_eq!(requests, 1);
    }

    #[test]
    fn behind_a_broker_the_question_comes_back_before_the_answer() {
        let asked = Asked::new(DEVICE, true);
        let (topic, mut answer) = asked.put(Some("/a1/d/user/door"), b"open").unwrap();
        assert_eq!(asked.answered(message(&topic, "open")), None);
        assert!(answer.try_recv().is_err());
        assert_eq!(asked.answered(message(&topic, "open")), None);
        assert_eq!(answer.try_recv(), Ok(b"open".to_vec()));
        for other in ["/a1/e/user/door", "/any/topic"] {
            assert_eq!(asked.put(Some(other), b"").unwrap_err(), RrpcFailure::Topic, "{other}");
        }
    }

    #[test]
    fn places_are_few_and_topics_are_topics() {
        let asked = Asked::new(DEVICE, false);
        for topic in ["", "door", "/a/+", "/a/#", "/sys/a1/d/thing/service/Go", "/sys/a1/d/thing/service/Go_reply"] {
            assert_eq!(asked.put(Some(topic), b"").unwrap_err(), RrpcFailure::Topic, "{topic}");
        }
        let mut places: Vec<_> = (0..PLACES).map(|_| asked.put(None, b"").unwrap()).collect();
        assert_eq!(asked.put(None, b"").unwrap_err(), RrpcFailure::TooMany);
        places.pop();
        assert!(asked.put(None, b"").is_ok());
    }
}
