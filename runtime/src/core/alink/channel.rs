//! One device's connection: MQTT, and which topic a frame belongs on.

use alloc::string::String;
use alloc::vec::Vec;

use super::routes::{Incoming, NotSent, Routes, SyncServices};
use super::{DeviceRef, Topic};
use crate::core::mqtt::{Client, Fault, Limits, Link, NotPublished, Packet, QoS, Role, Server};
use crate::core::time::Instant;

/// One device's messages over one MQTT connection, as a value without I/O.
///
/// Frames of a [`Connection`](crate::Connection) go in with [`Channel::send`] and come out of [`Channel::poll`]; bytes and
/// deadlines are those of the [`Link`].
#[derive(Debug)]
pub struct Channel<R: Role> {
    link: Link<R>,
    routes: Routes,
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
        Self { link, routes, qos: QoS::AtMostOnce }
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
            return Some(match self.link.poll_packet()? {
                Packet::Message { topic, payload } => match self.routes.arrived(topic, payload) {
                    Some(incoming) => incoming,
                    None => continue,
                },
                packet => Incoming::Packet(packet),
            });
        }
    }

    /// Sends a frame of a [`Connection`](crate::Connection), while [`Link::has_room`].
    ///
    /// # Errors
    /// [`NotSent`].
    pub fn send(&mut self, frame: &str, now: Instant) -> Result<(), NotSent> {
        let (topic, message) = self.routes.leaving(frame)?;
        self.link.publish(&topic, message.as_bytes(), self.qos, now)?;
        Ok(())
    }
}
