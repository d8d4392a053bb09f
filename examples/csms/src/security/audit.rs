//! Who did what: log-ins, commands, changes.

use serde::Serialize;
use serde_json::Value;

use super::access::Actor;
use crate::app::App;
use crate::store::{StoreError, next_number};
use crate::time;

/// How many entries are kept; then the oldest go.
const KEPT: i64 = 100_000;

/// How many bytes of an entry's details are kept.
const DETAIL: usize = 16 * 1024;

/// How many bytes of a name are kept.
const NAME: usize = 256;

/// An entry.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its number: later entries have higher ones.
    pub id: i64,
    /// When.
    pub at: String,
    /// `user:NAME`, `token:NAME`, or `open`.
    pub actor: String,
    /// An action of OCPP, or what was done to a resource.
    pub action: String,
    /// To what: a charge point, a user, ..
    pub target: String,
    /// With which content, without secrets.
    pub detail: Value,
    /// What came of it.
    pub outcome: String,
}

/// Keeps an entry; it is durable when this returns. `detail` must not hold secrets; those that OCPP itself has
/// (`AuthorizationKey`) are taken out here.
///
/// # Errors
/// Those of the database.
pub async fn record(
    app: &App,
    actor: &Actor,
    action: &str,
    target: &str,
    detail: &Value,
    outcome: &str,
) -> Result<(), StoreError> {
    record_as(app, &actor.to_string(), action, target, detail, outcome).await
}

/// [`record`] for somebody who is not known (yet).
///
/// # Errors
/// Those of the database.
pub async fn record_as(
    app: &App,
    actor: &str,
    action: &str,
    target: &str,
    detail: &Value,
    outcome: &str,
) -> Result<(), StoreError> {
    let detail = match without_secrets(action, detail).to_string() {
        long if long.len() > DETAIL => Value::String(cut(&long, DETAIL)).to_string(),
        detail => detail,
    };
    let texts = [cut(actor, NAME), cut(action, NAME), cut(target, NAME), detail, cut(outcome, NAME)];
    app.store
        .write(move |db| {
            Box::pin(async move {
                let id = next_number(db, "audit").await?;
                let sql = "INSERT INTO audit_log (id, at, actor, action, target, detail, outcome)
                    VALUES ($1, $2, $3, $4, $5, $6, $7)";
                let mut query = sqlx::query(sql).bind(id).bind(time::now());
                for text in texts {
                    query = query.bind(text);
                }
                query.execute(&mut *db).await?;
                sqlx::query("DELETE FROM audit_log WHERE id <= $1").bind(id - KEPT).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
}

/// Entries before that number, the newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(app: &App, before: Option<i64>, limit: i64) -> Result<Vec<Entry>, StoreError> {
    let sql = "SELECT id, at, actor, action, target, detail, outcome FROM audit_log WHERE id < $1
        ORDER BY id DESC LIMIT $2";
    let query = sqlx::query_as(sql).bind(before.unwrap_or(i64::MAX)).bind(limit);
    let rows: Vec<(i64, i64, String, String, String, String, String)> = query.fetch_all(app.store.readers()).await?;
    let entry = |(id, at, actor, action, target, detail, outcome): (_, _, _, _, _, String, _)| Entry {
        id,
        at: time::text(at),
        actor,
        action,
        target,
        detail: serde_json::from_str(&detail).unwrap_or(Value::Null),
        outcome,
    };
    Ok(rows.into_iter().map(entry).collect())
}

fn without_secrets(action: &str, detail: &Value) -> Value {
    let mut detail = detail.clone();
    if super::keys::in_command(action, &detail).is_some()
        && let Some(value) = detail.get_mut("value")
    {
        *value = Value::from("***");
    }
    detail
}

fn cut(text: &str, most: usize) -> String {
    let end = text.char_indices().map(|(start, c)| start + c.len_utf8()).take_while(|end| *end <= most).last();
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_not_kept_and_texts_are_cut_between_characters() {
        let change = json!({"key": "AuthorizationKey", "value": "00112233445566778899aabbccddeeff"});
        assert_eq!(without_secrets("ChangeConfiguration", &change)["value"], "***");
        let other = json!({"key": "HeartbeatInterval", "value": "60"});
        assert_eq!(without_secrets("ChangeConfiguration", &other), other);
        assert_eq!((cut("充电桩", 7).as_str(), cut("", 3).as_str(), cut("abc", 3).as_str()), ("充电", "", "abc"));
    }
}
