//! Messages that are no calls: clock, shadow, updates, raw bytes, the user's own topics.

use std::sync::Arc;

use tokio::sync::mpsc;

#[cfg(feature = "server")]
use super::rrpc::Asked;
#[cfg(feature = "client")]
use super::waiting::Waiting;
use crate::alink::Topic;
use crate::mqtt::QoS;

/// How many messages wait to be sent before [`Publisher::publish`] waits too.
const QUEUE: usize = 32;

/// A message on a topic that brings no frame.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// As it came; see [`Message::topic`].
    pub topic: String,
    /// What it says: JSON most of the time, bytes where the user says so.
    pub payload: Vec<u8>,
}

impl Message {
    pub(super) fn new(topic: String, payload: Vec<u8>) -> Self {
        Self { topic, payload }
    }

    /// What the topic is for, if it is one of Alink's.
    pub fn topic(&self) -> Option<Topic<'_>> {
        Topic::parse(&self.topic)
    }
}

/// The connection has ended, so that nothing can be sent on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection has ended")]
pub struct QueueEnded;

/// Sends messages on topics of one's choice; clones send on the same connection.
#[derive(Debug, Clone)]
pub struct Publisher {
    // A channel has room for 32 items from the beginning, and most connections never have one.
    queue: mpsc::Sender<Box<Outgoing>>,
    /// Of a platform: what the device was asked.
    #[cfg(feature = "server")]
    pub(super) asked: Option<Arc<Asked>>,
}

#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) qos: QoS,
}

impl Publisher {
    /// That of a device.
    #[cfg(feature = "client")]
    pub(super) fn device() -> (Self, mpsc::Receiver<Box<Outgoing>>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let publisher = Self {
            queue,
            #[cfg(feature = "server")]
            asked: None,
        };
        (publisher, receiver)
    }

    /// That of a platform, to one device.
    #[cfg(feature = "server")]
    pub(super) fn platform(asked: Arc<Asked>) -> (Self, mpsc::Receiver<Box<Outgoing>>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        (Self { queue, asked: Some(asked) }, receiver)
    }

    /// The same on a queue that somebody else empties.
    #[cfg(all(feature = "client", feature = "server"))]
    pub(super) fn of(queue: mpsc::Sender<Box<Outgoing>>, asked: Arc<Asked>) -> Self {
        Self { queue, asked: Some(asked) }
    }

    /// Queues a message, once there is room: 32 wait for a peer that does not read. Whether it arrives stays unknown. One on
    /// a topic with wildcards is dropped with a warning.
    ///
    /// # Errors
    /// [`QueueEnded`].
    pub async fn publish(&self, topic: impl ToString, payload: impl Into<Vec<u8>>, qos: QoS) -> Result<(), QueueEnded> {
        let message = Box::new(Outgoing { topic: topic.to_string(), payload: payload.into(), qos });
        self.queue.send(message).await.map_err(|_| QueueEnded)
    }

    /// Whether the connection has ended.
    #[cfg(feature = "client")]
    pub(super) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Waits until it has.
    #[cfg(feature = "client")]
    pub(super) async fn ended(&self) {
        self.queue.closed().await;
    }
}

/// One connection of a device, for whoever sends on it.
#[cfg(feature = "client")]
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) publisher: Publisher,
    pub(super) waiting: Arc<Waiting>,
}
