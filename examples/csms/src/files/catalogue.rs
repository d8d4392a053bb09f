//! What the database knows of files.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::FromRow;

use super::shelf::Content;
use crate::app::App;
use crate::store::records::columns::Time;
use crate::store::{Store, StoreError, sql};
use crate::time::now;

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// A charge point was asked for it.
    Expected,
    /// It comes in, or the charge point says so.
    Uploading,
    /// It is there.
    Complete,
    /// The charge point says that its upload failed, or its time is over.
    Failed,
}

/// A file as the API shows it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Its id.
    pub id: String,
    /// `firmware`, `diagnostics` or `log`.
    pub kind: String,
    /// As whoever made it calls it; empty while that is unknown.
    pub name: String,
    /// Whose it is.
    pub charge_point: Option<String>,
    /// In bytes, once it is complete.
    pub size: Option<i64>,
    /// Hexadecimal, once it is complete.
    pub sha256: Option<String>,
    /// What becomes of it.
    pub state: State,
    /// Whether there is content; also of an upload that the charge point reports as failed.
    pub complete: bool,
    /// What the charge point says of its upload, or `expired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when it is known.
    pub created_at: Time,
    /// When it was complete.
    pub completed_at: Option<Time>,
}

/// A row, with what decides on its state.
#[derive(Debug, FromRow)]
pub struct Entry {
    /// As in the table.
    pub id: String,
    /// As in the table.
    pub kind: String,
    /// As in the table.
    pub name: String,
    /// As in the table.
    pub charge_point: Option<String>,
    /// As in the table.
    pub size: Option<i64>,
    /// As in the table.
    pub sha256: Option<String>,
    complete: i64,
    /// As in the table.
    pub created_at: i64,
    completed_at: Option<i64>,
    /// What the charge point said last of uploads of that kind, and when.
    said: Option<String>,
    said_at: Option<i64>,
    /// When the last request ends.
    expires_at: Option<i64>,
    /// When the charge point was last asked for a file of that kind.
    newest: Option<i64>,
}

const SELECT: &str = "SELECT f.id, f.kind, f.name, f.charge_point, f.size, f.sha256, f.complete, f.created_at,
    f.completed_at, CASE f.kind WHEN 'log' THEN c.log_status ELSE c.diagnostics_status END AS said,
    CASE f.kind WHEN 'log' THEN c.log_status_at ELSE c.diagnostics_status_at END AS said_at,
    (SELECT MAX(r.expires_at) FROM file_requests r WHERE r.file = f.id) AS expires_at,
    (SELECT MAX(n.created_at) FROM files n WHERE n.charge_point = f.charge_point AND n.kind = f.kind) AS newest
    FROM files f LEFT JOIN charge_points c ON c.id = f.charge_point";

impl Entry {
    /// Whether it is there.
    pub fn is_complete(&self) -> bool {
        self.complete == 1
    }

    /// As the API shows it. What a charge point says has no number of a request in OCPP 1.6, so that it counts for the
    /// newest file of its kind only.
    pub fn shown(self, app: &App) -> File {
        let since = self.completed_at.unwrap_or(self.created_at);
        let is_newest = self.newest.is_some_and(|newest| newest <= self.created_at);
        let is_said = self.charge_point.is_some() && is_newest && self.said_at.is_some_and(|at| at >= since);
        let said = self.said.filter(|_| is_said);
        let is_over = self.expires_at.is_none_or(|at| at <= now());
        let (state, reason) = match said.as_deref() {
            _ if app.files.uploads.is_active(&self.id) => (State::Uploading, None),
            Some("UploadFailed" | "UploadFailure" | "BadMessage" | "NotSupportedOperation" | "PermissionDenied") => {
                (State::Failed, said)
            }
            _ if self.complete == 1 => (State::Complete, None),
            _ if is_over => (State::Failed, Some("expired".to_owned())),
            Some("Uploading") => (State::Uploading, said),
            _ => (State::Expected, None),
        };
        File {
            id: self.id,
            kind: self.kind,
            name: self.name,
            charge_point: self.charge_point,
            size: self.size,
            sha256: self.sha256,
            state,
            complete: self.complete == 1,
            reason,
            created_at: Time(self.created_at),
            completed_at: self.completed_at.map(Time),
        }
    }
}

/// The ids of all files.
///
/// # Errors
/// Those of the database.
pub async fn ids(store: &Store) -> Result<HashSet<String>, StoreError> {
    let ids: Vec<String> = sql::query_scalar("SELECT id FROM files").fetch_all(store.readers()).await?;
    Ok(ids.into_iter().collect())
}

/// One file.
///
/// # Errors
/// Those of the database.
pub async fn find(store: &Store, id: &str) -> Result<Option<Entry>, StoreError> {
    let sql = format!("{SELECT} WHERE f.id = $1");
    Ok(sql::query_as(sqlx::AssertSqlSafe(sql)).bind(id.to_owned()).fetch_optional(store.readers()).await?)
}

