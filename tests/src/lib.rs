//! Tests that cross crates live in `tests/`; this library holds what they share.

pub mod broker;
pub mod program;
pub mod wire;

/// One message, and no index that says more: no subprotocol, and both sides may start it.
pub mod bare {
    onwire::include_protocol!("bare");
}

/// Two sides and two messages: `Ask` is answered, `Beat` never is.
pub mod stream {
    onwire::include_protocol!("stream");
}

/// A thing-model device, generated from a thing model of ten lines.
pub mod charger {
    onwire::include_protocol!("charger");
}

onwire::include_protocol!(
    /// A thing model with identifiers that are keywords, or no identifiers at all, and more than 64 properties.
    pub mod odd
);

/// A charging pile.
pub mod pile {
    onwire::include_protocol!("pile");
}

/// A smart socket, described in Chinese.
pub mod socket {
    onwire::include_protocol!("socket");
}

/// A tracker.
pub mod tracker {
    onwire::include_protocol!("tracker");
}
