//! Devices that share one MQTT connection: each has a lane, on which its messages come to it.

use std::collections::HashMap;
#[cfg(any(feature = "client", test))]
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::mpsc;

use super::owed::Owed;

use crate::Peer;
use crate::alink::SubDeviceRefused;

/// How many messages of one device wait for its handlers; the next ones are dropped with a warning, so that one device does not
/// hold up the others.
const INBOX: usize = 32;

/// All lanes of a connection, by the devices' user names.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<HashMap<Arc<str>, Lane>>);

#[derive(Debug)]
struct Lane {
    messages: mpsc::Sender<Brings>,
    shared: Arc<Shared>,
    /// What it ends with, if there is something.
    peer: Option<Peer>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Its device is online; before, what is wrong with it is that of an earlier time.
    #[cfg(any(feature = "client", test))]
    is_ready: AtomicBool,
    why: OnceLock<SubDeviceRefused>,
}

/// A device's end of its lane; dropping it closes the lane.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) messages: mpsc::Receiver<Brings>,
    identity: Arc<str>,
    shared: Arc<Shared>,
    lanes: Arc<Lanes>,
}

/// A message on a lane: topic, payload, and what is owed for it.
pub(super) type Brings = (String, Vec<u8>, Owed);

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// It waits for its device.
    Taken,
    /// It does not, because too many do.
    Full(String, Vec<u8>),
    /// The device has no lane.
    NoLane(String, Vec<u8>),
}

impl Lanes {
    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a lane, in place of an older one of the same device.
    pub(super) fn open(self: &Arc<Self>, identity: Arc<str>, peer: Option<Peer>) -> Inbox {
        let (sender, messages) = mpsc::channel(INBOX);
        let shared = Arc::<Shared>::default();
        self.all().insert(Arc::clone(&identity), Lane { messages: sender, shared: Arc::clone(&shared), peer });
        Inbox { messages, identity, shared, lanes: Arc::clone(self) }
    }

    /// Hands a message to its device.
    pub(super) fn bring(&self, identity: &str, topic: String, payload: Vec<u8>, mut owed: Owed) -> Brought {
        let lanes = self.all();
        let Some(lane) = lanes.get(identity).filter(|lane| lane.is_open()) else {
            return Brought::NoLane(topic, payload);
        };
        if let Some(peer) = &lane.peer {
            owed.of(peer);
        }
        match lane.messages.try_send((topic, payload, owed)) {
            Ok(()) => Brought::Taken,
            Err(mpsc::error::TrySendError::Full((topic, payload, _))) => {
                tracing::warn!(identity, topic, "dropped a message: they come faster than they are handled");
                Brought::Full(topic, payload)
            }
            Err(mpsc::error::TrySendError::Closed((topic, payload, _))) => Brought::NoLane(topic, payload),
        }
    }

    /// Closes a lane after what has come already; whether there was one.
    #[cfg(feature = "server")]
    pub(super) fn close(&self, identity: &str) -> bool {
        self.all().remove(identity).is_some()
    }

    /// Closes the lane of a device that something is wrong with; whether there is one.
    #[cfg(any(feature = "client", test))]
    pub(super) fn refuse(&self, identity: &str, why: SubDeviceRefused) -> bool {
        let mut lanes = self.all();
        let Some(lane) = lanes.get(identity) else { return false };
        if lane.shared.is_ready.load(Ordering::Relaxed) {
            let _ = lane.shared.why.set(why);
            lanes.remove(identity);
        }
        true
    }

    /// Closes those that end with another peer than that.
    pub(super) fn keep_only(&self, peer: Option<&Peer>) {
        let is = |of: &Option<Peer>| of.as_ref().zip(peer).is_some_and(|(of, peer)| of.is_same_connection(peer));
        self.all().retain(|_, lane| is(&lane.peer));
    }

    /// Whether the device has one.
    pub(super) fn has(&self, identity: &str) -> bool {
        self.all().get(identity).is_some_and(Lane::is_open)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all().len()
    }
}

impl Lane {
    fn is_open(&self) -> bool {
        !self.messages.is_closed() && self.peer.as_ref().is_none_or(Peer::is_connected)
    }
}

impl Inbox {
    /// Its device is online.
    #[cfg(any(feature = "client", test))]
    pub(super) fn is_ready(&self) {
        self.shared.is_ready.store(true, Ordering::Relaxed);
    }

    /// Why the lane was closed, if that was said.
    pub(super) fn why(&self) -> Option<SubDeviceRefused> {
        self.shared.why.get().cloned()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut lanes = self.lanes.all();
        // Unless there is a newer one.
        if lanes.get(&self.identity).is_some_and(|lane| Arc::ptr_eq(&lane.shared, &self.shared)) {
            lanes.remove(&self.identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alink::SubDeviceFault;

    fn bring(lanes: &Lanes, identity: &str, number: u8) -> bool {
        !matches!(lanes.bring(identity, "topic".to_owned(), vec![number], Owed::default()), Brought::NoLane(..))
    }

    #[test]
    fn each_device_has_its_own_messages_and_no_more_than_it_may_keep() {
        let lanes = Arc::<Lanes>::default();
        let (mut first, second) = (lanes.open("a".into(), None), lanes.open("b".into(), None));
        assert!(!bring(&lanes, "c", 0) && lanes.len() == 2);
        for number in 0..100 {
            assert!(bring(&lanes, "b", number), "one that is full holds nobody up");
        }
        assert!(bring(&lanes, "a", 7));
        let (topic, payload, _) = first.messages.try_recv().unwrap();
        assert_eq!((topic.as_str(), payload), ("topic", vec![7]));
        assert_eq!(second.messages.len(), INBOX);
        drop(second);
        assert!(!bring(&lanes, "b", 0) && lanes.len() == 1);
    }

    #[test]
    fn a_newer_lane_is_not_closed_by_the_end_of_the_older_one() {
        let lanes = Arc::<Lanes>::default();
        let older = lanes.open("a".into(), None);
        let mut newer = lanes.open("a".into(), None);
        drop(older);
        assert!(bring(&lanes, "a", 1) && newer.messages.try_recv().is_ok());
    }

    #[test]
    fn what_is_wrong_with_an_earlier_session_ends_no_later_one() {
        let lanes = Arc::<Lanes>::default();
        let inbox = lanes.open("a".into(), None);
        let refused = || SubDeviceRefused::from(SubDeviceFault::NoSession);
        assert!(lanes.refuse("a", refused()) && lanes.has("a"));
        inbox.is_ready();
        assert!(lanes.refuse("a", refused()) && !lanes.has("a"));
        assert_eq!(inbox.why(), Some(refused()));
        assert!(!lanes.refuse("a", refused()));
    }
}
