//! API tokens: for programs. Each is shown once, and kept as its hash.

use serde::Serialize;

use super::access::Role;
use super::sessions::{hash, random_text};
use crate::store::{Store, StoreError, sql};
use crate::time;

/// What a token begins with, so that it is known where it is found.
const PREFIX: &str = "csms_";

/// A use is written down once in so many milliseconds.
const USE: i64 = 60_000;

/// Id, name, role, and when it was made, expires and was used.
type Row = (String, String, String, i64, Option<i64>, Option<i64>);

/// A token, without what opens.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// By which it is deleted.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: String,
    /// Until when it is good; `null`: for ever.
    pub expires_at: Option<String>,
    /// When it was used, to the minute.
    pub last_used_at: Option<String>,
}

/// Makes a token: its id, and the token itself.
///
/// # Errors
/// Those of the database; the system has no random numbers.
pub async fn add(store: &Store, name: &str, role: Role, expires_at: Option<i64>) -> anyhow::Result<(String, String)> {
    let id = data_encoding::HEXLOWER.encode(&super::random::<8>()?);
    let token = format!("{PREFIX}{}", random_text()?);
    let (row_id, name, hash) = (id.clone(), name.to_owned(), hash(&token));
    let sql = "INSERT INTO api_tokens (id, name, token_hash, role, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let write = store.write(move |db| {
        Box::pin(async move {
            let query = sql::query(sql).bind(row_id).bind(name).bind(hash).bind(role.name());
            query.bind(time::now()).bind(expires_at).execute(&mut *db).await?;
            Ok(())
        })
    });
    write.await?;
    Ok((id, token))
}

/// Name and role of a token that is good now.
///
/// # Errors
/// Those of the database.
pub async fn find(store: &Store, token: &str) -> Result<Option<(String, Role)>, StoreError> {
    let now = time::now();
    let sql = "SELECT id, name, role, last_used_at FROM api_tokens
        WHERE token_hash = $1 AND (expires_at IS NULL OR expires_at > $2)";
    let query = sql::query_as(sql).bind(hash(token)).bind(now);
    let row: Option<(String, String, String, Option<i64>)> = query.fetch_optional(store.readers()).await?;
    let Some((id, name, role, used_at)) = row else { return Ok(None) };
    if used_at.is_none_or(|used_at| used_at + USE <= now) {
        let write = store.write(move |db| {
            Box::pin(async move {
                let sql = "UPDATE api_tokens SET last_used_at = $1 WHERE id = $2";
                sql::query(sql).bind(now).bind(id).execute(&mut *db).await?;
                Ok(())
            })
        });
        write.await?;
    }
    Ok(Some((name, Role::read(&role)?)))
}

/// All tokens.
///
/// # Errors
/// Those of the database.
pub async fn list(store: &Store) -> Result<Vec<Token>, StoreError> {
    let sql = "SELECT id, name, role, created_at, expires_at, last_used_at FROM api_tokens
        ORDER BY created_at, id LIMIT 10000";
    let rows: Vec<Row> = sql::query_as(sql).fetch_all(store.readers()).await?;
    let token = |(id, name, role, created_at, expires_at, used_at): Row| {
        Ok(Token {
            id,
            name,
            role: Role::read(&role)?,
            created_at: time::text(created_at),
            expires_at: expires_at.map(time::text),
            last_used_at: used_at.map(time::text),
        })
    };
    rows.into_iter().map(token).collect()
}

/// Deletes a token; whether there was one.
///
/// # Errors
/// Those of the database.
pub async fn remove(store: &Store, id: &str) -> Result<bool, StoreError> {
    let id = id.to_owned();
    store
        .write(move |db| {
            Box::pin(async move {
                let removed = sql::query("DELETE FROM api_tokens WHERE id = $1").bind(id).execute(&mut *db).await?;
                Ok(removed.rows_affected() > 0)
            })
        })
        .await
}
