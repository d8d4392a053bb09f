//! The connected devices.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use onwire::mqtt::QoS;
use onwire::net::alink::Publisher;
use onwire::{CallFailure, Peer};

use crate::store::devices::Device;

/// A device's connection.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) device: Device,
    pub(crate) peer: Peer,
    pub(crate) publisher: Publisher,
    /// When it began, in milliseconds since 1970.
    pub(crate) since: i64,
}

/// All of them, by device name and product key as the runtime writes them.
#[derive(Debug, Default)]
pub(crate) struct Link(Mutex<HashMap<String, Session>>);

/// As the runtime names it.
pub(crate) fn identity(device: &Device) -> String {
    format!("{}&{}", device.device_name, device.product_key)
}

/// Device name and product key.
pub(crate) fn names(identity: &str) -> (&str, &str) {
    identity.split_once('&').unwrap_or((identity, ""))
}

impl Link {
    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A device has come. The runtime has ended an earlier connection of it.
    pub(crate) fn open(&self, device: Device, peer: &Peer, publisher: &Publisher) {
        let (peer, publisher) = (peer.clone(), publisher.clone());
        let session = Session { device, peer, publisher, since: crate::time::now() };
        self.sessions().insert(identity(&session.device), session);
    }

    /// A connection has ended. Its device, if there is no newer one.
    pub(crate) fn ended(&self, peer: &Peer) -> Option<Device> {
        let mut sessions = self.sessions();
        let session = sessions.get(peer.identity())?;
        if !session.peer.is_same_connection(peer) {
            return None;
        }
        sessions.remove(peer.identity()).map(|session| session.device)
    }

    /// Those whose end nobody has told.
    pub(crate) fn dead(&self) -> Vec<Peer> {
        let sessions = self.sessions();
        sessions.values().map(|session| session.peer.clone()).filter(|peer| !peer.is_connected()).collect()
    }

    /// Whose connection this is.
    pub(crate) fn device(&self, peer: &Peer) -> Option<Device> {
        self.sessions().get(peer.identity()).map(|session| session.device.clone())
    }

    /// Ends a device's connection without an acknowledgement of what could not be kept.
    pub(crate) fn give_up(&self, identity: &str) {
        if let Some(session) = self.sessions().get(identity) {
            session.peer.give_up(CallFailure::TryAgainLater);
        }
    }

    /// Ends a device's connection, if there is one.
    pub(crate) fn kick(&self, device: &Device) {
        if let Some(session) = self.session(device) {
            session.peer.disconnect(CallFailure::ShuttingDown);
        }
    }

    pub(crate) fn session(&self, device: &Device) -> Option<Session> {
        self.sessions().get(&identity(device)).cloned()
    }

    /// The connections of a product's devices.
    pub(crate) fn of_product(&self, product_key: &str) -> Vec<Session> {
        self.sessions().values().filter(|session| session.device.product_key == product_key).cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.sessions().len()
    }

    /// Sends a message that is no call; `false` if the device is not there. Whether it arrives stays unknown.
    pub(crate) async fn publish(&self, device: &Device, topic: String, payload: impl Into<Vec<u8>>) -> bool {
        match self.session(device) {
            Some(session) => session.publisher.publish(topic, payload, QoS::AtMostOnce).await.is_ok(),
            None => false,
        }
    }
}
