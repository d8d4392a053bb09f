//! The router: what `#[onwire::handlers]` makes of an `impl` block.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::future::Future;
#[cfg(feature = "std")]
use std::sync::Arc;

use crate::core::call::Cx;
use crate::core::dialect::Dialect;
use crate::core::error::CallError;
use crate::core::frame::Reply;

/// Handlers of one role of one protocol, run on the thread that drives the connection.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handlers",
    note = "write `#[onwire::handlers(protocol, role = Role)]` above the `impl` block with its `#[on(..)]` methods"
)]
pub trait Router {
    /// The side that these handlers play.
    type Role;

    /// The protocol.
    const DIALECT: &'static Dialect;

    /// Answers a call.
    fn on<'a>(&'a self, cx: Cx<'a>) -> impl Future<Output = Result<Reply, CallError>> + 'a;

    /// Whether something is to be done after a call of this action was answered.
    fn has_after(&self, action: &str) -> bool;

    /// Does what is to be done after the answer.
    fn after<'a>(&'a self, cx: Cx<'a>) -> impl Future<Output = ()> + 'a;
}

/// A [`Router`] that may be shared between threads: what a server needs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handlers that a server can run",
    note = "write `#[onwire::handlers(protocol, role = Role)]` above its `impl` block, without `local`: a server needs futures that are `Send`, and a type that is `Send + Sync`"
)]
pub trait SendRouter: Router + Send + Sync {
    /// [`Router::on`], and `Send`.
    fn on_send<'a>(&'a self, cx: Cx<'a>) -> impl Future<Output = Result<Reply, CallError>> + Send + 'a;

    /// [`Router::after`], and `Send`.
    fn after_send<'a>(&'a self, cx: Cx<'a>) -> impl Future<Output = ()> + Send + 'a;
}

#[doc(hidden)]
pub fn rest_of<Role, R: Router<Role = Role>>(rest: &R) -> &R {
    rest
}

macro_rules! through_pointer {
    ($($pointer:ty),+) => {$(
        impl<R: Router> Router for $pointer {
            type Role = R::Role;
            const DIALECT: &'static Dialect = R::DIALECT;

            fn on<'a>(&'a self, cx: Cx<'a>) -> impl Future<Output = Result<Reply, CallError>> + 'a {
                (**self).on(cx)
            }

            fn has_after(&self, action: &str) -> bool {
                (**self).has_after(action)
            }

            fn after<'a>(&'a self, cx: Cx<'a>) -> impl Future<Output = ()> + 'a {
                (**self).after(cx)
            }
        }
    )+};
}

macro_rules! through_pointer_send {
    ($($pointer:ty),+) => {$(
        impl<R: SendRouter> SendRouter for $pointer {
            fn on_send<'a>(&'a self, cx: Cx<'a>) -> impl Future<Output = Result<Reply, CallError>> + Send + 'a {
                (**self).on_send(cx)
            }

            fn after_send<'a>(&'a self, cx: Cx<'a>) -> impl Future<Output = ()> + Send + 'a {
                (**self).after_send(cx)
            }
        }
    )+};
}

through_pointer!(&R, Box<R>, Rc<R>);
through_pointer_send!(&R, Box<R>);
#[cfg(feature = "std")]
through_pointer!(Arc<R>);
#[cfg(feature = "std")]
through_pointer_send!(Arc<R>);
