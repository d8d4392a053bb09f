//! What typify makes of the schemas that our own types are generated from.

#![allow(clippy::all, warnings, reason = "what typify writes has warnings")]

include!(concat!(env!("OUT_DIR"), "/typify.rs"));
