//! Security events of charge points.

use sqlx::AnyConnection;

use super::{StoreError, next_number, sql};

/// A SecurityEventNotification.
#[derive(Debug, Clone)]
pub struct SecurityEvent {
    /// Identity.
    pub charge_point: String,
    /// When it happened.
    pub happened_at: i64,
    /// What happened, in the words of the charge point.
    pub kind: String,
    /// More about it.
    pub tech_info: Option<String>,
    /// When it came.
    pub received_at: i64,
}

/// Keeps it.
///
/// # Errors
/// Those of the database.
pub async fn keep_event(db: &mut AnyConnection, event: SecurityEvent) -> Result<(), StoreError> {
    let id = next_number(db, "security_event").await?;
    let sql = "INSERT INTO security_events (id, charge_point, happened_at, kind, tech_info, received_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let query = sql::query(sql)
        .bind(id)
        .bind(event.charge_point)
        .bind(event.happened_at)
        .bind(event.kind)
        .bind(event.tech_info)
        .bind(event.received_at);
    query.execute(&mut *db).await?;
    Ok(())
}
