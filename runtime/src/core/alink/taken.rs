//! Messages that a session has taken and is not done with.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::core::session::Receipt;

/// Where the answers to messages go, and what acknowledges each (`A`), by the receipts that the session gives back.
#[derive(Debug)]
pub(crate) struct Taken<A> {
    last: u32,
    messages: Vec<Message<A>>,
}

#[derive(Debug)]
struct Message<A> {
    receipt: Receipt,
    reply: Option<Box<str>>,
    acknowledgement: A,
}

impl<A> Default for Taken<A> {
    fn default() -> Self {
        Self { last: 0, messages: Vec::new() }
    }
}

impl<A> Taken<A> {
    /// Remembers a message: the topic of its answer, if it has one.
    pub(crate) fn put(&mut self, reply: Option<String>, acknowledgement: A) -> Receipt {
        self.last = self.last.wrapping_add(1);
        let receipt = Receipt(self.last);
        // One at a time: few are under way, and a connection should not pay for more.
        self.messages.reserve_exact(1);
        self.messages.push(Message { receipt, reply: reply.map(String::into_boxed_str), acknowledgement });
        receipt
    }

    /// Where the answer goes.
    pub(crate) fn reply(&self, receipt: Receipt) -> Option<&str> {
        self.messages.iter().find(|message| message.receipt == receipt)?.reply.as_deref()
    }

    /// Forgets a message that the session is done with, and returns what acknowledges it.
    pub(crate) fn done(&mut self, receipt: Receipt) -> Option<A> {
        let index = self.messages.iter().position(|message| message.receipt == receipt)?;
        let done = self.messages.remove(index);
        if self.messages.is_empty() {
            self.messages = Vec::new();
        }
        Some(done.acknowledgement)
    }
}
