//! What devices say, and what they are answered.

pub(crate) mod admission;
pub(crate) mod allowance;
mod block;
pub(crate) mod calls;
pub(crate) mod envelope;
pub(crate) mod management;
mod own;
pub(crate) mod pack;
mod patience;
pub(crate) mod repeated;
pub(crate) mod retained;
pub(crate) mod shadow;
pub(crate) mod thing;
pub(crate) mod topology;
pub(crate) mod update;
pub(crate) mod upload;

use onwire::alink::{Ota, RawDirection, Topic, ntp_response};
use onwire::types::DateTime;
use serde_json::{Value, json};

use self::envelope::{Envelope, Reply};
use self::patience::until_kept;
use self::repeated::Fingerprint;
use crate::app::SharedApp;
use crate::store::StoreError;
use crate::store::devices::Device;

/// A message has come that is no call.
pub(crate) async fn receive(app: &SharedApp, device: &Device, topic: &str, payload: &[u8]) {
    let is_own =
        |of: onwire::alink::DeviceRef<'_>| of.product_key == device.product_key && of.device_name == device.device_name;
    let Some(parsed) = Topic::parse(topic).filter(|parsed| parsed.device().is_some_and(is_own)) else {
        return app.note_of("warn", device, format!("a message on a topic that is not this device's: {topic}")).await;
    };
    match parsed {
        Topic::Raw { direction: RawDirection::Up, .. } => raw(app, device, topic, payload).await,
        Topic::Raw { direction: RawDirection::DownReply, .. } => {
            own::receive(app, device, "down_raw_reply", payload).await;
        }
        Topic::Thing { path: "file/download", .. } => block::asked(app, device, payload).await,
        Topic::Thing { path: "file/upload/mqtt/send", .. } => upload::send(app, device, payload).await,
        Topic::Ntp { is_response: false, .. } => clock(app, device, payload).await,
        Topic::ShadowUpdate { .. } => shadow::receive(app, device, payload).await,
        Topic::Ota { what, .. } => match Envelope::read(payload) {
            Some(envelope) if what == Ota::Progress => update::progress(app, device, &envelope.params).await,
            Some(envelope) if what == Ota::Inform => update::inform(app, device, &envelope.params).await,
            Some(envelope) if what == Ota::Request => update::asked_as_of_old(app, device, &envelope.params).await,
            _ => malformed(app, device, topic, payload).await,
        },
        Topic::User { rest, .. } => own::receive(app, device, rest, payload).await,
        Topic::System { rest: rest @ "_thing/diag/post", .. } => {
            own::receive(app, device, rest, payload).await;
            if let Some(envelope) = Envelope::read(payload).filter(Envelope::wants_answer) {
                app.link.publish(device, format!("{topic}_reply"), Reply::ok(json!({})).text(envelope.id())).await;
            }
        }
        _ => app.note_of("warn", device, format!("a message on a topic that this hub does not serve: {topic}")).await,
    }
}

/// A call has come: its path is the method without `thing`, its id and parameters are JSON.
pub(crate) async fn called(app: &SharedApp, device: &Device, path: &str, id: &str, params: &str) -> Reply {
    let Ok(value) = serde_json::from_str(if params.is_empty() { "null" } else { params }) else {
        return Reply::error(6207, "params is no JSON".to_owned());
    };
    let said = Fingerprint::of(path, id, params, &value);
    if let Some(reply) = said.and_then(|said| app.repeated.heard(device.id, said)) {
        return reply;
    }
    let reply = until_kept(app, device, || answer(app, device, path, &value)).await.unwrap_or_else(|error| {
        tracing::error!(%error, device = device.device_name, "the database failed");
        Reply::error(500, "the platform failed".to_owned())
    });
    // What is only asked may be asked again; what is told must not be kept twice.
    let is_told = path.starts_with("event/") || path == "log/post" || path == "config/log/post";
    // The device will come again with what could not be kept.
    if let Some(said) = said.filter(|_| is_told && reply.code != 500) {
        app.repeated.answered(device.id, said, reply.clone());
    }
    reply
}

async fn answer(app: &SharedApp, device: &Device, path: &str, params: &Value) -> Result<Reply, StoreError> {
    match path {
        "event/property/post" => thing::post(app, device, params).await,
        "event/property/batch/post" => thing::batch(app, device, params).await,
        "event/property/history/post" => pack::history(app, device, params).await,
        "event/property/pack/post" => pack::pack(app, device, params).await,
        "property/desired/get" => management::desired_get(app, device, params).await,
        "property/desired/delete" => management::desired_delete(app, device, params).await,
        "deviceinfo/update" => management::tags_update(app, device, params).await,
        "deviceinfo/get" => management::tags_get(app, device, params).await,
        "deviceinfo/delete" => management::tags_delete(app, device, params).await,
        "config/get" => management::config_get(app, device).await,
        "config/log/get" => management::log_settings(app, device).await,
        "log/post" | "config/log/post" => management::log_post(app, device, params).await,
        "dsltemplate/get" | "dynamicTsl/get" => Ok(management::model(app, device)),
        "file/upload/mqtt/init" => upload::init(app, device, params).await,
        "file/upload/mqtt/cancel" => upload::cancel(app, device, params).await,
        "ota/firmware/get" => update::asked(app, device, params).await,
        _ => match path.strip_prefix("event/").and_then(|rest| rest.strip_suffix("/post")) {
            Some(identifier) if !identifier.contains('/') => thing::event(app, device, identifier, params).await,
            _ => match topology::called(app, device, path, params).await {
                Some(reply) => Ok(reply),
                None => {
                    app.note_of("warn", device, format!("a call that this hub does not serve: thing/{path}")).await;
                    Ok(Reply::error(404, format!("this hub does not serve thing/{path}")))
                }
            },
        },
    }
}

/// Bytes that are no Alink. Charging piles have been described that send events on this topic, so that these are read.
async fn raw(app: &SharedApp, device: &Device, topic: &str, payload: &[u8]) {
    let envelope = Envelope::read(payload);
    let method = envelope.as_ref().and_then(|envelope| Some((envelope, envelope.method.as_deref()?)));
    let path = method.and_then(|(envelope, method)| Some((envelope, method.strip_prefix("thing.event.")?)));
    let Some((envelope, rest)) = path else { return own::receive(app, device, "up_raw", payload).await };
    let path = format!("event/{}", rest.replace('.', "/"));
    let reply = called(app, device, &path, envelope.id(), &envelope.params.to_string()).await;
    if envelope.wants_answer() {
        app.link.publish(device, format!("{topic}_reply"), reply.text(envelope.id())).await;
    }
}

async fn malformed(app: &SharedApp, device: &Device, topic: &str, payload: &[u8]) {
    let content = format!("a message of {} bytes that is no Alink, on {topic}", payload.len());
    app.note_of("warn", device, content).await;
}

/// The time, as NTP does it: the device adds half of what the way took.
async fn clock(app: &SharedApp, device: &Device, payload: &[u8]) {
    let received = DateTime::now();
    let request = std::str::from_utf8(payload).unwrap_or_default();
    match ntp_response(request, received, DateTime::now()) {
        Ok(response) => {
            let topic = format!("/ext/ntp/{}/{}/response", device.product_key, device.device_name);
            app.link.publish(device, topic, response).await;
        }
        Err(error) => app.note_of("warn", device, format!("a question for the time that says none: {error}")).await,
    }
}
