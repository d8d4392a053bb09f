//! What charge points say about themselves.

use sqlx::{Any, AnyConnection, Executor};

use super::records::charge_points::BootPolicy;
use super::{StoreError, sql};

/// How far a charge point is known here.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Registration {
    boot_policy: Option<String>,
    accepted: i64,
    registered: i64,
    boot_status: Option<String>,
    has_key: i64,
}

impl Registration {
    /// What was decided for it; `None`: nothing, the server's default holds.
    pub fn boot_policy(&self) -> Option<BootPolicy> {
        self.boot_policy.as_deref().and_then(BootPolicy::parse)
    }

    /// Whether a BootNotification of it was ever accepted.
    pub fn is_accepted(&self) -> bool {
        self.accepted != 0
    }

    /// Whether an operator has entered it.
    pub fn is_registered(&self) -> bool {
        self.registered != 0
    }

    /// Whether it has a Basic password, or is to get one.
    pub fn has_key(&self) -> bool {
        self.has_key != 0
    }

    /// Whether it has ever sent a BootNotification here that was answered.
    pub fn has_booted(&self) -> bool {
        self.boot_status.is_some()
    }

    /// Whether its last BootNotification was answered with Pending. Then it may not be sent RemoteStartTransaction and
    /// RemoteStopTransaction (OCPP 1.6 §4.2).
    pub fn is_pending(&self) -> bool {
        self.boot_status.as_deref() == Some("Pending")
    }

    /// Whether its last BootNotification was answered with Rejected. Then it should not be sent anything, and does not
    /// answer (OCPP 1.6 §4.2).
    pub fn is_rejected(&self) -> bool {
        self.boot_status.as_deref() == Some("Rejected")
    }
}

/// How far that charge point is known; `None`: not at all. By a reader, or within a write.
///
/// # Errors
/// Those of the database.
pub async fn registration<'c>(
    db: impl Executor<'c, Database = Any>,
    id: &str,
) -> Result<Option<Registration>, StoreError> {
    let sql = "SELECT boot_policy, accepted, registered, boot_status,
        CAST(CASE WHEN key_hash IS NULL AND next_key_hash IS NULL THEN 0 ELSE 1 END AS BIGINT) AS has_key
        FROM charge_points WHERE id = $1";
    Ok(sql::query_as(sql).bind(id).fetch_optional(db).await?)
}

/// A BootNotification and its answer.
#[derive(Debug, Clone, Default)]
pub struct Boot {
    /// Identity.
    pub charge_point: String,
    /// Accepted, Pending or Rejected.
    pub status: String,
    /// Subprotocol.
    pub protocol: String,
    /// chargePointVendor
    pub vendor: String,
    /// chargePointModel
    pub model: String,
    /// chargePointSerialNumber
    pub serial_number: Option<String>,
    /// chargeBoxSerialNumber
    pub charge_box_serial_number: Option<String>,
    /// firmwareVersion
    pub firmware_version: Option<String>,
    /// iccid
    pub iccid: Option<String>,
    /// imsi
    pub imsi: Option<String>,
    /// meterType
    pub meter_type: Option<String>,
    /// meterSerialNumber
    pub meter_serial_number: Option<String>,
    /// What the schema does not know, as a JSON object.
    pub extras: Option<String>,
    /// When it came.
    pub at: i64,
}

/// Keeps a BootNotification. Once accepted, a charge point stays so, whatever a later one is answered with.
///
/// # Errors
/// Those of the database.
pub async fn keep_boot(db: &mut AnyConnection, boot: Boot) -> Result<(), StoreError> {
    let sql = "INSERT INTO charge_points (id, accepted, boot_status, protocol, vendor, model, serial_number,
            charge_box_serial_number, firmware_version, iccid, imsi, meter_type, meter_serial_number, extras,
            booted_at, last_seen_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $15)
        ON CONFLICT (id) DO UPDATE SET
            accepted = CASE WHEN excluded.accepted = 1 THEN 1 ELSE charge_points.accepted END,
            boot_status = excluded.boot_status, protocol = excluded.protocol, vendor = excluded.vendor,
            model = excluded.model, serial_number = excluded.serial_number,
            charge_box_serial_number = excluded.charge_box_serial_number,
            firmware_version = excluded.firmware_version, iccid = excluded.iccid, imsi = excluded.imsi,
            meter_type = excluded.meter_type, meter_serial_number = excluded.meter_serial_number,
            extras = excluded.extras, booted_at = excluded.booted_at, last_seen_at = excluded.last_seen_at";
    let query = sql::query(sql)
        .bind(boot.charge_point)
        .bind(i64::from(boot.status == "Accepted"))
        .bind(boot.status)
        .bind(boot.protocol)
        .bind(boot.vendor)
        .bind(boot.model)
        .bind(boot.serial_number)
        .bind(boot.charge_box_serial_number)
        .bind(boot.firmware_version)
        .bind(boot.iccid)
        .bind(boot.imsi)
        .bind(boot.meter_type)
        .bind(boot.meter_serial_number)
        .bind(boot.extras)
        .bind(boot.at);
    query.execute(&mut *db).await?;
    Ok(())
}

/// When something of each of them last came. It does not go back.
///
/// # Errors
/// Those of the database.
pub async fn keep_last_seen(db: &mut AnyConnection, seen: Vec<(String, i64)>) -> Result<(), StoreError> {
    for (id, at) in seen {
        let sql = "UPDATE charge_points SET last_seen_at = $2
            WHERE id = $1 AND (last_seen_at IS NULL OR last_seen_at < $2)";
        sql::query(sql).bind(id).bind(at).execute(&mut *db).await?;
    }
    Ok(())
}

/// What a charge point tells the progress of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// FirmwareStatusNotification, SignedFirmwareStatusNotification.
    Firmware,
    /// DiagnosticsStatusNotification.
    Diagnostics,
    /// LogStatusNotification.
    Log,
}

/// Keeps how far it is.
///
/// # Errors
/// Those of the database.
pub async fn keep_progress(
    db: &mut AnyConnection,
    id: String,
    progress: Progress,
    status: String,
    at: i64,
) -> Result<(), StoreError> {
    let sql = match progress {
        Progress::Firmware => "UPDATE charge_points SET firmware_status = $2, firmware_status_at = $3 WHERE id = $1",
        Progress::Diagnostics => {
            "UPDATE charge_points SET diagnostics_status = $2, diagnostics_status_at = $3 WHERE id = $1"
        }
        Progress::Log => "UPDATE charge_points SET log_status = $2, log_status_at = $3 WHERE id = $1",
    };
    sql::query(sql).bind(id).bind(status).bind(at).execute(&mut *db).await?;
    Ok(())
}
