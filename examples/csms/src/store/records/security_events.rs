//! Security events that charge points report.

use serde::Serialize;
use utoipa::ToSchema;

use super::columns::Time;
use super::select::Select;
use crate::store::{Store, StoreError};

const COLUMNS: &str = "SELECT id, charge_point, happened_at, kind, tech_info, received_at FROM security_events";

/// A security event.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecurityEvent {
    /// Number of the event; later ones have greater numbers.
    pub id: i64,
    /// Who reports it.
    pub charge_point: String,
    /// When it happened.
    pub happened_at: Time,
    /// type of the SecurityEventNotification.
    pub kind: String,
    /// techInfo.
    pub tech_info: Option<String>,
    /// When it came in.
    pub received_at: Time,
}

/// The newest first, those before that number.
///
/// # Errors
/// Those of the database.
pub async fn list(
    store: &Store,
    charge_point: Option<String>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<SecurityEvent>, StoreError> {
    Select::all()
        .and_if("charge_point = ?", charge_point)
        .and_if("id < ?", before)
        .rows(store.readers(), COLUMNS, "id DESC", limit, 0)
        .await
}
