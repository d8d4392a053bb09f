//! Seeing inside: the program's log, the message log, metrics, live events.

pub mod events;
pub mod http;
pub mod labels;
pub mod log;
pub mod messages;
pub mod metrics;
mod process;
