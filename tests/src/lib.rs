//! Tests that cross crates live in `tests/`; this library holds what they share.

pub mod program;

/// Two sides and two messages: `Ask` is answered, `Beat` never is.
pub mod stream {
    onwire::include_protocol!("stream");
}

/// A thing-model device, generated from a thing model of ten lines.
pub mod charger {
    onwire::include_protocol!("charger");
}
