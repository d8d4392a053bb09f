//! What the generator and the servers that it is let loose on have in common.

/// The documents of the benchmarks, so that both measure the same messages.
#[path = "../../benches/src/documents.rs"]
pub mod documents;
pub mod machine;
pub mod serving;
pub mod table;
