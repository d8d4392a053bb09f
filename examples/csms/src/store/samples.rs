//! Sampled values, as they are kept.

use sqlx::AnyConnection;

use super::StoreError;

/// One sampled value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterValue {
    /// Identity.
    pub charge_point: String,
    /// 0: the charge point as a whole.
    pub connector: i64,
    /// As it was sent, also if it is not known here.
    pub transaction_id: Option<i64>,
    /// When it was measured.
    pub measured_at: i64,
    /// This and what follows: as it was sent, also beyond the values of OCPP 1.6.
    pub context: Option<String>,
    /// What was measured.
    pub measurand: Option<String>,
    /// On which phase.
    pub phase: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// Raw or SignedData.
    pub format: Option<String>,
    /// In what.
    pub unit: Option<String>,
    /// Byte for byte: signed data is evidence.
    pub value: String,
}

/// Keeps them, within a write.
///
/// # Errors
/// Those of the database.
pub async fn insert(db: &mut AnyConnection, rows: Vec<MeterValue>) -> Result<(), StoreError> {
    let sql = "INSERT INTO meter_values (charge_point, connector, transaction_id, measured_at, context, measurand,
            phase, location, format, unit, value)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    for row in rows {
        let query = sqlx::query(sql)
            .bind(row.charge_point)
            .bind(row.connector)
            .bind(row.transaction_id)
            .bind(row.measured_at)
            .bind(row.context)
            .bind(row.measurand)
            .bind(row.phase)
            .bind(row.location)
            .bind(row.format)
            .bind(row.unit)
            .bind(row.value);
        query.execute(&mut *db).await?;
    }
    Ok(())
}
