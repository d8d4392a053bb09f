//! Answers on their way to the peer, and recent ones for a peer that sends a CALL again.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Config, Receipt, push};
use crate::core::frame::Fingerprint;
use crate::core::time::Instant;

/// Stands for an answer that the end of the connection overtook.
const NEVER_SENT: &str = "-";

#[derive(Debug, Default)]
pub(super) struct Answers {
    queue: VecDeque<Answer>,
    /// The oldest first.
    kept: Vec<Kept>,
    /// The peer gives several CALLs one id, so that the same text again may well be a new CALL.
    ids_are_reused: bool,
}

#[derive(Debug)]
struct Answer {
    frame: String,
    /// The CALL that it answers, if that was handled.
    call: Option<Answered>,
    /// Of the message that it answers, if that was not handled.
    receipt: Option<Receipt>,
    is_kept: bool,
}

/// An answer that is to be sent.
pub(super) struct Leaving {
    pub(super) frame: String,
    /// The CALL that it answers, if that was handled.
    pub(super) call: Option<Fingerprint>,
    /// Of the message that it answers, if that was not handled.
    pub(super) receipt: Option<Receipt>,
}

/// A CALL, known again by its text; by its id it is told whether ids mean anything to the peer.
#[derive(Debug, Clone, Copy)]
struct Answered {
    text: Fingerprint,
    id: Fingerprint,
}

#[derive(Debug)]
struct Kept {
    call: Answered,
    /// Empty if the same CALL is to be handled anew: then only its id is remembered.
    frame: Box<str>,
    until: Instant,
}

impl Kept {
    fn size(&self) -> usize {
        self.frame.len() + size_of::<Self>()
    }
}

impl Answers {
    /// How many wait to be sent.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Queues the answer to a CALL that was handled; if it `is_kept`, it is a recent one once it is sent.
    pub(super) fn push(&mut self, text: Fingerprint, id_token: &str, frame: String, is_kept: bool) {
        let call = Answered { text, id: Fingerprint::of(id_token) };
        push(&mut self.queue, Answer { frame, call: Some(call), receipt: None, is_kept });
    }

    /// Queues an answer that is not worth keeping, because the CALL may be tried again.
    pub(super) fn push_refusal(&mut self, frame: String, receipt: Option<Receipt>) {
        push(&mut self.queue, Answer { frame, call: None, receipt, is_kept: false });
    }

    /// The peer gave one id to two different CALLs.
    pub(super) fn note_reused_id(&mut self) {
        self.ids_are_reused = true;
        self.kept = Vec::new();
    }

    /// Whether the peer gave one id to several CALLs.
    pub(super) fn ids_are_reused(&self) -> bool {
        self.ids_are_reused
    }

    /// Whether the answer to this CALL waits to be sent.
    pub(super) fn is_queued(&self, call: Fingerprint) -> bool {
        self.queue.iter().any(|answer| answer.call.is_some_and(|answered| answered.text == call))
    }

    /// The answer that this CALL got lately. Once two different CALLs had one id there is none for the rest of the
    /// connection: a charge point that calls everything `"1"` sends the same Heartbeat again because it is time for it.
    pub(super) fn recent(&mut self, call: Fingerprint, id_token: &str, now: Instant) -> Option<&str> {
        self.forget(now);
        let id = Fingerprint::of(id_token);
        if self.kept.iter().any(|kept| kept.call.id == id && kept.call.text != call) {
            self.note_reused_id();
        }
        let known = self.kept.iter().find(|kept| kept.call.text == call && !kept.frame.is_empty());
        known.map(|kept| &*kept.frame)
    }

    /// The next answer to be sent; its time as a recent one starts here.
    pub(super) fn pop(&mut self, now: Instant, config: &Config) -> Option<Leaving> {
        let Answer { frame, call, receipt, is_kept } = self.queue.pop_front()?;
        self.forget(now);
        if let Some(call) = call {
            let until = now + config.repeat_window;
            self.keep(
                Kept { call, frame: if is_kept { frame.as_str().into() } else { Box::default() }, until },
                config,
            );
        }
        Some(Leaving { frame, call: call.map(|call| call.text), receipt })
    }

    fn keep(&mut self, answered: Kept, config: &Config) {
        let size = answered.size();
        if self.ids_are_reused || size > config.answer_memory {
            return;
        }
        let room = config.answer_memory - size;
        self.kept.retain(|kept| kept.call.text != answered.call.text);
        while self.kept.iter().map(Kept::size).sum::<usize>() > room {
            self.kept.remove(0);
        }
        // One at a time: few are kept, and a connection should not pay for more.
        self.kept.reserve_exact(1);
        self.kept.push(answered);
    }

    /// A CALL was handled after the end of the connection, which nobody is told.
    pub(super) fn handled_late(&mut self, text: Fingerprint, id_token: &str, config: &Config) {
        let call = Answered { text, id: Fingerprint::of(id_token) };
        self.keep(Kept { call, frame: NEVER_SENT.into(), until: Instant::from_millis(u64::MAX) }, config);
    }

    fn forget(&mut self, now: Instant) {
        if self.kept.first().is_some_and(|kept| kept.until <= now) {
            self.kept.retain(|kept| kept.until > now);
            self.kept.shrink_to_fit();
        }
    }

    /// The connection has ended: nothing is sent any more. What was handled stays known, for repetitions that had come
    /// before the end.
    pub(super) fn end(&mut self, config: &Config) {
        for answer in core::mem::take(&mut self.queue) {
            if let Some(call) = answer.call.filter(|_| answer.is_kept) {
                self.keep(Kept { call, frame: NEVER_SENT.into(), until: Instant::from_millis(u64::MAX) }, config);
            }
        }
    }
}
