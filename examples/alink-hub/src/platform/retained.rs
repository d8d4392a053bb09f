//! What a broker has kept of devices (RETAIN), and hands over each time the hub connects.
//!
//! Such a message was said at an unknown time before, and was perhaps kept then. Posts that tell something new are kept; what
//! asked for something asked then. Nobody waits for an answer.

use onwire::alink::Topic;

use super::envelope::Envelope;
use super::patience::until_kept;
use super::{own, thing};
use crate::app::SharedApp;
use crate::store::devices;
use crate::time::now;

pub(crate) async fn receive(app: &SharedApp, topic: &str, payload: &[u8]) {
    let received = now();
    let Some(parsed) = Topic::parse(topic) else { return };
    let Some(of) = parsed.device() else { return };
    let device = match devices::credentials(&app.store, &app.seal, of.product_key, of.device_name).await {
        Ok(Some(known)) if !known.disabled => known.device,
        Ok(_) => return,
        Err(error) => return tracing::error!(%error, "the database failed"),
    };
    let kept = match parsed {
        Topic::Thing { path, .. } => {
            let Some(envelope) = Envelope::read(payload) else { return };
            until_kept(app, &device, || thing::post_retained(app, &device, path, &envelope.params, received)).await
        }
        Topic::User { rest, .. } => {
            until_kept(app, &device, || own::receive_retained(app, &device, rest, payload)).await
        }
        _ => return tracing::debug!(topic, "ignored what the broker had kept"),
    };
    if let Err(error) = kept {
        tracing::error!(%error, topic, "what the broker had kept could not be kept here");
    }
}
