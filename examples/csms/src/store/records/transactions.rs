//! Transactions, and stops of transactions that are not known.

use serde::Serialize;
use utoipa::ToSchema;

use super::columns::{Flag, Time};
use super::select::Select;
use crate::store::{Store, StoreError, folded};

const COLUMNS: &str = "SELECT id, charge_point, connector, id_tag, id_tag_status, reservation, started_at, start_meter,
    last_meter, last_meter_at, stopped_at, stop_meter, stop_reason, stop_id_tag, estimated,
    COALESCE(stop_meter, last_meter) - start_meter AS energy_wh,
    CAST(CASE WHEN stopped_at IS NULL THEN 1 ELSE 0 END AS BIGINT) AS active FROM transactions";

/// A transaction.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// transactionId.
    pub id: i64,
    /// Where.
    pub charge_point: String,
    /// On which connector.
    pub connector: i64,
    /// Who.
    pub id_tag: String,
    /// What its StartTransaction was answered with.
    pub id_tag_status: String,
    /// The reservation that it used.
    #[serde(rename = "reservationId")]
    pub reservation: Option<i64>,
    /// When.
    pub started_at: Time,
    /// The meter then.
    #[serde(rename = "startMeterWh")]
    pub start_meter: i64,
    /// The meter as last reported.
    #[serde(rename = "lastMeterWh")]
    pub last_meter: Option<i64>,
    /// When that was.
    pub last_meter_at: Option<Time>,
    /// When it ended; `null` while it runs.
    pub stopped_at: Option<Time>,
    /// The meter then.
    #[serde(rename = "stopMeterWh")]
    pub stop_meter: Option<i64>,
    /// Why, as the charge point spelled it.
    pub stop_reason: Option<String>,
    /// Who ended it.
    pub stop_id_tag: Option<String>,
    /// Whether the server closed it, because its stop was lost: time and meter of the stop are estimates.
    pub estimated: Flag,
    /// Energy so far.
    pub energy_wh: Option<i64>,
    /// Whether it runs.
    pub active: Flag,
}

/// Which transactions are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of that charge point.
    pub charge_point: Option<String>,
    /// On that connector.
    pub connector: Option<i64>,
    /// Of that tag.
    pub id_tag: Option<String>,
    /// Those that run, or those that have ended.
    pub active: Option<bool>,
    /// Started then or later.
    pub from: Option<Time>,
    /// Started before then.
    pub to: Option<Time>,
}

fn selected(filter: &Filter) -> Select {
    Select::all()
        .and_if("charge_point = ?", filter.charge_point.clone())
        .and_if("connector = ?", filter.connector)
        .and_if("folded_id_tag = ?", filter.id_tag.as_deref().map(folded))
        .and_if("started_at >= ?", filter.from)
        .and_if("started_at < ?", filter.to)
        .and_fixed(filter.active.map(|active| if active { "stopped_at IS NULL" } else { "stopped_at IS NOT NULL" }))
}

/// The newest first, those before that id.
///
/// # Errors
/// Those of the database.
pub async fn list(
    store: &Store,
    filter: &Filter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Transaction>, StoreError> {
    selected(filter).and_if("id < ?", before).rows(store.readers(), COLUMNS, "id DESC", limit, 0).await
}

/// How many there are.
///
/// # Errors
/// Those of the database.
pub async fn count(store: &Store, filter: &Filter) -> Result<i64, StoreError> {
    selected(filter).count(store.readers(), "transactions").await
}

/// One of them.
///
/// # Errors
/// Those of the database.
pub async fn get(store: &Store, id: i64) -> Result<Option<Transaction>, StoreError> {
    let found: Vec<_> = Select::all().and("id = ?", id).rows(store.readers(), COLUMNS, "id", 1, 0).await?;
    Ok(found.into_iter().next())
}

/// A stop of a transaction that is not known here.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnknownStop {
    /// Who sent it.
    pub charge_point: String,
    /// The id that it gave.
    pub transaction_id: i64,
    /// Who ended it; empty if nobody did.
    pub id_tag: String,
    /// When.
    pub stopped_at: Time,
    /// The meter then.
    #[serde(rename = "stopMeterWh")]
    pub stop_meter: i64,
    /// Why.
    pub stop_reason: Option<String>,
    /// When it came in.
    pub received_at: Time,
}

/// The newest first, those before that time, but the first `skip` of that time.
///
/// # Errors
/// Those of the database.
pub async fn unknown_stops(
    store: &Store,
    charge_point: Option<String>,
    until: Option<Time>,
    skip: i64,
    limit: i64,
) -> Result<Vec<UnknownStop>, StoreError> {
    let what = "SELECT charge_point, transaction_id, id_tag, stopped_at, stop_meter, stop_reason, received_at
        FROM unknown_stops";
    let order = "received_at DESC, charge_point, transaction_id, stopped_at, id_tag, stop_meter";
    Select::all()
        .and_if("charge_point = ?", charge_point)
        .and_if("received_at <= ?", until)
        .rows(store.readers(), what, order, limit, skip)
        .await
}
