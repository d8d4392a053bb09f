//! Reservations.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use utoipa::ToSchema;

use super::columns::Time;
use super::select::Select;
use crate::store::{Store, StoreError, folded, sql};
use crate::time;

const COLUMNS: &str = "SELECT id, charge_point, connector, id_tag, parent_id_tag, expiry_at, status, answer,
    transaction_id, end_reason, created_at FROM reservations";

/// A reservation.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// reservationId.
    pub id: i64,
    /// Where.
    pub charge_point: String,
    /// Which connector; 0: any of them.
    pub connector: i64,
    /// For whom.
    pub id_tag: String,
    /// For whose group.
    pub parent_id_tag: Option<String>,
    /// Until when.
    #[serde(rename = "expiryDate")]
    pub expiry_at: Time,
    /// What has become of it.
    #[schema(value_type = ReservationState)]
    pub status: String,
    /// What the charge point answered.
    pub answer: Option<String>,
    /// The transaction that used it.
    pub transaction_id: Option<i64>,
    /// What it was terminated by: `Faulted` or `Unavailable`.
    pub end_reason: Option<String>,
    /// When it was made.
    pub created_at: Time,
}

/// What has become of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub enum ReservationState {
    /// It was sent, and no answer is known.
    Pending,
    /// It holds.
    Accepted,
    /// The charge point refused it.
    Refused,
    /// A transaction has used it.
    Used,
    /// It was cancelled.
    Cancelled,
    /// Its time has run out.
    Expired,
    /// The connector or the charge point had a fault, or became unavailable (§5.13); it holds again if the connector is
    /// shown as reserved again.
    Terminated,
}

impl ReservationState {
    /// As the database has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Accepted => "Accepted",
            Self::Refused => "Refused",
            Self::Used => "Used",
            Self::Cancelled => "Cancelled",
            Self::Expired => "Expired",
            Self::Terminated => "Terminated",
        }
    }
}

/// Which reservations are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of that charge point.
    pub charge_point: Option<String>,
    /// In that state.
    pub status: Option<&'static str>,
    /// Of that tag.
    pub id_tag: Option<String>,
}

fn selected(filter: &Filter) -> Select {
    Select::all()
        .and_if("charge_point = ?", filter.charge_point.clone())
        .and_if("status = ?", filter.status)
        .and_if("LOWER(id_tag) = ?", filter.id_tag.as_deref().map(folded))
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
) -> Result<Vec<Reservation>, StoreError> {
    selected(filter).and_if("id < ?", before).rows(store.readers(), COLUMNS, "id DESC", limit, 0).await
}

/// How many there are.
///
/// # Errors
/// Those of the database.
pub async fn count(store: &Store, filter: &Filter) -> Result<i64, StoreError> {
    selected(filter).count(store.readers(), "reservations").await
}

/// One of them.
///
/// # Errors
/// Those of the database.
pub async fn get(store: &Store, id: i64) -> Result<Option<Reservation>, StoreError> {
    let found: Vec<_> = Select::all().and("id = ?", id).rows(store.readers(), COLUMNS, "id", 1, 0).await?;
    Ok(found.into_iter().next())
}

/// A reservation that is about to be asked for, or was.
#[derive(Debug, Clone)]
pub struct Asked {
    /// reservationId.
    pub id: i64,
    /// Where.
    pub charge_point: String,
    /// Which connector.
    pub connector: i64,
    /// For whom.
    pub id_tag: String,
    /// For whose group.
    pub parent_id_tag: Option<String>,
    /// Until when.
    pub expiry_at: Time,
}

/// Keeps it with its state; another one of that id, which it replaces at the charge point too, goes. No number up to its
/// own is given again.
///
/// # Errors
/// Those of the database.
pub async fn put(
    db: &mut AnyConnection,
    asked: Asked,
    state: ReservationState,
    answer: Option<String>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO reservations (id, charge_point, connector, id_tag, parent_id_tag, expiry_at, status, answer,
        created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET
        charge_point = excluded.charge_point, connector = excluded.connector, id_tag = excluded.id_tag,
        parent_id_tag = excluded.parent_id_tag, expiry_at = excluded.expiry_at, status = excluded.status,
        answer = excluded.answer, transaction_id = NULL, end_reason = NULL";
    let query = sql::query(sql).bind(asked.id).bind(asked.charge_point).bind(asked.connector).bind(asked.id_tag);
    let query = query.bind(asked.parent_id_tag).bind(asked.expiry_at.0).bind(state.as_str().to_owned()).bind(answer);
    query.bind(time::now()).execute(&mut *db).await?;
    let sql = "INSERT INTO counters (name, value) VALUES ('reservation', $1) ON CONFLICT (name) DO UPDATE SET
        value = CASE WHEN excluded.value > counters.value THEN excluded.value ELSE counters.value END";
    sql::query(sql).bind(asked.id).execute(&mut *db).await?;
    Ok(())
}

/// Changes the state of a charge point's reservation.
///
/// # Errors
/// Those of the database.
pub async fn set_state(
    db: &mut AnyConnection,
    charge_point: &str,
    id: i64,
    state: ReservationState,
) -> Result<(), StoreError> {
    let sql = "UPDATE reservations SET status = $1 WHERE charge_point = $2 AND id = $3";
    let query = sql::query(sql).bind(state.as_str().to_owned()).bind(charge_point.to_owned());
    query.bind(id).execute(&mut *db).await?;
    Ok(())
}
