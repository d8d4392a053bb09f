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
///
/// An acceptance that is on its way from the database to here may have been taken back meanwhile. So each is announced before
/// the database is asked ([`Admitted::ask`]), and is worth nothing once [`Admitted::forget`] was called.
#[derive(Debug, Clone, Default)]
pub struct Admitted(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    accepted: HashSet<Box<str>>,
    /// The latest question to the database about each, while it is asked.
    asked: HashMap<Box<str>, u64>,
    /// How many questions there have been.
    questions: u64,
    /// Messages that charge points were asked for, by identity.
    triggered: HashMap<Box<str>, HashSet<&'static str>>,
}

impl Admitted {
    fn with<T>(&self, access: impl FnOnce(&mut Known) -> T) -> T {
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// To be called before the database is asked whether it is accepted, or told so.
    pub fn ask(&self, identity: &str) -> Question {
        let number = self.with(|known| {
            known.questions += 1;
            known.asked.insert(identity.into(), known.questions);
            known.questions
        });
        Question { admitted: self.clone(), identity: identity.into(), number }
    }

    /// The database is to be asked again about it. To be called once what the database says has changed.
    pub fn forget(&self, identity: &str) {
        self.with(|known| {
            known.accepted.remove(identity);
            known.asked.remove(identity);
            known.triggered.remove(identity);
        });
    }

    /// The database is to be asked again about everybody.
    pub fn forget_all(&self) {
        self.with(|known| *known = Known { questions: known.questions, ..Known::default() });
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
        if self.knows(identity) {
            return Ok(true);
        }
        let question = self.ask(identity);
        let registration = charge_points::registration(app.store.readers(), identity).await?;
        let is_accepted = registration.is_some_and(|registration| registration.is_accepted());
        // What a connection that has ended still brings is not worth remembering.
        if is_accepted && peer.is_connected() {
            question.accepted();
        }
        Ok(is_accepted)
    }

    fn knows(&self, identity: &str) -> bool {
        self.with(|known| known.accepted.contains(identity))
    }
}

/// The database is being asked about a charge point, see [`Admitted::ask`].
#[derive(Debug)]
#[must_use = "its answer is to be kept"]
pub struct Question {
    admitted: Admitted,
    identity: Box<str>,
    number: u64,
}

impl Question {
    /// The charge point is accepted, unless that was taken back since the question.
    pub fn accepted(self) {
        self.admitted.with(|known| {
            if known.asked.get(&self.identity) == Some(&self.number) {
                known.accepted.insert(self.identity.clone());
            }
        });
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.admitted.with(|known| {
            if known.asked.get(&self.identity) == Some(&self.number) {
                known.asked.remove(&self.identity);
            }
        });
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

    #[test]
    fn an_acceptance_that_was_taken_back_since_the_question_is_not_kept() {
        let admitted = Admitted::default();
        admitted.ask("CP1").accepted();
        assert!(admitted.knows("CP1"));
        for forget in [|admitted: &Admitted| admitted.forget("CP1"), Admitted::forget_all] {
            let question = admitted.ask("CP1");
            forget(&admitted);
            question.accepted();
            assert!(!admitted.knows("CP1"));
        }
        // An older question does not answer a newer one, and what happens to others does not matter.
        let (older, newer) = (admitted.ask("CP1"), admitted.ask("CP1"));
        admitted.forget("CP2");
        older.accepted();
        assert!(!admitted.knows("CP1"));
        newer.accepted();
        assert!(admitted.knows("CP1"));
        drop(admitted.ask("CP3"));
        assert!(admitted.with(|known| known.asked.is_empty()), "nothing is left of questions");
    }
}
