//! Charge points and their connectors.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use utoipa::ToSchema;

use super::columns::{Flag, Json, Time};
use super::select::{Select, containing};
use crate::store::{Store, StoreError, sql};
use crate::time;

const COLUMNS: &str = "SELECT id, boot_policy, accepted, registered, note, protocol, vendor, model, serial_number,
    charge_box_serial_number, firmware_version, iccid, imsi, meter_type, meter_serial_number, extras, booted_at,
    last_seen_at, firmware_status, firmware_status_at, diagnostics_status, diagnostics_status_at, log_status,
    log_status_at, list_version, security_profile, ping_interval, ping_timeout, refused_calls, refused_call,
    refused_call_at,
    CAST(CASE WHEN key_hash IS NULL THEN 0 ELSE 1 END AS BIGINT) AS has_key, created_at FROM charge_points";

/// A charge point as the database knows it.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChargePointRecord {
    /// Identity of its URL.
    pub id: String,
    /// What its BootNotification is answered with; `null`: the server's default.
    #[schema(value_type = Option<BootPolicy>)]
    pub boot_policy: Option<String>,
    /// Whether a BootNotification was ever accepted.
    pub accepted: Flag,
    /// Whether an operator has entered it, or it came by itself.
    pub registered: Flag,
    /// An operator's.
    pub note: Option<String>,
    /// Subprotocol of its latest connection.
    pub protocol: Option<String>,
    /// chargePointVendor of its latest BootNotification, as all that follow.
    pub vendor: Option<String>,
    /// chargePointModel.
    pub model: Option<String>,
    /// chargePointSerialNumber.
    pub serial_number: Option<String>,
    /// chargeBoxSerialNumber.
    pub charge_box_serial_number: Option<String>,
    /// firmwareVersion.
    pub firmware_version: Option<String>,
    /// Of its SIM card.
    pub iccid: Option<String>,
    /// Of its SIM card.
    pub imsi: Option<String>,
    /// meterType.
    pub meter_type: Option<String>,
    /// meterSerialNumber.
    pub meter_serial_number: Option<String>,
    /// What the BootNotification had beyond the schema.
    #[schema(value_type = Option<Object>)]
    pub extras: Option<Json>,
    /// When it last booted.
    pub booted_at: Option<Time>,
    /// When its last message came in.
    pub last_seen_at: Option<Time>,
    /// Of its latest FirmwareStatusNotification.
    pub firmware_status: Option<String>,
    /// When that came in.
    pub firmware_status_at: Option<Time>,
    /// Of its latest DiagnosticsStatusNotification.
    pub diagnostics_status: Option<String>,
    /// When that came in.
    pub diagnostics_status_at: Option<Time>,
    /// Of its latest LogStatusNotification.
    pub log_status: Option<String>,
    /// When that came in.
    pub log_status_at: Option<Time>,
    /// Version of its local list as last sent or reported; -1: not supported.
    pub list_version: Option<i64>,
    /// The lowest security profile it may connect with.
    pub security_profile: i64,
    /// After how many seconds of silence it is sent a ping; `null`: the server's default, 120.
    pub ping_interval: Option<i64>,
    /// How many seconds its answer to a ping may take; `null`: the server's default, 30.
    pub ping_timeout: Option<i64>,
    /// How many of its CALLs were refused for their payload; what they told is lost.
    pub refused_calls: i64,
    /// What was wrong with the latest one.
    pub refused_call: Option<String>,
    /// When that came in.
    pub refused_call_at: Option<Time>,
    /// Whether it has a Basic password.
    pub has_key: Flag,
    /// When it was entered.
    pub created_at: Time,
}

/// What a BootNotification is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BootPolicy {
    /// Accepted.
    Accept,
    /// Pending: it may be configured, and may not charge.
    Pending,
    /// Rejected.
    Reject,
}

