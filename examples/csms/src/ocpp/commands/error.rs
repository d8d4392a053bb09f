//! What a command fails with.

use http::StatusCode;
use onwire::codec::{DecodeError, EncodeError};
use onwire::ocpp::j::spell_1_6;
use onwire::{CallError, CallFailure};

use crate::api::problem::Problem;
use crate::ocpp::local_list::ListError;
use crate::security::keys::KeyError;
use crate::store::StoreError;

/// A command that came to nothing, or whose answer could not be kept.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Nobody knows that charge point.
    #[error("there is no such charge point")]
    Unknown,
    /// It is not connected; nothing was sent.
    #[error("the charge point is not connected")]
    Offline,
    /// It was told to wait after its BootNotification; nothing was sent.
    #[error("the charge point was not accepted yet: its BootNotification was answered with Pending or Rejected")]
    Pending,
    /// The payload is not what the schema says; nothing was sent.
    #[error("the payload is wrong: {0}")]
    Unsendable(EncodeError),
    /// It would give the charge point a key that is none; nothing was sent.
    #[error("{0}")]
    NotAKey(KeyError),
    /// As many commands wait for it as may; nothing was sent.
    #[error("too many commands are waiting for this charge point")]
    QueueFull,
    /// The connection ended, or is ending; nothing was sent.
    #[error("the command was not sent: the connection ended")]
    NotSent,
    /// The time ended while the command waited for the charge point to answer earlier ones; nothing was sent.
    #[error("the command was not sent: the charge point has not answered earlier ones in time")]
    Expired,
    /// The database failed before it was sent; nothing was sent.
    #[error("the command was not sent: {0}")]
    NotPrepared(StoreError),
    /// It did not answer in time. It may have acted on the command.
    #[error("the charge point did not answer in time; it may have acted on the command")]
    Timeout,
    /// The connection ended. It may have acted on the command.
    #[error("the connection ended before the answer came; the charge point may have acted on the command")]
    Lost,
    /// It answered with a CALLERROR.
    #[error("the charge point refused: {0}")]
    Refused(CallError),
    /// Its answer is not what the schema says.
    #[error("the charge point's answer is wrong: {0}")]
    InvalidResponse(DecodeError),
    /// The database failed when it had been answered or given up.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The program failed.
    #[error("the server failed; its log says why")]
    Failed,
}

impl CommandError {
    /// Whether the charge point may have done what it was told.
    pub fn may_have_acted(&self) -> bool {
        matches!(self, Self::Timeout | Self::Lost | Self::InvalidResponse(_) | Self::Store(_) | Self::Failed)
    }

    /// A payload that is no JSON at all.
    pub(super) fn not_json(error: &DecodeError) -> Self {
        Self::Unsendable(EncodeError { fault: error.fault, pointer: error.pointer.clone() })
    }
}

impl From<CallFailure> for CommandError {
    fn from(failure: CallFailure) -> Self {
        match failure {
            CallFailure::Unsendable(error) => Self::Unsendable(error),
            CallFailure::QueueFull => Self::QueueFull,
            CallFailure::NotSent | CallFailure::ShuttingDown => Self::NotSent,
            CallFailure::Expired => Self::Expired,
            CallFailure::Timeout => Self::Timeout,
            CallFailure::Disconnected | CallFailure::Replaced | CallFailure::TryAgainLater => Self::Lost,
            CallFailure::Refused(error) => Self::Refused(error),
            CallFailure::InvalidResponse(error) => Self::InvalidResponse(error),
            _ => Self::Failed,
        }
    }
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Busy => Self::conflict(error.to_string()),
            ListError::Command { error, messages: 1, .. } => error.into(),
            ListError::Command { error, messages, accepted } => {
                let problem = Self::from(error);
                let detail = format!("{} ({accepted} of {messages} messages were accepted before)", problem.detail);
                Self { detail, ..problem }
            }
        }
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let text = error.to_string();
        match error {
            CommandError::Unknown => Self::not_found(text),
            CommandError::Offline => Self::new(StatusCode::CONFLICT, "offline", text),
            CommandError::Pending => Self::new(StatusCode::CONFLICT, "pending", text),
            CommandError::Unsendable(EncodeError { fault, pointer }) => {
                Self::invalid_payload(pointer, fault.to_string())
            }
            CommandError::NotAKey(_) => Self::invalid_payload("/value", text),
            CommandError::QueueFull => Self::new(StatusCode::SERVICE_UNAVAILABLE, "queueFull", text),
            CommandError::NotSent | CommandError::Expired => Self::new(StatusCode::CONFLICT, "notSent", text),
            CommandError::Timeout => Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", text),
            CommandError::Lost => Self::new(StatusCode::GATEWAY_TIMEOUT, "disconnected", text),
            CommandError::Refused(refused) => Self {
                code: Some(spell_1_6(&refused.code).into()),
                description: Some((*refused.description).into()),
                details: refused.details.as_ref().and_then(|details| serde_json::from_str(details.as_str()).ok()),
                ..Self::new(StatusCode::BAD_GATEWAY, "callError", text)
            },
            CommandError::InvalidResponse(error) => Self {
                pointer: Some(error.pointer.into()),
                ..Self::new(StatusCode::BAD_GATEWAY, "invalidResponse", text)
            },
            CommandError::Store(error) | CommandError::NotPrepared(error) => error.into(),
            CommandError::Failed => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", text),
        }
    }
}
