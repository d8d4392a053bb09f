//! For adapters that poll instead of awaiting.

use core::task::Context;

use crate::core::connection::Connection;
use crate::core::peer::Peer;

impl Connection {
    /// Wakes `context` when there is something to send, room to read, another deadline, or the connection has ended: for an
    /// adapter that does all of this in one place.
    pub(crate) fn register(&self, context: &Context<'_>) {
        self.peer().state.with(|state| {
            state.transport.register(context);
            state.input.register(context);
            state.end.register(context);
        });
    }

    /// Whether the connection may end without loss; see [`Peer::close`].
    pub(crate) fn is_done(&self) -> bool {
        self.peer().state.with(|state| state.session.is_done())
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
