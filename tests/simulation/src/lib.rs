//! What simulations have in common: seeded chance, and flash whose power goes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]
#![allow(missing_docs, reason = "the names say it")]

mod chance;
mod flash;

pub use chance::{Chance, for_each_seed};
pub use flash::{End, Flash, NoPower, PAGE};
