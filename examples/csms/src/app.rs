//! What all parts share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use onwire::net::Peers;
use tokio::sync::{Mutex, MutexGuard, watch};

use crate::config::Config;
use crate::files::Files;
use crate::observe::events::Events;
use crate::observe::metrics::Metrics;
use crate::ocpp::admission::Admitted;
use crate::ocpp::clocks::Clocks;
use crate::ocpp::local_list::Sending;
use crate::ocpp::refused::Refusals;
use crate::security::Security;
use crate::store::Store;

/// The parts of a running central system; handlers and requests hold it as `Arc<App>`.
#[derive(Debug)]
pub struct App {
    /// What it was started with.
    pub config: Config,
    /// Where charge points connect, each with their identity behind it: `ws://HOST:PORT/ocpp/`.
    pub urls: Vec<String>,
    /// The database.
    pub store: Store,
    /// The connected charge points.
    pub peers: Peers,
    /// What charge points upload and download.
    pub files: Files,
    /// Who was accepted, of those that are connected.
    pub admitted: Admitted,
    /// Clocks of charge points that are ahead.
    pub clocks: Clocks,
    /// CALLs that were refused for their payload.
    pub refusals: Refusals,
    /// To whom local lists are being sent.
    pub lists: Sending,
    /// What happens, live.
    pub events: Events,
    /// What is counted.
    pub metrics: Metrics,
    /// Who may do what.
    pub security: Security,
    /// What an operator may change while it runs.
    pub policy: Policy,
    /// Turns `true` when the server ends: answers that have no end of their own must end then.
    pub ends: watch::Receiver<bool>,
}

/// A handle of it.
pub type SharedApp = Arc<App>;

/// Whom the server lets in that it does not know.
#[derive(Debug)]
pub struct Policy {
    unknown_charge_points: AtomicBool,
    unknown_id_tags: AtomicBool,
    changing: Mutex<()>,
}

impl Policy {
    /// Both alike.
    pub fn new(open: bool) -> Self {
        let (unknown_charge_points, unknown_id_tags) = (AtomicBool::new(open), AtomicBool::new(open));
        Self { unknown_charge_points, unknown_id_tags, changing: Mutex::default() }
    }

    /// Whether charge points that nobody has entered may connect.
    pub fn accepts_unknown_charge_points(&self) -> bool {
        self.unknown_charge_points.load(Ordering::Relaxed)
    }

    /// Whether id tags that nobody has entered may charge.
    pub fn accepts_unknown_id_tags(&self) -> bool {
        self.unknown_id_tags.load(Ordering::Relaxed)
    }

    /// To be held by whoever changes it here and in the database: of two at once both have to end with the same.
    pub async fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Changes the one or the other, for as long as the server runs; [`Store`] keeps it beyond that.
    pub fn set(&self, unknown_charge_points: Option<bool>, unknown_id_tags: Option<bool>) {
        if let Some(accepts) = unknown_charge_points {
            self.unknown_charge_points.store(accepts, Ordering::Relaxed);
        }
        if let Some(accepts) = unknown_id_tags {
            self.unknown_id_tags.store(accepts, Ordering::Relaxed);
        }
    }
}
