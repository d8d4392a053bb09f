//! API tokens: each is shown once, and kept as its hash.

use anyhow::Result;

use super::{Store, StoreError, sql};
use crate::security::access::Role;
use crate::security::{hash, random_text};
use crate::time::now;

/// What a token begins with, so that it is known where it is found.
const PREFIX: &str = "hub_";

/// Makes a token; `None` if there is one of that name.
pub(crate) async fn add(store: &Store, name: &str, role: Role) -> Result<Option<String>> {
    let token = format!("{PREFIX}{}", random_text()?);
    let (name, hash) = (name.to_owned(), hash(&token));
    let added = store.write(move |db| {
        Box::pin(async move {
            let sql = "INSERT INTO api_tokens (name, token_hash, role, created_at) VALUES ($1, $2, $3, $4)
                ON CONFLICT (name) DO NOTHING";
            let query = sql::query(sql).bind(name).bind(hash).bind(role.name()).bind(now());
            Ok(query.execute(&mut *db).await?.rows_affected() > 0)
        })
    });
    Ok(added.await?.then_some(token))
}

/// Name of a token, and what its owner may do.
pub(crate) async fn find(store: &Store, token: &str) -> Result<Option<(String, Role)>, StoreError> {
    let query = sql::query_as("SELECT name, role FROM api_tokens WHERE token_hash = $1").bind(hash(token));
    let found: Option<(String, String)> = query.fetch_optional(store.readers()).await?;
    found.map(|(name, role)| Ok((name, Role::read(&role).ok_or(StoreError::Corrupt("a role"))?))).transpose()
}

pub(crate) async fn list(store: &Store) -> Result<Vec<(String, String)>, StoreError> {
    Ok(sql::query_as("SELECT name, role FROM api_tokens ORDER BY name").fetch_all(store.readers()).await?)
}

/// Whether there was one of that name.
pub(crate) async fn remove(store: &Store, name: &str) -> Result<bool, StoreError> {
    let name = name.to_owned();
    store
        .write(|db| {
            Box::pin(async move {
                let query = sql::query("DELETE FROM api_tokens WHERE name = $1").bind(name);
                Ok(query.execute(&mut *db).await?.rows_affected() > 0)
            })
        })
        .await
}

/// Whether there is any: then everybody has to show one.
pub(crate) async fn any(store: &Store) -> Result<bool, StoreError> {
    let count: i64 = sql::query_scalar("SELECT COUNT(*) FROM api_tokens").fetch_one(store.readers()).await?;
    Ok(count > 0)
}
