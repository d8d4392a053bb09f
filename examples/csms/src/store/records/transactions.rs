//! Transactions, and stops of transactions that are not known.

use serde::Serialize;
use utoipa::ToSchema;

use super::columns::{Flag, Time};
use super::select::Select;
use crate::store::energy::Origin;
use crate::store::marks::{Mark, Marks};
use crate::store::{Store, StoreError, folded};

/// All columns of [`Transaction`]. What was stopped without a reason was stopped by the driver at the charge point (OCPP 1.6
/// §6.49); what the server or an operator closed has none.
pub(crate) const COLUMNS: &str = "SELECT id, charge_point, connector, id_tag, id_tag_status, reservation, started_at,
    start_received_at, start_meter, last_meter, last_meter_at, stopped_at, stop_received_at, stop_meter,
    COALESCE(stop_reason, CASE WHEN stopped_at IS NOT NULL AND estimated = 0 THEN 'Local' END) AS stop_reason,
    stop_id_tag, estimated, closed_by, attributed, energy, energy_origin, marks, clock_lead,
    started_at - clock_lead AS corrected_started_at, stopped_at - clock_lead AS corrected_stopped_at, registers, named,
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
    /// The reservation that its StartTransaction named.
    #[serde(rename = "reservationId")]
    pub reservation: Option<i64>,
    /// When, by the charge point's clock, like all times here but those of receipt.
    pub started_at: Time,
    /// When the server learnt of it.
    pub start_received_at: Time,
    /// The meter then.
    #[serde(rename = "startMeterWh")]
    pub start_meter: i64,
    /// The latest register that counts.
    #[serde(rename = "lastMeterWh")]
    pub last_meter: Option<i64>,
    /// When that was.
    pub last_meter_at: Option<Time>,
    /// When it ended; `null` while it runs.
    pub stopped_at: Option<Time>,
    /// When the server learnt of that.
    pub stop_received_at: Option<Time>,
    /// The meter then, as it was sent.
    #[serde(rename = "stopMeterWh")]
    pub stop_meter: Option<i64>,
    /// Why, as the charge point spelled it; `null` if it runs, or if it was not the charge point that ended it.
    pub stop_reason: Option<String>,
    /// Who ended it.
    pub stop_id_tag: Option<String>,
    /// Whether time and meter of the stop are the server's or an operator's, because the charge point's own never came. Its
    /// stop puts them right when it comes.
    pub estimated: Flag,
    /// The operator who closed it by hand.
    pub closed_by: Option<String>,
    /// Whether its stop named another number, and was taken for its by tag, time and meter.
    pub attributed: Flag,
    /// Energy so far; `null` if no register proves anything.
    #[serde(rename = "energyWh")]
    pub energy: Option<i64>,
    /// Where the energy comes from.
    #[schema(value_type = Option<Origin>)]
    pub energy_origin: Option<String>,
    /// What was odd about it.
    #[sqlx(try_from = "String")]
    #[schema(value_type = Vec<Mark>)]
    pub marks: Marks,
    /// By how many milliseconds the charge point's clock was ahead; `null` if it was not, as far as that is known.
    #[serde(rename = "clockLeadMs")]
    pub clock_lead: Option<i64>,
    /// When it began by a clock that is right; `null` if the charge point's was not ahead.
    pub corrected_started_at: Option<Time>,
    /// When it ended by a clock that is right; `null` if the charge point's was not ahead.
    pub corrected_stopped_at: Option<Time>,
    /// Whether it runs.
    pub active: Flag,
    /// What its registers have shown, as JSON.
    #[serde(skip)]
    pub(crate) registers: Option<String>,
    /// Whether the charge point has named it by its number.
    #[serde(skip)]
    pub(crate) named: Flag,
}

impl Transaction {
    /// Whether it runs.
    pub fn is_active(&self) -> bool {
        self.stopped_at.is_none()
    }

    /// Whether its end is one that a StopTransaction puts right.
    pub fn is_estimated(&self) -> bool {
        self.estimated.0 != 0
    }
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

/// A stop whose number is not one of its charge point's.
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
    /// The transaction whose stop it is taken for; `null` if there is none that it can be.
    pub attributed_to: Option<i64>,
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
    let what = "SELECT charge_point, transaction_id, id_tag, stopped_at, stop_meter,
        COALESCE(stop_reason, 'Local') AS stop_reason, received_at, attributed_to FROM unknown_stops";
    let order = "received_at DESC, charge_point, transaction_id, stopped_at, id_tag, stop_meter";
    Select::all()
        .and_if("charge_point = ?", charge_point)
        .and_if("received_at <= ?", until)
        .rows(store.readers(), what, order, limit, skip)
        .await
}
