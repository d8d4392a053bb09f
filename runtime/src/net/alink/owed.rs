//! Acknowledgements that are owed for messages which somebody else handles.

use std::task::{Context, Poll};

use tokio::sync::mpsc;

/// Whoever takes a message holds it while the message is handled; dropping it acknowledges the message.
#[derive(Debug, Default)]
pub(super) struct Owed(Option<(u16, mpsc::UnboundedSender<u16>)>);

impl Drop for Owed {
    fn drop(&mut self) {
        if let Some((id, settled)) = self.0.take() {
            // An error says that the connection has ended.
            let _ = settled.send(id);
        }
    }
}

/// A connection's account. There are never more than the connection has messages in hand, and nothing until there is one.
#[derive(Debug, Default)]
pub(super) struct Account(Option<(mpsc::UnboundedSender<u16>, mpsc::UnboundedReceiver<u16>)>);

impl Account {
    /// What is owed for a message; nothing if it has no number.
    pub(super) fn owe(&mut self, id: Option<u16>) -> Owed {
        Owed(id.map(|id| (id, self.0.get_or_insert_with(mpsc::unbounded_channel).0.clone())))
    }

    /// The number of a message that is done with.
    pub(super) fn poll_settled(&mut self, context: &mut Context<'_>) -> Poll<u16> {
        match &mut self.0 {
            // Never closed: a sender is held here.
            Some((_, settled)) => settled.poll_recv(context).map(Option::unwrap_or_default),
            None => Poll::Pending,
        }
    }
}
