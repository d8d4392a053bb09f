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
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no request that is answered",
    note = "`peer.call(..)` takes the request of an action; a message that is never answered (SEND) goes out with `peer.send(..)`"
)]
pub trait Request: Message {
    /// The action that it asks for.
    type Action: Action<Request = Self, Response = Self::Response>;
    /// What it is answered with.
    type Response: Message;
}

/// A message that is never answered (OCPP 2.1's SEND): there is nothing to wait for, so that
/// [`Peer::call`](crate::Peer::call) does not take it. [`Peer::send`](crate::Peer::send) does.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no message that goes unanswered",
    note = "`peer.send(..)` takes what is never answered (SEND); the request of an action goes out with `peer.call(..)`"
)]
pub trait Unanswered: Message {
    /// Name of its action on the wire.
    const NAME: &'static str;
}

/// What `#[on(..)]` may name: an [`Action`], or the marker of a message that is never answered.
#[diagnostic::on_unimplemented(message = "`{Self}` is no action", label = "expected the name of an action")]
pub trait Routed {
    /// Name on the wire.
    const NAME: &'static str;
    /// What comes in.
    type Request: Message;
}

impl<A: Action> Routed for A {
    const NAME: &'static str = <A as Action>::NAME;
    type Request = <A as Action>::Request;
}

/// What `#[after(..)]` may name.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is never answered: there is no `#[after({Self})]`",
    label = "a message without an answer (SEND)",
    note = "do all of it in `#[on(..)]`; nobody waits for that handler"
)]
pub trait Answered {}

impl<A: Action> Answered for A {}

/// The protocol lets the side `R` receive this action.
#[diagnostic::on_unimplemented(
    message = "a `{R}` never receives `{Self}`",
    label = "the protocol does not send this action to a `{R}`",
    note = "the protocol's index says who may start an action; handle it in the other role's `#[onwire::handlers]` block, or send it with `peer.call(..)`"
)]
pub trait ReceivedBy<R> {}

#[doc(hidden)]
pub const fn assert_answered<A: Answered>() {}

#[doc(hidden)]
pub const fn assert_received_by<A: ReceivedBy<R>, R>() {}
