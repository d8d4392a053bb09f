//! The session: one connection's protocol state, as a value without I/O.
//!
//! Text and time go in ([`Session::receive`], [`Session::handle_timeout`]), frames come out
//! ([`Session::poll_transmit`]). It owns the correlation of calls and answers, the rule of one outstanding CALL in each
//! direction (CALLs of both sides may cross, OCPP-J 1.6 §4.1.1), time-outs, and the bounds of its queues.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::codec::{self, Quirks};
use crate::core::action::{Action, Request};
use crate::core::dialect::Dialect;
use crate::core::error::{CallError, CallFailure, ErrorCode};
use crate::core::frame::{BadFrame, CallFrame, Frame, error_frame};
use crate::core::time::Instant;

/// What a session tolerates and how much it holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// How long an answer is waited for, from the moment the CALL is handed to the transport. Default 30 s.
    pub call_timeout: Duration,
    /// How many own calls may wait for their turn; one more fails with [`CallFailure::QueueFull`]. Default 8.
    pub call_queue: usize,
    /// How many CALLs of the peer may wait for a handler. When as many wait, reading stops; while a call of ours is
    /// outstanding it goes on, so that the answer can come in, and further CALLs are refused. Reading also stops while
    /// as many answers wait for a peer that does not take them. Default 8.
    pub inbox: usize,
    /// How many `#[after]` handlers may wait. When as many wait, the next CALL is not begun. Default 4.
    pub after_queue: usize,
    /// What liberal decoding lets through. Default [`Quirks::ALL`].
    pub quirks: Quirks,
    /// Where the ids of own calls start to count. The adapters of `net` draw a random number for each connection, so that
    /// ids of two connections differ in a log.
    pub first_id: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(30),
            call_queue: 8,
            inbox: 8,
            after_queue: 4,
            quirks: Quirks::ALL,
            first_id: 1,
        }
    }
}

/// A call of ours, from [`Session::call`] to its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallToken(u32);

/// What became of a call of ours: the payload of the answer, not decoded yet.
pub type Outcome = Result<String, CallFailure>;

/// What a received text was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A CALL; it waits in [`Session::next_call`].
    Call,
    /// The answer to the outstanding call; it waits in [`Session::take_outcome`].
    Answer(CallToken),
    /// The answer to no call that is outstanding: late, repeated or made up. Ignored.
    Late,
    /// A CALL with the id of one that is not answered yet: the peer repeats it. One answer serves both.
    Repeated,
    /// A CALL that was refused before any handler saw it.
    Refused(CallError),
    /// No frame; ignored.
    Ignored(&'static str),
}

#[derive(Debug)]
struct Waiting {
    token: CallToken,
    frame: String,
}

#[derive(Debug)]
struct Outstanding {
    token: CallToken,
    deadline: Instant,
    /// Nobody waits for the outcome any more.
    abandoned: bool,
}

/// One side of one connection.
#[derive(Debug)]
pub struct Session {
    dialect: &'static Dialect,
    config: Config,
    next_id: u32,
    /// Answers that are ready to be sent.
    answers: VecDeque<String>,
    /// Own calls that wait for their turn.
    waiting: VecDeque<Waiting>,
    outstanding: Option<Outstanding>,
    /// CALLs that no handler has taken yet.
    inbox: VecDeque<CallFrame>,
    /// Ids of CALLs that a handler has taken and not answered yet.
    in_progress: Vec<String>,
    outcomes: Vec<(CallToken, Outcome)>,
    ended: Option<CallFailure>,
}

impl Session {
    /// A session at the start of a connection.
    pub fn new(dialect: &'static Dialect, config: Config) -> Self {
        Self {
            dialect,
            next_id: config.first_id,
            config,
            answers: VecDeque::new(),
            waiting: VecDeque::new(),
            outstanding: None,
            inbox: VecDeque::new(),
            in_progress: Vec::new(),
            outcomes: Vec::new(),
            ended: None,
        }
    }

