//! Charge points that were never accepted may send a BootNotification and nothing else (OCPP-J 1.6 errata §3.8). Acceptance
//! is kept: neither a reconnect nor a restart of the server asks for another BootNotification (OCPP-J 1.6 §5.4). One whose
//! boot is pending may also send what it was asked for (OCPP 1.6 §4.2).

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use onwire::frame::Reply;
use onwire::{CallError, Cx, Dialect, ErrorCode, Peer, Router, SendRouter};

use super::patience::{is_of_transaction, until_kept};
use crate::app::SharedApp;
use crate::store::{StoreError, charge_points};

/// Who is known to be accepted, for as long as they are connected: the database is asked once for each connection.
#[derive(Debug, Clone, Default)]
pub struct Admitted(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    accepted: HashSet<Box<str>>,
    /// Whom the database is being asked about. Whoever is to be forgotten meanwhile leaves it, so that an answer that was
    /// overtaken is not remembered.
    asking: HashSet<Box<str>>,
    /// Messages that charge points were asked for, by identity.
    triggered: HashMap<Box<str>, HashSet<&'static str>>,
}

impl Admitted {
    fn with<T>(&self, access: impl FnOnce(&mut Known) -> T) -> T {
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// It was accepted.
    pub fn add(&self, identity: &str) {
        self.with(|known| known.accepted.insert(identity.into()));
    }

    /// The database is to be asked again about it.
    pub fn forget(&self, identity: &str) {
        self.with(|known| {
            known.accepted.remove(identity);
            known.asking.remove(identity);
            known.triggered.remove(identity);
        });
    }

    /// The database is to be asked again about everybody.
    pub fn forget_all(&self) {
        self.with(|known| *known = Known::default());
    }

    /// It is being asked for that message.
    pub fn expect(&self, identity: &str, action: &'static str) {
        self.with(|known| known.triggered.entry(identity.into()).or_default().insert(action));
    }

    /// It will not send that message.
    pub fn expect_no_more(&self, identity: &str, action: &'static str) {
        self.with(|known| known.triggered.get_mut(identity).map(|actions| actions.remove(action)));
    }

    fn expects(&self, identity: &str, action: &str) -> bool {
        self.with(|known| known.triggered.get(identity).is_some_and(|actions| actions.contains(action)))
    }

    /// Whether a BootNotification of it was ever accepted.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn has(&self, app: &SharedApp, peer: &Peer) -> Result<bool, StoreError> {
        let identity = peer.identity();
        if self.with(|known| known.accepted.contains(identity)) {
            return Ok(true);
        }
        let registered = charge_points::registration(app.store.readers(), identity);
        let is_accepted = async { Ok(registered.await?.is_some_and(|registration| registration.is_accepted())) };
        // What a connection that has ended still brings is not worth remembering.
        self.remembered(identity, || peer.is_connected(), is_accepted).await
    }

    /// Asks, and remembers a yes, unless it was to be forgotten meanwhile.
    async fn remembered(
        &self,
        identity: &str,
        is_worth_it: impl Fn() -> bool,
        asked: impl Future<Output = Result<bool, StoreError>>,
    ) -> Result<bool, StoreError> {
        self.with(|known| known.asking.insert(identity.into()));
        let answer = asked.await;
        self.with(|known| {
            if known.asking.remove(identity) && matches!(answer, Ok(true)) && is_worth_it() {
                known.accepted.insert(identity.into());
            }
        });
        answer
    }
}

/// Handlers that only accepted charge points reach.
#[derive(Debug)]
pub struct Admission<R> {
    handlers: R,
    app: SharedApp,
}

impl<R> Admission<R> {
    /// In front of those handlers.
    pub fn new(handlers: R, app: SharedApp) -> Self {
        Self { handlers, app }
    }

    async fn check(&self, cx: Cx<'_>) -> Result<(), CallError> {
        if cx.action() == "BootNotification" {
            return Ok(());
        }
        let identity = cx.peer().identity();
        let has = || self.app.admitted.has(&self.app, cx.peer());
        let is_accepted = match is_of_transaction(cx.action()) {
            true => until_kept(cx.peer(), has).await?,
            false => has().await.map_err(super::handlers::failed)?,
        };
        if is_accepted || self.app.admitted.expects(identity, cx.action()) {
            return Ok(());
        }
        Err(CallError::new(ErrorCode::SecurityError, "no BootNotification was accepted yet"))
    }
}

impl<R: Router> Router for Admission<R> {
    type Role = R::Role;
    const DIALECT: &'static Dialect = R::DIALECT;

    async fn on<'a>(&'a self, cx: Cx<'a>) -> Result<Reply, CallError> {
        self.check(cx).await?;
        self.handlers.on(cx).await
    }

    fn has_after(&self, action: &str) -> bool {
        self.handlers.has_after(action)
    }

    fn after<'a>(&'a self, cx: Cx<'a>) -> impl Future<Output = ()> + 'a {
        self.handlers.after(cx)
    }
}

impl<R: SendRouter> SendRouter for Admission<R> {
    async fn on_send<'a>(&'a self, cx: Cx<'a>) -> Result<Reply, CallError> {
        self.check(cx).await?;
        self.handlers.on_send(cx).await
    }

    fn after_send<'a>(&'a self, cx: Cx<'a>) -> impl Future<Output = ()> + Send + 'a {
        self.handlers.after_send(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_acceptance_that_is_revoked_while_it_is_read_is_not_remembered() {
        let admitted = Admitted::default();
        let knows = || admitted.with(|known| known.accepted.contains("CP1"));
        let accepted = async { Ok(true) };
        assert!(admitted.remembered("CP1", || true, accepted).await.unwrap() && knows());
        admitted.forget("CP1");
        let revocations: [fn(&Admitted); 2] = [|admitted| admitted.forget("CP1"), Admitted::forget_all];
        for revoke in revocations {
            let overtaken = async {
                revoke(&admitted);
                Ok(true)
            };
            assert!(admitted.remembered("CP1", || true, overtaken).await.unwrap());
            assert!(!knows(), "the database is asked again");
        }
        assert!(admitted.remembered("CP1", || false, async { Ok(true) }).await.unwrap() && !knows());
    }
}
