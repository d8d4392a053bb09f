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
    /// What logs mask.
    pub secrets: Secrets,
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

/// The parts of a protocol's messages that are secret: logs mask them (`net::masked`).
///
/// Without the adapters on tokio it is empty: a device keeps no list in its flash that it never reads.
#[derive(Debug, Clone, Copy)]
pub struct Secrets {
    #[cfg(feature = "net")]
    lists: Lists,
}

#[cfg(not(feature = "net"))]
const _: () = assert!(size_of::<Secrets>() == 0);

#[cfg(feature = "net")]
#[derive(Debug, Clone, Copy)]
struct Lists {
    properties: &'static [&'static str],
    keys: &'static [&'static str],
    key_values: &'static [&'static str],
}

impl Secrets {
    /// Nothing is secret.
    pub const NONE: Self = Self::of(&[]);

    /// The values of these properties are secret, whatever they are and wherever they stand.
    #[allow(unused_variables, reason = "without the adapters nothing is kept")]
    pub const fn of(properties: &'static [&'static str]) -> Self {
        Self {
            #[cfg(feature = "net")]
            lists: Lists { properties, keys: &[], key_values: &[] },
        }
    }

    /// Where one of `keys` is named (in any case), the values of the properties `key_values` are secret too: passwords that are
    /// configuration, as `{"key": "AuthorizationKey", "value": ".."}` of OCPP.
    #[must_use]
    #[allow(unused_variables, reason = "without the adapters nothing is kept")]
    pub const fn with_keys(self, keys: &'static [&'static str], key_values: &'static [&'static str]) -> Self {
        Self {
            #[cfg(feature = "net")]
            lists: Lists { properties: self.lists.properties, keys, key_values },
        }
    }
}

#[cfg(feature = "net")]
impl Secrets {
    /// Names of properties whose values are secret.
    pub(crate) fn properties(&self) -> &'static [&'static str] {
        self.lists.properties
    }

    /// Names of configuration keys whose values are secret.
    pub(crate) fn keys(&self) -> &'static [&'static str] {
        self.lists.keys
    }

    /// Names of properties that hold the value of a configuration key.
    pub(crate) fn key_values(&self) -> &'static [&'static str] {
        self.lists.key_values
    }
}
