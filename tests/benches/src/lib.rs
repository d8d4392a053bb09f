//! What the benchmarks measure, and against what.
//!
//! - [`documents`] builds the payloads.
//! - [`comparison`] is one message and one operation, done by several contenders.
//! - [`contenders`] lists the comparisons, after it has checked that all contenders do the same work.
//! - [`table`] prints.
//!
//! `benches/time.rs` and `benches/allocations.rs` are separate programs because counting allocations takes time of its
//! own, and takes more of it from those who allocate more.

pub mod comparison;
pub mod contenders;
pub mod documents;
pub mod table;
mod thing;
mod typify;
