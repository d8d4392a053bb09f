//! Two sides of a connection against each other in simulated time, on a link that delays, goes half-open and ends at any
//! step, with CALLs that are sent twice and handlers that are slow, hang, panic or call back.
//!
//! Every run is decided by its seed. A failure prints it; `ONWIRE_SEED=17 cargo test -p onwire --test session_simulation`
//! runs that one alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use onwire_simulation::for_each_seed;

#[cfg(feature = "alink")]
mod channels;
mod connections;
mod executor;
mod sessions;

#[test]
fn two_sessions_keep_the_rules() {
    for_each_seed(8_000, sessions::run);
}

#[test]
fn two_connections_keep_the_rules() {
    for_each_seed(2_500, connections::run);
}

#[cfg(feature = "alink")]
#[test]
fn two_channels_keep_the_rules_behind_a_bad_broker() {
    for_each_seed(4_000, channels::run);
}
