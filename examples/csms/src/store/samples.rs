//! Meter values that are kept with something else or not at all: those of a StopTransaction.

use sqlx::AnyConnection;

use super::{MeterValue, StoreError, batch};

/// Keeps them, within a write.
///
/// # Errors
/// Those of the database.
pub(super) async fn insert(db: &mut AnyConnection, values: &[MeterValue]) -> Result<(), StoreError> {
    batch::insert::<MeterValue>(db, values).await
}
