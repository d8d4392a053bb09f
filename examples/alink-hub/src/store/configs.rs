//! Configuration files of products.

use serde::Serialize;

use super::{Store, StoreError, sql};
use crate::security::hash;
use crate::time::now;

/// A configuration.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Config {
    /// Random: part of the URL that devices get, and what they know it by.
    pub(crate) config_id: String,
    /// As it was put.
    pub(crate) content: String,
    /// When it was put.
    #[serde(serialize_with = "crate::api::time")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: i64,
}

impl Config {
    /// SHA-256 of the content, hexadecimal.
    pub(crate) fn digest(&self) -> String {
        hash(&self.content)
    }
}

pub(crate) async fn find(store: &Store, product_key: &str) -> Result<Option<Config>, StoreError> {
    let sql = "SELECT config_id, content, created_at FROM configs WHERE product_key = $1";
    Ok(sql::query_as(sql).bind(product_key.to_owned()).fetch_optional(store.readers()).await?)
}

pub(crate) async fn by_id(store: &Store, config_id: &str) -> Result<Option<Config>, StoreError> {
    let sql = "SELECT config_id, content, created_at FROM configs WHERE config_id = $1";
    Ok(sql::query_as(sql).bind(config_id.to_owned()).fetch_optional(store.readers()).await?)
}

/// Puts a configuration in the place of what was there, or takes it away.
pub(crate) async fn set(store: &Store, product_key: &str, new: Option<(String, String)>) -> Result<(), StoreError> {
    let key = product_key.to_owned();
    store
        .write(move |db| {
            Box::pin(async move {
                sql::query("DELETE FROM configs WHERE product_key = $1").bind(key.clone()).execute(&mut *db).await?;
                if let Some((config_id, content)) = new {
                    let sql =
                        "INSERT INTO configs (product_key, config_id, content, created_at) VALUES ($1, $2, $3, $4)";
                    sql::query(sql).bind(key).bind(config_id).bind(content).bind(now()).execute(&mut *db).await?;
                }
                Ok(())
            })
        })
        .await
}
