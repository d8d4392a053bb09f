//! A connection: a session, its peer's handle and its handlers, driven by whoever owns the transport.
//!
//! Three things go on side by side in one task: the transport is pumped (that is the adapter's loop), CALLs are
//! answered one after the other, and `#[after]` handlers run one after the other. The pump never waits for a handler, so
//! that a handler may call its own peer. A handler that panics (with `std`), hangs or is dropped hurts its own call only.

#[cfg(feature = "std")]
use alloc::boxed::Box;
use alloc::string::String;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use crate::core::call::Cx;
use crate::core::dialect::Dialect;
use crate::core::error::{CallError, CallFailure};
use crate::core::frame::{CallFrame, Reply, error_frame};
use crate::core::peer::{Peer, State};
use crate::core::router::Router;
#[cfg(feature = "std")]
use crate::core::router::SendRouter;
use crate::core::session::{Config, Receipt, Received, Session, Timer, Transmit};
use crate::core::span::{Phase, in_span};
use crate::core::time::Instant;

/// The adapter's side of a connection. Dropping it ends the connection.
#[derive(Debug)]
pub struct Connection {
    pub(super) peer: Peer,
}

impl Connection {
    /// A connection with `identity` that has just been opened.
    pub fn new(identity: &str, dialect: &'static Dialect, config: Config) -> Self {
        Self { peer: Peer::new(identity, Session::new(dialect, config)) }
    }

    /// The handle that calls go through.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    // ---- the transport

    /// Takes one message of the transport.
    pub fn receive(&self, text: &str, now: Instant) -> Received {
        self.receive_as(text, None, now)
    }

    /// [`Connection::receive`] of a message that the transport has to answer for; see [`Receipt`].
    pub fn receive_as(&self, text: &str, receipt: Option<Receipt>, now: Instant) -> Received {
        let (received, waker) = self.peer.state.with(|state| {
            let received = state.session.receive_as(text, receipt, now);
            let waker = match &received {
                Received::Call => state.on_worker.take(),
                Received::Answer(token) => {
                    let caller = state.caller(*token);
                    // The next call may go out now.
                    return (received, [caller, state.transport.take()]);
                }
                Received::Refused(_) | Received::AnsweredAgain => state.transport.take(),
                Received::Late | Received::Repeated | Received::AnswerRefused { .. } | Received::Ignored(_) => None,
            };
            (received, [waker, None])
        });
        waker.into_iter().flatten().for_each(Waker::wake);
        received
    }

    /// The next frame to be sent, if there is one.
    pub fn poll_transmit(&self, now: Instant) -> Option<String> {
        self.poll_transmit_for(now).map(|(frame, _)| frame)
    }

    /// [`Connection::poll_transmit`], and the [`Receipt`] of the message that the frame answers, if it had one.
    pub fn poll_transmit_for(&self, now: Instant) -> Option<Transmit> {
        let (frame, wakers) = self.peer.state.with(|state| state.poll_transmit(now));
        wakers.into_iter().flatten().for_each(Waker::wake);
        frame
    }

    /// Takes the [`Receipt`] of a message that is done with; see
    /// [`Session::poll_receipt`](crate::session::Session::poll_receipt). There may be one after each
    /// [`receive_as`](Self::receive_as), [`poll_transmit`](Self::poll_transmit) and [`handle_timeout`](Self::handle_timeout),
    /// and whenever [`transmit`](Self::transmit) is woken.
    pub fn poll_receipt(&self) -> Option<Receipt> {
        self.peer.state.with(|state| state.session.poll_receipt())
    }

    /// When [`Connection::handle_timeout`] wants to be called.
    pub fn poll_deadline(&self) -> Option<Instant> {
        self.peer.state.with(|state| state.poll_deadline())
    }

    /// Waits until [`Connection::poll_deadline`] is earlier than `known`, which is what it was.
    ///
    /// To be awaited by whoever keeps the time only: one task waits at a time.
    pub async fn deadline_before(&self, known: Option<Instant>) {
        self.wait(|state, context| match (state.poll_deadline(), known) {
            (Some(deadline), Some(known)) if deadline < known => Poll::Ready(()),
            (Some(_), None) => Poll::Ready(()),
            _ => {
                state.deadline.register(context);
                Poll::Pending
            }
        })
        .await;
    }

