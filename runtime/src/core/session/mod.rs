//! The session: one connection's protocol state, as a value without I/O.
//!
//! Text and time go in ([`Session::receive`], [`Session::handle_timeout`]), frames come out
//! ([`Session::poll_transmit`]). It owns the correlation of calls and answers, the rule of one outstanding CALL in each
//! direction (CALLs of both sides may cross, OCPP-J 1.6 §4.1.1; other protocols allow more: [`Config::outstanding`]), time-outs, CALLs that are sent again, and the bounds of its
//! queues.

mod answers;
mod by_text;
mod config;
mod receipts;
mod received;
mod timer;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use self::answers::{Answers, Leaving};
pub use self::config::Config;
pub use self::receipts::Receipt;
use self::receipts::Receipts;
pub use self::received::Received;
pub(crate) use self::timer::Timer;
use crate::codec::{self, EncodeError};
use crate::core::action::{Action, Request, Unanswered};
use crate::core::dialect::Dialect;
use crate::core::error::{CallError, CallFailure, ErrorCode};
use crate::core::frame::{BadFrame, CallFrame, Defect, FRAME, Fingerprint, Frame, error_frame};
use crate::core::time::Instant;

/// A call of ours, from [`Session::call`] to its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallToken(u32);

/// A frame that is to be sent, and the [`Receipt`] of the message that it answers, if it had one.
pub type Transmit = (String, Option<Receipt>);

/// What became of a call of ours: the payload of the answer, not decoded yet.
pub type Outcome = Result<String, CallFailure>;

const TOO_MANY_ANSWERS: &str = "too many answers wait to be sent";

#[derive(Debug)]
struct Waiting {
    token: CallToken,
    frame: String,
    /// Instead of [`Config::call_timeout`].
    timeout: Option<Duration>,
}

#[derive(Debug)]
struct Outstanding {
    token: CallToken,
    sent: Instant,
    timeout: Duration,
    /// Nobody waits for the outcome any more.
    abandoned: bool,
}

impl Outstanding {
    fn deadline(&self) -> Instant {
        self.sent + self.timeout
    }
}

/// What a handler has taken and is not done with.
#[derive(Debug)]
struct InProgress {
    call: Fingerprint,
    /// The id's JSON token, if an answer is expected.
    id: Option<Box<str>>,
    timer: Timer,
}

/// Most peers have one message of a kind under way at a time, and a connection should not pay for more: a queue begins
/// with room for one.
fn push<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.capacity() == 0 {
        queue.reserve_exact(1);
    }
    queue.push_back(item);
}

/// One side of one connection.
#[derive(Debug)]
pub struct Session {
    dialect: &'static Dialect,
    config: Config,
    next_id: u32,
    answers: Answers,
    /// Own calls that wait for their turn.
    waiting: VecDeque<Waiting>,
    /// Own messages that are never answered; they need not wait for a turn.
    sends: VecDeque<String>,
    /// At most [`Config::outstanding`].
    outstanding: Vec<Outstanding>,
    /// CALLs that no handler has taken yet.
    inbox: VecDeque<CallFrame>,
    in_progress: Vec<InProgress>,
    outcomes: Vec<(CallToken, Outcome)>,
    receipts: Receipts,
    /// No further calls of ours are taken.
    closing: bool,
    ended: Option<Box<CallFailure>>,
    /// Messages that had come before the end may still be handed in.
    lingers: bool,
}

