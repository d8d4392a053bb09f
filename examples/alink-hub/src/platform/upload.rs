//! Files that devices upload over MQTT: `thing.file.upload.mqtt.init`, `.send` and `.cancel`.
//!
//! The forms are those of the vendor's documents and SDKs; codes other than 200 are ours, as the vendor's are not verified.
//! Names are never names on our disk: bytes are kept under the upload's id, which is random.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use onwire::alink::UploadBlockFrame;
use serde_json::{Value, json};
use tokio::fs::OpenOptions;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::envelope::{Envelope, Reply, member, whole};
use crate::app::SharedApp;
use crate::security::random_text;
use crate::store::devices::Device;
use crate::store::uploads::{self, Begun, Upload};
use crate::store::{Store, StoreError};

/// The largest file, in bytes: 16 MiB, which is the vendor's limit.
const LARGEST: i64 = 16 * 1024 * 1024;

/// The longest name, in bytes.
const LONGEST_NAME: usize = 100;

/// How long an upload that is not complete may rest, in milliseconds: 24 hours, as at the vendor's.
pub(crate) const REST: i64 = 24 * 60 * 60 * 1000;

/// Where the bytes of an upload are. The id is one that was made here.
pub(crate) fn path(data: &Path, id: &str) -> PathBuf {
    data.join("uploads").join(id)
}

/// Letters, digits, `_` and `.`, a letter or a digit first.
fn is_name(name: &str) -> bool {
    let fits = |character: char| character.is_ascii_alphanumeric() || "_.".contains(character);
    (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(fits)
}

/// `{"fileName":"a.log","fileSize":70000,"conflictStrategy":"append"}`.
pub(super) async fn init(app: &SharedApp, device: &Device, params: &Value) -> Result<Reply, StoreError> {
    let name = member(params, "fileName").filter(|name| is_name(name));
    let Some(name) = name.as_deref() else {
        let content = "fileName is no name of up to 100 letters, digits, _ and ., a letter or a digit first";
        return Ok(Reply::error(460, content.to_owned()));
    };
    let size = params.get("fileSize").map_or(Some(-1), whole);
    let Some(size) = size.filter(|size| *size == -1 || (1..=LARGEST).contains(size)) else {
        return Ok(Reply::error(460, format!("fileSize is to be 1 to {LARGEST}, or -1")));
    };
    let known = uploads::find(&app.store, device.id, name).await?;
    match (member(params, "conflictStrategy").as_deref().unwrap_or("overwrite"), known) {
        // Its answer was lost, so that it came again.
        (_, Some(known)) if known.is_complete == 0 && known.received == 0 && known.size == size => {
            return Ok(Reply::ok(json!({"fileName": name, "uploadId": known.id, "offset": 0})));
        }
        ("reject", Some(_)) => return Ok(Reply::error(409, format!("there is a file {name}"))),
        ("append", Some(known)) if known.is_complete != 0 => {
            return Ok(Reply::error(409, format!("{name} is complete")));
        }
        // Of another size it is another file.
        ("append", Some(known)) if known.size == size => {
            let Upload { id, received, .. } = known;
            return Ok(Reply::ok(json!({"fileName": name, "uploadId": id, "offset": received})));
        }
        ("overwrite" | "append" | "reject", _) => {}
        _ => return Ok(Reply::error(460, "conflictStrategy is to be overwrite, append or reject".to_owned())),
    }
    let Ok(id) = random_text() else { return Ok(Reply::error(500, "the platform failed".to_owned())) };
    match uploads::begin(&app.store, device.id, &id, name, size, app.config.upload_quota).await? {
        Begun::New { replaced } => {
            if let Some(replaced) = replaced {
                delete_bytes(app, &replaced).await;
            }
            Ok(Reply::ok(json!({"fileName": name, "uploadId": id, "offset": 0})))
        }
        Begun::Full => {
            app.note_of("warn", device, format!("no room for {name}: the device has as much as it may")).await;
            Ok(Reply::error(413, "no room: files of this device fill what it may have".to_owned()))
        }
    }
}

/// A frame: head, bytes, checksum.
pub(super) async fn send(app: &SharedApp, device: &Device, payload: &[u8]) {
    let (id, answer) = match UploadBlockFrame::parse(payload) {
        Ok(frame) => (frame.id.to_owned(), block(app, device, &frame).await),
        Err(error) => {
            app.note_of("warn", device, format!("a block of a file that is none: {error}")).await;
            let Some(id) = head_id(payload) else { return };
            (id, Ok(Reply::error(460, error.to_string())))
        }
    };
    let answer = answer.unwrap_or_else(|error| {
        tracing::error!(%error, device = device.device_name, "a block of a file could not be kept");
        Reply::error(500, "the platform failed".to_owned())
    });
    let topic = format!("/sys/{}/{}/thing/file/upload/mqtt/send_reply", device.product_key, device.device_name);
    app.link.publish(device, topic, answer.text(&id)).await;
}

/// The id of a request whose bytes are broken.
fn head_id(payload: &[u8]) -> Option<String> {
    let (length, rest) = payload.split_first_chunk()?;
    let head = rest.get(..u16::from_be_bytes(*length).into())?;
    Some(Envelope::read(head)?.id().to_owned())
}

async fn block(app: &SharedApp, device: &Device, frame: &UploadBlockFrame<'_>) -> anyhow::Result<Reply> {
    let (about, length) = (&frame.about, i64::try_from(frame.block.len())?);
    let Some(upload) = uploads::by_id(&app.store, device.id, &about.upload_id).await? else {
        return Ok(Reply::error(404, "there is no such upload".to_owned()));
    };
    let end = about.offset.saturating_add(length);
    let reply = |is_complete: bool| {
        Reply::ok(json!({"uploadId": upload.id, "offset": about.offset, "bSize": length, "complete": is_complete}))
    };
    // The answer was lost, so that it came again.
    if end <= upload.received && (length > 0 || upload.is_complete != 0) {
        return Ok(reply(upload.is_complete != 0));
    }
    if upload.is_complete != 0 {
        return Ok(Reply::error(409, "the file is complete".to_owned()));
    }
    if about.offset > upload.received {
        let gap = Reply::error(460, format!("the next byte is {}", upload.received));
        return Ok(Reply { data: json!({"uploadId": upload.id, "offset": upload.received}), ..gap });
    }
    if upload.size >= 0 && end > upload.size {
        return Ok(Reply::error(460, format!("the file has {} bytes", upload.size)));
    }
    let is_complete = match upload.size {
        -1 => about.is_complete == Some(true),
        size => end == size,
    };
    let is_too_large = end > LARGEST
        || (upload.size < 0
            && uploads::used(&app.store, device.id).await? + (end - upload.received) > app.config.upload_quota);
    if is_too_large || (is_complete && end == 0) {
        remove(app, device, &upload.id, true).await?;
        let why = if is_too_large { "the file is too large" } else { "the file is empty" };
        return Ok(Reply::error(if is_too_large { 413 } else { 460 }, why.to_owned()));
    }
    write(app, &upload.id, about.offset, frame.block, is_complete.then_some(end)).await?;
    if !uploads::advance(&app.store, &upload.id, end, is_complete).await? {
        // It was cancelled or deleted while it was written.
        if !uploads::exists(&app.store, &upload.id).await? {
            delete_bytes(app, &upload.id).await;
        }
        return Ok(Reply::error(404, "there is no such upload".to_owned()));
    }
    app.metrics.uploaded_bytes.inc_by(length.unsigned_abs());
    if is_complete {
        let data = || json!({"name": upload.file_name, "size": end});
        app.live.tell("file", &device.product_key, &device.device_name, data);
    }
    Ok(reply(is_complete))
}

/// Writes bytes, which are on the disk then.
async fn write(app: &SharedApp, id: &str, offset: i64, bytes: &[u8], length: Option<i64>) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path(&app.config.data, id)).await?;
    file.seek(SeekFrom::Start(u64::try_from(offset)?)).await?;
    file.write_all(bytes).await?;
    file.flush().await?;
    // What was written before a crash and never answered may be longer.
    if let Some(length) = length {
        file.set_len(u64::try_from(length)?).await?;
    }
    file.sync_all().await?;
    Ok(())
}

