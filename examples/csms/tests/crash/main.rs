//! The program is killed, its disk fails, its power goes: what was answered is there afterwards, once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

#[path = "../support/mod.rs"]
mod support;

mod cut_off;
mod endings;
mod field;
mod point;
mod records;
mod sigkill;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod power;