impl BootPolicy {
    /// As the database has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Pending => "pending",
            Self::Reject => "reject",
        }
    }

    /// As the database has it.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Accept, Self::Pending, Self::Reject].into_iter().find(|policy| policy.as_str() == text)
    }
}

/// The latest state of a connector; 0 is the charge point as a whole.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorRecord {
    /// Whose.
    #[serde(skip)]
    pub charge_point: String,
    /// Number of the connector.
    pub connector: i64,
    /// Of its latest StatusNotification.
    pub status: String,
    /// Of its latest StatusNotification.
    pub error_code: String,
    /// More about the error.
    pub info: Option<String>,
    /// Whose error codes these are.
    pub vendor_id: Option<String>,
    /// The vendor's error code.
    pub vendor_error_code: Option<String>,
    /// When that was the state.
    pub reported_at: Time,
    /// The transaction that runs on it.
    pub transaction_id: Option<i64>,
}

/// Which charge points are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Any of whose connectors has that status.
    pub status: Option<String>,
    /// With that text in identity, vendor, model, serial number or note.
    pub q: Option<String>,
}

fn selected(filter: &Filter) -> Select {
    Select::all()
        .and_if(
            "EXISTS (SELECT 1 FROM connectors WHERE connectors.charge_point = charge_points.id AND connectors.status = ?)",
            filter.status.clone(),
        )
        .and_if(
            "LOWER(id) LIKE ? ESCAPE '\\' OR LOWER(COALESCE(vendor, '')) LIKE ? ESCAPE '\\'
                OR LOWER(COALESCE(model, '')) LIKE ? ESCAPE '\\' OR LOWER(COALESCE(serial_number, '')) LIKE ? ESCAPE '\\'
                OR LOWER(COALESCE(note, '')) LIKE ? ESCAPE '\\'",
            filter.q.as_deref().map(containing),
        )
}

/// By identity, those after `after`.
///
/// # Errors
/// Those of the database.
pub async fn list(
    store: &Store,
    filter: &Filter,
    after: Option<String>,
    limit: i64,
) -> Result<Vec<ChargePointRecord>, StoreError> {
    selected(filter).and_if("id > ?", after).rows(store.readers(), COLUMNS, "id", limit, 0).await
}

/// How many there are.
///
/// # Errors
/// Those of the database.
pub async fn count(store: &Store, filter: &Filter) -> Result<i64, StoreError> {
    selected(filter).count(store.readers(), "charge_points").await
}

/// The identities of all of them, in order.
///
/// # Errors
/// Those of the database.
pub async fn ids(store: &Store, filter: &Filter) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> =
        selected(filter).rows(store.readers(), "SELECT id FROM charge_points", "id", i64::MAX, 0).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Those with these identities.
///
/// # Errors
/// Those of the database.
pub async fn with_ids(store: &Store, ids: &[String]) -> Result<Vec<ChargePointRecord>, StoreError> {
    Select::all()
        .and_one_of("id", ids.iter().map(String::as_str))
        .rows(store.readers(), COLUMNS, "id", i64::MAX, 0)
        .await
}

/// The one with that identity.
///
/// # Errors
/// Those of the database.
pub async fn get(store: &Store, id: &str) -> Result<Option<ChargePointRecord>, StoreError> {
    let found: Vec<_> = Select::all().and("id = ?", id).rows(store.readers(), COLUMNS, "id", 1, 0).await?;
    Ok(found.into_iter().next())
}

/// The connectors of these charge points.
///
/// # Errors
/// Those of the database.
pub async fn connectors(store: &Store, ids: &[&str]) -> Result<Vec<ConnectorRecord>, StoreError> {
    let what = "SELECT charge_point, connector, status, error_code, info, vendor_id, vendor_error_code, reported_at,
        (SELECT MAX(id) FROM transactions WHERE transactions.charge_point = connectors.charge_point
            AND transactions.connector = connectors.connector AND stopped_at IS NULL) AS transaction_id FROM connectors";
    let order = "charge_point, connector";
    Select::all().and_one_of("charge_point", ids.iter().copied()).rows(store.readers(), what, order, i64::MAX, 0).await
}

