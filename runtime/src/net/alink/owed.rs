//! Acknowledgements that are owed for messages which somebody else handles.

use std::task::{Context, Poll};

use tokio::sync::mpsc;

use crate::Peer;

/// Whoever takes a message holds it while the message is handled; dropping it acknowledges the message, unless the device that it
/// is of has been given up meanwhile.
#[derive(Debug, Default)]
pub(super) struct Owed(Option<Debt>);

#[derive(Debug)]
struct Debt {
    id: u16,
    account: mpsc::UnboundedSender<Settled>,
    /// Whose message it is, if it shares the connection with others.
    of: Option<Peer>,
}

/// What has become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// It is done with.
    Done(u16),
    /// Its device was given up ([`Peer::give_up`]): it must come again, and is not to be acknowledged.
    GivenUp,
}

impl Owed {
    /// The message is that device's.
    pub(super) fn of(&mut self, peer: &Peer) {
        if let Some(debt) = &mut self.0 {
            debt.of = Some(peer.clone());
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if let Some(Debt { id, account, of }) = self.0.take() {
            let is_given_up = of.is_some_and(|peer| peer.is_given_up());
            // An error says that the connection has ended.
            let _ = account.send(if is_given_up { Settled::GivenUp } else { Settled::Done(id) });
        }
    }
}

/// A connection's account. There are never more than the connection has messages in hand, and nothing until there is one.
#[derive(Debug, Default)]
pub(super) struct Account(Option<(mpsc::UnboundedSender<Settled>, mpsc::UnboundedReceiver<Settled>)>);

impl Account {
    /// What is owed for a message; nothing if it has no number.
    pub(super) fn owe(&mut self, id: Option<u16>) -> Owed {
        Owed(id.map(|id| Debt { id, account: self.0.get_or_insert_with(mpsc::unbounded_channel).0.clone(), of: None }))
    }

    /// What has become of a message.
    pub(super) fn poll_settled(&mut self, context: &mut Context<'_>) -> Poll<Settled> {
        match &mut self.0 {
            // Never closed: a sender is held here.
            Some((_, settled)) => settled.poll_recv(context).map(|settled| settled.unwrap_or(Settled::GivenUp)),
            None => Poll::Pending,
        }
    }
}