/// `{"uploadId":".."}`.
pub(super) async fn cancel(app: &SharedApp, device: &Device, params: &Value) -> Result<Reply, StoreError> {
    let id = member(params, "uploadId").unwrap_or_default();
    Ok(match remove(app, device, &id, true).await? {
        true => Reply::ok(json!({"uploadId": id})),
        false => Reply::error(404, "there is no such upload that is not complete".to_owned()),
    })
}

/// Deletes an upload; whether there was one.
pub(crate) async fn remove(app: &SharedApp, device: &Device, id: &str, only_open: bool) -> Result<bool, StoreError> {
    let is_gone = uploads::remove(&app.store, device.id, id, only_open).await?;
    if is_gone {
        delete_bytes(app, id).await;
    }
    Ok(is_gone)
}

/// Deletes the bytes of an upload that is forgotten.
pub(crate) async fn delete_bytes(app: &SharedApp, id: &str) {
    // An upload without a block has none.
    drop(tokio::fs::remove_file(path(&app.config.data, id)).await);
}

/// Deletes uploads that rest for too long, and files that are kept for long enough.
///
/// # Errors
/// Those of the database.
pub(crate) async fn delete_old(store: &Store, data: &Path, days: u32) -> Result<(), StoreError> {
    let now = crate::time::now();
    let kept = i64::from(days).saturating_mul(REST);
    let rules = [(false, REST), (true, kept)].into_iter().filter(|(_, age)| *age > 0);
    for (is_complete, age) in rules {
        loop {
            let gone = uploads::remove_old(store, is_complete, now.saturating_sub(age)).await?;
            if gone.is_empty() {
                break;
            }
            for id in gone {
                drop(tokio::fs::remove_file(path(data, &id)).await);
            }
        }
    }
    Ok(())
}

/// Deletes bytes of no upload: a crash came between the database and the disk. Before devices are served.
///
/// # Errors
/// Those of the database and of the disk.
pub(crate) async fn sweep(store: &Store, data: &Path) -> anyhow::Result<()> {
    let mut entries = tokio::fs::read_dir(data.join("uploads")).await?;
    while let Some(entry) = entries.next_entry().await? {
        let is_known = match entry.file_name().to_str() {
            Some(id) => uploads::exists(store, id).await?,
            None => false,
        };
        if !is_known {
            drop(tokio::fs::remove_file(entry.path()).await);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        for name in ["a", "a.log", "2024_01.log", &"a".repeat(100)] {
            assert!(is_name(name), "{name}");
        }
        let long = "a".repeat(101);
        for name in ["", ".", "..", "../a", "a/b", "a\\b", ".hidden", "_a", "a b", "a\0", "ä", "C:a", long.as_str()] {
            assert!(!is_name(name), "{name}");
        }
    }
}
