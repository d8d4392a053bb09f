//! UpdateFirmware, SignedUpdateFirmware, GetDiagnostics, GetLog: each with a request of its own in its URL.
//!
//! Whoever orders waits for the charge point's answer. If it refuses, or certainly has not got the order, nothing is left of
//! it. If it may have got it (no answer in time, the connection ended), the request holds: the charge point may come.

use std::time::Duration;

use http::StatusCode;
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use serde::{Deserialize, Serialize};

use super::catalogue::{self, Entry};
use super::location::NoLocation;
use super::request::{self, Credentials, Purpose, Transport, random_id};
use crate::api::problem::Problem;
use crate::api::v1::charge_points::known;
use crate::app::SharedApp;
use crate::ocpp::commands::{self, CommandError};
use crate::security::access::Actor;
use crate::store::next_number;
use crate::store::records::columns::Time;
use crate::time::now;

/// What to tell a charge point to install.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateFirmwareOrder {
    /// Id of the firmware.
    pub file_id: String,
    /// How it travels.
    #[serde(default)]
    pub transport: Transport,
    /// Not before; now if it is missing.
    pub retrieve_date: Option<Time>,
    /// Of a signed order only: when to install.
    pub install_date: Option<Time>,
    /// How often the charge point tries to download.
    pub retries: Option<u32>,
    /// Seconds between that.
    pub retry_interval: Option<u32>,
    /// Whether to send SignedUpdateFirmware.
    #[serde(default)]
    pub signed: bool,
    /// The maker's signature of the image in Base64; without it the server signs.
    pub signature: Option<String>,
    /// The certificate of whoever made `signature`, in PEM.
    pub signing_certificate: Option<String>,
    /// Seconds that the download is allowed for from `retrieveDate` on, instead of the server's setting.
    pub valid_seconds: Option<u32>,
}

/// Which diagnostics to ask for.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetDiagnosticsOrder {
    /// How they travel.
    #[serde(default)]
    pub transport: Transport,
    /// From then on.
    pub start_time: Option<Time>,
    /// Up to then.
    pub stop_time: Option<Time>,
    /// How often the charge point tries to upload.
    pub retries: Option<u32>,
    /// Seconds between that.
    pub retry_interval: Option<u32>,
    /// Seconds that the upload is allowed for, instead of the server's setting.
    pub valid_seconds: Option<u32>,
}

/// Which log to ask for.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetLogOrder {
    /// Which.
    pub log_type: LogType,
    /// How it travels.
    #[serde(default)]
    pub transport: Transport,
    /// From then on.
    pub oldest_timestamp: Option<Time>,
    /// Up to then.
    pub latest_timestamp: Option<Time>,
    /// How often the charge point tries to upload.
    pub retries: Option<u32>,
    /// Seconds between that.
    pub retry_interval: Option<u32>,
    /// Seconds that the upload is allowed for, instead of the server's setting.
    pub valid_seconds: Option<u32>,
}

/// Logs that a charge point has.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
pub enum LogType {
    /// Of the charge point's working.
    DiagnosticsLog,
    /// Of its security events.
    SecurityLog,
}

impl From<LogType> for LogEnumType {
    fn from(log: LogType) -> Self {
        match log {
            LogType::DiagnosticsLog => Self::DiagnosticsLog,
            LogType::SecurityLog => Self::SecurityLog,
        }
    }
}

/// What became of an order.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ordered {
    /// The file; `null` if the charge point sends none.
    pub file_id: Option<String>,
    /// Its name, if the charge point has told.
    pub file_name: Option<String>,
    /// What the charge point answered, where its answer has a status.
    pub status: Option<String>,
    /// The number in its notifications, where they have one.
    pub request_id: Option<i64>,
    /// Until when the charge point may come.
    pub expires_at: Time,
}

