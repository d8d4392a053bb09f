//! Which of the device's handlers takes a message that is no call.
//!
//! Answers to requests of the device are sorted out first; nothing keeps them waiting. Messages that want an answer
//! are handled side by side, a few at once and for a limited time; all others one after the other, in the order in which they came.

use std::collections::VecDeque;
use std::future::Future;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::mpsc;

use super::identity;
use super::lanes::{Brought, Lanes};
use super::messages::{Message, Publisher, Session};
use super::owed::Owed;
use super::request::Messages;
use crate::alink::{SubDeviceError, Topic, matches};
use crate::mqtt::QoS;

/// How many messages wait for a handler: then nothing is read any more, or, if an answer is wanted, none is given.
const QUEUE: usize = 32;

/// How many messages that want an answer are handled at once.
const SIDE_BY_SIDE: usize = 8;

/// What a handler makes of a message: the answer, if it is one that answers.
pub(super) type Handle = Arc<dyn Fn(Message) -> BoxFuture<'static, Option<Vec<u8>>> + Send + Sync>;

/// A handler, and what it is for.
pub(super) struct Route {
    pub(super) filter: String,
    pub(super) answers: bool,
    pub(super) handle: Handle,
}

impl Route {
    /// For messages that want nothing.
    pub(super) fn taking<F>(filter: String, take: impl Fn(Message) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { filter, answers: false, handle: Arc::new(move |message| take(message).map(|()| None).boxed()) }
    }

    /// For messages that want an answer.
    pub(super) fn answering<F>(filter: String, answer: impl Fn(Message) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output: Into<Vec<u8>>> + Send + 'static,
    {
        let handle: Handle = Arc::new(move |message| answer(message).map(|answer| Some(answer.into())).boxed());
        Self { filter, answers: true, handle }
    }
}

/// How many of our own answers are known again.
const ECHOES: usize = 32;

/// A message that has found its handler.
struct Work {
    handle: Handle,
    message: Message,
    publisher: Publisher,
    echoes: Echoes,
    owed: Owed,
}

/// Answers that may come back: those on the request's own topic do from a broker that is no Alink platform, and are no requests.
#[derive(Clone, Default)]
struct Echoes(Arc<Mutex<VecDeque<u64>>>);

impl Echoes {
    fn expect(&self, topic: &str, answer: &[u8]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ECHOES {
            known.pop_front();
        }
        known.push_back(digest(topic, answer));
    }

    /// Whether it is one, which comes once.
    fn take(&self, message: &Message) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Most of the time there is none.
        let of = if known.is_empty() { return false } else { digest(&message.topic, &message.payload) };
        known.iter().position(|one| *one == of).is_some_and(|index| known.remove(index).is_some())
    }
}

fn digest(topic: &str, payload: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one((topic, payload))
}

/// Finds handlers.
pub(super) struct Dispatch {
    messages: Messages,
    routes: Vec<Route>,
    taking: mpsc::Sender<Work>,
    answering: mpsc::Sender<Work>,
    echoes: Echoes,
    /// Those of sub-devices.
    lanes: Option<Arc<Lanes>>,
}

/// Runs handlers.
pub(super) struct Workers {
    taking: mpsc::Receiver<Work>,
    answering: mpsc::Receiver<Work>,
    answer_within: Duration,
}

impl Dispatch {
    /// The first route that matches has the message.
    pub(super) fn new(
        routes: Vec<Route>,
        answer_within: Duration,
        messages: Messages,
        lanes: Option<Arc<Lanes>>,
    ) -> (Self, Workers) {
        let (taking, to_take) = mpsc::channel(QUEUE);
        let (answering, to_answer) = mpsc::channel(QUEUE);
        let workers = Workers { taking: to_take, answering: to_answer, answer_within };
        (Self { messages, routes, taking, answering, echoes: Echoes::default(), lanes }, workers)
    }

    /// Whether there is a handler for messages on that topic.
    pub(super) fn takes(&self, topic: &str) -> bool {
        self.routes.iter().any(|route| matches(&route.filter, topic))
    }

