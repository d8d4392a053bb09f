//! What charge points are answered, and what is sent to them.

mod certificates;
mod handlers;

pub use handlers::CentralSystem;
