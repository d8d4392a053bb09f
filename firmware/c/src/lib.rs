//! onwire's sessions for C: the functions of `include/onwire.h`, which documents them.
//!
//! The static library speaks OCPP 1.6. One for another protocol is a crate of its own that exports a constructor around
//! [`open`]; all other functions are the same.
//!
//! What C hands in is turned into references in `pointers` and nowhere else; `session` is safe Rust.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(not(feature = "std"))]
mod bare;
mod pointers;
mod session;

use alloc::boxed::Box;
use core::time::Duration;

use onwire::ocpp::v16;
use onwire::session::Config;
use onwire::{ActionEntry, Dialect, Instant};

use self::pointers::{exclusive, out, shared, text};
pub use self::session::Session;
use self::session::{Event, Fault, Note};

/// `onwire_text`
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Text {
    data: *const u8,
    length: usize,
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self { data: text.as_ptr(), length: text.len() }
    }
}

/// `onwire_status`
type Status = i32;

const OK: Status = 0;
const NOTHING: Status = 1;
const IGNORED: Status = 2;
const REFUSED: Status = 3;
const INVALID_ARGUMENT: Status = -1;
const NOT_UTF8: Status = -2;
const PANICKED: Status = -9;

const OCPP_1_6: i32 = 16;
const CHARGE_POINT: i32 = 1;
const CENTRAL_SYSTEM: i32 = 2;

/// `onwire_config`
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CConfig {
    call_timeout_ms: u32,
    handler_timeout_ms: u32,
    call_queue: u32,
    inbox: u32,
    answer_memory: u32,
    first_id: u32,
    // A byte, as C may hand in one that is no bool.
    liberal: u8,
}

impl CConfig {
    fn defaults() -> Self {
        let config = Config::default();
        let milliseconds = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            call_timeout_ms: milliseconds(config.call_timeout),
            handler_timeout_ms: milliseconds(config.handler_timeout),
            call_queue: number(config.call_queue),
            inbox: number(config.inbox),
            answer_memory: number(config.answer_memory),
            first_id: config.first_id,
            liberal: 1,
        }
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        config.call_timeout = Duration::from_millis(self.call_timeout_ms.into());
        config.handler_timeout = Duration::from_millis(self.handler_timeout_ms.into());
        config.call_queue = number(self.call_queue);
        config.inbox = number(self.inbox);
        config.answer_memory = number(self.answer_memory);
        config.first_id = self.first_id;
        if self.liberal == 0 {
            config.quirks = onwire::codec::Quirks::NONE;
        }
        config
    }
}

/// `onwire_event`
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CEvent {
    kind: i32,
    call: u32,
    action: Text,
    payload: Text,
    code: Text,
    description: Text,
    details: Text,
}

impl From<&Event> for CEvent {
    fn from(event: &Event) -> Self {
        Self {
            kind: event.kind as i32,
            call: event.call,
            action: event.action.into(),
            payload: event.payload.as_str().into(),
            code: event.code.as_str().into(),
            description: event.description.as_str().into(),
            details: event.details.as_str().into(),
        }
    }
}

/// A session of a protocol of one's own, for `onwire_session_free` to give back: what a constructor like
/// `onwire_session_new` does. `config` may be null.
///
/// # Safety
/// `config` is null or points to an `onwire_config`.
pub unsafe fn open(
    dialect: &'static Dialect,
    actions: &'static [ActionEntry],
    role: &'static str,
    config: *const CConfig,
) -> *mut Session {
    guarded(core::ptr::null_mut(), || {
        // SAFETY: the caller's promise.
        let config = unsafe { shared(config) }.map_or_else(Config::default, CConfig::config);
        Box::into_raw(Box::new(Session::new(dialect, actions, role, config)))
    })
}

/// Runs `body`; no panic may cross into C.
#[cfg(feature = "std")]
fn guarded<T>(panicked: T, body: impl FnOnce() -> T) -> T {
    // A panic between two statements of the session cannot leave it worse than a lost message does.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(panicked)
}

/// Runs `body`; a panic ends in the firmware's `onwire_panic`.
#[cfg(not(feature = "std"))]
fn guarded<T>(_panicked: T, body: impl FnOnce() -> T) -> T {
    body()
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        fault as Self
    }
}

/// Runs `body` with the session; an error of it is a status too.
fn with(session: Option<&mut Session>, body: impl FnOnce(&mut Session) -> Result<Status, Status>) -> Status {
    guarded(PANICKED, || match session {
        Some(session) => body(session).unwrap_or_else(core::convert::identity),
        None => INVALID_ARGUMENT,
    })
}

/// `onwire_default_config`
#[unsafe(no_mangle)]
pub extern "C" fn onwire_default_config() -> CConfig {
    CConfig::defaults()
}

/// `onwire_session_new`
///
/// # Safety
/// `config` is null or points to an `onwire_config`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn onwire_session_new(protocol: i32, role: i32, config: *const CConfig) -> *mut Session {
    let role = match (protocol, role) {
        (OCPP_1_6, CHARGE_POINT) => "ChargePoint",
        (OCPP_1_6, CENTRAL_SYSTEM) => "CentralSystem",
        _ => return core::ptr::null_mut(),
    };
    // SAFETY: the caller's promise.
    unsafe { open(&v16::DIALECT, v16::ACTIONS, role, config) }
}

/// `onwire_session_free`
///
/// # Safety
/// `session` is null, or came from `onwire_session_new` and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn onwire_session_free(session: *mut Session) {
    if !session.is_null() {
        guarded((), || {
            // SAFETY: it came from `Box::into_raw`, and nobody uses it again.
            drop(unsafe { Box::from_raw(session) });
        });
    }
}