    /// The protocol.
    pub fn dialect(&self) -> &'static Dialect {
        self.dialect
    }

    /// What the session was configured with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    // ---- the peer's side

    /// Takes one message of the transport.
    pub fn receive(&mut self, text: &str, _now: Instant) -> Received {
        if self.ended.is_some() {
            return Received::Ignored("the connection has ended");
        }
        match (self.dialect.framing.split)(text) {
            Ok(Frame::Call { id, action, payload }) => {
                if self.is_waiting_for_answer(text.get(id.clone()).unwrap_or("")) {
                    return Received::Repeated;
                }
                if self.inbox.len() >= self.config.inbox {
                    let error = CallError::new(ErrorCode::GenericError, "too many CALLs are outstanding");
                    return self.refuse(text.get(id).unwrap_or("\"\""), error);
                }
                self.inbox.push_back(CallFrame::new(String::from(text), id, action, payload));
                Received::Call
            }
            Ok(Frame::CallResult { id, payload }) => {
                self.answered(text.get(id).unwrap_or(""), Ok(String::from(text.get(payload).unwrap_or(""))))
            }
            Ok(Frame::CallError { id, error }) => {
                self.answered(text.get(id).unwrap_or(""), Err(CallFailure::Refused(error)))
            }
            Err(BadFrame { call: Some(id), reason }) => {
                let error = CallError::new(ErrorCode::FormationViolation, reason);
                self.refuse(text.get(id).unwrap_or("\"\""), error)
            }
            Err(BadFrame { call: None, reason }) => Received::Ignored(reason),
        }
    }

    fn is_waiting_for_answer(&self, id_token: &str) -> bool {
        self.inbox.iter().any(|call| call.id_token() == id_token) || self.in_progress.iter().any(|id| id == id_token)
    }

    fn refuse(&mut self, id_token: &str, error: CallError) -> Received {
        // Whoever drives the session should not have read on; a flood is not worth memory.
        if self.answers.len() >= self.config.inbox {
            return Received::Ignored("too many answers wait to be sent");
        }
        let frame = error_frame(self.dialect, id_token, &error);
        self.answers.push_back(frame);
        Received::Refused(error)
    }

    fn answered(&mut self, id_token: &str, outcome: Outcome) -> Received {
        let id = id_token.trim_matches('"');
        match self.outstanding.take() {
            Some(call) if itoa::Buffer::new().format(call.token.0) == id => {
                let token = call.token;
                self.settle(call, outcome);
                Received::Answer(token)
            }
            other => {
                self.outstanding = other;
                Received::Late
            }
        }
    }

    fn settle(&mut self, call: Outstanding, outcome: Outcome) {
        if !call.abandoned {
            self.outcomes.push((call.token, outcome));
        }
    }

    /// Whether the transport may be read: not while the inbox is full, unless an answer is waited for, and not while the
    /// peer does not take its answers.
    pub fn wants_input(&self) -> bool {
        let room = self.inbox.len() < self.config.inbox || self.outstanding.is_some();
        room && self.answers.len() < self.config.inbox
    }

    /// The oldest CALL that no handler has taken yet. It has to be answered with [`Session::answer`].
    pub fn next_call(&mut self) -> Option<CallFrame> {
        let call = self.inbox.pop_front()?;
        self.in_progress.push(String::from(call.id_token()));
        Some(call)
    }

    /// Queues the answer to a CALL; `false` if the connection has ended.
    pub fn answer(&mut self, call: &CallFrame, frame: String) -> bool {
        self.in_progress.retain(|id| id != call.id_token());
        if self.ended.is_some() {
            return false;
        }
        self.answers.push_back(frame);
        true
    }

    // ---- our side

    /// Queues a call.
    ///
    /// # Errors
    /// [`CallFailure::Unsendable`], [`CallFailure::QueueFull`], [`CallFailure::NotSent`].
    pub fn call<R: Request>(&mut self, request: &R) -> Result<CallToken, CallFailure> {
        if self.ended.is_some() {
            return Err(CallFailure::NotSent);
        }
        if self.waiting.len() >= self.config.call_queue {
            return Err(CallFailure::QueueFull);
        }
        let token = CallToken(self.next_id);
        let action = <R::Action as Action>::NAME;
        let mut frame = String::new();
        (self.dialect.framing.open_call)(&mut frame, itoa::Buffer::new().format(token.0), action);
        codec::encode(request, &mut frame).map_err(CallFailure::Unsendable)?;
        (self.dialect.framing.close_call)(&mut frame, action);
        self.next_id = self.next_id.wrapping_add(1);
        self.waiting.push_back(Waiting { token, frame });
        Ok(token)
    }

    /// Takes what became of a call.
    pub fn take_outcome(&mut self, token: CallToken) -> Option<Outcome> {
        let index = self.outcomes.iter().position(|(of, _)| *of == token)?;
        Some(self.outcomes.swap_remove(index).1)
    }

    /// Nobody waits for this call any more. If it is outstanding, it stays so until its answer or its time-out comes,
    /// because the peer is still at it; if it was not sent yet, it never is.
    pub fn abandon(&mut self, token: CallToken) {
        self.waiting.retain(|call| call.token != token);
        if let Some(call) = self.outstanding.as_mut().filter(|call| call.token == token) {
            call.abandoned = true;
        }
        self.take_outcome(token);
    }

    // ---- the transport's side

    /// The next frame to be sent. A call's time-out starts here.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<String> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        if self.outstanding.is_some() {
            return None;
        }
        let Waiting { token, frame } = self.waiting.pop_front()?;
        self.outstanding = Some(Outstanding { token, deadline: now + self.config.call_timeout, abandoned: false });
        Some(frame)
    }

    /// When [`Session::handle_timeout`] wants to be called.
    pub fn poll_deadline(&self) -> Option<Instant> {
        self.outstanding.as_ref().map(|call| call.deadline)
    }

    /// Ends the outstanding call if its time is up, and returns it.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<CallToken> {
        let call = self.outstanding.take_if(|call| call.deadline <= now)?;
        let token = call.token;
        self.settle(call, Err(CallFailure::Timeout));
        Some(token)
    }

    /// The connection has ended: the outstanding call fails with `failure`, those that wait with
    /// [`CallFailure::NotSent`]; CALLs that no handler took are dropped.
    pub fn end(&mut self, failure: CallFailure) {
        if self.ended.is_some() {
            return;
        }
        if let Some(call) = self.outstanding.take() {
            self.settle(call, Err(failure.clone()));
        }
        for call in self.waiting.drain(..) {
            self.outcomes.push((call.token, Err(CallFailure::NotSent)));
        }
        self.inbox.clear();
        self.answers.clear();
        self.ended = Some(failure);
    }

    /// Why the connection ended, if it did.
    pub fn ended(&self) -> Option<&CallFailure> {
        self.ended.as_ref()
    }
}
