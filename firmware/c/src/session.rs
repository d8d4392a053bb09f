//! A session as C sees it: calls by name and number, payloads as text, events one by one.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use onwire::codec::Quirks;
use onwire::frame::CallFrame;
use onwire::ocpp::j::read_code;
use onwire::session::{self, CallToken, Config, Outcome, Received};
use onwire::{ActionEntry, CallError, CallFailure, Dialect, ErrorCode, Instant};

/// `onwire_session`
#[derive(Debug)]
pub struct Session {
    session: session::Session,
    actions: &'static [ActionEntry],
    role: &'static str,
    /// Calls of ours whose outcome C has not seen; the oldest first.
    calls: Vec<Call>,
    /// CALLs of the peer that C has not answered.
    open: Vec<Open>,
    /// Of the last call or CALL; C knows both by it.
    number: u32,
    said_ended: bool,
    // What pointers in C point to.
    frame: String,
    event: Event,
    error: String,
}

#[derive(Debug)]
struct Call {
    number: u32,
    token: CallToken,
    action: &'static ActionEntry,
}

#[derive(Debug)]
struct Open {
    number: u32,
    frame: CallFrame,
    action: &'static ActionEntry,
}

/// `onwire_event_kind`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    Call = 1,
    Message = 2,
    Answered = 3,
    Refused = 4,
    TimedOut = 5,
    Disconnected = 6,
    NotSent = 7,
    InvalidAnswer = 8,
    #[default]
    Ended = 9,
}

#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    pub(crate) call: u32,
    pub(crate) action: &'static str,
    pub(crate) payload: String,
    pub(crate) code: String,
    pub(crate) description: String,
    pub(crate) details: String,
}

/// Why something cannot be done: the negative numbers of `onwire_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    InvalidArgument = -1,
    UnknownAction = -3,
    WrongRole = -4,
    InvalidPayload = -5,
    QueueFull = -6,
    NoSuchCall = -7,
    HasEnded = -8,
}

/// What became of a received text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    Taken,
    Ignored,
    Refused,
}

impl Session {
    pub(crate) fn new(
        dialect: &'static Dialect,
        actions: &'static [ActionEntry],
        role: &'static str,
        config: Config,
    ) -> Self {
        Self {
            session: session::Session::new(dialect, config),
            actions,
            role,
            calls: Vec::new(),
            open: Vec::new(),
            number: 0,
            said_ended: false,
            frame: String::new(),
            event: Event::default(),
            error: String::new(),
        }
    }

    pub(crate) fn error(&self) -> &str {
        &self.error
    }

    /// Keeps `reason` for `onwire_error`.
    fn fault(&mut self, fault: Fault, reason: impl ToString) -> Fault {
        self.error = reason.to_string();
        fault
    }

    // ---- the transport

    pub(crate) fn receive(&mut self, message: &str, now: Instant) -> Result<Note, Fault> {
        if self.session.ended().is_some() {
            return Err(self.ended());
        }
        let (note, reason) = match self.session.receive(message, now) {
            Received::Call | Received::Answer(_) | Received::Repeated | Received::AnsweredAgain => {
                return Ok(Note::Taken);
            }
            Received::Refused(error) => (Note::Refused, error.to_string()),
            Received::Late => (Note::Ignored, "the answer to no call that is outstanding".to_owned()),
            Received::AnswerRefused { id, error } => {
                (Note::Ignored, alloc::format!("the peer could not read the answer to its CALL {id}: {error}"))
            }
            Received::Ignored(reason) => (Note::Ignored, reason.to_owned()),
            other => (Note::Ignored, alloc::format!("{other:?}")),
        };
        self.error = reason;
        Ok(note)
    }

    pub(crate) fn wants_input(&self) -> bool {
        self.session.wants_input()
    }

    pub(crate) fn next_frame(&mut self, now: Instant) -> Option<&str> {
        self.frame = self.session.poll_transmit(now)?;
        Some(&self.frame)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.session.poll_deadline()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
    }

    pub(crate) fn end(&mut self) {
        self.session.end(CallFailure::Disconnected);
        self.open.clear();
    }

    fn ended(&mut self) -> Fault {
        self.fault(Fault::HasEnded, "the connection has ended")
    }

    // ---- calls of ours

    /// Queues a call and gives its number; 0 if it is never answered.
    pub(crate) fn call(&mut self, name: &str, request: &str) -> Result<u32, Fault> {
        let Some(action) = ActionEntry::find(self.actions, name) else {
            return Err(self.fault(Fault::UnknownAction, alloc::format!("the protocol has no action {name}")));
        };
        if !action.may_start(self.role) {
            let reason = alloc::format!("a {} never starts {name}", self.role);
            return Err(self.fault(Fault::WrongRole, reason));
        }
        let queued = match action.response {
            Some(_) => self.session.call_text(action, request).map(Some),
            None => self.session.send_text(action, request).map(|()| None),
        };
        match queued {
            Ok(None) => Ok(0),
            Ok(Some(token)) => {
                let number = self.next_number();
                self.calls.push(Call { number, token, action });
                Ok(number)
            }
            Err(failure) => Err(match failure {
                CallFailure::Unsendable(error) => self.fault(Fault::InvalidPayload, error),
                CallFailure::QueueFull => self.fault(Fault::QueueFull, failure),
                _ => self.ended(),
            }),
        }
    }