/// Tells a charge point to install firmware.
///
/// # Errors
/// There is no such firmware, no way to sign it or to reach the charge point; what the charge point fails with.
pub async fn update_firmware(
    app: &SharedApp,
    actor: &Actor,
    charge_point: &str,
    order: UpdateFirmwareOrder,
    timeout: Duration,
) -> Result<Ordered, Problem> {
    let file = catalogue::find(&app.store, &order.file_id).await?;
    let Some(file) = file.filter(|file| file.kind == "firmware") else {
        return Err(Problem::invalid_payload("/fileId", "there is no such firmware"));
    };
    check(app, charge_point, order.transport).await?;
    let signature = if order.signed { Some(signature(app, &file, &order).await?) } else { None };
    let retrieve_date = order.retrieve_date.map_or_else(DateTime::now, DateTime::from);
    let expires_at = expiry(app, retrieve_date.unix_millis().max(now()), order.valid_seconds);
    let (id, whose, how) = (file.id.clone(), charge_point.to_owned(), (Purpose::Download, order.transport));
    let is_signed = order.signed;
    let allow = app.store.write(move |db| {
        Box::pin(async move {
            let number = if is_signed { Some(next_number(db, "file_request").await?) } else { None };
            Ok((request::allow(db, &id, &whose, how, expires_at).await?, number))
        })
    });
    let (credentials, number) = allow.await?;
    let location = app.files.locations.url(order.transport, &credentials, &file.name)?;
    let status = match (number, signature) {
        (Some(number), Some((signature, certificate))) => {
            let mut firmware = FirmwareType::new(location, retrieve_date, certificate, signature);
            firmware.install_date_time = order.install_date.map(DateTime::from);
            let mut message = SignedUpdateFirmwareRequest::new(number, firmware);
            (message.retries, message.retry_interval) =
                (order.retries.map(i64::from), order.retry_interval.map(i64::from));
            commands::call(app, actor, charge_point, &message, timeout)
                .await
                .map(|answer| Some(answer.status.as_str().to_owned()))
        }
        _ => {
            let mut message = UpdateFirmwareRequest::new(location, retrieve_date);
            (message.retries, message.retry_interval) =
                (order.retries.map(i64::from), order.retry_interval.map(i64::from));
            commands::call(app, actor, charge_point, &message, timeout).await.map(|_| None)
        }
    };
    let is_refused = matches!(&status, Ok(Some(status)) if !status.starts_with("Accepted"));
    if is_refused || matches!(&status, Err(failure) if !failure.may_have_acted()) {
        request::revoke(&app.store, &credentials.id).await?;
    }
    Ok(Ordered {
        file_id: Some(file.id),
        file_name: Some(file.name),
        status: status?,
        request_id: number,
        expires_at: Time(credentials.expires_at),
    })
}

/// Asks a charge point for its diagnostics.
///
/// # Errors
/// No way to reach the charge point; what it fails with.
pub async fn get_diagnostics(
    app: &SharedApp,
    actor: &Actor,
    charge_point: &str,
    order: GetDiagnosticsOrder,
    timeout: Duration,
) -> Result<Ordered, Problem> {
    check(app, charge_point, order.transport).await?;
    let expires_at = expiry(app, now(), order.valid_seconds);
    let (file, credentials, _) = expect(app, charge_point, "diagnostics", order.transport, expires_at).await?;
    let location = app.files.locations.url(order.transport, &credentials, "")?;
    let mut message = GetDiagnosticsRequest::new(location);
    message.start_time = order.start_time.map(DateTime::from);
    message.stop_time = order.stop_time.map(DateTime::from);
    (message.retries, message.retry_interval) = (order.retries.map(i64::from), order.retry_interval.map(i64::from));
    let answer = commands::call(app, actor, charge_point, &message, timeout).await;
    let answer = kept(app, &file, answer).await?;
    let file_name = answer.file_name.map(|name| name.as_str().to_owned());
    uploads(app, file, file_name, credentials, None, None).await
}

/// Asks a charge point for a log.
///
/// # Errors
/// No way to reach the charge point; what it fails with.
pub async fn get_log(
    app: &SharedApp,
    actor: &Actor,
    charge_point: &str,
    order: GetLogOrder,
    timeout: Duration,
) -> Result<Ordered, Problem> {
    check(app, charge_point, order.transport).await?;
    let expires_at = expiry(app, now(), order.valid_seconds);
    let (file, credentials, number) = expect(app, charge_point, "log", order.transport, expires_at).await?;
    let mut log = LogParametersType::new(app.files.locations.url(order.transport, &credentials, "")?);
    log.oldest_timestamp = order.oldest_timestamp.map(DateTime::from);
    log.latest_timestamp = order.latest_timestamp.map(DateTime::from);
    let mut message = GetLogRequest::new(order.log_type.into(), number, log);
    (message.retries, message.retry_interval) = (order.retries.map(i64::from), order.retry_interval.map(i64::from));
    let answer = commands::call(app, actor, charge_point, &message, timeout).await;
    let answer = kept(app, &file, answer).await?;
    let status = answer.status.as_str().to_owned();
    let file_name = answer.filename.map(|name| name.as_str().to_owned());
    uploads(app, file, file_name, credentials, Some(status), Some(number)).await
}

