//! Who may connect, and who may do what.

pub mod access;
pub mod gate;
