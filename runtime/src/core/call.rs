//! What a handler sees of a call, and what it may answer: the traits behind its parameters and its return type.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;

use crate::codec::{self, Message, Quirks};
use crate::core::error::{CallError, ErrorCode};
use crate::core::frame::{CallFrame, Reply};
use crate::core::peer::Peer;

/// A call on its way through a router.
#[derive(Debug, Clone, Copy)]
pub struct Cx<'c> {
    peer: &'c Peer,
    call: &'c CallFrame,
    reply: Option<&'c Reply>,
}

impl<'c> Cx<'c> {
    pub(crate) fn new(peer: &'c Peer, call: &'c CallFrame, reply: Option<&'c Reply>) -> Self {
        Self { peer, call, reply }
    }

    /// Who called.
    pub fn peer(&self) -> &'c Peer {
        self.peer
    }

    /// The action's name on the wire.
    pub fn action(&self) -> &'c str {
        self.call.action()
    }

    /// The id of the call.
    pub fn id(&self) -> CallId<'c> {
        CallId(self.call.id_token())
    }

    /// The payload as it came.
    pub fn payload(&self) -> RawPayload<'c> {
        RawPayload(self.call.payload())
    }

    /// Decodes the request as liberally as the connection allows.
    ///
    /// # Errors
    /// The refusal to be sent.
    pub fn request<T: Message>(&self) -> Result<T, CallError> {
        let (request, quirks) = codec::decode_payload(self.call.payload(), self.peer.allowed_quirks())?;
        self.peer.note_quirks(quirks);
        Ok(request)
    }

    /// Decodes the response that was sent; only after a call.
    ///
    /// # Errors
    /// [`ErrorCode::InternalError`] while the call is still being answered.
    pub fn response<T: Message>(&self) -> Result<T, CallError> {
        let reply = self.reply.ok_or(ErrorCode::InternalError)?;
        Ok(codec::decode(reply.payload(), Quirks::NONE)?)
    }

    /// An answer, for a [`Router`](crate::Router) that is written by hand because it knows its actions only when it runs.
    ///
    /// # Errors
    /// [`ErrorCode::InternalError`] if the answer is not what its type allows; [`RawJson`](crate::types::RawJson) allows all.
    pub fn reply<T: Message>(&self, response: &T) -> Result<Reply, CallError> {
        reply(response, self)
    }

    /// The refusal of an action that no handler takes: `NotSupported` if the protocol has it, else `NotImplemented`.
    pub fn unhandled(&self) -> CallError {
        let known = self.peer.dialect().knows(self.action());
        CallError::from(if known { ErrorCode::NotSupported } else { ErrorCode::NotImplemented })
    }
}

/// Stands for "a handler `#[on(A)]`" in trait bounds.
pub struct On<A>(PhantomData<A>);

/// Stands for "a handler `#[after(A)]`" in trait bounds.
pub struct After<A>(PhantomData<A>);

/// A type that a handler may take as a parameter. `K` is [`On<A>`] or [`After<A>`].
///
/// The request of the action, [`&Peer`](Peer), [`CallId`], [`RawPayload`], [`Cx`], and in `#[after]` the response too.
/// Implement it for a type of your own to hand that to handlers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of this handler",
    label = "the handler is for `{K}`",
    note = "a handler may take the request of its action, `&Peer`, `CallId<'_>`, `RawPayload<'_>` and `Cx<'_>`; an `#[after]` handler also the response"
)]
pub trait FromCall<'c, K>: Sized {
    /// Whether it judges the payload. If no parameter of an `#[on]` handler does, the payload is decoded all the same,
    /// so that a broken request is refused whether or not anybody looks at it.
    const READS_PAYLOAD: bool = false;

    /// Takes what it needs from the call.
    ///
    /// # Errors
    /// The refusal that is sent in place of a response.
    fn from_call(cx: &Cx<'c>) -> Result<Self, CallError>;
}

impl<'c, K> FromCall<'c, K> for &'c Peer {
    fn from_call(cx: &Cx<'c>) -> Result<Self, CallError> {
        Ok(cx.peer)
    }
}

impl<'c, K> FromCall<'c, K> for CallId<'c> {
    fn from_call(cx: &Cx<'c>) -> Result<Self, CallError> {
        Ok(cx.id())
    }
}

impl<'c, K> FromCall<'c, K> for RawPayload<'c> {
    const READS_PAYLOAD: bool = true;

    fn from_call(cx: &Cx<'c>) -> Result<Self, CallError> {
        Ok(cx.payload())
    }
}

impl<'c, K> FromCall<'c, K> for Cx<'c> {
    fn from_call(cx: &Cx<'c>) -> Result<Self, CallError> {
        Ok(*cx)
    }
}

/// What an `#[on(A)]` handler may return: the response of `A`, or a `Result` of it whose error converts into
/// [`CallError`]; nothing if `A` is never answered, or if the answer of a thing model's action has no content.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a handler of `{A}` returns",
    label = "expected the response of `{A}`, or `Result` of it; nothing if it is never answered",
    note = "an `#[on]` handler returns the response of its action, or `Result<response, E>` with `E: Into<CallError>`; of a message that is never answered (SEND) it returns nothing"
)]
pub trait IntoReply<A> {
    /// Encodes the answer.
    ///
    /// # Errors
    /// The refusal that is sent instead.
    fn into_reply(self, cx: &Cx<'_>) -> Result<Reply, CallError>;
}

impl<A, T: IntoReply<A>, E: Into<CallError>> IntoReply<A> for Result<T, E> {
    fn into_reply(self, cx: &Cx<'_>) -> Result<Reply, CallError> {
        self.map_err(Into::into)?.into_reply(cx)
    }
}

/// Encodes a response; generated code calls it.
///
/// # Errors
/// [`ErrorCode::InternalError`] if the handler's answer is not what the schema allows.
pub fn reply<T: Message>(response: &T, cx: &Cx<'_>) -> Result<Reply, CallError> {
    Reply::write(cx.peer.dialect(), cx.call.id_token(), |out| codec::encode(response, out))
        .map_err(|error| CallError::new(ErrorCode::InternalError, alloc::format!("the answer is invalid: {error}")))
}

/// What becomes of a message that is never answered; generated code calls it. A peer that sent it as a CALL all the same
/// waits for something, and gets an empty object.
///
/// # Errors
/// None.
pub fn no_reply(cx: &Cx<'_>) -> Result<Reply, CallError> {
    if !cx.call.wants_answer() {
        return Ok(Reply::nothing());
    }
    Reply::write(cx.peer.dialect(), cx.call.id_token(), |out| {
        out.push_str("{}");
        Ok(())
    })
}

/// The id of a call, as the caller chose it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallId<'c>(&'c str);

impl<'c> CallId<'c> {
    /// The id as JSON: quotes included where it is a string.
    pub fn token(self) -> &'c str {
        self.0
    }
}

impl Deref for CallId<'_> {
    type Target = str;
    /// The id without quotes; escapes are left as they came.
    fn deref(&self) -> &str {
        self.0.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(self.0)
    }
}

impl fmt::Display for CallId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for CallId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The JSON text of a call's payload, before it is decoded.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawPayload<'c>(&'c str);

impl<'c> RawPayload<'c> {
    /// The JSON text.
    pub fn as_str(self) -> &'c str {
        self.0
    }
}

impl Deref for RawPayload<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        self.0
    }
}

impl fmt::Debug for RawPayload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
