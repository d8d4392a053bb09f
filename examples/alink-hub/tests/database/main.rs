//! Databases that earlier versions of the program wrote are opened, brought up to date, and read as they were meant.
//!
//! The fixtures are `tests/fixtures/NUMBER`, named by their newest migration; see `examples/support/fixture.rs`. After a new
//! migration, `cargo test -p alink-hub --test database -- --ignored record` adds a fixture of the new schema; a test for it
//! follows the pattern of the others. Existing fixtures are never recorded again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]

#[path = "../support/mod.rs"]
mod support;

mod fill;
mod v0004;
