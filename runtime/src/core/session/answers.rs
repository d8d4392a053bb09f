//! Answers on their way to the peer, and recent ones for a peer that sends a CALL again.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Config, push};
use crate::core::frame::Fingerprint;
use crate::core::time::Instant;

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
    /// The CALL that it answers, if the answer is to be kept.
    call: Option<Answered>,
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

    /// Queues the answer to a CALL that was handled; it is kept once it is sent.
    pub(super) fn push(&mut self, text: Fingerprint, id_token: &str, frame: String) {
        let call = Answered { text, id: Fingerprint::of(id_token) };
        push(&mut self.queue, Answer { frame, call: Some(call) });
    }

    /// Queues an answer that is not worth keeping, because the CALL may be tried again.
    pub(super) fn push_refusal(&mut self, frame: String) {
        push(&mut self.queue, Answer { frame, call: None });
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
            self.ids_are_reused = true;
            self.kept = Vec::new();
        }
        self.kept.iter().find(|kept| kept.call.text == call).map(|kept| &*kept.frame)
    }

    /// The next answer to be sent; its time as a recent one starts here.
    pub(super) fn pop(&mut self, now: Instant, config: &Config) -> Option<String> {
        let Answer { frame, call } = self.queue.pop_front()?;
        self.forget(now);
        if let Some(call) = call.filter(|_| !self.ids_are_reused) {
            let size = frame.len() + size_of::<Kept>();
            if size <= config.answer_memory {
                let room = config.answer_memory - size;
                while self.kept.iter().map(Kept::size).sum::<usize>() > room {
                    self.kept.remove(0);
                }
                // One at a time: few are kept, and a connection should not pay for more.
                self.kept.reserve_exact(1);
                self.kept.push(Kept {
                    call,
                    frame: frame.as_str().into(),
                    until: now + config.call_timeout.saturating_mul(2),
                });
            }
        }
        Some(frame)
    }

    fn forget(&mut self, now: Instant) {
        if self.kept.first().is_some_and(|kept| kept.until <= now) {
            self.kept.retain(|kept| kept.until > now);
            self.kept.shrink_to_fit();
        }
    }

    /// The connection has ended.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
