//! One device's connection: MQTT, and which topic a frame belongs on.

use alloc::string::String;
use alloc::vec::Vec;

use super::routes::{Arrived, NotSent, Routes, SyncServices};
use super::taken::Taken;
use super::{DeviceRef, Topic};
use crate::core::mqtt::{Client, Fault, Limits, Link, NotPublished, Packet, QoS, Role, Server};
use crate::core::session::Receipt;
use crate::core::time::Instant;

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incoming {
    /// For [`Connection::receive_as`](crate::Connection::receive_as). The receipt comes back with the answer, for
    /// [`Channel::send`], and when the session is done with the frame, for [`Channel::done`].
    Frame {
        /// The frame.
        text: String,
        /// Of a call, and of a message that has to be acknowledged.
        receipt: Option<Receipt>,
    },
    /// A message on another topic: shadow, clock, update, raw bytes, the user's own, or that of another device.
    Message {
        /// What [`Topic::parse`] reads.
        topic: String,
        /// What it says.
        payload: Vec<u8>,
        /// For [`Link::acknowledge`], when whoever takes the message is done with it.
        id: Option<u16>,
    },
    /// A message that is not text where text was due. It is acknowledged.
    Unreadable {
        /// On which topic.
        topic: String,
    },
    /// A call, or the answer to one, that a broker has kept and hands to whoever subscribes. It was meant for the moment in which
    /// it was said, and a service that somebody asked for once must not run after each reconnect. It is acknowledged.
    Retained {
        /// On which topic.
        topic: String,
    },
    /// What MQTT has to say for itself.
    Packet(Packet),
}

/// One device's messages over one MQTT connection, as a value without I/O.
///
/// Frames of a [`Connection`](crate::Connection) go in with [`Channel::send`] and come out of [`Channel::poll`]; bytes and
/// deadlines are those of the [`Link`].
#[derive(Debug)]
pub struct Channel<R: Role> {
    link: Link<R>,
    routes: Routes,
    /// With the packets' numbers.
    taken: Taken<Option<u16>>,
    qos: QoS,
}

impl Channel<Client> {
    /// The device's side.
    pub fn device(device: DeviceRef<'_>, limits: Limits) -> Self {
        Self::new(Link::client(limits), Routes::device(device))
    }

    /// What the platform says of updates comes as frames from now on; see [`Routes::frame_updates`].
    pub fn frame_updates(&mut self) {
        self.routes.frame_updates();
    }

    /// Asks for everything that the platform has to say, for a broker that does not do so by itself (`_ss=1`): topics of
    /// the system, and `more` of the user's own. [`Packet::Subscribed`] follows with the number that is returned.
    ///
    /// # Errors
    /// [`NotPublished`].
    pub fn subscribe(&mut self, more: &[(&str, QoS)], now: Instant) -> Result<u16, NotPublished> {
        let device = self.own();
        let filters: Vec<String> = Topic::DEVICE_FILTERS.iter().map(|filter| device.filter(filter)).collect();
        let system = filters.iter().map(|filter| (filter.as_str(), QoS::AtLeastOnce));
        let filters: Vec<_> = system.chain(more.iter().copied()).collect();
        self.link.subscribe(&filters, now)
    }
}

impl Channel<Server> {
    /// The platform's side, after the device was let in on `link`.
    pub fn platform(link: Link<Server>, device: DeviceRef<'_>, sync: SyncServices) -> Self {
        Self::new(link, Routes::platform(device, sync))
    }
}

impl<R: Role> Channel<R> {
    fn new(link: Link<R>, routes: Routes) -> Self {
        Self { link, routes, taken: Taken::default(), qos: QoS::AtMostOnce }
    }

    /// With which quality frames are sent; [`QoS::AtMostOnce`] unless told otherwise: whoever calls waits for the answer in any case.
    pub fn set_qos(&mut self, qos: QoS) {
        self.qos = qos;
    }

    /// The MQTT connection.
    pub fn link(&self) -> &Link<R> {
        &self.link
    }

    /// The MQTT connection: bytes, deadlines, messages on topics of one's own.
    pub fn link_mut(&mut self) -> &mut Link<R> {
        &mut self.link
    }

    /// Takes bytes of the transport.
    ///
    /// # Errors
    /// Those of [`Link::receive`].
    pub fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<(), Fault> {
        self.link.receive(bytes, now)
    }

    /// Whose it is.
    pub fn own(&self) -> DeviceRef<'_> {
        self.routes.own()
    }

    /// What came in next.
    pub fn poll(&mut self) -> Option<Incoming> {
        loop {
            let (topic, payload, id) = match self.link.poll_packet()? {
                Packet::Message { topic, id, is_retained: true, .. } if is_of_a_moment(&topic) => {
                    self.acknowledge(id);
                    return Some(Incoming::Retained { topic });
                }
                Packet::Message { topic, payload, id, .. } => (topic, payload, id),
                packet => return Some(Incoming::Packet(packet)),
            };
            match self.routes.arrived(topic, payload) {
                Some(Arrived::Frame { text, reply }) => {
                    let is_owed = reply.is_some() || id.is_some();
                    let receipt = is_owed.then(|| self.taken.put(reply, id));
                    return Some(Incoming::Frame { text, receipt });
                }
                Some(Arrived::Message { topic, payload }) => return Some(Incoming::Message { topic, payload, id }),
                Some(Arrived::Unreadable { topic }) => {
                    self.acknowledge(id);
                    return Some(Incoming::Unreadable { topic });
                }
                None => self.acknowledge(id),
            }
        }
    }

    /// Sends a frame of a [`Connection`](crate::Connection), while [`Link::has_room`]; an answer with the receipt of its call
    /// ([`Connection::poll_transmit_for`](crate::Connection::poll_transmit_for)).
    ///
    /// # Errors
    /// [`NotSent`].
    pub fn send(&mut self, frame: &str, answers: Option<Receipt>, now: Instant) -> Result<(), NotSent> {
        let reply = answers.and_then(|receipt| self.taken.reply(receipt));
        let (topic, message) = self.routes.leaving(frame, reply)?;
        self.link.publish(&topic, message.as_bytes(), self.qos, now)?;
        Ok(())
    }

    /// The session is done with a frame ([`Connection::poll_receipt`](crate::Connection::poll_receipt)): its message is
    /// acknowledged.
    pub fn done(&mut self, receipt: Receipt) {
        let id = self.taken.done(receipt).flatten();
        self.acknowledge(id);
    }

    fn acknowledge(&mut self, id: Option<u16>) {
        if let Some(id) = id {
            self.link.acknowledge(id);
        }
    }
}

/// Whether messages on a topic ask somebody now, or answer.
fn is_of_a_moment(topic: &str) -> bool {
    use Topic::{ExtRrpc, RrpcRequest, RrpcResponse, Thing, ThingReply};
    matches!(
        Topic::parse(topic),
        Some(Thing { .. } | ThingReply { .. } | RrpcRequest { .. } | RrpcResponse { .. } | ExtRrpc { .. })
    )
}
