//! BootNotification: who may begin, and what is asked of those who may.

use std::sync::Arc;
use std::time::Duration;

use onwire::ocpp::v16::*;
use onwire::types::{DateTime, RawJson};
use onwire::{ActionEntry, CallFailure, ErrorCode, Peer};
use serde_json::{Map, Value, json};
use tracing::{debug, info, warn};

use super::configuration::{self, Told};
use crate::app::SharedApp;
use crate::store::charge_points::{self, Boot, Registration};
use crate::store::records::charge_points::BootPolicy;
use crate::store::records::local_list;
use crate::store::{Store, StoreError};
use crate::time;

/// Seconds until a charge point that has to wait asks again, unless heartbeats are more frequent.
const RETRY_INTERVAL: u32 = 60;

/// How long the charge point may take over each question after its boot. Commands of operators wait so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The properties of BootNotification that OCPP 1.6 knows.
const KNOWN: [&str; 9] = [
    "chargePointVendor",
    "chargePointModel",
    "chargePointSerialNumber",
    "chargeBoxSerialNumber",
    "firmwareVersion",
    "iccid",
    "imsi",
    "meterType",
    "meterSerialNumber",
];

/// What is decided for the charge point itself comes first; then those who were entered or accepted before are accepted;
/// then the server's switch for unknown charge points decides.
pub(super) fn policy(registration: Option<&Registration>, accepts_unknown: bool) -> BootPolicy {
    let Some(registration) = registration else {
        return if accepts_unknown { BootPolicy::Accept } else { BootPolicy::Reject };
    };
    let is_known = registration.is_registered() || registration.is_accepted() || accepts_unknown;
    registration.boot_policy().unwrap_or(if is_known { BootPolicy::Accept } else { BootPolicy::Reject })
}

/// Whether a boot of that charge point would be accepted.
pub(super) fn accepts(registration: &Registration, app: &SharedApp) -> bool {
    policy(Some(registration), app.policy.accepts_unknown_charge_points()) == BootPolicy::Accept
}

/// What a BootNotification has beyond the schema, as a JSON object.
fn extras(payload: &str) -> Option<String> {
    let mut properties: Map<String, Value> = serde_json::from_str(payload).ok()?;
    properties.retain(|name, _| !KNOWN.contains(&name.as_str()));
    (!properties.is_empty()).then(|| Value::Object(properties).to_string())
}

/// Answers a BootNotification, and keeps what it says.
///
/// # Errors
/// Those of the database.
pub async fn answer(
    app: &SharedApp,
    peer: &Peer,
    req: BootNotificationRequest,
    payload: &str,
) -> Result<BootNotificationResponse, StoreError> {
    let identity = peer.identity();
    let registration = charge_points::registration(app.store.readers(), identity).await?;
    debug!(identity, is_known = registration.is_some(), "a boot is decided");
    let policy = match policy(registration.as_ref(), app.policy.accepts_unknown_charge_points()) {
        // Strangers that are turned away leave nothing here.
        BootPolicy::Reject if registration.is_none() => BootPolicy::Reject,
        _ => keep(app, peer, &req, payload).await?,
    };
    let heartbeat = app.config.heartbeat_interval;
    let status = status(policy);
    let interval = if policy == BootPolicy::Accept { heartbeat } else { heartbeat.min(RETRY_INTERVAL) };
    let (vendor, model, firmware) = (&req.charge_point_vendor, &req.charge_point_model, &req.firmware_version);
    info!(identity, %status, %vendor, %model, ?firmware, "boot");
    app.events.tell("booted", identity, || {
        json!({"chargePoint": identity, "status": status.as_str(), "vendor": &**vendor, "model": &**model,
            "firmwareVersion": firmware.as_deref(), "at": time::text(time::now())})
    });
    Ok(BootNotificationResponse::new(status, DateTime::now(), i64::from(interval)))
}

fn status(policy: BootPolicy) -> RegistrationStatus {
    match policy {
        BootPolicy::Accept => RegistrationStatus::Accepted,
        BootPolicy::Pending => RegistrationStatus::Pending,
        BootPolicy::Reject => RegistrationStatus::Rejected,
    }
}

