//! Files that devices upload; their bytes are in the folder `uploads` of the data folder.

use sqlx::AnyConnection;

use super::{Store, StoreError, sql};
use crate::time::now;

/// How many files one device may have.
pub(crate) const MOST_FILES: i64 = 1000;

/// Rows of one delete.
const ROWS: i64 = 500;

/// An upload, complete or not.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) file_name: String,
    /// In bytes; -1 if it is not known yet.
    pub(crate) size: i64,
    pub(crate) received: i64,
    pub(crate) is_complete: i64,
    pub(crate) created_at: i64,
    pub(crate) changed_at: i64,
}

const COLUMNS: &str = "id, file_name, size, received, is_complete, created_at, changed_at";

/// What a device has is what it has announced, or more where it has announced nothing.
const USED: &str = "COALESCE(SUM(CASE WHEN size > received THEN size ELSE received END), 0)";

/// What becomes of the wish to upload.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It begins; the bytes of that id are another file's of the name, and to be deleted.
    New { replaced: Option<String> },
    /// The device would have too many bytes, or too many files.
    Full,
}

pub(crate) async fn find(store: &Store, device: i64, file_name: &str) -> Result<Option<Upload>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE device_id = $1 AND file_name = $2");
    let query = sql::query_as(sqlx::AssertSqlSafe(sql)).bind(device).bind(file_name);
    Ok(query.fetch_optional(store.readers()).await?)
}

pub(crate) async fn by_id(store: &Store, device: i64, id: &str) -> Result<Option<Upload>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE device_id = $1 AND id = $2");
    let query = sql::query_as(sqlx::AssertSqlSafe(sql)).bind(device).bind(id);
    Ok(query.fetch_optional(store.readers()).await?)
}

/// By name.
pub(crate) async fn list(store: &Store, device: i64) -> Result<Vec<Upload>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE device_id = $1 ORDER BY file_name LIMIT {MOST_FILES}");
    Ok(sql::query_as(sqlx::AssertSqlSafe(sql)).bind(device).fetch_all(store.readers()).await?)
}

/// The ids of all that a device has.
pub(crate) async fn ids(store: &Store, device: i64) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT id FROM uploads WHERE device_id = $1";
    Ok(sql::query_scalar(sql).bind(device).fetch_all(store.readers()).await?)
}

/// Whether there is an upload of that id, whosever.
pub(crate) async fn exists(store: &Store, id: &str) -> Result<bool, StoreError> {
    let query = sql::query_scalar::<i64>("SELECT COUNT(*) FROM uploads WHERE id = $1").bind(id);
    Ok(query.fetch_one(store.readers()).await? > 0)
}

/// How many bytes a device has.
pub(crate) async fn used(store: &Store, device: i64) -> Result<i64, StoreError> {
    let sql = format!("SELECT CAST({USED} AS BIGINT) FROM uploads WHERE device_id = $1");
    Ok(sql::query_scalar(sqlx::AssertSqlSafe(sql)).bind(device).fetch_one(store.readers()).await?)
}

/// Begins an upload, in the place of another one of that name.
pub(crate) async fn begin(
    store: &Store,
    device: i64,
    id: &str,
    file_name: &str,
    size: i64,
    quota: i64,
) -> Result<Begun, StoreError> {
    let (id, file_name) = (id.to_owned(), file_name.to_owned());
    store.write(move |db| Box::pin(insert(db, device, id, file_name, size, quota))).await
}

