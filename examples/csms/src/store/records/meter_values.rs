//! Meter values: of transactions, and of charge points whether or not there is a transaction.

use serde::Serialize;
use utoipa::ToSchema;

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

/// Which values of a charge point are wanted.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Of which.
    pub charge_point: String,
    /// Of that connector; 0: of the charge point as a whole.
    pub connector: Option<i64>,
    /// Only those that are of no transaction that is known here.
    pub without_transaction: bool,
}

/// A value, and the transaction that it names, or that ran when it came.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChargePointValue {
    /// `null` if there is none. It need not be known here.
    #[serde(rename = "transactionId")]
    #[sqlx(rename = "named")]
    pub transaction: Option<i64>,
    /// When it came.
    pub received_at: Time,
    /// The value.
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub value: MeterValue,
}

/// Of a charge point, the newest first, those before that time, but the first `skip` of that time.
///
/// # Errors
/// Those of the database.
pub async fn of_charge_point(
    store: &Store,
    filter: Filter,
    until: Option<Time>,
    skip: i64,
    limit: i64,
) -> Result<Vec<ChargePointValue>, StoreError> {
    let what =
        "SELECT charge_point, transaction_id, transaction_id AS named, received_at, measured_at, connector, context,
        measurand, phase, location, format, unit, value FROM meter_values";
    let order = "measured_at DESC, connector, COALESCE(measurand, ''), COALESCE(phase, ''), COALESCE(location, ''),
        COALESCE(context, ''), COALESCE(format, ''), COALESCE(unit, ''), value";
    let unknown = "NOT EXISTS (SELECT 1 FROM transactions WHERE transactions.id = meter_values.transaction_id
        AND transactions.charge_point = meter_values.charge_point)";
    Select::all()
        .and("charge_point = ?", filter.charge_point)
        .and_if("connector = ?", filter.connector)
        .and_if("measured_at <= ?", until)
        .and_fixed(filter.without_transaction.then_some(unknown))
        .rows(store.readers(), what, order, limit, skip)
        .await
}
