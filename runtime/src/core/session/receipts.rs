//! Which messages of the transport are done with, for transports that acknowledge.

use alloc::vec::Vec;

use crate::core::frame::Fingerprint;

/// The number that a transport gives a message with [`Session::receive_as`](super::Session::receive_as). The session
/// returns it with the answer ([`Session::poll_transmit_for`](super::Session::poll_transmit_for)), so that the transport
/// knows where the answer belongs, and once when it is done with the message
/// ([`Session::poll_receipt`](super::Session::poll_receipt)), so that the transport may acknowledge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Receipt(pub u32);

/// What a receipt waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// The CALL has to be handled, and its answer handed to the transport.
    ForCall(Fingerprint),
    /// The answer is written and has to be handed to the transport.
    ForAnswer,
    /// Nothing: the transport may take it.
    Done,
}

#[derive(Debug, Default)]
pub(super) struct Receipts {
    /// In the order in which the messages came.
    held: Vec<(Receipt, Waits)>,
    /// None is given back any more.
    are_forgotten: bool,
}

impl Receipts {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    fn hold(&mut self, receipt: Option<Receipt>, waits: Waits) {
        if let Some(receipt) = receipt.filter(|_| !self.are_forgotten) {
            self.held.push((receipt, waits));
        }
    }

    /// The message is a CALL, which a handler takes.
    pub(super) fn hold_for_call(&mut self, receipt: Option<Receipt>, call: Fingerprint) {
        self.hold(receipt, Waits::ForCall(call));
    }

    /// The message is answered already.
    pub(super) fn hold_for_answer(&mut self, receipt: Option<Receipt>) {
        self.hold(receipt, Waits::ForAnswer);
    }

    /// Nothing more becomes of the message.
    pub(super) fn hold_done(&mut self, receipt: Option<Receipt>) {
        self.hold(receipt, Waits::Done);
    }

    /// The receipt that a call's answer goes with: that of the latest message which brought it.
    pub(super) fn of_call(&self, call: Fingerprint) -> Option<Receipt> {
        self.held.iter().rev().find(|(_, waits)| *waits == Waits::ForCall(call)).map(|(receipt, _)| *receipt)
    }

    /// The CALL is done with.
    pub(super) fn release_call(&mut self, call: Fingerprint) {
        self.release(|_, waits| waits == Waits::ForCall(call));
    }

    /// The answer to that message has been handed over.
    pub(super) fn release_answer(&mut self, answered: Receipt) {
        self.release(|receipt, _| receipt == answered);
    }

    /// No answer is handed over any more: what waits for one is done, but for the CALLs that are still to be handled.
    pub(super) fn release_answers(&mut self, is_handled_later: impl Fn(Fingerprint) -> bool) {
        self.release(|_, waits| match waits {
            Waits::ForCall(call) => !is_handled_later(call),
            Waits::ForAnswer | Waits::Done => true,
        });
    }

    fn release(&mut self, is_done: impl Fn(Receipt, Waits) -> bool) {
        for (receipt, waits) in &mut self.held {
            if is_done(*receipt, *waits) {
                *waits = Waits::Done;
            }
        }
    }

    /// The transport gets none back, not even those that are done.
    pub(super) fn forget(&mut self) {
        *self = Self { held: Vec::new(), are_forgotten: true };
    }

    #[cfg(feature = "net")]
    pub(super) fn are_forgotten(&self) -> bool {
        self.are_forgotten
    }

    /// Takes the oldest one that is done.
    pub(super) fn poll(&mut self) -> Option<Receipt> {
        let index = self.held.iter().position(|(_, waits)| *waits == Waits::Done)?;
        let (receipt, _) = self.held.remove(index);
        if self.held.is_empty() {
            self.held = Vec::new();
        }
        Some(receipt)
    }
}
