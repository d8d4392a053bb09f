//! Certificates of charge points, as the database has them: those that were issued here, and those that were revoked.

use serde::Serialize;

use super::authority::Issued;
use crate::store::records::columns::{Flag, Time};
use crate::store::records::select::Select;
use crate::store::{Store, StoreError, sql};
use crate::time;

const COLUMNS: &str = "SELECT serial, charge_point, pem, issued_at, expires_at, revoked FROM certificates";

/// A certificate.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Hexadecimal.
    pub serial: String,
    /// Whose it is; empty if it was not issued here.
    pub charge_point: String,
    /// Empty if it was not issued here.
    pub pem: String,
    /// When it was issued, or revoked if it was not issued here.
    pub issued_at: Time,
    /// Until when it is valid.
    pub expires_at: Time,
    /// Whether it opens nothing any more.
    pub revoked: Flag,
}

/// Keeps one that was issued.
///
/// # Errors
/// Those of the database.
pub async fn keep(store: &Store, identity: &str, issued: &Issued) -> Result<(), StoreError> {
    let (identity, Issued { serial, pem, expires_at }) = (identity.to_owned(), issued.clone());
    let sql = "INSERT INTO certificates (serial, charge_point, pem, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
    store
        .write(move |db| {
            Box::pin(async move {
                let query = sql::query(sql).bind(serial).bind(identity).bind(pem).bind(time::now()).bind(expires_at);
                query.execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
}

/// Whether the certificate with that serial number is revoked.
///
/// # Errors
/// Those of the database.
pub async fn is_revoked(store: &Store, serial: &str) -> Result<bool, StoreError> {
    let sql = "SELECT revoked FROM certificates WHERE serial = $1";
    let revoked: Option<i64> = sql::query_scalar(sql).bind(serial.to_owned()).fetch_optional(store.readers()).await?;
    Ok(revoked.is_some_and(|revoked| revoked != 0))
}

/// Revokes a certificate, also one of another authority, which is not known here.
///
/// # Errors
/// Those of the database.
pub async fn revoke(store: &Store, serial: &str) -> Result<(), StoreError> {
    let serial = serial.to_owned();
    let sql = "INSERT INTO certificates (serial, charge_point, pem, issued_at, expires_at, revoked)
        VALUES ($1, '', '', $2, $2, 1) ON CONFLICT (serial) DO UPDATE SET revoked = 1";
    store
        .write(move |db| {
            Box::pin(async move {
                sql::query(sql).bind(serial).bind(time::now()).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
}

/// The newest certificates, perhaps of one charge point; those of that time and before, from the `skip`th on.
///
/// # Errors
/// Those of the database.
pub async fn list(
    store: &Store,
    charge_point: Option<String>,
    newest: Option<Time>,
    skip: i64,
    limit: i64,
) -> Result<Vec<Certificate>, StoreError> {
    let wanted = Select::all().and_if("charge_point = ?", charge_point).and_if("issued_at <= ?", newest);
    wanted.rows(store.readers(), COLUMNS, "issued_at DESC, serial", limit, skip).await
}
