//! Charge points that were never accepted may send a BootNotification and nothing else (OCPP-J 1.6 errata §3.8). Acceptance
//! is kept: neither a reconnect nor a restart of the server asks for another BootNotification (OCPP-J 1.6 §5.4). One whose
//! boot is pending may also send what it was asked for (OCPP 1.6 §4.2).
//!
//! Some charge points were accepted by another system, or before the database was lost, and go on without a boot for months.
//! Those that an operator has entered, or that have a key, and whose boot would be accepted, count as accepted for as long as
//! they are connected. Whoever goes on without a boot is asked for one.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use onwire::frame::Reply;
use onwire::ocpp::v16::{MessageTrigger, TriggerMessageRequest};
use onwire::{CallError, Cx, Dialect, ErrorCode, Peer, Router, SendRouter};

use super::boot;
use super::patience::{is_of_transaction, until_kept};
use crate::app::SharedApp;
use crate::store::records::charge_points::BootPolicy;
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
    /// The connections that were asked for a BootNotification because they went on without one, by identity.
    reminded: HashMap<Box<str>, Peer>,
}

/// How a charge point stands that sends something else than a BootNotification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// A BootNotification of it was accepted.
    Accepted,
    /// It has not booted here, and counts as accepted if it goes on as one that has.
    Trusted,
    /// It has not booted here, and would be accepted as anybody is: what belongs to transactions is taken.
    Stranger,
    /// It has not booted here.
    Unbooted,
    /// Its boot is pending, or rejected, or would be rejected.
    Refused,
}

/// What only a charge point sends that takes itself for accepted.
fn goes_on(action: &str) -> bool {
    action == "Heartbeat" || is_of_transaction(action)
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
            // Said of a connection that stands, this does not make it another one.
            if known.reminded.get(identity).is_some_and(|peer| !peer.is_connected()) {
                known.reminded.remove(identity);
            }
        });
    }

    /// The database is to be asked again about everybody.
    pub fn forget_all(&self) {
        self.with(|known| {
            let mut reminded = std::mem::take(&mut known.reminded);
            reminded.retain(|_, peer| peer.is_connected());
            *known = Known { questions: known.questions, reminded, ..Known::default() };
        });
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

    /// How it stands; with `goes_on`, one that is trusted is accepted from now on.
    async fn standing(&self, app: &SharedApp, peer: &Peer, goes_on: bool) -> Result<Standing, StoreError> {
        let identity = peer.identity();
        if self.knows(identity) {
            return Ok(Standing::Accepted);
        }
        let question = self.ask(identity);
        let registration = charge_points::registration(app.store.readers(), identity).await?;
        let standing = match &registration {
            Some(known) if known.is_accepted() => Standing::Accepted,
            _ if boot::policy(registration.as_ref(), app.policy.accepts_unknown_charge_points())
                == BootPolicy::Reject =>
            {
                Standing::Refused
            }
            Some(known) if known.has_booted() => Standing::Refused,
            Some(known) if (known.is_registered() || known.has_key()) && boot::accepts(known, app) => Standing::Trusted,
            known if boot::policy(known.as_ref(), app.policy.accepts_unknown_charge_points()) == BootPolicy::Accept => {
                Standing::Stranger
            }
            _ => Standing::Unbooted,
        };
        let is_accepted = standing == Standing::Accepted || standing == Standing::Trusted && goes_on;
        // What a connection that has ended still brings is not worth remembering.
        if is_accepted && peer.is_connected() {
            question.accepted();
        }
        Ok(standing)
    }

    /// Whether this connection is to be asked for a boot: once.
    fn is_to_be_reminded(&self, peer: &Peer) -> bool {
        self.with(|known| {
            if !peer.is_connected()
                || known.reminded.get(peer.identity()).is_some_and(|one| one.is_same_connection(peer))
            {
                return false;
            }
            known.reminded.insert(peer.identity().into(), peer.clone());
            true
        })
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
        let (peer, action) = (cx.peer(), cx.action());
        let goes_on = goes_on(action);
        let standing = || self.app.admitted.standing(&self.app, peer, goes_on);
        let standing = match is_of_transaction(action) {
            true => until_kept(peer, standing).await?,
            false => standing().await.map_err(super::handlers::failed)?,
        };
        let is_trusted = standing == Standing::Trusted && goes_on;
        // A CALLERROR would destroy it.
        let is_kept = standing == Standing::Stranger && is_of_transaction(action);
        if goes_on && matches!(standing, Standing::Trusted | Standing::Stranger | Standing::Unbooted) {
            self.remind(peer, action, is_trusted || is_kept);
        }
        if standing == Standing::Accepted || is_trusted || is_kept || self.app.admitted.expects(peer.identity(), action)
        {
            return Ok(());
        }
        Err(CallError::new(ErrorCode::SecurityError, "no BootNotification was accepted yet"))
    }

    /// Asks for a BootNotification, which it may refuse to send.
    fn remind(&self, peer: &Peer, action: &str, is_trusted: bool) {
        if !self.app.admitted.is_to_be_reminded(peer) {
            return;
        }
        let identity = peer.identity();
        match is_trusted {
            true => tracing::warn!(
                identity,
                action,
                "it has not booted here, and is served all the same: it is asked for a boot"
            ),
            false => tracing::warn!(identity, action, "it has not booted here, and is refused: it is asked for a boot"),
        }
        let call = peer.call(TriggerMessageRequest::new(MessageTrigger::BootNotification)).timeout(boot::PATIENCE);
        let identity = identity.to_owned();
        tokio::spawn(async move {
            match call.await {
                Ok(answer) => tracing::debug!(identity, status = %answer.status, "asked for a boot"),
                Err(failure) => tracing::debug!(identity, %failure, "it cannot be asked for a boot"),
            }
        });
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
