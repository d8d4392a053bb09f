//! For adapters that poll instead of awaiting.

use core::future::poll_fn;
use core::task::{Context, Poll};

use crate::core::connection::Connection;
use crate::core::error::CallFailure;
use crate::core::peer::Peer;
use crate::core::time::Instant;

/// How a connection stands.
pub(crate) struct Look {
    /// What calls fail with since it ended.
    pub(crate) ended: Option<CallFailure>,
    /// Whether it may end without loss; see [`Peer::close`].
    pub(crate) is_done: bool,
    /// Whether it may be read from.
    pub(crate) wants_input: bool,
    /// Whether it is to end without loss; see [`Peer::close`].
    pub(crate) is_closing: bool,
    /// When somebody has to look at the time.
    pub(crate) deadline: Option<Instant>,
}

impl Connection {
    /// The task that drives transport and handlers begins a turn: what it does itself need not wake it, since it looks at
    /// everything once more before it ends the turn with [`Connection::register`].
    pub(crate) fn begin_turn(&self) {
        self.peer().state.with(|state| {
            // Not woken: they are this task's own.
            drop((state.transport.take(), state.input.take(), state.on_worker.take()));
        });
    }

    /// Wakes `context` when there is something to send, room to read, another deadline, or the connection has ended: for an
    /// adapter that does all of this in one place. Whether nothing of this has happened since it looked: `seen` is the
    /// deadline that it knows, and `can_send` whether it could send.
    pub(crate) fn register(&self, context: &Context<'_>, seen: Option<Instant>, can_send: bool) -> bool {
        self.peer().state.with(|state| {
            state.transport.register(context);
            state.input.register(context);
            state.end.register(context);
            let is_earlier = state.poll_deadline().is_some_and(|deadline| seen.is_none_or(|seen| deadline < seen));
            let can_go_on = can_send && (state.session.has_something_to_send() || state.session.is_done());
            !(is_earlier || can_go_on || state.session.ended().is_some())
        })
    }

    /// Ready when another message may be handed in, after the end too; `false` when none may any more.
    pub(crate) fn poll_wants_input(&self, context: &Context<'_>) -> Poll<bool> {
        self.peer().state.with(|state| {
            if state.session.wants_input() {
                return Poll::Ready(true);
            }
            if state.session.is_over() {
                return Poll::Ready(false);
            }
            state.input.register(context);
            Poll::Pending
        })
    }

    /// Whether nothing more is acknowledged.
    pub(crate) fn is_given_up(&self) -> bool {
        self.peer().is_given_up()
    }

    /// Waits until every CALL that was received is handled. To be awaited after the end only.
    pub(crate) async fn idle(&self) {
        poll_fn(|context| {
            self.peer().state.with(|state| {
                if state.session.is_idle() {
                    return Poll::Ready(());
                }
                state.end.register(context);
                Poll::Pending
            })
        })
        .await;
    }

    /// Everything that such an adapter asks between sending and reading, in one look.
    pub(crate) fn look(&self) -> Look {
        self.peer().state.with(|state| Look {
            ended: state.session.ended().cloned(),
            is_done: state.session.is_done(),
            wants_input: state.session.wants_input(),
            is_closing: state.session.is_closing(),
            deadline: state.poll_deadline(),
        })
    }
}

impl Peer {
    /// Ends the connection without loss: what is under way is completed, and nothing new begun, from either side. A server
    /// closes the WebSocket with the code 1012, "come back later", a client with 1001.
    pub fn close(&self) {
        let waker = self.state.with(|state| {
            state.session.close();
            state.transport.take()
        });
        waker.into_iter().for_each(core::task::Waker::wake);
    }
}