    /// Ends what has taken too long: a call of ours, the handler of a CALL, an `#[after]` handler.
    pub fn handle_timeout(&self, now: Instant) {
        let wakers = self.peer.state.with(|state| {
            let ended = state.session.handle_timeout(now);
            let limit = state.session.config().after_timeout;
            state.after.take_if(|after| after.is_over(now, limit));
            let caller = ended.and_then(|token| state.caller(token));
            [
                caller,
                state.transport.take(),
                state.on_worker.take(),
                state.after_worker.take(),
                state.take_end_if_idle(),
            ]
        });
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Waits for the next frame to be sent; `None` when the connection has ended.
    ///
    /// To be awaited by the transport's writer only: one task waits at a time.
    pub async fn transmit(&self, mut now: impl FnMut() -> Instant) -> Option<String> {
        poll_fn(|context| {
            // Before the lock is taken: a clock may be anybody's code.
            let now = now();
            let (frame, wakers) = self.peer.state.with(|state| match state.poll_transmit(now) {
                (Some((frame, _)), wakers) => (Poll::Ready(Some(frame)), wakers),
                (None, wakers) if state.session.ended().is_some() => (Poll::Ready(None), wakers),
                (None, wakers) => {
                    state.transport.register(context);
                    (Poll::Pending, wakers)
                }
            });
            wakers.into_iter().flatten().for_each(Waker::wake);
            frame
        })
        .await
    }

    /// Whether the transport may be read now; see [`Config::inbox`].
    pub fn wants_input(&self) -> bool {
        self.peer.state.with(|state| state.session.wants_input())
    }

    /// Waits until the transport may be read; `false` when the connection has ended.
    ///
    /// To be awaited by the transport's reader only: one task waits at a time.
    pub async fn input_wanted(&self) -> bool {
        self.wait(|state, context| {
            if state.session.ended().is_some() {
                return Poll::Ready(false);
            }
            if state.session.wants_input() {
                return Poll::Ready(true);
            }
            state.input.register(context);
            Poll::Pending
        })
        .await
    }

    /// Waits until the connection has ended, whoever ended it.
    pub async fn ended(&self) {
        self.wait(|state, context| {
            if state.session.ended().is_some() {
                return Poll::Ready(());
            }
            state.end.register(context);
            Poll::Pending
        })
        .await;
    }

    fn wake_input(&self) {
        let waker = self.peer.state.with(|state| state.input.take());
        waker.into_iter().for_each(Waker::wake);
    }

    /// Ends the connection: calls fail, the outstanding one with `failure`. CALLs that were received are still handled,
    /// without an answer, and so are the `#[after]` handlers of calls that were answered.
    pub fn end(&self, failure: CallFailure) {
        let wakers = self.peer.state.with(|state| {
            state.session.end(failure);
            state.session.finish();
            state.all_wakers()
        });
        wakers.into_iter().for_each(Waker::wake);
    }

    /// From now on the end of the connection ([`Peer::disconnect`]) is not the end of what is
    /// [received](Self::receive): what the transport had taken before is handed in as well, until [`Connection::end`].
    pub fn linger(&self) {
        self.peer.state.with(|state| state.session.linger());
    }

    // ---- the handlers

    async fn next_call(&self) -> Option<CallFrame> {
        let call = self
            .wait(|state, context| match state.session.next_call() {
                Some(call) => Poll::Ready(Some(call)),
                None if state.session.is_over() => Poll::Ready(None),
                None => {
                    state.on_worker.register(context);
                    Poll::Pending
                }
            })
            .await;
        self.wake_input();
        call
    }

    async fn next_after(&self) -> Option<(CallFrame, Reply)> {
        self.wait(|state, context| match state.afters.pop_front() {
            Some(after) => {
                state.after = Some(Timer::default());
                Poll::Ready(Some(after))
            }
            None if state.session.ended().is_some() => Poll::Ready(None),
            None => {
                state.after_worker.register(context);
                Poll::Pending
            }
        })
        .await
    }

    async fn after_room(&self) {
        self.wait(|state, context| {
            if state.afters.len() < state.session.config().after_queue || state.session.ended().is_some() {
                return Poll::Ready(());
            }
            state.after_room.register(context);
            Poll::Pending
        })
        .await;
    }

    async fn wait<T>(&self, mut poll: impl FnMut(&mut State, &Context<'_>) -> Poll<T>) -> T {
        poll_fn(|context| self.peer.state.with(|state| poll(state, context))).await
    }

    /// `false` if the connection has ended, or the session gave up on the CALL.
    fn answer(&self, call: &CallFrame, frame: String) -> bool {
        let (queued, wakers) = self.peer.state.with(|state| {
            let queued = state.session.answer(call, frame);
            (queued, [state.transport.take(), state.take_end_if_idle()])
        });
        wakers.into_iter().flatten().for_each(Waker::wake);
        queued
    }

    fn refuse(&self, call: &CallFrame, error: &CallError) {
        if call.wants_answer() {
            self.answer(call, error_frame(self.peer.dialect(), call.id_token(), error));
        } else {
            self.report(call, "a message that is never answered was refused");
            self.answer(call, String::new());
        }
    }

    fn push_after(&self, call: CallFrame, reply: Reply) {
        let waker = self.peer.state.with(|state| {
            state.afters.push_back((call, reply));
            state.after_worker.take()
        });
        waker.into_iter().for_each(Waker::wake);
    }
}

// The two flavours differ in which methods of the router they call; return-type notation, which would make one generic
// over both, is not stable.
macro_rules! workers {
    ($(#[$doc:meta])* $serve:ident, $router:ident, $on:ident, $after:ident, $boxed:expr, $($send:tt)*) => {
        impl Connection {
            $(#[$doc])*
            pub fn $serve<'a, R: $router>(&'a self, router: &'a R) -> impl Future<Output = ()> $($send)* + 'a {
                async move {
                    let on_worker = async {
                        while let Some(call) = self.next_call().await {
                            $boxed(async move {
                                // Within a future, because a router's method may panic too; pinned here, because what is
                                // handed on by value takes room once more in every future that it goes through.
                                let done = {
                                    let handler = async { router.$on(Cx::new(&self.peer, &call, None)).await };
                                    let handler = pin!(in_span(Phase::On, &call, handler));
                                    self.run_on(&call, handler).await
                                };
                                match done {
                                    Some(Ok(reply)) if call.wants_answer() && router.has_after(call.action()) => {
                                        let is_connected = self.answer(&call, String::from(reply.frame()));
                                        if is_connected {
                                            self.after_room().await;
                                            self.push_after(call, reply);
                                        }
                                    }
                                    Some(Ok(reply)) => {
                                        self.answer(&call, reply.into_frame());
                                    }
                                    Some(Err(error)) => self.refuse(&call, &error),
                                    None => {}
                                }
                            })
                            .await;
                        }
                    };
                    let after_worker = async {
                        while let Some((call, reply)) = self.next_after().await {
                            $boxed(async move {
                                let cx = Cx::new(&self.peer, &call, Some(&reply));
                                let handler = pin!(in_span(Phase::After, &call, async { router.$after(cx).await }));
                                self.run_after(&call, handler).await;
                            })
                            .await;
                        }
                    };
                    futures_util::future::join(on_worker, after_worker).await;
                }
            }
        }
    };
}

workers! {
    /// Runs the handlers until the connection has ended and every CALL that was received is handled.
    ///
    /// A handler that panics is answered for with `InternalError` (with the feature `std`), and so is one that takes longer
    /// than [`Config::handler_timeout`]; its future is dropped. An `#[after]` handler is dropped after
    /// [`Config::after_timeout`]. Somebody has to keep the time: [`Connection::poll_deadline`].
    serve, Router, on, after, core::convert::identity,
}

#[cfg(feature = "std")]
workers! {
    /// [`Connection::serve`] for a server: `Send`, and a handler's future takes memory only while it runs.
    serve_send, SendRouter, on_send, after_send, Box::pin, + Send
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end(CallFailure::Disconnected);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_takes_little_memory() {
        let size = size_of::<State>();
        assert!(size <= 640, "{size} bytes, and nothing behind pointers: all queues start empty");
    }
}
