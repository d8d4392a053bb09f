//! What charge points are answered, and what is sent to them.

pub mod commands;
mod handlers;

pub use handlers::CentralSystem;
