//! Who is connected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{CallFailure, Peer};

/// The connected peers by identity; clones are handles of the same directory.
#[derive(Debug, Clone, Default)]
pub struct Peers(Arc<Mutex<HashMap<String, Peer>>>);

impl Peers {
    /// The peer of that identity, if it is connected.
    pub fn get(&self, identity: &str) -> Option<Peer> {
        self.with(|peers| peers.get(identity).cloned())
    }

    /// Every connected peer, in no order.
    pub fn list(&self) -> Vec<Peer> {
        self.with(|peers| peers.values().cloned().collect())
    }

    /// How many are connected.
    pub fn len(&self) -> usize {
        self.with(|peers| peers.len())
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Enters a new connection. An older one of the same identity is half-open most of the time (the charger lost its
    /// network and came back), so that the newer one takes its place.
    pub(super) fn enter(&self, peer: &Peer) -> Presence {
        let replaced = self.with(|peers| peers.insert(peer.identity().to_owned(), peer.clone()));
        if let Some(older) = replaced {
            older.disconnect(CallFailure::Replaced);
        }
        Presence { peers: self.clone(), peer: peer.clone() }
    }

    fn with<T>(&self, access: impl FnOnce(&mut HashMap<String, Peer>) -> T) -> T {
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A connection's entry in the directory; dropping it, however the connection's future ends, takes it out.
pub(super) struct Presence {
    peers: Peers,
    peer: Peer,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.peers.with(|peers| {
            // Unless another connection has taken its place.
            if peers.get(self.peer.identity()).is_some_and(|current| current.is_same_connection(&self.peer)) {
                peers.remove(self.peer.identity());
            }
        });
    }
}
