//! What the REST interface reads and changes: one file for each kind of record, with its rows, its list and its writes.
//!
//! Lists are read by keyset: a page begins after the key of the last row of the page before, so that rows that come and go
//! in between neither repeat nor hide others.

pub mod audit;
pub mod charge_points;
pub mod charging_profiles;
pub mod columns;
pub mod configuration;
pub mod id_tags;
pub mod local_list;
pub mod messages;
pub mod meter_values;
pub mod reservations;
pub mod security_events;
pub mod select;
pub mod settings;
pub mod transactions;
