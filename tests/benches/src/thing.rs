//! A thing model of 60 properties: our types of it, and what typify makes of the same properties as JSON Schema.

/// Ours.
#[allow(clippy::all, warnings, reason = "generated")]
pub(crate) mod ours {
    include!(concat!(env!("OUT_DIR"), "/thing.rs"));
}

/// typify's.
#[allow(clippy::all, warnings, reason = "what typify writes has warnings")]
pub(crate) mod typify {
    include!(concat!(env!("OUT_DIR"), "/thing_typify.rs"));
}
