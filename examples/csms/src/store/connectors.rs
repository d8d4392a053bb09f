//! The connectors of charge points, as they were last told.

use sqlx::AnyConnection;

use super::{StoreError, sql};

/// A StatusNotification.
#[derive(Debug, Clone)]
pub struct ConnectorStatus {
    /// Identity.
    pub charge_point: String,
    /// 0: the charge point as a whole.
    pub connector: i64,
    /// As it was sent, also beyond the values of OCPP 1.6.
    pub status: String,
    /// As it was sent.
    pub error_code: String,
    /// For people.
    pub info: Option<String>,
    /// Whose `vendor_error_code` it is.
    pub vendor_id: Option<String>,
    /// What only the vendor knows.
    pub vendor_error_code: Option<String>,
    /// When it became so; when it was told, if the charge point does not say.
    pub reported_at: i64,
}

/// Keeps it; returns what the connector's status was before, if one was known.
///
/// # Errors
/// Those of the database.
pub async fn keep_status(db: &mut AnyConnection, status: ConnectorStatus) -> Result<Option<String>, StoreError> {
    let sql = "SELECT status FROM connectors WHERE charge_point = $1 AND connector = $2";
    let query = sql::query_scalar(sql).bind(status.charge_point.clone()).bind(status.connector);
    let before: Option<String> = query.fetch_optional(&mut *db).await?;
    let sql = "INSERT INTO connectors (charge_point, connector, status, error_code, info, vendor_id,
            vendor_error_code, reported_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (charge_point, connector) DO UPDATE SET status = excluded.status,
            error_code = excluded.error_code, info = excluded.info, vendor_id = excluded.vendor_id,
            vendor_error_code = excluded.vendor_error_code, reported_at = excluded.reported_at";
    let query = sql::query(sql)
        .bind(status.charge_point)
        .bind(status.connector)
        .bind(status.status)
        .bind(status.error_code)
        .bind(status.info)
        .bind(status.vendor_id)
        .bind(status.vendor_error_code)
        .bind(status.reported_at);
    query.execute(&mut *db).await?;
    Ok(before)
}
