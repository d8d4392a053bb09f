//! UpdateFirmware, SignedUpdateFirmware, GetDiagnostics, GetLog: each with a request of its own in its URL.
//!
//! Whoever orders waits for the charge point's answer. If it refuses, or certainly has not got the order, nothing is left of
//! it. If it may have got it (no answer in time, the connection ended), the request holds: the charge point may come.

use std::time::Duration;

use http::StatusCode;
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use onwire::{CallFailure, ErrorCode, Request as OcppRequest};
use serde::{Deserialize, Serialize};

use super::catalogue::{self, Entry};
use super::location::NoLocation;
use super::request::{self, Credentials, Purpose, Transport, random_id};
use crate::api::problem::Problem;
use crate::app::SharedApp;
use crate::store::next_number;
use crate::time::{now, text};

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
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retrieve_date: Option<DateTime>,
    /// Of a signed order only: when to install.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub install_date: Option<DateTime>,
    /// How often the charge point tries to download.
    pub retries: Option<i64>,
    /// Seconds between that.
    pub retry_interval: Option<i64>,
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
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start_time: Option<DateTime>,
    /// Up to then.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub stop_time: Option<DateTime>,
    /// How often the charge point tries to upload.
    pub retries: Option<i64>,
    /// Seconds between that.
    pub retry_interval: Option<i64>,
    /// Seconds that the upload is allowed for, instead of the server's setting.
    pub valid_seconds: Option<u32>,
}

/// Which log to ask for.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetLogOrder {
    /// `DiagnosticsLog` or `SecurityLog`.
    #[schema(value_type = String)]
    pub log_type: LogEnumType,
    /// How it travels.
    #[serde(default)]
    pub transport: Transport,
    /// From then on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest_timestamp: Option<DateTime>,
    /// Up to then.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub latest_timestamp: Option<DateTime>,
    /// How often the charge point tries to upload.
    pub retries: Option<i64>,
    /// Seconds between that.
    pub retry_interval: Option<i64>,
    /// Seconds that the upload is allowed for, instead of the server's setting.
    pub valid_seconds: Option<u32>,
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
    pub expires_at: String,
}

/// Tells a charge point to install firmware.
///
/// # Errors
/// There is no such firmware, no way to sign it or to reach the charge point; what the charge point fails with.
pub async fn update_firmware(
    app: &SharedApp,
    charge_point: &str,
    order: UpdateFirmwareOrder,
    timeout: Duration,
) -> Result<Ordered, Problem> {
    let file = catalogue::find(&app.store, &order.file_id).await?;
    let file =
        file.filter(|file| file.kind == "firmware").ok_or_else(|| Problem::not_found("there is no such firmware"))?;
    check(app, charge_point, order.transport).await?;
    let signature = if order.signed { Some(signature(app, &file, &order).await?) } else { None };
    let retrieve_date = order.retrieve_date.unwrap_or_else(DateTime::now);
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
            firmware.install_date_time = order.install_date;
            let mut message = SignedUpdateFirmwareRequest::new(number, firmware);
            (message.retries, message.retry_interval) = (order.retries, order.retry_interval);
            call(app, charge_point, message, timeout).await.map(|answer| Some(answer.status.as_str().to_owned()))
        }
        _ => {
            let mut message = UpdateFirmwareRequest::new(location, retrieve_date);
            (message.retries, message.retry_interval) = (order.retries, order.retry_interval);
            call(app, charge_point, message, timeout).await.map(|_| None)
        }
    };
    let is_refused = matches!(&status, Ok(Some(status)) if !status.starts_with("Accepted"));
    if is_refused || matches!(&status, Err(failure) if !failure.may_have_arrived) {
        request::revoke(&app.store, &credentials.id).await?;
    }
    Ok(Ordered {
        file_id: Some(file.id),
        file_name: Some(file.name),
        status: status.map_err(|failure| failure.problem)?,
        request_id: number,
        expires_at: text(credentials.expires_at),
    })
}