    /// Hands a message on.
    pub(super) async fn take(&self, session: &Session, message: Message, owed: Owed) {
        let (message, owed) = match &self.lanes {
            Some(lanes) if lanes.len() > 0 => match hand_on(lanes, message, owed) {
                Some(other) => other,
                None => return,
            },
            _ => (message, owed),
        };
        let Some(message) = session.waiting.answer(message) else { return };
        self.messages.heard(&message);
        let Some(route) = self.routes.iter().find(|route| matches(&route.filter, &message.topic)) else {
            return tracing::debug!(topic = message.topic, "a message that nobody takes");
        };
        let (handle, publisher) = (Arc::clone(&route.handle), session.publisher.clone());
        let echoes = self.echoes.clone();
        let answers = route.answers;
        if answers && echoes.take(&message) {
            return;
        }
        let work = Work { handle, message, publisher, echoes, owed };
        if !answers {
            // An error says that the device has ended.
            let _ = self.taking.send(work).await;
        } else if let Err(mpsc::error::TrySendError::Full(work)) = self.answering.try_send(work) {
            tracing::warn!(topic = work.message.topic, "too many requests at once; one is not answered");
        }
    }
}

/// Hands a message on to the sub-device that it is for; gives it back if there is none.
fn hand_on(lanes: &Lanes, message: Message, owed: Owed) -> Option<(Message, Owed)> {
    let Some(topic) = message.topic() else { return Some((message, owed)) };
    if let Topic::Error { .. } = topic
        && let Ok(error) = SubDeviceError::parse(&String::from_utf8_lossy(&message.payload))
    {
        let identity = identity(&error.product_key, &error.device_name);
        let is_known = lanes.refuse(&identity, error.refused);
        return (!is_known).then_some((message, owed));
    }
    let Some(device) = topic.device() else { return Some((message, owed)) };
    let identity = identity(device.product_key, device.device_name);
    if !lanes.has(&identity) {
        return Some((message, owed));
    }
    match lanes.bring(&identity, message.topic, message.payload, owed) {
        Brought::Taken | Brought::Full(..) => None,
        // It has been closed this very moment.
        Brought::NoLane(topic, payload) => Some((Message::new(topic, payload), Owed::default())),
    }
}

impl Workers {
    /// Runs until no message can come any more, and the last handler has ended.
    pub(super) async fn run(self) {
        let Self { mut taking, answering, answer_within } = self;
        let one_by_one = async {
            while let Some(Work { handle, message, owed, .. }) = taking.recv().await {
                guarded(&handle, message).await;
                drop(owed);
            }
        };
        let answering = stream::unfold(answering, |mut works| async { Some((works.recv().await?, works)) });
        let side_by_side =
            answering.for_each_concurrent(SIDE_BY_SIDE, |work| async move { work.answer(answer_within).await });
        tokio::join!(one_by_one, side_by_side);
    }
}

impl Work {
    async fn answer(self, within: Duration) {
        let Self { handle, message, publisher, echoes, owed: _owed } = self;
        let topic = message.topic.clone();
        let Ok(answer) = tokio::time::timeout(within, guarded(&handle, message)).await else {
            return tracing::warn!(topic, "a handler took too long; the request is not answered");
        };
        let (Some(answer), Some(to)) = (answer, Topic::parse(&topic).and_then(|topic| topic.answer())) else { return };
        if matches!(to, Topic::ExtRrpc { .. }) {
            echoes.expect(&topic, &answer);
        }
        if publisher.publish(to, answer, QoS::AtMostOnce).await.is_err() {
            tracing::debug!(topic, "the connection ended before a request was answered");
        }
    }
}

/// A handler that panics loses its own message only.
async fn guarded(handle: &Handle, message: Message) -> Option<Vec<u8>> {
    let topic = message.topic.clone();
    AssertUnwindSafe(async { handle(message).await }).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(topic, "a handler panicked");
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_comes_back_is_known_once() {
        let echoes = Echoes::default();
        let message = |topic: &str| Message::new(topic.into(), b"opened".to_vec());
        assert!(!echoes.take(&message("/ext/rrpc/1/door")));
        echoes.expect("/ext/rrpc/1/door", b"opened");
        assert!(!echoes.take(&message("/ext/rrpc/2/door")), "another request");
        assert!(echoes.take(&message("/ext/rrpc/1/door")));
        assert!(!echoes.take(&message("/ext/rrpc/1/door")), "once");
    }

    #[test]
    fn answers_that_never_come_back_are_forgotten() {
        let echoes = Echoes::default();
        for id in 0..100 {
            echoes.expect(&format!("/ext/rrpc/{id}/door"), b"opened");
        }
        assert_eq!(echoes.0.lock().unwrap().len(), ECHOES);
        assert!(echoes.take(&Message::new("/ext/rrpc/99/door".into(), b"opened".to_vec())));
    }
}