/// The firmware of that name.
///
/// # Errors
/// Those of the database.
pub async fn firmware(store: &Store, name: &str) -> Result<Option<Entry>, StoreError> {
    let sql = format!("{SELECT} WHERE f.kind = 'firmware' AND f.name = $1");
    Ok(sql::query_as(sqlx::AssertSqlSafe(sql)).bind(name.to_owned()).fetch_optional(store.readers()).await?)
}

/// Which files to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of that kind only.
    pub kind: Option<String>,
    /// Of that charge point only.
    pub charge_point: Option<String>,
    /// Those after this one: its time and id.
    pub after: Option<(i64, String)>,
}

/// Files, the newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(store: &Store, filter: Filter, limit: i64) -> Result<Vec<Entry>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE ($1 IS NULL OR f.kind = $1) AND ($2 IS NULL OR f.charge_point = $2)
        AND (f.created_at < $3 OR (f.created_at = $3 AND f.id < $4)) ORDER BY f.created_at DESC, f.id DESC LIMIT $5"
    );
    let (at, id) = filter.after.unwrap_or((i64::MAX, String::new()));
    let query = sql::query_as(sqlx::AssertSqlSafe(sql)).bind(filter.kind).bind(filter.charge_point);
    Ok(query.bind(at).bind(id).bind(limit).fetch_all(store.readers()).await?)
}

/// How many there are, on all pages.
///
/// # Errors
/// Those of the database.
pub async fn count(store: &Store, filter: Filter) -> Result<i64, StoreError> {
    let sql = "SELECT COUNT(*) FROM files WHERE ($1 IS NULL OR kind = $1) AND ($2 IS NULL OR charge_point = $2)";
    let query = sql::query_scalar(sql).bind(filter.kind).bind(filter.charge_point);
    Ok(query.fetch_one(store.readers()).await?)
}

/// A file that a charge point is asked for, within a write.
///
/// # Errors
/// Those of the database.
pub async fn expect(
    db: &mut sqlx::AnyConnection,
    id: &str,
    kind: &'static str,
    charge_point: &str,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO files (id, kind, name, charge_point, complete, created_at) VALUES ($1, $2, '', $3, 0, $4)";
    let query = sql::query(sql).bind(id.to_owned()).bind(kind).bind(charge_point.to_owned()).bind(now());
    Ok(query.execute(db).await.map(drop)?)
}

/// The charge point calls its file so.
///
/// # Errors
/// Those of the database.
pub async fn name(store: &Store, id: &str, name: &str) -> Result<(), StoreError> {
    let (id, name) = (id.to_owned(), name.to_owned());
    let sql = "UPDATE files SET name = $2 WHERE id = $1";
    store
        .write(move |db| Box::pin(async move { Ok(sql::query(sql).bind(id).bind(name).execute(db).await.map(drop)?) }))
        .await
}

/// Firmware that is in its place.
///
/// # Errors
/// Those of the database.
pub async fn add_firmware(store: &Store, id: &str, name: &str, content: Content) -> Result<(), StoreError> {
    let (id, name) = (id.to_owned(), name.to_owned());
    let sql = "INSERT INTO files (id, kind, name, size, sha256, complete, created_at, completed_at)
        VALUES ($1, 'firmware', $2, $3, $4, 1, $5, $5)";
    store
        .write(move |db| {
            Box::pin(async move {
                let query = sql::query(sql).bind(id).bind(name).bind(content.size).bind(content.sha256);
                Ok(query.bind(now()).execute(db).await.map(drop)?)
            })
        })
        .await
}

/// An upload is in its place. `false`: the file was deleted meanwhile.
///
/// # Errors
/// Those of the database.
pub async fn complete(store: &Store, id: &str, name: &str, content: Content) -> Result<bool, StoreError> {
    let (id, name) = (id.to_owned(), name.to_owned());
    let sql = "UPDATE files SET complete = 1, size = $2, sha256 = $3, completed_at = $4,
        name = CASE WHEN name = '' THEN $5 ELSE name END WHERE id = $1";
    store
        .write(move |db| {
            Box::pin(async move {
                let query = sql::query(sql).bind(id).bind(content.size).bind(content.sha256).bind(now()).bind(name);
                Ok(query.execute(db).await?.rows_affected() > 0)
            })
        })
        .await
}

/// Forgets a file, and every request for it.
///
/// # Errors
/// Those of the database.
pub async fn forget(store: &Store, id: &str) -> Result<bool, StoreError> {
    let id = id.to_owned();
    store
        .write(move |db| {
            Box::pin(async move {
                sql::query("DELETE FROM file_requests WHERE file = $1").bind(id.clone()).execute(&mut *db).await?;
                Ok(sql::query("DELETE FROM files WHERE id = $1").bind(id).execute(db).await?.rows_affected() > 0)
            })
        })
        .await
}