impl Session {
    /// A session at the start of a connection.
    pub fn new(dialect: &'static Dialect, config: Config) -> Self {
        Self {
            dialect,
            next_id: config.first_id,
            config,
            answers: Answers::default(),
            waiting: VecDeque::new(),
            sends: VecDeque::new(),
            outstanding: Vec::new(),
            inbox: VecDeque::new(),
            in_progress: Vec::new(),
            outcomes: Vec::new(),
            receipts: Receipts::default(),
            closing: false,
            ended: None,
            lingers: false,
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
    ///
    /// After the end it takes what had come before, if the adapter [lingers](Self::linger): CALLs are handled, and nothing
    /// is answered.
    pub fn receive(&mut self, text: &str, now: Instant) -> Received {
        self.receive_as(text, None, now)
    }

    /// [`Session::receive`] of a message that the transport has to answer for: see [`Receipt`].
    pub fn receive_as(&mut self, text: &str, receipt: Option<Receipt>, now: Instant) -> Received {
        if self.ended.is_some() && !self.lingers {
            // Without a receipt: nobody has handled it.
            return Received::Ignored("the connection has ended");
        }
        let received = self.take(text, receipt, now);
        match received {
            // It waits with the call.
            Received::Call | Received::Repeated => {}
            Received::Refused(_) | Received::AnsweredAgain if self.ended.is_none() => {
                self.receipts.hold_for_answer(receipt);
            }
            _ => self.receipts.hold_done(receipt),
        }
        received
    }

    fn take(&mut self, text: &str, receipt: Option<Receipt>, now: Instant) -> Received {
        let part = |range| text.get(range).unwrap_or("");
        match (self.dialect.framing.split)(text) {
            Ok(Frame::Call { id, action, payload }) => {
                let call = Fingerprint::of(text);
                if let Some(repeated) = self.repeated(call, part(id.clone()), receipt, now) {
                    return repeated;
                }
                if !self.has_room_for_calls() {
                    let error = CallError::new(ErrorCode::GenericError, "too many CALLs are outstanding");
                    return self.refuse(part(id), receipt, error);
                }
                self.receipts.hold_for_call(receipt, call);
                push(&mut self.inbox, CallFrame::new(text, id, action, payload));
                Received::Call
            }
            Ok(Frame::Send { id, action, payload }) => {
                if !self.has_room_for_calls() {
                    // Whoever drives the session should not have read on.
                    return Received::Ignored("too many messages wait for a handler");
                }
                let message = CallFrame::never_answered(text, id, action, payload);
                self.receipts.hold_for_call(receipt, message.fingerprint());
                push(&mut self.inbox, message);
                Received::Call
            }
            Ok(Frame::CallResult { id, payload }) => self.answered(part(id), Ok(String::from(part(payload)))),
            Ok(Frame::CallError { id, error }) => self.answered(part(id), Err(CallFailure::Refused(error))),
            Ok(Frame::ResultError { id, error }) => Received::AnswerRefused { id: part(id).into(), error },
            Err(bad) => self.bad_frame(text, receipt, bad),
        }
    }

    /// What a CALL is that was received before; `None` if it was not.
    fn repeated(
        &mut self,
        call: Fingerprint,
        id_token: &str,
        receipt: Option<Receipt>,
        now: Instant,
    ) -> Option<Received> {
        let is_another = |waiting: &CallFrame| waiting.id_token() == id_token && waiting.fingerprint() != call;
        if self.inbox.iter().any(is_another)
            || self.in_progress.iter().any(|taken| taken.id.as_deref() == Some(id_token) && taken.call != call)
        {
            self.answers.note_reused_id();
        }
        let recent = self.answers.recent(call, id_token, now).map(String::from);
        if self.answers.ids_are_reused() {
            return None;
        }
        let waits = self.inbox.iter().any(|waiting| waiting.fingerprint() == call);
        if waits || self.in_progress.iter().any(|taken| taken.call == call) || self.answers.is_queued(call) {
            // A flood of repetitions is not worth memory.
            if self.receipts.len() < 2 * self.config.inbox {
                self.receipts.hold_for_call(receipt, call);
            } else {
                self.receipts.hold_done(receipt);
            }
            return Some(Received::Repeated);
        }
        let frame = recent?;
        if self.ended.is_none() {
            if !self.has_room_for_answers() {
                return Some(Received::Ignored(TOO_MANY_ANSWERS));
            }
            self.answers.push_refusal(frame, receipt);
        }
        Some(Received::AnsweredAgain)
    }

    /// Tells the sender what is wrong, as far as the protocol wants it told.
    fn bad_frame(&mut self, text: &str, receipt: Option<Receipt>, bad: BadFrame) -> Received {
        let framing = self.dialect.framing;
        let code = match bad.defect {
            Defect::Call => Some(ErrorCode::FormationViolation),
            Defect::UnknownType => framing.refuses_unknown_types.then_some(ErrorCode::MessageTypeNotSupported),
            Defect::Unreadable => framing.unreadable_id.map(|_| ErrorCode::RpcFrameworkError),
            Defect::NotACall => None,
        };
        let id = bad.id.and_then(|id| text.get(id)).or(framing.unreadable_id);
        match code.zip(id) {
            Some((code, id)) => self.refuse(id, receipt, CallError::new(code, bad.reason)),
            None => Received::Ignored(bad.reason),
        }
    }

    fn has_room_for_answers(&self) -> bool {
        self.answers.len() < self.config.inbox
    }

    fn refuse(&mut self, id_token: &str, receipt: Option<Receipt>, error: CallError) -> Received {
        if self.ended.is_some() {
            return Received::Refused(error);
        }
        // Whoever drives the session should not have read on; a flood is not worth memory.
        if !self.has_room_for_answers() {
            return Received::Ignored(TOO_MANY_ANSWERS);
        }
        let frame = error_frame(self.dialect, id_token, &error);
        self.answers.push_refusal(frame, receipt);
        Received::Refused(error)
    }

    fn answered(&mut self, id_token: &str, outcome: Outcome) -> Received {
        let id = id_token.trim_matches('"');
        let is_of = |call: &Outstanding| itoa::Buffer::new().format(call.token.0) == id;
        let Some(index) = self.outstanding.iter().position(is_of) else { return Received::Late };
        let call = self.outstanding.remove(index);
        let token = call.token;
        self.settle(call, outcome);
        Received::Answer(token)
    }

    fn settle(&mut self, call: Outstanding, outcome: Outcome) {
        if !call.abandoned {
            self.outcomes.push((call.token, outcome));
        }
    }

    /// Whether the transport may be read: not while the inbox is full, which takes twice as much while an answer is waited
    /// for, and not while the peer does not take its answers. What is received all the same is refused, or ignored if it
    /// cannot be.
    pub fn wants_input(&self) -> bool {
        match self.ended {
            Some(_) => self.lingers && self.has_room_for_calls(),
            None => self.has_room_for_calls() && self.has_room_for_answers(),
        }
    }

    /// The answer that we wait for may stand behind messages of the peer's, and a handler may wait for it.
    fn has_room_for_calls(&self) -> bool {
        let room = if self.outstanding.is_empty() { self.config.inbox } else { self.config.inbox.saturating_mul(2) };
        self.inbox.len() < room
    }

    /// Whether CALLs wait for a handler.
    pub(crate) fn has_calls(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// The oldest CALL that no handler has taken yet. It has to be answered with [`Session::answer`], within
    /// [`Config::handler_timeout`] from the next [`Session::handle_timeout`], which is due at once.
    ///
    /// There is none while the peer does not take its answers, or [`Config::inbox`] CALLs are in progress.
    pub fn next_call(&mut self) -> Option<CallFrame> {
        let may_answer = self.ended.is_some() || self.has_room_for_answers();
        if !may_answer || self.in_progress.len() >= self.config.inbox {
            return None;
        }
        let call = self.inbox.pop_front()?;
        let id = call.wants_answer().then(|| call.id_token().into());
        // A connection takes one at a time.
        self.in_progress.reserve_exact(1);
        self.in_progress.reserve_exact(1);
        self.in_progress.push(InProgress { call: call.fingerprint(), id, timer: Timer::default() });
        Some(call)
    }

    /// Queues the answer to a CALL; `false` if the connection has ended or the session gave up on the CALL. Of a message
    /// that is never answered it only says that it was handled.
    pub fn answer(&mut self, call: &CallFrame, frame: String) -> bool {
        let Some(index) = self.position(call) else { return false };
        let taken = self.in_progress.swap_remove(index);
        match &taken.id {
            Some(id) if self.ended.is_none() => {
                let is_kept = !self.dialect.is_fresh(call.action());
                self.answers.push(taken.call, id, frame, is_kept);
            }
            id => {
                if let Some(id) = id {
                    self.answers.handled_late(taken.call, id, &self.config);
                }
                self.receipts.release_call(taken.call);
            }
        }
        self.ended.is_none()
    }

    fn position(&self, call: &CallFrame) -> Option<usize> {
        self.in_progress.iter().position(|taken| taken.call == call.fingerprint())
    }

    /// Whether a handler may still answer this CALL: it was taken, not answered, and not given up.
    pub fn is_in_progress(&self, call: &CallFrame) -> bool {
        self.position(call).is_some()
    }

    /// Whether nobody looked at the clock since this CALL was taken.
    pub(crate) fn has_just_begun(&self, call: &CallFrame) -> bool {
        self.position(call)
            .and_then(|index| self.in_progress.get(index))
            .is_some_and(|taken| !taken.timer.has_started())
    }

    // ---- our side

    /// Queues a call.
    ///
    /// # Errors
    /// [`CallFailure::Unsendable`], [`CallFailure::QueueFull`], [`CallFailure::NotSent`].
    pub fn call<R: Request>(&mut self, request: &R) -> Result<CallToken, CallFailure> {
        self.may_call()?;
        let open = self.dialect.framing.open_call;
        let (id, frame) = self.frame(open, <R::Action as Action>::NAME, |out| codec::encode(request, out))?;
        let token = CallToken(id);
        self.waiting.push_back(Waiting { token, frame, timeout: None });
        Ok(token)
    }

    fn may_call(&self) -> Result<(), CallFailure> {
        if self.ended.is_some() {
            return Err(CallFailure::NotSent);
        }
        if self.closing {
            return Err(CallFailure::ShuttingDown);
        }
        if self.waiting.len() >= self.config.call_queue {
            return Err(CallFailure::QueueFull);
        }
        Ok(())
    }

    /// Queues a message that is never answered. It need not wait for the outstanding call.
    ///
    /// # Errors
    /// [`CallFailure::Unsendable`], [`CallFailure::QueueFull`], [`CallFailure::NotSent`], and
    /// [`CallFailure::Unsupported`] if the protocol has no such messages.
    pub fn send<R: Unanswered>(&mut self, request: &R) -> Result<(), CallFailure> {
        let open = self.may_send()?;
        let (_, frame) = self.frame(open, R::NAME, |out| codec::encode(request, out))?;
        self.sends.push_back(frame);
        Ok(())
    }

    /// How such a message begins.
    fn may_send(&self) -> Result<fn(&mut String, &str, &str), CallFailure> {
        if self.ended.is_some() {
            return Err(CallFailure::NotSent);
        }
        let open = self.dialect.framing.open_send.ok_or(CallFailure::Unsupported)?;
        if self.sends.len() >= self.config.send_queue {
            return Err(CallFailure::QueueFull);
        }
        Ok(open)
    }

    fn frame(
        &mut self,
        open: fn(&mut String, &str, &str),
        action: &str,
        write: impl FnOnce(&mut String) -> Result<(), EncodeError>,
    ) -> Result<(u32, String), CallFailure> {
        let id = self.next_id;
        let mut frame = String::with_capacity(FRAME);
        open(&mut frame, itoa::Buffer::new().format(id), action);
        write(&mut frame).map_err(CallFailure::Unsendable)?;
        (self.dialect.framing.close_call)(&mut frame, action);
        self.next_id = id.wrapping_add(1);
        Ok((id, frame))
    }

    /// Takes what became of a call.
    pub fn take_outcome(&mut self, token: CallToken) -> Option<Outcome> {
        let index = self.outcomes.iter().position(|(of, _)| *of == token)?;
        Some(self.outcomes.swap_remove(index).1)
    }

    /// Gives one call a time-out of its own instead of [`Config::call_timeout`], counted from the moment it is sent too;
    /// [`Session::poll_deadline`] may come nearer. Of no effect once the call has an outcome.
    pub fn set_timeout(&mut self, token: CallToken, timeout: Duration) {
        if let Some(call) = self.waiting.iter_mut().find(|call| call.token == token) {
            call.timeout = Some(timeout);
        }
        if let Some(call) = self.outstanding.iter_mut().find(|call| call.token == token) {
            call.timeout = timeout;
        }
    }

    /// Whether a call of ours was handed to the transport; `None` while it waits for its turn. To be asked before
    /// [`Session::take_outcome`].
    pub fn was_sent(&self, token: CallToken) -> Option<bool> {
        if self.waiting.iter().any(|call| call.token == token) {
            return None;
        }
        let outcome = self.outcomes.iter().find(|(of, _)| *of == token);
        Some(!matches!(outcome, Some((_, Err(CallFailure::NotSent)))))
    }

    /// Nobody waits for this call any more. If it is outstanding, it stays so until its answer or its time-out comes,
    /// because the peer is still at it; if it was not sent yet, it never is.
    pub fn abandon(&mut self, token: CallToken) {
        self.waiting.retain(|call| call.token != token);
        if let Some(call) = self.outstanding.iter_mut().find(|call| call.token == token) {
            call.abandoned = true;
        }
        self.take_outcome(token);
    }

    // ---- the transport's side

    /// The next frame to be sent: answers first, then a call if another may be outstanding, then what is never answered. A
    /// call's time-out starts here.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<String> {
        self.poll_transmit_for(now).map(|(frame, _)| frame)
    }

    /// [`Session::poll_transmit`], and the [`Receipt`] of the message that the frame answers, if it had one.
    pub fn poll_transmit_for(&mut self, now: Instant) -> Option<Transmit> {
        match self.answers.pop(now, &self.config) {
            Some(Leaving { frame, call: Some(call), .. }) => {
                let receipt = self.receipts.of_call(call);
                self.receipts.release_call(call);
                Some((frame, receipt))
            }
            Some(Leaving { frame, receipt, .. }) => {
                if let Some(receipt) = receipt {
                    self.receipts.release_answer(receipt);
                }
                Some((frame, receipt))
            }
            None => self.poll_own(now).map(|frame| (frame, None)),
        }
    }

    /// Takes the [`Receipt`] of a message that is done with: it was handled and its answer handed to the transport, or
    /// nothing is to be done about it. Each receipt comes once, unless the session [finished](Self::finish) before its
    /// message was handled.
    pub fn poll_receipt(&mut self) -> Option<Receipt> {
        self.receipts.poll()
    }

    fn poll_own(&mut self, now: Instant) -> Option<String> {
        if self.may_begin()
            && let Some(Waiting { token, frame, timeout }) = self.waiting.pop_front()
        {
            let timeout = timeout.unwrap_or(self.config.call_timeout);
            // One at a time: few protocols have more, and a connection should not pay for it.
            self.outstanding.reserve_exact(1);
            self.outstanding.push(Outstanding { token, sent: now, timeout, abandoned: false });
            return Some(frame);
        }
        self.sends.pop_front()
    }

    /// Whether another call of ours may be outstanding.
    fn may_begin(&self) -> bool {
        self.outstanding.len() < self.config.outstanding
    }

    /// Whether [`Session::poll_transmit`] has a frame.
    #[cfg(feature = "net")]
    pub(crate) fn has_something_to_send(&self) -> bool {
        let may_call = self.may_begin() && !self.waiting.is_empty();
        self.answers.len() > 0 || may_call || !self.sends.is_empty()
    }

    /// When [`Session::handle_timeout`] wants to be called. It comes nearer when a call is sent and when a CALL is taken.
    pub fn poll_deadline(&self) -> Option<Instant> {
        let handlers = self.in_progress.iter().map(|taken| taken.timer.deadline());
        handlers.chain(self.outstanding.iter().map(Outstanding::deadline)).min()
    }

    /// Ends an outstanding call whose time is up, and returns it (the next one is due at once); answers CALLs whose handlers took too long.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<CallToken> {
        let limit = self.config.handler_timeout;
        let (dialect, answers, ended) = (self.dialect, &mut self.answers, self.ended.is_some());
        let (receipts, config) = (&mut self.receipts, &self.config);
        self.in_progress.retain_mut(|taken| {
            let is_over = taken.timer.is_over(now, limit);
            match &taken.id {
                Some(id) if is_over && !ended => {
                    let error = CallError::new(ErrorCode::InternalError, "the handler took too long");
                    answers.push(taken.call, id, error_frame(dialect, id, &error), true);
                }
                id if is_over => {
                    if let Some(id) = id {
                        answers.handled_late(taken.call, id, config);
                    }
                    receipts.release_call(taken.call);
                }
                _ => {}
            }
            !is_over
        });
        let index = self.outstanding.iter().position(|call| call.deadline() <= now)?;
        let call = self.outstanding.remove(index);
        let token = call.token;
        self.settle(call, Err(CallFailure::Timeout));
        Some(token)
    }

    /// Takes no further calls of ours, so that the connection can end without loss once [`is_done`](Self::is_done). CALLs of
    /// the peer are taken and answered as before: whoever drives the session stops reading when nothing more has come.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// Whether [`close`](Self::close) was called, and everything that was under way is done.
    pub fn is_done(&self) -> bool {
        let peers_calls = self.is_idle() && self.answers.len() == 0;
        self.closing && peers_calls && self.outstanding.is_empty() && self.waiting.is_empty() && self.sends.is_empty()
    }

    /// Whether [`close`](Self::close) was called.
    #[cfg(feature = "net")]
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether no CALL of the peer waits or is handled.
    pub(crate) fn is_idle(&self) -> bool {
        self.inbox.is_empty() && self.in_progress.is_empty()
    }

    /// The connection has ended: the outstanding call fails with `failure`, those that wait with
    /// [`CallFailure::NotSent`]. CALLs that were received are still handled ([`Session::next_call`]), but nobody is answered.
    pub fn end(&mut self, failure: CallFailure) {
        if self.ended.is_some() {
            return;
        }
        for call in core::mem::take(&mut self.outstanding) {
            self.settle(call, Err(failure.clone()));
        }
        for call in self.waiting.drain(..) {
            self.outcomes.push((call.token, Err(CallFailure::NotSent)));
        }
        self.sends.clear();
        self.answers.end(&self.config);
        let (inbox, in_progress) = (&self.inbox, &self.in_progress);
        self.receipts.release_answers(|call| {
            inbox.iter().any(|waiting| waiting.fingerprint() == call)
                || in_progress.iter().any(|taken| taken.call == call)
        });
        self.ended = Some(Box::new(failure));
    }

    /// [`Session::end`] because messages of the peer cannot be handled, as when what they tell cannot be stored. The transport
    /// gets no [`Receipt`] back any more, and CALLs that no handler has taken yet are dropped: the peer sends again what was
    /// neither answered nor acknowledged when it is back.
    pub fn give_up(&mut self, failure: CallFailure) {
        self.receipts.forget();
        self.inbox.clear();
        self.end(failure);
    }

    /// Whether [`give_up`](Self::give_up) was called.
    #[cfg(feature = "net")]
    pub(crate) fn is_given_up(&self) -> bool {
        self.receipts.are_forgotten()
    }

    /// Whoever drives the session hands in what the transport had received before the end also after it, and says with
    /// [`Session::finish`] that there is no more. Handlers wait for it.
    pub fn linger(&mut self) {
        self.lingers = true;
    }

    /// Nothing more is handed in.
    pub fn finish(&mut self) {
        self.lingers = false;
    }

    /// Why the connection ended, if it did.
    pub fn ended(&self) -> Option<&CallFailure> {
        self.ended.as_deref()
    }

    /// Whether it ended, and every CALL was taken by a handler that ever will be.
    pub fn is_over(&self) -> bool {
        self.ended.is_some() && !self.lingers && self.inbox.is_empty()
    }
}
