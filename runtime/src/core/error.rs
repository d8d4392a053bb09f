//! Errors that cross the wire, and what can become of a call.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::convert::Infallible;
use core::fmt;

use crate::codec::{DecodeError, EncodeError, Fault};
use crate::types::RawJson;

/// Why a CALL is refused; each protocol has its own spelling (OCPP-J 1.6 §4.2.3, table 7).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The receiver does not know the action.
    NotImplemented,
    /// The receiver knows the action and does not support it.
    NotSupported,
    /// The receiver failed.
    InternalError,
    /// The payload is incomplete.
    ProtocolError,
    /// Not allowed for reasons of security, such as before a BootNotification was accepted.
    SecurityError,
    /// The frame or payload is not formed as the protocol says.
    FormationViolation,
    /// A field has a value that the schema does not allow.
    PropertyConstraintViolation,
    /// A required field is missing, or a list has too few or too many items.
    OccurrenceConstraintViolation,
    /// A field has another JSON type.
    TypeConstraintViolation,
    /// Anything else.
    GenericError,
    /// The message type number is unknown (OCPP 2.0.1).
    MessageTypeNotSupported,
    /// The content of the call is no valid RPC request (OCPP 2.0.1).
    RpcFrameworkError,
    /// A code outside the list, as the peer sent it.
    Other(Box<str>),
}

impl From<Fault> for ErrorCode {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Missing { .. } | Fault::TooFewItems { .. } | Fault::TooManyItems { .. } => {
                Self::OccurrenceConstraintViolation
            }
            Fault::WrongType { .. } => Self::TypeConstraintViolation,
            Fault::NotAnObject => Self::FormationViolation,
            Fault::TooLong { .. }
            | Fault::UnrecognizedValue
            | Fault::NotADateTime
            | Fault::OutOfRange
            | Fault::NotAMultiple { .. } => Self::PropertyConstraintViolation,
            Fault::Syntax(_) | Fault::TooDeep | Fault::UnknownProperty | Fault::Duplicate => Self::FormationViolation,
        }
    }
}

/// A refusal: what a CALLERROR carries. A handler returns it, or anything that converts into it.
///
/// ```
/// use onwire::{CallError, ErrorCode};
/// let error = CallError::new(ErrorCode::InternalError, "no room for another transaction");
/// assert_eq!(error.to_string(), "InternalError: no room for another transaction");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// Why.
    pub code: ErrorCode,
    /// For people; at most 255 characters are sent.
    pub description: Cow<'static, str>,
    /// Details, if there are any: a JSON object in OCPP, `data` (an object, most of the time) in Alink.
    pub details: Option<RawJson>,
}

impl CallError {
    /// A refusal with a code and a description for people.
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self { code, description: description.into(), details: None }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            ErrorCode::Other(code) => f.write_str(code)?,
            code => write!(f, "{code:?}")?,
        }
        if self.description.is_empty() { Ok(()) } else { write!(f, ": {}", self.description) }
    }
}

impl core::error::Error for CallError {}

impl From<Infallible> for CallError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<ErrorCode> for CallError {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, "")
    }
}

impl From<DecodeError> for CallError {
    fn from(error: DecodeError) -> Self {
        Self::new(error.fault.into(), error.to_string())
    }
}

/// A call that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallFailure {
    /// The request holds a value that may not be sent; nothing was sent.
    #[error("the request cannot be sent: {0}")]
    Unsendable(EncodeError),
    /// As many calls wait already as the configuration allows; nothing was sent.
    #[error("too many calls are waiting for this peer")]
    QueueFull,
    /// The protocol has no messages that are never answered; nothing was sent.
    #[error("the protocol has no messages that are never answered")]
    Unsupported,
    /// The connection ended before the request was sent, or the call was withdrawn before that.
    #[error("the request was not sent: the connection ended, or the call was withdrawn")]
    NotSent,
    /// The time for the call ended while it waited for its turn behind others; nothing was sent.
    #[error("the request was not sent: it waited too long behind other calls")]
    Expired,
    /// The peer did not answer in time. It may have acted on the request.
    #[error("the peer did not answer in time")]
    Timeout,
    /// The connection ended first. The peer may have acted on the request.
    #[error("the connection ended before the answer came")]
    Disconnected,
    /// A newer connection of the same identity took this one's place. The peer may have acted on the request.
    #[error("a newer connection of the same peer took this one's place")]
    Replaced,
    /// This side is closing the connection, and begins nothing new; nothing was sent.
    #[error("the connection is being closed")]
    ShuttingDown,
    /// This side cannot serve the peer at present, as when its database fails, and has ended the connection. The peer may
    /// have acted on the request. A server closes the WebSocket with the code 1013, "try again later".
    #[error("closed by this side: it cannot serve the peer at present")]
    TryAgainLater,
    /// The peer answered with a CALLERROR.
    #[error("the peer refused: {0}")]
    Refused(CallError),
    /// The peer's answer is not what the schema says.
    #[error("the peer's answer is invalid: {0}")]
    InvalidResponse(DecodeError),
}

impl CallFailure {
    /// Whether the peer may have acted on the request. If not, nothing was sent, or the peer has refused: the call may be
    /// repeated.
    pub const fn may_have_acted(&self) -> bool {
        match self {
            Self::Timeout | Self::Disconnected | Self::Replaced | Self::TryAgainLater | Self::InvalidResponse(_) => {
                true
            }
            Self::Unsendable(_)
            | Self::QueueFull
            | Self::Unsupported
            | Self::NotSent
            | Self::Expired
            | Self::ShuttingDown
            | Self::Refused(_) => false,
        }
    }
}

impl From<CallFailure> for CallError {
    /// For a handler that fails because a call of its own did.
    fn from(failure: CallFailure) -> Self {
        Self::new(ErrorCode::InternalError, failure.to_string())
    }
}

/// At most 255 characters, as the RPC layers allow for a description.
pub(crate) fn shortened(description: &str) -> Cow<'_, str> {
    match description.char_indices().nth(255) {
        None => Cow::Borrowed(description),
        Some((end, _)) => Cow::<str>::Owned(description.get(..end).unwrap_or("").to_owned()),
    }
}

/// The JSON text of an error's details; `{}` if there are none, or they are no object.
pub(crate) fn details(error: &CallError) -> &str {
    error.details.as_ref().map(RawJson::as_str).filter(|details| details.starts_with('{')).unwrap_or("{}")
}

impl From<CallError> for String {
    fn from(error: CallError) -> Self {
        error.to_string()
    }
}
