//! What happens, live: for server-sent events.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::broadcast;

/// How many events wait for a slow listener before it loses the oldest.
const WAITING: usize = 1024;

/// Something that happened to a charge point.
#[derive(Debug, Clone)]
pub struct Event {
    /// What: `status`, `transactionStarted`, ..
    pub kind: &'static str,
    /// To which charge point.
    pub charge_point: Arc<str>,
    /// As JSON.
    pub data: Arc<str>,
}

/// Where events go; whoever listens gets those from then on.
#[derive(Debug)]
pub struct Events(broadcast::Sender<Event>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::channel(WAITING).0)
    }
}

impl Events {
    /// Tells everybody who listens. `data` is not made if nobody does.
    pub fn tell<T: Serialize>(&self, kind: &'static str, charge_point: &str, data: impl FnOnce() -> T) {
        if self.0.receiver_count() == 0 {
            return;
        }
        match serde_json::to_string(&data()) {
            // Whoever listened may be gone by now.
            Ok(data) => drop(self.0.send(Event { kind, charge_point: charge_point.into(), data: data.into() })),
            Err(error) => tracing::error!(%error, kind, "an event cannot be written"),
        }
    }

    /// The events from now on.
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.0.receiver_count()
    }
}
