//! Updates over the air: what devices run, and what they are told to fetch.

use std::borrow::Cow;

use onwire::CallFailure;
use onwire::alink::system::{OtaPackage, OtaUpgradeRequest};
use serde_json::{Value, json};

use super::envelope::{Reply, member, whole};
use crate::app::SharedApp;
use crate::store::devices::Device;
use crate::store::firmware::Firmware;
use crate::store::updates::Update;
use crate::store::{StoreError, firmware, updates};

/// The device itself, where no module is named.
pub(crate) const DEFAULT: &str = "default";

/// The longest name of a module, in bytes, as the REST interface has it. It stands in an index, and PostgreSQL rejects an
/// index entry of more than 2,704 bytes.
const LONGEST_MODULE: usize = 64;

fn module(params: &Value) -> Cow<'_, str> {
    member(params, "module").filter(|module| !module.is_empty()).unwrap_or(Cow::Borrowed(DEFAULT))
}

/// The device tells what it runs: an update to that is done, and one that waits is pushed.
pub(super) async fn inform(app: &SharedApp, device: &Device, params: &Value) {
    let module = module(params);
    if module.len() > LONGEST_MODULE {
        let content = format!("a version report for a module whose name has more than {LONGEST_MODULE} bytes");
        return app.note_of("warn", device, content).await;
    }
    let Some(version) = member(params, "version") else {
        return app.note_of("warn", device, "a version report without a version".to_owned()).await;
    };
    let done = async {
        updates::reported(&app.store, device.id, &module, &version).await?;
        tell(app, device);
        let Some(update) = updates::open(&app.store, device.id, &module).await? else { return Ok(()) };
        // One that is under way on this very connection is not begun again.
        let since = app.link.session(device).map_or(0, |session| session.since);
        if update.pushed_at.is_none_or(|pushed| pushed < since) {
            push(app, device, &update).await?;
        }
        Ok(())
    };
    failed_if(done.await);
}

/// The device tells how far it is, or what has failed.
pub(super) async fn progress(app: &SharedApp, device: &Device, params: &Value) {
    let Some(step) = params.get("step").and_then(whole).filter(|step| (-4..=100).contains(step)) else {
        return app.note_of("warn", device, "progress of an update without a step".to_owned()).await;
    };
    let description = member(params, "desc").unwrap_or_default();
    failed_if(updates::progress(&app.store, device.id, &module(params), step, &description).await);
    tell(app, device);
}

/// The device asks whether there is an update for it.
pub(super) async fn asked(app: &SharedApp, device: &Device, params: &Value) -> Result<Reply, StoreError> {
    let Some((update, file)) = waiting(app, device, &module(params)).await? else {
        return Ok(Reply::ok(json!({})));
    };
    updates::pushed(&app.store, update.id).await?;
    tell(app, device);
    let described = serde_json::to_value(described(app, &update, &file)).unwrap_or_default();
    Ok(Reply::ok(described))
}

/// The same, as old devices ask: the answer is a push.
pub(super) async fn asked_as_of_old(app: &SharedApp, device: &Device, params: &Value) {
    let pushed = async {
        match waiting(app, device, &module(params)).await? {
            Some((update, _)) => push(app, device, &update).await,
            None => Ok(()),
        }
    };
    failed_if(pushed.await);
}

async fn waiting(app: &SharedApp, device: &Device, module: &str) -> Result<Option<(Update, Firmware)>, StoreError> {
    let Some(update) = updates::open(&app.store, device.id, module).await? else { return Ok(None) };
    let file = firmware::find(&app.store, &update.firmware_id).await?;
    Ok(file.map(|file| (update, file)))
}

/// Tells a device to fetch a file, if it is connected.
pub(crate) async fn push(app: &SharedApp, device: &Device, update: &Update) -> Result<(), StoreError> {
    let Some(file) = firmware::find(&app.store, &update.firmware_id).await? else { return Ok(()) };
    let session = app.link.session(device);
    let sent = session.map(|session| session.peer.send(OtaUpgradeRequest::from(described(app, update, &file))));
    match sent {
        Some(Ok(())) => updates::pushed(&app.store, update.id).await?,
        // It is told when it comes back.
        Some(Err(CallFailure::NotSent)) | None => {}
        Some(Err(error)) => app.note_of("warn", device, format!("not told of an update: {error}")).await,
    }
    tell(app, device);
    Ok(())
}

/// What a device is told of a file. `signMethod` is spelled as the SDKs compare it.
fn described(app: &SharedApp, update: &Update, file: &Firmware) -> OtaPackage {
    let described = OtaPackage {
        size: Some(file.size),
        version: Some(file.version.as_str().into()),
        is_diff: Some(0),
        md5: Some(file.md5.as_str().into()),
        sign: Some(file.sha256.as_str().into()),
        sign_method: Some("SHA256".into()),
        module: Some(file.module.as_str().into()),
        ..OtaPackage::default()
    };
    if update.protocol == "mqtt" {
        return OtaPackage {
            d_protocol: Some("mqtt".into()),
            stream_id: Some(update.id),
            stream_file_id: Some(super::block::FILE),
            ..described
        };
    }
    let url = format!("{}/files/firmware/{}/{}", app.public_url, file.id, file.file_name);
    OtaPackage { url: Some(url.into()), ..described }
}

fn tell(app: &SharedApp, device: &Device) {
    app.live.tell("update", &device.product_key, &device.device_name, || json!({}));
}

fn failed_if(result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::error!(%error, "the database failed");
    }
}
