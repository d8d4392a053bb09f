//! The sans-I/O core: value types, codec, sessions, routing. `no_std` + `alloc`.
//!
//! Nothing in here knows of sockets, tasks, files or the wall clock: bytes, time and randomness are handed in.

pub(crate) mod action;
pub(crate) mod alink;
#[cfg(feature = "arbitrary")]
mod arbitrary;
mod attempt;
pub(crate) mod call;
pub mod codec;
pub(crate) mod connection;
pub(crate) mod date_time;
pub(crate) mod decimal;
pub(crate) mod dialect;
#[cfg(feature = "net")]
pub(crate) mod drive;
pub(crate) mod error;
pub mod frame;
#[cfg(feature = "mqtt")]
pub mod mqtt;
pub mod ocpp_j;
pub(crate) mod peer;
pub(crate) mod raw_json;
pub(crate) mod router;
pub mod session;
pub(crate) mod shared;
mod span;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod times;
#[cfg(feature = "mqtt")]
pub mod topic;
pub(crate) mod unrecognized;
