//! The audit log: who did what.

use serde::Serialize;
use serde_json::Value;
use sqlx::AnyConnection;
use utoipa::ToSchema;

use super::columns::{Json, Time};
use super::select::Select;
use crate::security::keys;
use crate::store::{Store, StoreError, next_number, sql};
use crate::time;

/// How many entries are kept; then the oldest go.
const KEPT: i64 = 100_000;

/// How many bytes of an entry's details are kept.
const DETAIL: usize = 16 * 1024;

/// How many bytes of a name are kept.
const NAME: usize = 256;

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

/// Enters it, within a write: cut to a bounded length, and without the secrets that OCPP itself has
/// (`AuthorizationKey`). Others must not be in it.
///
/// # Errors
/// Those of the database.
pub async fn enter(db: &mut AnyConnection, entry: NewEntry) -> Result<(), StoreError> {
    let id = next_number(&mut *db, "audit").await?;
    let sql =
        "INSERT INTO audit_log (id, at, actor, action, target, detail, outcome) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let NewEntry { actor, action, target, detail, outcome } = entry;
    let detail = match without_secrets(&action, detail) {
        long if long.len() > DETAIL => Value::String(cut(&long, DETAIL)).to_string(),
        detail => detail,
    };
    let query = sql::query(sql).bind(id).bind(time::now()).bind(cut(&actor, NAME)).bind(cut(&action, NAME));
    let query = query.bind(cut(&target, NAME)).bind(detail).bind(cut(&outcome, NAME));
    query.execute(&mut *db).await?;
    sql::query("DELETE FROM audit_log WHERE id <= $1").bind(id - KEPT).execute(&mut *db).await?;
    Ok(())
}

fn without_secrets(action: &str, detail: String) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(&detail) else { return detail };
    if keys::in_command(action, &value).is_some()
        && let Some(secret) = value.get_mut("value")
    {
        *secret = Value::from("***");
        return value.to_string();
    }
    detail
}

fn cut(text: &str, most: usize) -> String {
    let end = text.char_indices().map(|(start, c)| start + c.len_utf8()).take_while(|end| *end <= most).last();
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

/// The newest ones first, those before that number.
///
/// # Errors
/// Those of the database.
pub async fn list(store: &Store, before: Option<i64>, limit: i64) -> Result<Vec<AuditEntry>, StoreError> {
    Select::all().and_if("id < ?", before).rows(store.readers(), COLUMNS, "id DESC", limit, 0).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_not_kept_and_texts_are_cut_between_characters() {
        let change = json!({"key": "AuthorizationKey", "value": "00112233445566778899aabbccddeeff"}).to_string();
        assert_eq!(without_secrets("ChangeConfiguration", change), r#"{"key":"AuthorizationKey","value":"***"}"#);
        let other = json!({"key": "HeartbeatInterval", "value": "60"}).to_string();
        assert_eq!(without_secrets("ChangeConfiguration", other.clone()), other);
        assert_eq!((cut("充电桩", 7).as_str(), cut("", 3).as_str(), cut("abc", 3).as_str()), ("充电", "", "abc"));
    }
}