/// `onwire_receive`
///
/// # Safety
/// `session` is null or a session that nobody else uses; `message` is a valid text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn onwire_receive(session: *mut Session, message: Text, now_ms: u64) -> Status {
    // SAFETY: the caller's promise.
    let (session, message) = unsafe { (exclusive(session), text(message)) };
    with(session, |session| {
        Ok(match session.receive(message?, Instant::from_millis(now_ms))? {
            Note::Taken => OK,
            Note::Ignored => IGNORED,
            Note::Refused => REFUSED,
        })
    })
}

/// `onwire_wants_input`
///
/// # Safety
/// `session` is null or a session that nobody else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn onwire_wants_input(session: *const Session) -> bool {
    // SAFETY: the caller's promise.
    let session = unsafe { shared(session) };
    guarded(false, || session.is_some_and(Session::wants_input))
}

/// `onwire_next_frame`
///
/// # Safety
/// `session` is null or a session that nobody else uses; `frame` is null or points to an `onwire_text`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn onwire_next_frame(session: *mut Session, now_ms: u64, frame: *mut Text) -> Status {
    // SAFETY: the caller's promise.
    let (session, place) = unsafe { (exclusive(session), out(frame)) };
    with(session, |session| {
        let place = place.ok_or(INVALID_ARGUMENT)?;
        let frame = session.next_frame(Instant::from_millis(now_ms)).ok_or(NOTHING)?;
        place.write(frame.into());
        Ok(OK)
    })
}

/// `onwire_deadline`
///
/// # Safety
/// `session` is null or a session that nobody else uses; `deadline_ms` is null or points to a `uint64_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn onwire_deadline(session: *const Session, deadline_ms: *mut u64) -> Status {
    // SAFETY: the caller's promise.
    let (session, place) = unsafe { (shared(session), out(deadline_ms)) };
    guarded(PANICKED, || {
        let Some((session, place)) = session.zip(place) else { return INVALID_ARGUMENT };
        let Some(deadline) = session.deadline() else { return NOTHING };
        place.write(deadline.as_millis());
        OK
    })
}

/// `onwire_handle_timeout`
///
/// # Safety
/// `session` is null or a session that nobody else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn onwire_handle_timeout(session: *mut Session, now_ms: u64) -> Status {
    // SAFETY: the caller's promise.
    let session = unsafe { exclusive(session) };
    with(session, |session| {
        session.handle_timeout(Instant::from_millis(now_ms));
        Ok(OK)
    })
}

/// `onwire_call`
///
/// # Safety
/// `session` is null or a session that nobody else uses; the texts are valid; `call` is null or points to a `uint32_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn onwire_call(session: *mut Session, action: Text, request: Text, call: *mut u32) -> Status {
    // SAFETY: the caller's promise.
    let (session, action, request, place) = unsafe { (exclusive(session), text(action), text(request), out(call)) };
    with(session, |session| {
        let number = session.call(action?, request?)?;
        if let Some(place) = place {
            place.write(number);
        }
        Ok(OK)
    })
}

/// `onwire_poll_event`
///
/// # Safety
/// `session` is null or a session that nobody else uses; `event` is null or points to an `onwire_event`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn onwire_poll_event(session: *mut Session, event: *mut CEvent) -> Status {
    // SAFETY: the caller's promise.
    let (session, place) = unsafe { (exclusive(session), out(event)) };
    with(session, |session| {
        let place = place.ok_or(INVALID_ARGUMENT)?;
        place.write(session.poll_event().ok_or(NOTHING)?.into());
        Ok(OK)
    })
}

/// `onwire_answer`
///
/// # Safety
/// `session` is null or a session that nobody else uses; `response` is a valid text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn onwire_answer(session: *mut Session, call: u32, response: Text) -> Status {
    // SAFETY: the caller's promise.
    let (session, response) = unsafe { (exclusive(session), text(response)) };
    with(session, |session| {
        session.answer(call, response?)?;
        Ok(OK)
    })
}

/// `onwire_refuse`
///
/// # Safety
/// `session` is null or a session that nobody else uses; the texts are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn onwire_refuse(session: *mut Session, call: u32, code: Text, description: Text) -> Status {
    // SAFETY: the caller's promise.
    let (session, code, description) = unsafe { (exclusive(session), text(code), text(description)) };
    with(session, |session| {
        session.refuse(call, code?, description?)?;
        Ok(OK)
    })
}

/// `onwire_end`
///
/// # Safety
/// `session` is null or a session that nobody else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn onwire_end(session: *mut Session) -> Status {
    // SAFETY: the caller's promise.
    let session = unsafe { exclusive(session) };
    with(session, |session| {
        session.end();
        Ok(OK)
    })
}

/// `onwire_error`
///
/// # Safety
/// `session` is null or a session that nobody else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn onwire_error(session: *const Session) -> Text {
    // SAFETY: the caller's promise.
    unsafe { shared(session) }.map_or("", Session::error).into()
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_status() {
        assert_eq!(guarded(PANICKED, || panic!("a defect")), PANICKED);
        let mut session = Session::new(&v16::DIALECT, v16::ACTIONS, "ChargePoint", Config::default());
        assert_eq!(with(Some(&mut session), |_| panic!("a defect")), PANICKED);
        assert_eq!(with(Some(&mut session), |session| Ok(session.call("Heartbeat", "{}").map(|_| OK)?)), OK);
    }

    #[test]
    fn the_structs_are_those_of_the_header() {
        let words = |count: usize| count * size_of::<usize>();
        assert_eq!(size_of::<Text>(), words(2));
        assert_eq!(size_of::<CEvent>(), 8 + 5 * size_of::<Text>());
        assert_eq!(size_of::<CConfig>(), 7 * 4);
    }
}
