//! Files for updates; their bytes are in the folder `firmware` of the data folder.

use serde::Serialize;

use super::{Store, StoreError, sql};

/// A file.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Firmware {
    /// Random: part of the URL that devices get.
    pub(crate) id: String,
    /// Whose devices it is for.
    pub(crate) product_key: String,
    /// Which part of the device it is for: `default` is the device itself.
    pub(crate) module: String,
    /// What a device reports once it runs it.
    pub(crate) version: String,
    /// The last part of its URL.
    pub(crate) file_name: String,
    /// In bytes.
    pub(crate) size: i64,
    /// Hexadecimal.
    pub(crate) md5: String,
    /// Hexadecimal.
    pub(crate) sha256: String,
    /// When it was uploaded.
    #[serde(serialize_with = "crate::api::time")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: i64,
}

const COLUMNS: &str = "id, product_key, module, version, file_name, size, md5, sha256, created_at";

pub(crate) async fn add(store: &Store, file: Firmware) -> Result<(), StoreError> {
    store
        .write(move |db| {
            Box::pin(async move {
                let sql = format!("INSERT INTO firmware ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
                let query = sql::query(sqlx::AssertSqlSafe(sql)).bind(file.id).bind(file.product_key).bind(file.module);
                let query = query.bind(file.version).bind(file.file_name).bind(file.size).bind(file.md5);
                query.bind(file.sha256).bind(file.created_at).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
}

pub(crate) async fn find(store: &Store, id: &str) -> Result<Option<Firmware>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM firmware WHERE id = $1");
    Ok(sql::query_as(sqlx::AssertSqlSafe(sql)).bind(id.to_owned()).fetch_optional(store.readers()).await?)
}

pub(crate) async fn list(store: &Store, product_key: &str) -> Result<Vec<Firmware>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM firmware WHERE product_key = $1 ORDER BY created_at DESC");
    Ok(sql::query_as(sqlx::AssertSqlSafe(sql)).bind(product_key.to_owned()).fetch_all(store.readers()).await?)
}

/// Deletes a file, unless an update with it is under way; whether it did.
pub(crate) async fn remove(store: &Store, id: &str) -> Result<bool, StoreError> {
    let id = id.to_owned();
    store
        .write(move |db| {
            Box::pin(async move {
                let sql = "DELETE FROM firmware WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM updates
                    WHERE firmware_id = $1 AND state IN ('waiting', 'pushed', 'running'))";
                Ok(sql::query(sql).bind(id).execute(&mut *db).await?.rows_affected() > 0)
            })
        })
        .await
}
