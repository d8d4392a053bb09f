//! What devices are asked: properties to set, services to call.

use std::collections::BTreeMap;
use std::time::Duration;

use onwire::types::RawJson;
use onwire::{ActionEntry, CallFailure, ErrorCode};
use serde_json::Value;

use super::envelope::Reply;
use crate::app::SharedApp;
use crate::model::Model;
use crate::store::devices::Device;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the device is not connected")]
    Offline,
    #[error("the connection ended before the answer came; the device may have done it all the same")]
    Lost,
    #[error("the device has not answered in time; it may have done it all the same")]
    Timeout,
    #[error("the device was asked too much that it has not answered; this was not sent")]
    Busy,
    #[error("it was not sent in time: the device does not read, or has not answered earlier calls")]
    NotSent,
    #[error("the device refused with code {}: {}", .0.code, .0.message)]
    Refused(Reply),
    #[error("there is no such service")]
    Unknown,
}

/// The actions that devices can be asked for.
#[derive(Debug)]
pub(crate) struct Calls {
    actions: BTreeMap<String, ActionEntry>,
}

/// Names of those that every model has.
pub(crate) const SET: &str = "thing.service.property.set";
pub(crate) const GET: &str = "thing.service.property.get";
const CONFIG_PUSH: &str = "thing.config.push";
const TOPOLOGY_CHANGE: &str = "thing.topo.change";
const LOG_PUSH: &str = "thing.config.log.push";

impl Calls {
    /// Those of the models.
    pub(crate) fn new(models: &BTreeMap<String, Model>) -> Self {
        let services = models.values().flat_map(|model| model.services.keys());
        let names = services.map(|identifier| format!("thing.service.{identifier}"));
        let own = [SET, GET, CONFIG_PUSH, TOPOLOGY_CHANGE, LOG_PUSH];
        let names = names.chain(own.map(str::to_owned));
        // Models are read once, so that their names last as long as the program.
        let entry = |name: String| {
            let action = ActionEntry::untyped(Box::leak(name.clone().into_boxed_str()), &["Platform"]);
            (name, action)
        };
        Self { actions: names.map(entry).collect() }
    }
}

/// Asks a device, and waits for its answer, `patience` in all: behind earlier calls, too.
pub(crate) async fn call(
    app: &SharedApp,
    device: &Device,
    method: &str,
    params: &Value,
    patience: Duration,
) -> Result<Reply, CallError> {
    let called = call_device(app, device, method, params, patience).await;
    app.metrics.call(match &called {
        Ok(_) => "answered",
        Err(CallError::Offline) => "offline",
        Err(CallError::Lost) => "connectionLost",
        Err(CallError::Timeout) => "timeout",
        Err(CallError::Busy) => "busy",
        Err(CallError::NotSent) => "notSent",
        Err(CallError::Refused(_)) => "refused",
        Err(CallError::Unknown) => "unknown",
    });
    called
}

async fn call_device(
    app: &SharedApp,
    device: &Device,
    method: &str,
    params: &Value,
    patience: Duration,
) -> Result<Reply, CallError> {
    let action = app.calls.actions.get(method).ok_or(CallError::Unknown)?;
    let session = app.link.session(device).ok_or(CallError::Offline)?;
    let params = RawJson::new(&params.to_string()).map_err(|_| CallError::Unknown)?;
    match session.peer.call_unjudged(action, &params).within(patience).await {
        Ok(data) => Ok(Reply::ok(serde_json::from_str(&data).unwrap_or_default())),
        Err(CallFailure::Refused(error)) => {
            let code = match &error.code {
                ErrorCode::Other(code) => code.parse().unwrap_or(500),
                _ => 500,
            };
            let data = error.details.and_then(|details| serde_json::from_str(details.as_str()).ok());
            let reply = Reply::error(code, error.description.into_owned());
            Err(CallError::Refused(Reply { data: data.unwrap_or(reply.data), ..reply }))
        }
        Err(CallFailure::Timeout) => Err(CallError::Timeout),
        Err(CallFailure::Expired) => Err(CallError::NotSent),
        Err(CallFailure::QueueFull) => Err(CallError::Busy),
        Err(CallFailure::Disconnected | CallFailure::Replaced) => Err(CallError::Lost),
        Err(_) => Err(CallError::Offline),
    }
}

/// Tells a device to set properties, without waiting for it; whether it is there. What is desired stays desired until it says that it has it.
pub(crate) fn set_soon(app: &SharedApp, device: &Device, values: Value) -> bool {
    tell_soon(app, device, SET, values)
}

/// Tells a device of a configuration.
pub(crate) fn push_config(app: &SharedApp, device: &Device, config: Value) -> bool {
    tell_soon(app, device, CONFIG_PUSH, config)
}

/// Tells a gateway what became of its sub-devices.
pub(crate) fn tell_topology(app: &SharedApp, gateway: &Device, change: Value) -> bool {
    tell_soon(app, gateway, TOPOLOGY_CHANGE, change)
}

/// Tells a device whether to upload its log.
pub(crate) fn push_log_settings(app: &SharedApp, device: &Device, uploads: bool) -> bool {
    tell_soon(app, device, LOG_PUSH, super::management::log_data(uploads))
}

fn tell_soon(app: &SharedApp, device: &Device, method: &'static str, params: Value) -> bool {
    if app.link.session(device).is_none() {
        return false;
    }
    let (app, device) = (app.clone(), device.clone());
    tokio::spawn(async move {
        if let Err(error) = call(&app, &device, method, &params, Duration::from_secs(30)).await {
            app.note_of("warn", &device, format!("{method}: {error}")).await;
        }
    });
    true
}