/// Refuses early what cannot succeed.
async fn check(app: &SharedApp, charge_point: &str, transport: Transport) -> Result<(), Problem> {
    app.files.locations.check(transport)?;
    known(app, charge_point).await?;
    if app.peers.get(charge_point).is_none() { Err(CommandError::Offline.into()) } else { Ok(()) }
}

fn expiry(app: &SharedApp, from: i64, seconds: Option<u32>) -> i64 {
    from.saturating_add(seconds.map_or(app.config.files.request_life, |seconds| i64::from(seconds) * 1000))
}

/// A file that the charge point may upload, and the number of the request.
async fn expect(
    app: &SharedApp,
    charge_point: &str,
    kind: &'static str,
    transport: Transport,
    expires_at: i64,
) -> Result<(String, Credentials, i64), Problem> {
    let (id, charge_point) = (random_id(), charge_point.to_owned());
    let expect = app.store.write(move |db| {
        Box::pin(async move {
            catalogue::expect(db, &id, kind, &charge_point).await?;
            let how = (Purpose::Upload, transport);
            let credentials = request::allow(db, &id, &charge_point, how, expires_at).await?;
            Ok((id, credentials, next_number(db, "file_request").await?))
        })
    });
    Ok(expect.await?)
}

/// The answer; without one, the file is forgotten unless the charge point may send it all the same.
async fn kept<T>(app: &SharedApp, file: &str, answer: Result<T, CommandError>) -> Result<T, Problem> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(failure) => {
            if !failure.may_have_acted() {
                catalogue::forget(&app.store, file).await?;
            }
            Err(failure.into())
        }
    }
}

/// The charge point has answered. Without a name it has nothing to upload, says OCPP; some upload all the same, so that the
/// request holds unless it is refused by a status.
async fn uploads(
    app: &SharedApp,
    file: String,
    file_name: Option<String>,
    credentials: Credentials,
    status: Option<String>,
    request_id: Option<i64>,
) -> Result<Ordered, Problem> {
    let is_refused = status.as_ref().is_some_and(|status| !status.starts_with("Accepted"));
    if is_refused {
        catalogue::forget(&app.store, &file).await?;
    } else if let Some(name) = &file_name {
        catalogue::name(&app.store, &file, name).await?;
    }
    let file_id = (!is_refused).then_some(file);
    Ok(Ordered { file_id, file_name, status, request_id, expires_at: Time(credentials.expires_at) })
}

/// Signature and certificate: those that the order brings, or the server's own.
async fn signature(app: &SharedApp, file: &Entry, order: &UpdateFirmwareOrder) -> Result<(String, String), Problem> {
    let conflict = |detail: &str| Problem::new(StatusCode::CONFLICT, "conflict", detail);
    match (&order.signature, &order.signing_certificate) {
        (Some(signature), Some(certificate)) => return Ok((signature.clone(), certificate.clone())),
        (None, None) => {}
        _ => return Err(conflict("signature and signingCertificate go together")),
    }
    let Some(signer) = app.files.signer.clone() else {
        return Err(conflict("the server has no key to sign with: set --firmware-signing-key, or send a signature"));
    };
    let (path, certificate) = (app.files.shelf.path(&file.id), signer.certificate.clone());
    let sign = move || std::fs::read(path).map_err(anyhow::Error::from).and_then(|image| signer.sign(&image));
    let signed = tokio::task::spawn_blocking(sign).await.map_err(anyhow::Error::from).flatten();
    signed.map(|signature| (signature, certificate)).map_err(|error| {
        tracing::error!(%error, "firmware cannot be signed");
        conflict("the firmware cannot be signed; the log says why")
    })
}

impl From<NoLocation> for Problem {
    fn from(error: NoLocation) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", error.to_string())
    }
}
