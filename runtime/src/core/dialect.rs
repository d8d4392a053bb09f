//! A protocol version as one value: how its frames look, what it calls itself, how it spells errors.

use crate::core::error::ErrorCode;
use crate::core::frame::Framing;

/// What a session must know of a protocol; the generator writes one for each.
///
/// A value and not a type parameter: sessions, peers and adapters of every protocol are one type, so that a directory
/// can hold them side by side and their code exists once in the flash of a device.
#[derive(Debug)]
pub struct Dialect {
    /// Name and version, for people.
    pub name: &'static str,
    /// WebSocket subprotocols that stand for it; the first is the one that a client offers.
    pub subprotocols: &'static [&'static str],
    /// How frames look.
    pub framing: &'static Framing,
    /// Names of all its actions on the wire, sorted.
    pub actions: &'static [&'static str],
    /// Those of its actions whose answer holds the time or a decision of the moment, sorted: it is never repeated from memory
    /// ([`Config::answer_memory`](crate::session::Config::answer_memory)).
    pub fresh: &'static [&'static str],
    /// How it spells an error on the wire.
    pub spell: fn(&ErrorCode) -> &str,
}

impl Dialect {
    /// Whether the protocol has this action at all, handled or not.
    pub fn knows(&self, action: &str) -> bool {
        self.actions.binary_search(&action).is_ok()
    }

    /// Whether the answer to this action is only good at the moment.
    pub fn is_fresh(&self, action: &str) -> bool {
        self.fresh.binary_search(&action).is_ok()
    }
}
