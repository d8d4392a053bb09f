//! What one charge point may do with one file, and for how long.

use std::fmt;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use sqlx::AnyConnection;

use crate::store::{Store, StoreError, sql};
use crate::time::now;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The charge point reads the file.
    Download,
    /// The charge point writes it.
    Upload,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Upload => "upload",
        }
    }
}

/// How a file travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// HTTP, or HTTPS if `--public-url` says so.
    #[default]
    Http,
    /// FTP, if it is on.
    Ftp,
}

impl Transport {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Ftp => "ftp",
        }
    }
}

/// A request that holds.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its id; the user name for FTP.
    pub id: String,
    /// The charge point it is for.
    pub charge_point: String,
    /// What it allows.
    pub purpose: Purpose,
    /// The file.
    pub file: String,
    /// What the file is: `firmware`, `diagnostics`, `log`.
    pub kind: String,
    /// Its name; empty if nobody has given it one.
    pub name: String,
    /// Its size, if it is complete.
    pub size: Option<i64>,
}

/// What a charge point proves with that it may; not for logs.
pub struct Credentials {
    /// The user name for FTP.
    pub id: String,
    /// 256 random bits, URL-safe: part of the path for HTTP, the password for FTP.
    pub token: String,
    /// Until when, in milliseconds since 1970.
    pub expires_at: i64,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Allows `charge_point` to use `file`, within a write.
///
/// # Errors
/// Those of the database.
pub async fn allow(
    db: &mut AnyConnection,
    file: &str,
    charge_point: &str,
    (purpose, transport): (Purpose, Transport),
    expires_at: i64,
) -> Result<Credentials, StoreError> {
    let credentials = Credentials { id: random_id(), token: random_token(), expires_at };
    let sql =
        "INSERT INTO file_requests (id, token_hash, file, charge_point, purpose, transport, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let query = sql::query(sql).bind(credentials.id.clone()).bind(hash(&credentials.token)).bind(file.to_owned());
    let query = query.bind(charge_point.to_owned()).bind(purpose.as_str()).bind(transport.as_str());
    query.bind(now()).bind(expires_at).execute(&mut *db).await?;
    // Those of the past are of no more use.
    sql::query("DELETE FROM file_requests WHERE expires_at < $1").bind(now()).execute(db).await?;
    Ok(credentials)
}

/// Takes a request back.
///
/// # Errors
/// Those of the database.
pub async fn revoke(store: &Store, id: &str) -> Result<(), StoreError> {
    let id = id.to_owned();
    let delete = "DELETE FROM file_requests WHERE id = $1";
    store.write(move |db| Box::pin(async move { Ok(sql::query(delete).bind(id).execute(db).await.map(drop)?) })).await
}

type Row = (String, String, String, String, String, String, Option<i64>);

/// The request that a token stands for, if it holds still: its time has not come, its file is there, and the charge point
/// has not said that its upload is complete.
///
/// # Errors
/// Those of the database.
pub async fn find(store: &Store, transport: Transport, token: &str) -> Result<Option<Request>, StoreError> {
    select(store, "r.token_hash", &hash(token), transport).await
}

/// As [`find`], by the request's id: for somebody who has proved before that the request is theirs.
///
/// # Errors
/// Those of the database.
pub async fn again(store: &Store, transport: Transport, id: &str) -> Result<Option<Request>, StoreError> {
    select(store, "r.id", id, transport).await
}

async fn select(
    store: &Store,
    column: &'static str,
    value: &str,
    transport: Transport,
) -> Result<Option<Request>, StoreError> {
    let sql = format!(
        "SELECT r.id, r.charge_point, r.purpose, f.id, f.kind, f.name, f.size
        FROM file_requests r JOIN files f ON f.id = r.file LEFT JOIN charge_points c ON c.id = r.charge_point
        WHERE {column} = $1 AND r.transport = $2 AND r.expires_at > $3 AND (r.purpose = 'upload' OR f.complete = 1)
        AND NOT (r.purpose = 'upload' AND f.complete = 1 AND 'Uploaded' = COALESCE(
            CASE f.kind WHEN 'log' THEN c.log_status ELSE c.diagnostics_status END, '') AND f.completed_at <= COALESCE(
            CASE f.kind WHEN 'log' THEN c.log_status_at ELSE c.diagnostics_status_at END, 0))"
    );
    let query = sql::query_as(sqlx::AssertSqlSafe(sql)).bind(value.to_owned()).bind(transport.as_str()).bind(now());
    let row: Option<Row> = query.fetch_optional(store.readers()).await?;
    Ok(row.map(|(id, charge_point, purpose, file, kind, name, size)| {
        let purpose = if purpose == "upload" { Purpose::Upload } else { Purpose::Download };
        Request { id, charge_point, purpose, file, kind, name, size }
    }))
}

fn hash(token: &str) -> String {
    data_encoding::HEXLOWER.encode(digest(&SHA256, token.as_bytes()).as_ref())
}

/// 64 random bits, for a name that nobody has.
pub fn random_id() -> String {
    data_encoding::HEXLOWER.encode(&random::<8>())
}

fn random_token() -> String {
    data_encoding::BASE64URL_NOPAD.encode(&random::<32>())
}

#[expect(clippy::expect_used, reason = "a system without randomness cannot be served")]
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system's random numbers");
    bytes
}
