//! Who may connect, and who may do what, against the program as its users have it.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

#[path = "../support/mod.rs"]
mod support;

mod certificates;
#[cfg(unix)]
mod cut;
mod door;
mod exposure;
mod keys;
mod operators;
mod pages;
mod proxy;
mod standing;
mod storm;
mod tls;
mod world;