async fn insert(
    db: &mut AnyConnection,
    device: i64,
    id: String,
    file_name: String,
    size: i64,
    quota: i64,
) -> Result<Begun, StoreError> {
    let sql = format!("SELECT CAST({USED} AS BIGINT), COUNT(*) FROM uploads WHERE device_id = $1 AND file_name <> $2");
    let query = sql::query_as(sqlx::AssertSqlSafe(sql)).bind(device).bind(file_name.clone());
    let (used, files): (i64, i64) = query.fetch_one(&mut *db).await?;
    if used.saturating_add(size.max(1)) > quota || files >= MOST_FILES {
        return Ok(Begun::Full);
    }
    let sql = "SELECT id FROM uploads WHERE device_id = $1 AND file_name = $2";
    let query = sql::query_scalar(sql).bind(device).bind(file_name.clone());
    let replaced: Option<String> = query.fetch_optional(&mut *db).await?;
    let sql = "DELETE FROM uploads WHERE device_id = $1 AND file_name = $2";
    sql::query(sql).bind(device).bind(file_name.clone()).execute(&mut *db).await?;
    let sql = "INSERT INTO uploads (id, device_id, file_name, size, received, is_complete, created_at, changed_at)
        VALUES ($1, $2, $3, $4, 0, 0, $5, $5)";
    sql::query(sql).bind(id).bind(device).bind(file_name).bind(size).bind(now()).execute(&mut *db).await?;
    Ok(Begun::New { replaced })
}

/// So many bytes of a file are on the disk; whether there is that upload still.
pub(crate) async fn advance(store: &Store, id: &str, received: i64, is_complete: bool) -> Result<bool, StoreError> {
    let id = id.to_owned();
    store
        .write(move |db| {
            Box::pin(async move {
                let sql = "UPDATE uploads SET received = $1, is_complete = $2, changed_at = $3,
                    size = CASE WHEN $2 = 1 THEN $1 ELSE size END WHERE id = $4 AND is_complete = 0";
                let query = sql::query(sql).bind(received).bind(i64::from(is_complete)).bind(now()).bind(id);
                Ok(query.execute(&mut *db).await?.rows_affected() > 0)
            })
        })
        .await
}

/// Forgets an upload, unless it is complete and `only_open`; whether it did. Its bytes are the caller's to delete.
pub(crate) async fn remove(store: &Store, device: i64, id: &str, only_open: bool) -> Result<bool, StoreError> {
    let id = id.to_owned();
    store
        .write(move |db| {
            Box::pin(async move {
                let sql = "DELETE FROM uploads WHERE device_id = $1 AND id = $2 AND is_complete <= $3";
                let most = i64::from(!only_open);
                let query = sql::query(sql).bind(device).bind(id).bind(most);
                Ok(query.execute(&mut *db).await?.rows_affected() > 0)
            })
        })
        .await
}

/// Forgets some that were not touched since; their ids, whose bytes are the caller's to delete.
pub(crate) async fn remove_old(store: &Store, is_complete: bool, before: i64) -> Result<Vec<String>, StoreError> {
    store
        .write(move |db| {
            Box::pin(async move {
                let sql = "DELETE FROM uploads WHERE id IN (SELECT id FROM uploads
                    WHERE is_complete = $1 AND changed_at < $2 ORDER BY changed_at LIMIT $3) RETURNING id";
                let query = sql::query_scalar(sql).bind(i64::from(is_complete)).bind(before).bind(ROWS);
                Ok(query.fetch_all(&mut *db).await?)
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_device_may_keep_is_limited_and_old_files_go() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}", data.path().join("hub.db").display())).await.unwrap();
        let begin = async |id: &str, name: &str, size| begin(&store, 1, id, name, size, 1000).await.unwrap();
        assert!(matches!(begin("a", "a.bin", 600).await, Begun::New { replaced: None }));
        assert!(matches!(begin("b", "b.bin", 600).await, Begun::Full));
        assert!(matches!(begin("c", "c.bin", -1).await, Begun::New { .. }));
        let Begun::New { replaced } = begin("d", "a.bin", 700).await else { panic!() };
        assert_eq!(replaced.as_deref(), Some("a"));
        assert!(advance(&store, "c", 200, true).await.unwrap());
        assert!(!advance(&store, "c", 300, true).await.unwrap(), "it is complete");
        assert_eq!(used(&store, 1).await.unwrap(), 900);
        assert!(!remove(&store, 1, "c", true).await.unwrap() && !remove(&store, 2, "d", true).await.unwrap());
        assert_eq!(remove_old(&store, false, i64::MAX).await.unwrap(), ["d"]);
        assert_eq!(list(&store, 1).await.unwrap().len(), 1);
        assert!(remove(&store, 1, "c", false).await.unwrap());
        store.close().await;
    }
}
