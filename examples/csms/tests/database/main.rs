//! Databases that earlier versions of the program wrote are opened, brought up to date, and read as they were meant.
//!
//! The fixtures are `tests/fixtures/NUMBER`, named by their newest migration; see `examples/support/fixture.rs`. After a new
//! migration, `cargo test -p csms --test database -- --ignored record` adds a fixture of the new schema; a test for it follows
//! the pattern of the others. Existing fixtures are never recorded again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

#[path = "../support/mod.rs"]
mod support;

mod fill;
mod v0004;
