//! Meter values that are kept with something else or not at all: those of a StopTransaction.

use sqlx::AnyConnection;

use super::{MeterValue, Row, StoreError};

/// Keeps them, within a write.
///
/// # Errors
/// Those of the database.
pub(super) async fn insert(db: &mut AnyConnection, values: &[MeterValue]) -> Result<(), StoreError> {
    let sql = "INSERT INTO meter_values (charge_point, connector, transaction_id, measured_at, context, measurand,
            phase, location, format, unit, value, received_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    for value in values {
        value.bind(sqlx::query(sql)).execute(&mut *db).await?;
    }
    Ok(())
}
