//! `/api/v1`.

pub mod files;
