//! Tests that cross crates live in `tests/`; this library holds what they share.

pub mod program;

/// A thing-model device, generated from a thing model of ten lines.
pub mod charger {
    onwire::include_protocol!("charger");
}
