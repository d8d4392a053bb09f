//! Frames: the envelope around a payload, told apart without reading the payload.

use alloc::boxed::Box;
use alloc::string::String;
use core::ops::Range;

use crate::core::dialect::Dialect;
use crate::core::error::CallError;

/// A frame that was split. Ranges point into the text it was split from; ids are JSON tokens, quotes included, so
/// that they are echoed exactly as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A request.
    Call {
        /// The id's JSON token.
        id: Range<usize>,
        /// The action's name, without quotes.
        action: Range<usize>,
        /// The payload, not looked at yet.
        payload: Range<usize>,
    },
    /// The answer to a request.
    CallResult {
        /// The id's JSON token.
        id: Range<usize>,
        /// The payload, not looked at yet.
        payload: Range<usize>,
    },
    /// The refusal of a request.
    CallError {
        /// The id's JSON token.
        id: Range<usize>,
        /// What the peer says.
        error: CallError,
    },
    /// The refusal of a CALLRESULT.
    ResultError {
        /// The id's JSON token.
        id: Range<usize>,
        /// What the peer says.
        error: CallError,
    },
    /// A message that is never answered.
    Send {
        /// The id's JSON token.
        id: Range<usize>,
        /// The action's name, without quotes.
        action: Range<usize>,
        /// The payload, not looked at yet.
        payload: Range<usize>,
    },
}

/// Text that is no frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFrame {
    /// What it might have been.
    pub defect: Defect,
    /// The id's JSON token, if it could be read.
    pub id: Option<Range<usize>>,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// What text that is no frame might have been; that decides whether its sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Anything, or a CALL without an id.
    Unreadable,
    /// A CALL with an id.
    Call,
    /// An answer, or a message that is never answered.
    NotACall,
    /// A message type that this protocol does not have.
    UnknownType,
}

/// How a protocol family wraps payloads: functions in a table, chosen once for a connection.
#[derive(Debug)]
pub struct Framing {
    /// Splits a frame.
    pub split: fn(&str) -> Result<Frame, BadFrame>,
    /// Writes a CALL up to its payload: `out`, id without quotes, action.
    pub open_call: fn(&mut String, &str, &str),
    /// Writes a message that is never answered, up to its payload, if the protocol has such: as `open_call`. What
    /// `close_call` writes ends it.
    pub open_send: Option<fn(&mut String, &str, &str)>,
    /// Writes what follows the payload of a CALL: `out`, action.
    pub close_call: fn(&mut String, &str),
    /// Writes a CALLRESULT up to its payload: `out`, the id's JSON token.
    pub open_result: fn(&mut String, &str),
    /// Writes what follows the payload of a CALLRESULT.
    pub close_result: fn(&mut String),
    /// Writes a CALLERROR: `out`, the id's JSON token, the code's spelling, the error.
    pub error: fn(&mut String, &str, &str, &CallError),
    /// Whether a message type that the protocol does not have is refused; otherwise it is ignored.
    pub refuses_unknown_types: bool,
    /// The JSON token that stands for an id that cannot be read; `None`: such a text is ignored.
    pub unreadable_id: Option<&'static str>,
}

/// Tells CALLs apart: a hash of the whole text, id included. Whoever makes two texts collide fools nobody but itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    pub(crate) fn of(text: &str) -> Self {
        // FNV-1a over words: bytes would take longer than everything else that is done to a large message. The rotation
        // brings the upper bits of a word down.
        let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
        let (words, tail) = text.as_bytes().as_chunks::<8>();
        let hash = words.iter().fold(0xcbf2_9ce4_8422_2325, |hash, word| step(hash, u64::from_le_bytes(*word)));
        let hash = tail.iter().fold(hash, |hash, byte| step(hash, u64::from(*byte)));
        Self(step(hash, text.len() as u64))
    }
}

/// A CALL or SEND that was received: it owns its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFrame {
    text: Box<str>,
    fingerprint: Fingerprint,
    wants_answer: bool,
    id: Range<usize>,
    action: Range<usize>,
    payload: Range<usize>,
}

impl CallFrame {
    pub(crate) fn new(text: &str, id: Range<usize>, action: Range<usize>, payload: Range<usize>) -> Self {
        Self { text: text.into(), fingerprint: Fingerprint::of(text), wants_answer: true, id, action, payload }
    }

    pub(crate) fn never_answered(text: &str, id: Range<usize>, action: Range<usize>, payload: Range<usize>) -> Self {
        Self { wants_answer: false, ..Self::new(text, id, action, payload) }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Whether the peer waits for an answer; it does not after a SEND.
    pub fn wants_answer(&self) -> bool {
        self.wants_answer
    }

    /// The id's JSON token, quotes included where it is a string.
    pub fn id_token(&self) -> &str {
        self.text.get(self.id.clone()).unwrap_or("\"\"")
    }

    /// The action's name on the wire.
    pub fn action(&self) -> &str {
        self.text.get(self.action.clone()).unwrap_or("")
    }

    /// The payload's JSON text.
    pub fn payload(&self) -> &str {
        self.text.get(self.payload.clone()).unwrap_or("")
    }
}

/// Room for a frame at first, in bytes: most frames are no longer, and need not move while they grow.
pub(crate) const FRAME: usize = 128;

/// The answer to a CALL, framed and ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    frame: String,
    payload: Range<usize>,
}

impl Reply {
    pub(crate) fn write<E>(
        dialect: &Dialect,
        id_token: &str,
        write: impl FnOnce(&mut String) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut frame = String::with_capacity(FRAME);
        (dialect.framing.open_result)(&mut frame, id_token);
        let start = frame.len();
        write(&mut frame)?;
        let payload = start..frame.len();
        (dialect.framing.close_result)(&mut frame);
        Ok(Self { frame, payload })
    }

    /// To what is never answered.
    pub(crate) fn nothing() -> Self {
        Self { frame: String::new(), payload: 0..0 }
    }

    /// The payload's JSON text.
    pub fn payload(&self) -> &str {
        self.frame.get(self.payload.clone()).unwrap_or("")
    }

    /// The whole frame.
    pub fn into_frame(self) -> String {
        self.frame
    }

    pub(crate) fn frame(&self) -> &str {
        &self.frame
    }
}

/// A CALLERROR, framed and ready to be sent.
pub(crate) fn error_frame(dialect: &Dialect, id_token: &str, error: &CallError) -> String {
    let mut frame = String::with_capacity(FRAME);
    (dialect.framing.error)(&mut frame, id_token, (dialect.spell)(&error.code), error);
    frame
}
