//! IdTagInfo: what an id tag is worth.

use onwire::ocpp::v16::{AuthorizationStatus, IdTagInfo};
use onwire::types::DateTime;

use crate::app::SharedApp;
use crate::store::StoreError;
use crate::store::id_tags::{self, Verdict};
use crate::time;

/// Judges a tag for Authorize. A tag that charges already is accepted: ConcurrentTx is for StartTransaction only (OCPP 1.6
/// §7.2), and its owner authorizes to stop, too.
///
/// # Errors
/// Those of the database.
pub async fn authorize(app: &SharedApp, id_tag: &str) -> Result<IdTagInfo, StoreError> {
    let mut reader = app.store.readers().acquire().await?;
    let accepts_unknown = app.policy.accepts_unknown_id_tags();
    let verdict = id_tags::judge(&mut reader, id_tag, accepts_unknown, time::now()).await?;
    Ok(info(&verdict))
}

/// As OCPP has it.
pub fn info(verdict: &Verdict) -> IdTagInfo {
    let status = match verdict.status {
        "Accepted" => AuthorizationStatus::Accepted,
        "Blocked" => AuthorizationStatus::Blocked,
        "Expired" => AuthorizationStatus::Expired,
        "ConcurrentTx" => AuthorizationStatus::ConcurrentTx,
        _ => AuthorizationStatus::Invalid,
    };
    let mut info = IdTagInfo::new(status);
    info.expiry_date = verdict.expiry_at.map(DateTime::from_unix_millis);
    info.parent_id_tag = verdict.parent_id_tag.as_deref().map(Into::into);
    info
}