/// What an operator sets.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// See [`ChargePointRecord::boot_policy`]; `Some(None)` goes back to the default.
    pub boot_policy: Option<Option<BootPolicy>>,
    /// `Some(None)` takes it away.
    pub note: Option<Option<String>>,
    /// From 0 to 3.
    pub security_profile: Option<i64>,
    /// Seconds; `Some(None)` goes back to the default.
    pub ping_interval: Option<Option<i64>>,
    /// Likewise.
    pub ping_timeout: Option<Option<i64>>,
}

/// Enters one; `false` if it is there already and was entered before. One that came by itself becomes a registered one.
///
/// # Errors
/// Those of the database.
pub async fn enter(db: &mut AnyConnection, id: &str, settings: &Settings) -> Result<bool, StoreError> {
    let sql = "INSERT INTO charge_points (id, registered, created_at) VALUES ($1, 1, $2)
        ON CONFLICT (id) DO UPDATE SET registered = 1 WHERE charge_points.registered = 0";
    let entered = sql::query(sql).bind(id.to_owned()).bind(time::now()).execute(&mut *db).await?.rows_affected() > 0;
    if entered {
        change(db, id, settings).await?;
    }
    Ok(entered)
}

/// What of an operator's settings there was before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// See [`ChargePointRecord::boot_policy`].
    pub boot_policy: Option<BootPolicy>,
    /// The lowest one.
    pub security_profile: i64,
}

/// Boot policy, note, lowest profile; interval and time-out of pings.
type Set = (Option<String>, Option<String>, i64, Option<i64>, Option<i64>);

/// Changes one; `None` if there is none.
///
/// # Errors
/// Those of the database.
pub async fn change(db: &mut AnyConnection, id: &str, settings: &Settings) -> Result<Option<Before>, StoreError> {
    let sql =
        "SELECT boot_policy, note, security_profile, ping_interval, ping_timeout FROM charge_points WHERE id = $1";
    let row: Option<Set> = sql::query_as(sql).bind(id.to_owned()).fetch_optional(&mut *db).await?;
    let Some((policy, note, security_profile, ping_interval, ping_timeout)) = row else { return Ok(None) };
    let boot_policy = policy.as_deref().and_then(BootPolicy::parse);
    let policy = settings.boot_policy.unwrap_or(boot_policy).map(|policy| policy.as_str().to_owned());
    let sql = "UPDATE charge_points SET boot_policy = $1, note = $2, security_profile = $3, ping_interval = $4,
        ping_timeout = $5 WHERE id = $6";
    let query = sql::query(sql)
        .bind(policy)
        .bind(settings.note.clone().unwrap_or(note))
        .bind(settings.security_profile.unwrap_or(security_profile))
        .bind(settings.ping_interval.unwrap_or(ping_interval))
        .bind(settings.ping_timeout.unwrap_or(ping_timeout));
    query.bind(id.to_owned()).execute(&mut *db).await?;
    Ok(Some(Before { boot_policy, security_profile }))
}

/// Takes one out, with what is known of its connectors, configuration and local list; what it did stays. `false` if there
/// is none.
///
/// # Errors
/// Those of the database.
pub async fn remove(db: &mut AnyConnection, id: &str) -> Result<bool, StoreError> {
    for sql in [
        "DELETE FROM connectors WHERE charge_point = $1",
        "DELETE FROM configuration_keys WHERE charge_point = $1",
        "DELETE FROM local_list_entries WHERE charge_point = $1",
    ] {
        sql::query(sql).bind(id.to_owned()).execute(&mut *db).await?;
    }
    let removed = sql::query("DELETE FROM charge_points WHERE id = $1").bind(id.to_owned()).execute(&mut *db).await?;
    Ok(removed.rows_affected() > 0)
}
