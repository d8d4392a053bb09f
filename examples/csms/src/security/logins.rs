//! What charge points were let in with, so that a connection ends when that no longer holds.
//!
//! Whoever takes something back (a key, a certificate, the charge point itself) first writes that, and then ends the
//! connection. A charge point that was let in before, and whose connection is not in the directory yet, is missed. So each
//! login is remembered until its connection is there, and judged again then, by what the database says now.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use onwire::net::Peers;
use onwire::{CallFailure, Peer};

use super::gate;
use crate::app::App;
use crate::store::{StoreError, sql};

/// Logins that are remembered of one charge point: while its connection stands, it may try to open others.
const OF_ONE: usize = 4;

/// How long a login is remembered whose connection is not there: longer than an opening handshake may take.
const OPENING: Duration = Duration::from_secs(120);

/// How often it is looked for logins whose connections never came.
const SWEEP: Duration = Duration::from_secs(30);

/// What a charge point was let in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing, where it has no key.
    Nothing,
    /// The key with that hash.
    Key(Box<str>),
    /// The certificate with that serial number.
    Certificate(Box<str>),
}

/// A login that was accepted.
#[derive(Debug, Clone)]
pub(super) struct Login {
    /// Where the connection comes from, which tells connections of one charge point apart.
    pub(super) remote: Option<SocketAddr>,
    /// The security profile.
    pub(super) profile: i64,
    pub(super) proof: Proof,
}

#[derive(Debug)]
struct Remembered {
    login: Login,
    since: Instant,
    /// Whether its connection has come.
    is_there: bool,
}

/// Logins by identity: those whose connection is being opened, and those with certificates, which somebody else may revoke at
/// any time.
#[derive(Debug)]
pub struct Logins {
    remembered: Mutex<Memory>,
    /// How many certificates were revoked when it was looked last; none of them ever comes back.
    revoked: AtomicI64,
}

#[derive(Debug)]
struct Memory {
    logins: HashMap<Box<str>, VecDeque<Remembered>>,
    swept: Instant,
}

impl Default for Logins {
    fn default() -> Self {
        let memory = Memory { logins: HashMap::new(), swept: Instant::now() };
        Self { remembered: Mutex::new(memory), revoked: AtomicI64::new(0) }
    }
}

