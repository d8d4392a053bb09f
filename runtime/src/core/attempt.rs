//! One run of a handler: to its end, its panic, or the end of its time.

use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
#[cfg(feature = "std")]
use std::panic::AssertUnwindSafe;

use crate::core::connection::Connection;
use crate::core::error::{CallError, ErrorCode};
use crate::core::frame::{CallFrame, Reply};
use crate::core::peer::State;

impl Connection {
    /// Runs the handler of a CALL to its answer. `None` if it took too long: the session has answered by then.
    pub(super) async fn run_on(
        &self,
        call: &CallFrame,
        handler: impl Future<Output = Result<Reply, CallError>>,
    ) -> Option<Result<Reply, CallError>> {
        let done = self
            .run(handler, |state, context| {
                if !state.session.is_in_progress(call) {
                    return Err(GaveUp);
                }
                state.on_worker.register(context);
                Ok(state.session.has_just_begun(call))
            })
            .await;
        match done {
            Ok(result) => Some(result),
            Err(Broken::Panicked) => {
                self.report(call, "a handler panicked");
                Some(Err(CallError::new(ErrorCode::InternalError, "the handler failed")))
            }
            Err(Broken::GaveUp) => {
                self.report(call, "a handler took too long");
                None
            }
        }
    }

    /// Runs an `#[after]` handler to its end.
    pub(super) async fn run_after(&self, call: &CallFrame, handler: impl Future<Output = ()>) {
        let done = self
            .run(handler, |state, context| match &state.after {
                None => Err(GaveUp),
                Some(after) => {
                    let has_just_begun = !after.has_started();
                    state.after_worker.register(context);
                    Ok(has_just_begun)
                }
            })
            .await;
        match done {
            Ok(()) => {}
            Err(Broken::Panicked) => self.report(call, "an `#[after]` handler panicked"),
            Err(Broken::GaveUp) => self.report(call, "an `#[after]` handler took too long"),
        }
        let waker = self.peer.state.with(|state| {
            state.after = None;
            state.after_room.take()
        });
        waker.into_iter().for_each(Waker::wake);
    }

    /// Runs a handler until it is done, panics, or `goes_on` says that it was given up. That also says whether the handler's
    /// time has not started to run yet: only a handler that waits for something needs somebody to look at the clock.
    async fn run<T>(
        &self,
        handler: impl Future<Output = T>,
        goes_on: impl Fn(&mut State, &Context<'_>) -> Result<bool, GaveUp>,
    ) -> Result<T, Broken> {
        let mut handler = pin!(handler);
        poll_fn(|context| {
            if let Poll::Ready(done) = poll_caught(handler.as_mut(), context) {
                return Poll::Ready(done.ok_or(Broken::Panicked));
            }
            let waker = self.peer.state.with(|state| {
                let has_just_begun = goes_on(state, context)?;
                Ok(has_just_begun.then(|| state.deadline.take()).flatten())
            });
            match waker {
                Ok(waker) => {
                    waker.into_iter().for_each(Waker::wake);
                    Poll::Pending
                }
                Err(GaveUp) => Poll::Ready(Err(Broken::GaveUp)),
            }
        })
        .await
    }

    /// What went wrong with a handler, for whoever reads logs; the core knows of no other.
    #[cfg_attr(not(feature = "net"), allow(unused_variables, clippy::unused_self, reason = "there is no log"))]
    pub(super) fn report(&self, call: &CallFrame, problem: &'static str) {
        #[cfg(feature = "net")]
        tracing::error!(identity = self.peer.identity(), action = call.action(), problem);
    }
}

/// The time of a handler is over.
struct GaveUp;

/// A handler that came to nothing.
enum Broken {
    Panicked,
    GaveUp,
}

/// Polls a handler; `None` if it panicked.
#[cfg(feature = "std")]
fn poll_caught<F: Future>(handler: Pin<&mut F>, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
    // What a panic leaves behind is the handler's own; its future is not polled again.
    let poll = AssertUnwindSafe(|| handler.poll(context));
    match std::panic::catch_unwind(poll) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    }
}

#[cfg(not(feature = "std"))]
fn poll_caught<F: Future>(handler: Pin<&mut F>, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
    handler.poll(context).map(Some)
}
