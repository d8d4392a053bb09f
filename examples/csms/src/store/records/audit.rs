//! The audit log: who did what.

use serde::Serialize;
use sqlx::AnyConnection;
use utoipa::ToSchema;

use super::columns::{Json, Time};
use super::select::Select;
use crate::store::{Store, StoreError, next_number};
use crate::time;

const COLUMNS: &str = "SELECT id, at, actor, action, target, detail, outcome FROM audit_log";

/// Something that somebody did.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Number of the entry; later ones have greater numbers.
    pub id: i64,
    /// When it was done.
    pub at: Time,
    /// `user:NAME`, `token:NAME`, or `open` where nobody has to log in.
    pub actor: String,
    /// An action of OCPP, or what was done to a resource.
    pub action: String,
    /// To which charge point or resource.
    pub target: String,
    /// More of it, without secrets.
    pub detail: Json,
    /// What came of it.
    pub outcome: String,
}

/// What is to be entered.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
    /// JSON, without secrets.
    pub detail: String,
    /// What came of it.
    pub outcome: String,
}

impl NewEntry {
    /// Of a change that was made to a resource.
    pub fn done(actor: impl ToString, action: &str, target: impl Into<String>, detail: &serde_json::Value) -> Self {
        Self {
            actor: actor.to_string(),
            action: action.to_owned(),
            target: target.into(),
            detail: detail.to_string(),
            outcome: "done".to_owned(),
        }
    }
}

/// Enters it, within a write.
///
/// # Errors
/// Those of the database.
pub async fn enter(db: &mut AnyConnection, entry: NewEntry) -> Result<(), StoreError> {
    let id = next_number(&mut *db, "audit").await?;
    let sql =
        "INSERT INTO audit_log (id, at, actor, action, target, detail, outcome) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let NewEntry { actor, action, target, detail, outcome } = entry;
    let query = sqlx::query(sql).bind(id).bind(time::now()).bind(actor).bind(action).bind(target);
    query.bind(detail).bind(outcome).execute(&mut *db).await?;
    Ok(())
}

/// The newest ones first, those before that number.
///
/// # Errors
/// Those of the database.
pub async fn list(store: &Store, before: Option<i64>, limit: i64) -> Result<Vec<AuditEntry>, StoreError> {
    Select::all().and_if("id < ?", before).rows(store.readers(), COLUMNS, "id DESC", limit, 0).await
}