impl Logins {
    fn with<T>(&self, access: impl FnOnce(&mut Memory) -> T) -> T {
        access(&mut self.remembered.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers a login that was accepted.
    pub(super) fn remember(&self, identity: &str, login: Login, peers: &Peers) {
        self.with(|memory| {
            if memory.swept.elapsed() > SWEEP {
                memory.swept = Instant::now();
                memory.logins.retain(|identity, logins| {
                    logins.retain(|login| login.since.elapsed() < OPENING || peers.get(identity).is_some());
                    !logins.is_empty()
                });
            }
            let logins = memory.logins.entry(identity.into()).or_default();
            if logins.len() == OF_ONE {
                logins.pop_front();
            }
            logins.push_back(Remembered { login, since: Instant::now(), is_there: false });
        });
    }

    /// The login of a connection that has come. It is remembered further only if it has a certificate, and that of the
    /// connection before is forgotten.
    fn settle(&self, identity: &str, remote: Option<SocketAddr>) -> Option<Login> {
        self.with(|memory| {
            let logins = memory.logins.get_mut(identity)?;
            let place = logins.iter().rposition(|known| known.login.remote == remote);
            let settled = place.and_then(|place| logins.remove(place));
            logins.retain(|other| !other.is_there);
            let login = settled.map(|settled| settled.login);
            if let Some(login @ Login { proof: Proof::Certificate(_), .. }) = &login {
                logins.push_back(Remembered { login: login.clone(), since: Instant::now(), is_there: true });
            }
            if logins.is_empty() {
                memory.logins.remove(identity);
            }
            login
        })
    }

    /// The same, of a connection whose coming is still to be told, or never will be.
    fn look(&self, identity: &str, remote: Option<SocketAddr>) -> Option<Login> {
        self.with(|memory| {
            let known = memory.logins.get_mut(identity)?.iter_mut().rev().find(|known| known.login.remote == remote)?;
            known.is_there = true;
            Some(known.login.clone())
        })
    }

    /// Whose connection has such a certificate. Those whose connection has not come are judged again when it does.
    fn with_any_of(&self, revoked: &HashSet<String>) -> Vec<Box<str>> {
        let is_revoked = |known: &Remembered| match &known.login.proof {
            Proof::Certificate(serial) => known.is_there && revoked.contains(&**serial),
            Proof::Nothing | Proof::Key(_) => false,
        };
        self.with(|memory| {
            let found = memory.logins.iter().filter(|(_, logins)| logins.iter().any(is_revoked));
            found.map(|(identity, _)| identity.clone()).collect()
        })
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

/// Judges the login of a connection again that has just come into the directory, and ends the connection if what it was let in
/// with was taken back while it was being let in.
pub async fn check_again(app: &App, peer: &Peer) {
    let connected = app.peers.find(peer.identity()).filter(|found| found.peer.is_same_connection(peer));
    // If there is a newer connection, that one is judged.
    let Some(connected) = connected else { return };
    match app.security.logins.settle(peer.identity(), connected.remote) {
        Some(login) => check(app, peer, &login).await,
        // It has opened more connections at once than are remembered.
        None => peer.disconnect(CallFailure::Disconnected),
    }
}

/// [`check_again`] for those that may not have been told. Of others nothing is remembered but certificates.
pub async fn check_all(app: &App) {
    for connected in app.peers.list() {
        if let Some(login) = app.security.logins.look(connected.peer.identity(), connected.remote) {
            check(app, &connected.peer, &login).await;
        }
    }
}

async fn check(app: &App, peer: &Peer, login: &Login) {
    let identity = peer.identity();
    match gate::holds(app, identity, login).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!(identity, "what it was let in with holds no longer");
            peer.disconnect(CallFailure::Disconnected);
        }
        Err(error) => {
            tracing::error!(identity, %error, "its login could not be judged again");
            peer.give_up(CallFailure::TryAgainLater);
        }
    }
}

/// Ends the connection of a charge point, if there is one: what it was let in with holds no longer. To be called once that is
/// written.
pub fn end_connection(app: &App, identity: &str) {
    app.admitted.forget(identity);
    if let Some(peer) = app.peers.get(identity) {
        peer.disconnect(CallFailure::Disconnected);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(port: u16, proof: Proof) -> Login {
        Login { remote: Some(SocketAddr::from(([192, 0, 2, 1], port))), profile: 1, proof }
    }

    fn settled(logins: &Logins, port: u16) -> Option<Proof> {
        logins.settle("CP1", Some(SocketAddr::from(([192, 0, 2, 1], port)))).map(|login| login.proof)
    }

    #[test]
    fn each_connection_has_the_login_that_opened_it() {
        let (logins, peers) = (Logins::default(), Peers::default());
        let key = |hash: &str| Proof::Key(hash.into());
        for (port, hash) in [(1, "a"), (2, "b"), (3, "c")] {
            logins.remember("CP1", login(port, key(hash)), &peers);
        }
        // In whatever order they come, and each once.
        assert_eq!(settled(&logins, 2), Some(key("b")));
        assert_eq!(settled(&logins, 2), None);
        assert_eq!(settled(&logins, 1), Some(key("a")));
        assert_eq!(settled(&logins, 3), Some(key("c")));
        assert!(logins.with(|memory| memory.logins.is_empty()), "nothing is left");
    }

    #[test]
    fn of_certificates_that_of_the_connection_is_remembered() {
        let (logins, peers) = (Logins::default(), Peers::default());
        let with = |serial: &str| logins.with_any_of(&HashSet::from([serial.to_owned()])).len();
        for (port, serial) in [(1, "old"), (2, "new")] {
            logins.remember("CP1", login(port, Proof::Certificate(serial.into())), &peers);
            assert_eq!(with(serial), 0, "it is judged again when its connection comes");
            assert!(settled(&logins, port).is_some());
            assert_eq!(with(serial), 1);
        }
        assert_eq!(with("old"), 0, "that connection has been replaced");
    }

    /// After events were lost all connections are looked at, and some are told later all the same.
    #[test]
    fn a_login_that_was_looked_at_is_settled_once_its_connection_is_told() {
        let (logins, peers) = (Logins::default(), Peers::default());
        logins.remember("CP1", login(1, Proof::Nothing), &peers);
        let remote = login(1, Proof::Nothing).remote;
        for _ in 0..2 {
            assert!(logins.look("CP1", remote).is_some());
        }
        assert_eq!(settled(&logins, 1), Some(Proof::Nothing));
        assert!(logins.look("CP1", remote).is_none() && logins.look("CP2", remote).is_none());
        // One that is never told goes with the next.
        logins.remember("CP1", login(2, Proof::Nothing), &peers);
        assert!(logins.look("CP1", login(2, Proof::Nothing).remote).is_some());
        logins.remember("CP1", login(3, Proof::Nothing), &peers);
        assert!(settled(&logins, 3).is_some());
        assert!(logins.with(|memory| memory.logins.is_empty()));
    }

    #[test]
    fn what_is_remembered_of_one_charge_point_is_bounded() {
        let (logins, peers) = (Logins::default(), Peers::default());
        for port in 1..=100 {
            logins.remember("CP1", login(port, Proof::Nothing), &peers);
        }
        assert_eq!(logins.with(|memory| memory.logins["CP1"].len()), OF_ONE);
        assert_eq!((settled(&logins, 96), settled(&logins, 97)), (None, Some(Proof::Nothing)));
    }
}
