//! What a received text was.

use alloc::boxed::Box;

use super::CallToken;
use crate::core::error::CallError;

/// What a received text was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// A CALL, or a message that is never answered (SEND); it waits in [`Session::next_call`](super::Session::next_call).
    Call,
    /// The answer to the outstanding call; it waits in [`Session::take_outcome`](super::Session::take_outcome).
    Answer(CallToken),
    /// The answer to no call that is outstanding: late, repeated or made up. Ignored.
    Late,
    /// A CALL that is not answered yet, once more. One answer serves both.
    Repeated,
    /// A CALL that was answered lately, once more. The same answer goes out again.
    AnsweredAgain,
    /// The peer could not read an answer of ours (CALLRESULTERROR).
    AnswerRefused {
        /// The id of the peer's CALL, as JSON.
        id: Box<str>,
        /// What the peer says.
        error: CallError,
    },
    /// A CALL that was refused before any handler saw it.
    Refused(CallError),
    /// No frame; ignored.
    Ignored(&'static str),
}