/// Asks a charge point for its diagnostics.
///
/// # Errors
/// No way to reach the charge point; what it fails with.
pub async fn get_diagnostics(
    app: &SharedApp,
    charge_point: &str,
    order: GetDiagnosticsOrder,
    timeout: Duration,
) -> Result<Ordered, Problem> {
    check(app, charge_point, order.transport).await?;
    let expires_at = expiry(app, now(), order.valid_seconds);
    let (file, credentials, _) = expect(app, charge_point, "diagnostics", order.transport, expires_at).await?;
    let location = app.files.locations.url(order.transport, &credentials, "")?;
    let mut message = GetDiagnosticsRequest::new(location);
    (message.start_time, message.stop_time) = (order.start_time, order.stop_time);
    (message.retries, message.retry_interval) = (order.retries, order.retry_interval);
    let answer = call(app, charge_point, message, timeout).await;
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
    charge_point: &str,
    order: GetLogOrder,
    timeout: Duration,
) -> Result<Ordered, Problem> {
    check(app, charge_point, order.transport).await?;
    let expires_at = expiry(app, now(), order.valid_seconds);
    let (file, credentials, number) = expect(app, charge_point, "log", order.transport, expires_at).await?;
    let mut log = LogParametersType::new(app.files.locations.url(order.transport, &credentials, "")?);
    (log.oldest_timestamp, log.latest_timestamp) = (order.oldest_timestamp, order.latest_timestamp);
    let mut message = GetLogRequest::new(order.log_type, number, log);
    (message.retries, message.retry_interval) = (order.retries, order.retry_interval);
    let answer = call(app, charge_point, message, timeout).await;
    let answer = kept(app, &file, answer).await?;
    let status = answer.status.as_str().to_owned();
    let file_name = answer.filename.map(|name| name.as_str().to_owned());
    uploads(app, file, file_name, credentials, Some(status), Some(number)).await
}

/// Refuses early what cannot succeed.
async fn check(app: &SharedApp, charge_point: &str, transport: Transport) -> Result<(), Problem> {
    app.files.locations.check(transport)?;
    if app.peers.get(charge_point).is_none() { Err(offline()) } else { Ok(()) }
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
async fn kept<T>(app: &SharedApp, file: &str, answer: Result<T, Failure>) -> Result<T, Problem> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(failure) => {
            if !failure.may_have_arrived {
                catalogue::forget(&app.store, file).await?;
            }
            Err(failure.problem)
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
    Ok(Ordered { file_id, file_name, status, request_id, expires_at: text(credentials.expires_at) })
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

/// A call that failed.
struct Failure {
    problem: Problem,
    may_have_arrived: bool,
}

/// Calls the charge point.
async fn call<R: OcppRequest>(
    app: &SharedApp,
    charge_point: &str,
    request: R,
    timeout: Duration,
) -> Result<R::Response, Failure> {
    let Some(peer) = app.peers.get(charge_point) else {
        return Err(Failure { problem: offline(), may_have_arrived: false });
    };
    peer.call(request).timeout(timeout).await.map_err(Failure::from)
}

fn offline() -> Problem {
    Problem::new(StatusCode::CONFLICT, "offline", "the charge point is not connected")
}

impl From<CallFailure> for Failure {
    fn from(failure: CallFailure) -> Self {
        let (status, kind) = match &failure {
            CallFailure::Unsendable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalidPayload"),
            CallFailure::QueueFull => (StatusCode::SERVICE_UNAVAILABLE, "queueFull"),
            CallFailure::Timeout => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            CallFailure::Refused(_) => (StatusCode::BAD_GATEWAY, "callError"),
            CallFailure::InvalidResponse(_) => (StatusCode::BAD_GATEWAY, "invalidResponse"),
            CallFailure::NotSent | CallFailure::ShuttingDown => (StatusCode::CONFLICT, "notSent"),
            _ => (StatusCode::CONFLICT, "offline"),
        };
        let may_have_arrived = matches!(
            failure,
            CallFailure::Timeout | CallFailure::Disconnected | CallFailure::Replaced | CallFailure::InvalidResponse(_)
        );
        let mut problem = Problem::new(status, kind, failure.to_string());
        match failure {
            CallFailure::Refused(error) => {
                problem.code = Some(code_name(&error.code).into());
                problem.description = Some((*error.description).into());
                problem.details = error.details.and_then(|details| serde_json::from_str(details.as_str()).ok());
            }
            CallFailure::Unsendable(error) => problem.pointer = Some(error.pointer.into()),
            _ => {}
        }
        Self { problem, may_have_arrived }
    }
}

fn code_name(code: &ErrorCode) -> String {
    match code {
        ErrorCode::Other(code) => code.to_string(),
        code => format!("{code:?}"),
    }
}
