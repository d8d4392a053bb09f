//! What happens, live: for server-sent events.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::broadcast;

/// How many events wait for a slow listener before it loses the oldest.
const WAITING: usize = 1024;

/// Something that happened to a device.
#[derive(Debug, Clone)]
pub(crate) struct Happened {
    pub(crate) kind: &'static str,
    pub(crate) product_key: Arc<str>,
    pub(crate) device_name: Arc<str>,
    /// As JSON.
    pub(crate) data: Arc<str>,
}

/// Where it goes; whoever listens gets what happens from then on.
#[derive(Debug)]
pub(crate) struct Live(broadcast::Sender<Happened>);

impl Default for Live {
    fn default() -> Self {
        Self(broadcast::channel(WAITING).0)
    }
}

impl Live {
    /// Tells everybody who listens. `data` is not made if nobody does.
    pub(crate) fn tell(&self, kind: &'static str, product: &str, device: &str, data: impl FnOnce() -> Value) {
        if self.0.receiver_count() == 0 {
            return;
        }
        let data = json!({"productKey": product, "deviceName": device, "at": crate::time::text(crate::time::now()),
            "data": data()});
        let data = data.to_string().into();
        // Whoever listened may be gone by now.
        drop(self.0.send(Happened { kind, product_key: product.into(), device_name: device.into(), data }));
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Happened> {
        self.0.subscribe()
    }
}
