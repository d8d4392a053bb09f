//! Messages on topics of the user's own, and others that say what no model knows: they are kept and shown as they are.

use serde_json::{Value, json};

use super::patience::until_kept;
use crate::app::SharedApp;
use crate::store::StoreError;
use crate::store::devices::Device;
use crate::store::history::{self, Entry, Kind};
use crate::time::now;

/// A message has come. One that comes too soon waits for its time, and so does what the device sends after it.
///
/// Behind a broker all devices share the connection, on which one that waits would hold up the acknowledgements of all others:
/// there it is dropped.
pub(super) async fn receive(app: &SharedApp, device: &Device, topic: &str, payload: &[u8]) {
    let rate = app.config.message_rate;
    if app.config.broker.is_none() {
        app.allowance.turn(device.id, rate).await;
    } else if !app.allowance.may_now(device.id, rate) {
        let content = format!("more than {rate} messages in a second: one on {topic:.128} was dropped");
        return app.note_of("warn", device, content).await;
    }
    let entry = entry_of(topic, payload);
    if let Err(error) = until_kept(app, device, || keep(app, device, &entry)).await {
        tracing::error!(%error, "a message could not be kept");
    }
}

/// One that a broker had kept: it is kept if it is new.
pub(super) async fn receive_retained(
    app: &SharedApp,
    device: &Device,
    topic: &str,
    payload: &[u8],
) -> Result<(), StoreError> {
    let entry = entry_of(topic, payload);
    if history::is_known(&app.store, device.id, &entry).await? {
        return Ok(());
    }
    keep(app, device, &entry).await
}

fn entry_of(topic: &str, payload: &[u8]) -> Entry {
    let data = match std::str::from_utf8(payload) {
        Ok(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        Err(_) => json!({"base64": data_encoding::BASE64.encode(payload)}),
    };
    Entry { kind: Kind::Message, identifier: topic.to_owned(), data, answer: None, time: now(), is_dated: false }
}

async fn keep(app: &SharedApp, device: &Device, entry: &Entry) -> Result<(), StoreError> {
    app.allowance.make_room(app, device, entry.data.to_string().len()).await?;
    history::keep(&app.store, device.id, vec![entry.clone()]).await?;
    app.live.tell(
        "message",
        &device.product_key,
        &device.device_name,
        || json!({"topic": entry.identifier, "data": entry.data}),
    );
    Ok(())
}