    /// Never 0, which stands for nothing.
    fn next_number(&mut self) -> u32 {
        self.number = self.number.checked_add(1).unwrap_or(1);
        self.number
    }

    // ---- events

    pub(crate) fn poll_event(&mut self) -> Option<&Event> {
        // The session may have given up on some.
        let session = &self.session;
        self.open.retain(|open| session.is_in_progress(&open.frame));
        self.event = match self.next_outcome() {
            Some(event) => event,
            None => self.next_call().or_else(|| self.next_end())?,
        };
        Some(&self.event)
    }

    fn next_outcome(&mut self) -> Option<Event> {
        let session = &mut self.session;
        let found =
            self.calls.iter().enumerate().find_map(|(index, call)| Some((index, session.take_outcome(call.token)?)));
        let (index, outcome) = found?;
        let Call { number, action, .. } = self.calls.remove(index);
        Some(Event { call: number, action: action.name, ..self.outcome(action, outcome) })
    }

    fn outcome(&self, action: &ActionEntry, outcome: Outcome) -> Event {
        let failed = |kind| Event { kind, ..Event::default() };
        match outcome {
            Ok(payload) => match action.response.map(|response| response.received(&payload, self.quirks())) {
                Some(Ok((payload, _))) => Event { payload, ..failed(Kind::Answered) },
                Some(Err(error)) => Event { description: error.to_string(), ..failed(Kind::InvalidAnswer) },
                None => Event { payload, ..failed(Kind::Answered) },
            },
            Err(CallFailure::Refused(error)) => Event {
                code: (self.session.dialect().spell)(&error.code).to_owned(),
                description: error.description.into_owned(),
                details: error.details.map(|details| details.as_str().to_owned()).unwrap_or_default(),
                ..failed(Kind::Refused)
            },
            Err(CallFailure::Timeout) => failed(Kind::TimedOut),
            Err(CallFailure::NotSent) => failed(Kind::NotSent),
            Err(_) => failed(Kind::Disconnected),
        }
    }

    fn next_call(&mut self) -> Option<Event> {
        loop {
            let frame = self.session.next_call()?;
            let (action, payload) = match self.judged(&frame) {
                Ok(judged) => judged,
                Err(error) => {
                    self.session.answer_error(&frame, &error);
                    continue;
                }
            };
            let mut event = Event { kind: Kind::Message, action: action.name, payload, ..Event::default() };
            if frame.wants_answer() && action.response.is_some() {
                event.kind = Kind::Call;
                event.call = self.next_number();
                self.open.push(Open { number: event.call, frame, action });
            } else {
                // Nothing is left to be judged.
                let _ = self.session.answer_text(&frame, action, "");
            }
            return Some(event);
        }
    }

    /// The action and the payload as the generated type reads it, or the refusal.
    fn judged(&self, frame: &CallFrame) -> Result<(&'static ActionEntry, String), CallError> {
        let action = ActionEntry::find(self.actions, frame.action()).ok_or(ErrorCode::NotImplemented)?;
        if !action.may_reach(self.role) {
            return Err(ErrorCode::NotSupported.into());
        }
        let (payload, _) = action.request.received(frame.payload(), self.quirks())?;
        Ok((action, payload))
    }

    fn next_end(&mut self) -> Option<Event> {
        if self.said_ended {
            return None;
        }
        self.session.ended()?;
        self.said_ended = true;
        Some(Event::default())
    }

    fn quirks(&self) -> Quirks {
        self.session.config().quirks
    }

    // ---- answers

    pub(crate) fn answer(&mut self, number: u32, response: &str) -> Result<(), Fault> {
        let open = self.take(number)?;
        match self.session.answer_text(&open.frame, open.action, response) {
            Ok(queued) => self.queued(queued),
            Err(error) => {
                self.open.push(open);
                Err(self.fault(Fault::InvalidPayload, error))
            }
        }
    }

    pub(crate) fn refuse(&mut self, number: u32, code: &str, description: &str) -> Result<(), Fault> {
        let code = match read_code(code) {
            ErrorCode::Other(code) => {
                let reason = alloc::format!("the protocol has no error code {code}");
                return Err(self.fault(Fault::InvalidArgument, reason));
            }
            code => code,
        };
        let open = self.take(number)?;
        let queued = self.session.answer_error(&open.frame, &CallError::new(code, description.to_owned()));
        self.queued(queued)
    }

    fn take(&mut self, number: u32) -> Result<Open, Fault> {
        if self.session.ended().is_some() {
            return Err(self.ended());
        }
        match self.open.iter().position(|open| open.number == number) {
            Some(index) => Ok(self.open.swap_remove(index)),
            None => Err(self.fault(Fault::NoSuchCall, "no CALL with that number waits for an answer")),
        }
    }

    fn queued(&mut self, queued: bool) -> Result<(), Fault> {
        if queued {
            return Ok(());
        }
        Err(self.fault(Fault::NoSuchCall, "the CALL took too long, and was answered with InternalError"))
    }
}
