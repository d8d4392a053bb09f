//! Meter values of transactions.

use serde::Serialize;
use utoipa::ToSchema;

use super::columns::Time;
use super::select::Select;
use crate::store::{Store, StoreError};

const COLUMNS: &str = "SELECT measured_at, connector, context, measurand, phase, location, format, unit, value
    FROM meter_values";

/// Values have no number of their own; this order is a total one but for values that are the same in everything.
const ORDER: &str = "measured_at, COALESCE(measurand, ''), COALESCE(phase, ''), COALESCE(location, ''),
    COALESCE(context, ''), COALESCE(format, ''), COALESCE(unit, ''), value";

/// A sampled value.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeterValue {
    /// When.
    pub measured_at: Time,
    /// On which connector.
    pub connector: i64,
    /// As it was sent, like all that follow; absent: `Sample.Periodic`.
    pub context: Option<String>,
    /// Absent: `Energy.Active.Import.Register`.
    pub measurand: Option<String>,
    /// Absent: the value is not of one phase.
    pub phase: Option<String>,
    /// Absent: `Outlet`.
    pub location: Option<String>,
    /// Absent: `Raw`.
    pub format: Option<String>,
    /// Absent: `Wh`.
    pub unit: Option<String>,
    /// The value.
    pub value: String,
}

/// Of a transaction, the oldest first, from that time on, but the first `skip` of that time.
///
/// # Errors
/// Those of the database.
pub async fn of_transaction(
    store: &Store,
    transaction: i64,
    from: Option<Time>,
    skip: i64,
    limit: i64,
) -> Result<Vec<MeterValue>, StoreError> {
    Select::all()
        .and("transaction_id = ?", transaction)
        .and_if("measured_at >= ?", from)
        .rows(store.readers(), COLUMNS, ORDER, limit, skip)
        .await
}

/// The signed values of a transaction, the oldest first.
///
/// # Errors
/// Those of the database.
pub async fn signed(store: &Store, transaction: i64) -> Result<Vec<MeterValue>, StoreError> {
    Select::all()
        .and("transaction_id = ?", transaction)
        .and_fixed(Some("format = 'SignedData'"))
        .rows(store.readers(), COLUMNS, ORDER, i64::MAX, 0)
        .await
}
