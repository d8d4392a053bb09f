//! Meter values of transactions.

use super::columns::Time;
use super::select::Select;
use crate::store::{MeterValue, Store, StoreError};

const COLUMNS: &str =
    "SELECT charge_point, transaction_id, measured_at, connector, context, measurand, phase, location, format,
    unit, value FROM meter_values";

/// Values have no number of their own; this order is a total one but for values that are the same in everything.
const ORDER: &str = "measured_at, COALESCE(measurand, ''), COALESCE(phase, ''), COALESCE(location, ''),
    COALESCE(context, ''), COALESCE(format, ''), COALESCE(unit, ''), value";

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
