//! What the generator says of a protocol's actions.

use crate::codec::Message;

/// One action of a protocol: the marker type that `#[on(Action)]` names.
pub trait Action {
    /// Name on the wire.
    const NAME: &'static str;
    /// What the caller sends.
    type Request: Request<Action = Self, Response = Self::Response>;
    /// What the called side answers.
    type Response: Message;
}

/// The request of an [`Action`]; a call is typed by it alone.
pub trait Request: Message {
    /// The action that it asks for.
    type Action: Action<Request = Self, Response = Self::Response>;
    /// What it is answered with.
    type Response: Message;
}

/// A message that is never answered (OCPP 2.1's SEND): there is nothing to wait for, so that
/// [`Peer::call`](crate::Peer::call) does not take it. Sessions do not carry it yet.
pub trait Unanswered: Message {
    /// Name of its action on the wire.
    const NAME: &'static str;
}

/// The protocol lets the side `R` receive this action.
#[diagnostic::on_unimplemented(
    message = "a `{R}` never receives `{Self}`",
    label = "the protocol does not send this action to a `{R}`",
    note = "the protocol's index says who may start an action; handle it in the other role's `#[onwire::handlers]` block, or send it with `peer.call(..)`"
)]
pub trait ReceivedBy<R> {}

#[doc(hidden)]
pub const fn assert_received_by<A: ReceivedBy<R>, R>() {}
