//! With which certificates charge points are connected (security profile 3), so that a certificate that is revoked ends what
//! it has opened.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use onwire::CallFailure;
use onwire::net::Peers;

use super::issued;
use crate::app::App;
use crate::store::{StoreError, sql};

/// Certificates that are remembered of one charge point: while its connection stands, it may try to open others.
const OF_ONE: usize = 4;

/// How many charge points are remembered beside those that are connected, before it is looked who has gone.
const GONE: usize = 1024;

/// Serial numbers of certificates, by identity.
#[derive(Debug, Default)]
pub struct Logins {
    shown: Mutex<HashMap<Box<str>, VecDeque<Box<str>>>>,
    /// How many certificates were revoked when it was looked last; none of them ever comes back.
    revoked: AtomicI64,
}

impl Logins {
    /// Remembers what a charge point has shown that may connect.
    pub(super) fn remember(&self, identity: &str, serial: &str, peers: &Peers) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.len() > peers.len().saturating_mul(2).saturating_add(GONE) {
            shown.retain(|known, _| peers.get(known).is_some());
        }
        let serials = shown.entry(identity.into()).or_default();
        if peers.get(identity).is_none() {
            serials.clear();
        }
        serials.retain(|known| **known != *serial);
        if serials.len() == OF_ONE {
            serials.pop_front();
        }
        serials.push_back(serial.into());
    }

    fn of(&self, identity: &str) -> VecDeque<Box<str>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).get(identity).cloned().unwrap_or_default()
    }

    fn with_any_of(&self, revoked: &HashSet<String>) -> Vec<Box<str>> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let is_revoked = |serials: &VecDeque<Box<str>>| serials.iter().any(|serial| revoked.contains(&**serial));
        shown.iter().filter(|(_, serials)| is_revoked(serials)).map(|(identity, _)| identity.clone()).collect()
    }
}

/// Ends the connections of certificates that were revoked since it was looked last, by this program or by a command beside
/// it.
///
/// # Errors
/// Those of the database.
pub async fn end_revoked(app: &App) -> Result<(), StoreError> {
    let (logins, readers) = (&app.security.logins, app.store.readers());
    let sql = "SELECT COUNT(*) FROM certificates WHERE revoked = 1";
    let count: i64 = sql::query_scalar(sql).fetch_one(readers).await?;
    if count == logins.revoked.load(Ordering::Relaxed) {
        return Ok(());
    }
    let sql = "SELECT serial FROM certificates WHERE revoked = 1";
    let revoked: Vec<String> = sql::query_scalar(sql).fetch_all(readers).await?;
    for identity in logins.with_any_of(&revoked.into_iter().collect()) {
        tracing::warn!(%identity, "its certificate is revoked");
        end_connection(app, &identity);
    }
    logins.revoked.store(count, Ordering::Relaxed);
    Ok(())
}

/// Ends a connection that has just begun if its certificate was revoked while it was being let in.
///
/// # Errors
/// Those of the database.
pub async fn check_again(app: &App, identity: &str) -> Result<(), StoreError> {
    for serial in app.security.logins.of(identity) {
        if issued::is_revoked(&app.store, &serial).await? {
            end_connection(app, identity);
        }
    }
    Ok(())
}

/// Ends the connection of a charge point, if there is one: what it was let in with holds no longer.
pub fn end_connection(app: &App, identity: &str) {
    if let Some(peer) = app.peers.get(identity) {
        peer.disconnect(CallFailure::Disconnected);
    }
}
