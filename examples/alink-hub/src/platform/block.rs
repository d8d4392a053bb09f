//! Blocks of an update's file over MQTT: `thing.file.download`.
//!
//! The frame is that which an SDK of the vendor's reads, and this project's devices; it is not verified against the cloud. Codes
//! other than 200 are ours.

use std::io::SeekFrom;

use onwire::alink::system::FileDownloadResponse;
use onwire::alink::{DeviceRef, FileBlockFrame, Topic};
use onwire::{CallError, ErrorCode};
use serde_json::Value;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::envelope::{Envelope, whole};
use crate::app::SharedApp;
use crate::store::devices::Device;
use crate::store::updates;

/// The largest block, in bytes. SDKs ask for 5,120; a packet has room for four times as much as this.
const LARGEST: i64 = 64 * 1024;

/// The one file of a stream.
pub(super) const FILE: i64 = 1;

/// A device asks for a block of what it was told to fetch.
pub(super) async fn asked(app: &SharedApp, device: &Device, payload: &[u8]) {
    let Some(envelope) = Envelope::read(payload) else {
        let content = format!("a request of {} bytes for a block that is no Alink", payload.len());
        return app.note_of("warn", device, content).await;
    };
    let frame = match read(app, device, &envelope.params).await {
        Ok(Ok((about, block))) => {
            app.metrics.file_blocks.inc();
            FileBlockFrame { id: envelope.id(), about, block: &block }.to_bytes().map_err(anyhow::Error::from)
        }
        Ok(Err((code, why))) => {
            app.note_of("warn", device, format!("no block of a file: {why}")).await;
            Ok(refusal(envelope.id(), code, why))
        }
        Err(error) => Err(error),
    };
    let frame = frame.unwrap_or_else(|error| {
        tracing::error!(%error, device = device.device_name, "a block of a file could not be read");
        refusal(envelope.id(), 500, "the platform failed")
    });
    let of = DeviceRef { product_key: &device.product_key, device_name: &device.device_name };
    let topic = Topic::ThingReply { device: of, path: "file/download" };
    app.link.publish(device, topic.to_string(), frame).await;
}

fn refusal(id: &str, code: u16, why: &str) -> Vec<u8> {
    FileBlockFrame::refused(id, &CallError::new(ErrorCode::Other(code.to_string().into()), why.to_owned()))
}

type Block = (FileDownloadResponse, Vec<u8>);

/// The block, or code and reason.
async fn read(app: &SharedApp, device: &Device, params: &Value) -> anyhow::Result<Result<Block, (u16, &'static str)>> {
    let number = |pointer: &str| params.pointer(pointer).and_then(whole);
    let (Some(stream), Some(file)) = (number("/fileInfo/streamId"), number("/fileInfo/fileId")) else {
        return Ok(Err((460, "fileInfo does not say which file")));
    };
    let (Some(size @ 1..=LARGEST), Some(offset @ 0..)) = (number("/fileBlock/size"), number("/fileBlock/offset"))
    else {
        return Ok(Err((460, "fileBlock is to have a size of 1 to 65536 and an offset")));
    };
    let offered = updates::streamed(&app.store, device.id, stream).await?.filter(|_| file == FILE);
    let Some((id, length)) = offered else {
        return Ok(Err((404, "no such file is offered to this device")));
    };
    if offset >= length {
        return Ok(Err((460, "the offset is behind the file's end")));
    }
    let size = size.min(length - offset);
    let mut file = File::open(crate::api::firmware_path(app, &id)).await?;
    file.seek(SeekFrom::Start(u64::try_from(offset)?)).await?;
    let mut block = vec![0; usize::try_from(size)?];
    file.read_exact(&mut block).await?;
    let mut about = FileDownloadResponse::new(size, offset);
    about.file_length = Some(length);
    Ok(Ok((about, block)))
}