/// Keeps what a BootNotification says, and what it is answered with. Decided within the write: an operator may have removed
/// the charge point, or decided otherwise, since it was looked up, and what is kept here opens later connections.
async fn keep(
    app: &SharedApp,
    peer: &Peer,
    req: &BootNotificationRequest,
    payload: &str,
) -> Result<BootPolicy, StoreError> {
    let mut boot = Boot {
        charge_point: peer.identity().to_owned(),
        status: String::new(),
        protocol: super::protocol(app, peer).to_owned(),
        vendor: req.charge_point_vendor.to_string(),
        model: req.charge_point_model.to_string(),
        serial_number: req.charge_point_serial_number.as_deref().map(str::to_owned),
        charge_box_serial_number: req.charge_box_serial_number.as_deref().map(str::to_owned),
        firmware_version: req.firmware_version.as_deref().map(str::to_owned),
        iccid: req.iccid.as_deref().map(str::to_owned),
        imsi: req.imsi.as_deref().map(str::to_owned),
        meter_type: req.meter_type.as_deref().map(str::to_owned),
        meter_serial_number: req.meter_serial_number.as_deref().map(str::to_owned),
        extras: extras(payload),
        at: time::now(),
    };
    let shared = Arc::clone(app);
    let write = app.store.write(move |db| {
        Box::pin(async move {
            let registration = charge_points::registration(&mut *db, &boot.charge_point).await?;
            let policy = policy(registration.as_ref(), shared.policy.accepts_unknown_charge_points());
            if registration.is_some() || policy != BootPolicy::Reject {
                boot.status = status(policy).as_str().to_owned();
                charge_points::keep_boot(db, boot).await?;
            }
            Ok(policy)
        })
    });
    write.await
}

/// Asks an accepted charge point for its configuration and the version of its local list. What it refuses stays unknown.
pub async fn ask(app: &SharedApp, peer: &Peer) {
    match configuration(peer).await {
        Ok(told) => logged(peer, keep_configuration(&app.store, peer.identity(), told).await),
        Err(failure) => debug!(identity = peer.identity(), %failure, "no configuration"),
    }
    let version = match peer.call(GetLocalListVersionRequest::new()).timeout(PATIENCE).await {
        Ok(answer) => Some(answer.list_version),
        Err(failure) if is_unsupported(&failure) => Some(-1),
        Err(failure) => {
            debug!(identity = peer.identity(), %failure, "no version of the local list");
            None
        }
    };
    if let Some(version) = version {
        let identity = peer.identity().to_owned();
        let write =
            app.store.write(move |db| Box::pin(async move { local_list::reported(db, &identity, version).await }));
        logged(peer, write.await);
    }
    app.events.tell(
        "configuration",
        peer.identity(),
        || json!({"chargePoint": peer.identity(), "listVersion": version}),
    );
}

/// All keys. The answer is judged here, a key at a time.
async fn configuration(peer: &Peer) -> Result<Told, CallFailure> {
    let action = ActionEntry::find(ACTIONS, "GetConfiguration").ok_or(CallFailure::Unsupported)?;
    let all = RawJson::new("{}").map_err(CallFailure::InvalidResponse)?;
    let answer = peer.call_unjudged(action, &all).timeout(PATIENCE).await?;
    configuration::read(&answer).map_err(CallFailure::InvalidResponse)
}

fn is_unsupported(failure: &CallFailure) -> bool {
    let CallFailure::Refused(error) = failure else { return false };
    matches!(error.code, ErrorCode::NotImplemented | ErrorCode::NotSupported)
}

fn logged(peer: &Peer, kept: Result<(), StoreError>) {
    if let Err(error) = kept {
        warn!(identity = peer.identity(), %error, "what it told after its boot was not kept");
    }
}

/// Keeps the answer to a GetConfiguration for all keys: others are gone.
async fn keep_configuration(store: &Store, charge_point: &str, told: Told) -> Result<(), StoreError> {
    let charge_point = charge_point.to_owned();
    let write =
        store.write(move |db| Box::pin(async move { configuration::keep(db, &charge_point, told, true).await }));
    write.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_are_what_the_schema_does_not_know() {
        let payload =
            r#"{"chargePointVendor":"V","chargePointModel":"M","iccid":"","customData":{"moduleVersion":"1"},"x":1}"#;
        assert_eq!(extras(payload).as_deref(), Some(r#"{"customData":{"moduleVersion":"1"},"x":1}"#));
        assert_eq!(extras(r#"{"chargePointVendor":"V","chargePointModel":"M"}"#), None);
    }
}
