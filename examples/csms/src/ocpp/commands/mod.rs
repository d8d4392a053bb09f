//! Commands to charge points: the one way they are sent, so that each is judged, audited, and has its effect on what the
//! database knows.

mod effects;
mod error;
mod key;
mod trigger;

use std::sync::Arc;
use std::time::{Duration, Instant};

use onwire::codec::{self, EncodeError, Quirks};
use onwire::net::masked;
use onwire::ocpp::v16::{ACTIONS, DIALECT, SendLocalListRequest};
use onwire::types::RawJson;
use onwire::{Action, ActionEntry, Peer, Request};
use serde_json::value::RawValue;

pub use self::error::CommandError;
use super::configuration;
use super::local_list::is_complete;
use crate::app::SharedApp;
use crate::security::access::Actor;
use crate::store::charge_points::registration;
use crate::store::records::audit::{self, NewEntry};
use crate::store::records::charge_points;

/// How long an answer is waited for if nobody says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// How much of a command's payload the audit log keeps, in bytes; a local list may be longer.
const AUDITED: usize = 4096;

/// The role that sends commands.
const CENTRAL_SYSTEM: &str = "CentralSystem";

/// The action whose answers are judged a key at a time.
const CONFIGURATION: &str = "GetConfiguration";

/// A command of OCPP, by its name.
#[derive(Debug, Clone)]
pub struct Command {
    /// To whom.
    pub charge_point: String,
    /// What.
    pub action: &'static ActionEntry,
    /// Its payload, as JSON.
    pub request: String,
    /// How long the answer is waited for, counted from the request: behind earlier commands, too.
    pub timeout: Duration,
    /// Whether payload and answer must be what the schema says.
    pub judged: bool,
}

/// The action with that name, if a central system may start it.
pub fn find(action: &str) -> Option<&'static ActionEntry> {
    ActionEntry::find(ACTIONS, action).filter(|entry| entry.may_start(CENTRAL_SYSTEM))
}

/// Every action that a central system may start.
pub fn all() -> impl Iterator<Item = &'static ActionEntry> {
    ACTIONS.iter().filter(|entry| entry.may_start(CENTRAL_SYSTEM))
}

/// Sends a command and returns the payload of its answer.
///
/// Once begun, it is completed, kept and audited even if the caller goes away.
///
/// # Errors
/// [`CommandError`] says whether the charge point may have acted on it.
pub async fn send(app: &SharedApp, actor: &Actor, command: Command) -> Result<String, CommandError> {
    let (app, actor) = (Arc::clone(app), actor.to_string());
    let task = tokio::spawn(async move {
        let outcome = exchange(&app, &command).await;
        let outcome = match outcome {
            Ok(response) => match effects::keep(&app, &command, &response).await {
                Ok(()) => readable(&command, response),
                Err(failure) => Err(failure),
            },
            Err(error) => Err(error),
        };
        let entered = enter(&app, actor, &command, &outcome).await;
        match (outcome, entered) {
            (outcome, Ok(())) => outcome,
            (Ok(_), Err(failure)) => Err(failure),
            // Whether the charge point may have acted is worth more to the caller.
            (Err(error), Err(failure)) => Err(instead_of(error, &failure)),
        }
    });
    task.await.unwrap_or(Err(CommandError::Failed))
}

/// The answer without what is odd in it, which was kept apart.
fn readable(command: &Command, response: String) -> Result<String, CommandError> {
    match command.judged && command.action.name == CONFIGURATION {
        true => configuration::readable(response).map_err(CommandError::InvalidResponse),
        false => Ok(response),
    }
}

/// Logs a failure that its caller is not told, because an earlier one says more.
fn instead_of(earlier: CommandError, failure: &CommandError) -> CommandError {
    tracing::error!(error = %failure, "what became of a command could not be kept");
    earlier
}

/// [`send`] for callers that know the action: typed by the request alone.
///
/// # Errors
/// Those of [`send`].
pub async fn call<R: Request>(
    app: &SharedApp,
    actor: &Actor,
    charge_point: &str,
    request: &R,
    timeout: Duration,
) -> Result<R::Response, CommandError> {
    let action = find(<R::Action as Action>::NAME).ok_or(CommandError::Failed)?;
    let mut text = String::new();
    codec::encode(request, &mut text).map_err(CommandError::Unsendable)?;
    let command = Command { charge_point: charge_point.to_owned(), action, request: text, timeout, judged: true };
    let response = send(app, actor, command).await?;
    codec::decode(&response, Quirks::ALL).map_err(CommandError::InvalidResponse)
}

async fn exchange(app: &SharedApp, command: &Command) -> Result<String, CommandError> {
    let begun = Instant::now();
    let request = match command.judged {
        true => sendable(command).map_err(CommandError::Unsendable)?,
        false => command.request.clone(),
    };
    let Some(peer) = app.peers.get(&command.charge_point) else {
        let found = charge_points::get(&app.store, &command.charge_point).await;
        let is_known = found.map_err(CommandError::NotPrepared)?.is_some();
        return Err(if is_known { CommandError::Offline } else { CommandError::Unknown });
    };
    let begins_or_ends = matches!(command.action.name, "RemoteStartTransaction" | "RemoteStopTransaction");
    if command.judged && begins_or_ends {
        let registration = registration(app.store.readers(), &command.charge_point).await;
        let registration = registration.map_err(CommandError::NotPrepared)?;
        if registration.is_some_and(|found| found.is_pending() || found.is_rejected()) {
            return Err(CommandError::Pending);
        }
    }
    let change = key::begin(app, command).await?;
    let triggered = trigger::begin(app, command);
    let left = command.timeout.saturating_sub(begun.elapsed());
    let answer = answer(&peer, command, &request, left).await;
    if let Some(action) = triggered {
        trigger::settle(app, command, action, &answer);
    }
    let settled = match change {
        Some(change) => key::settle(app, &change, &answer).await,
        None => Ok(()),
    };
    match (answer, settled) {
        (answer, Ok(())) => answer,
        (Ok(_), Err(failure)) => Err(failure),
        (Err(error), Err(failure)) => Err(instead_of(error, &failure)),
    }
}

/// The payload, judged by the schema and by what the schema cannot say.
fn sendable(command: &Command) -> Result<String, EncodeError> {
    let request = command.action.request.sendable(&command.request)?;
    if command.action.name == "SendLocalList"
        && let Ok(list) = codec::decode::<SendLocalListRequest>(&request, Quirks::ALL)
    {
        is_complete(&list.update_type, list.local_authorization_list.as_deref().unwrap_or_default())?;
    }
    Ok(request)
}

async fn answer(peer: &Peer, command: &Command, request: &str, left: Duration) -> Result<String, CommandError> {
    let call = if command.judged && command.action.name != CONFIGURATION {
        peer.call_text(command.action, request)
    } else {
        let raw = RawJson::new(request).map_err(|error| CommandError::not_json(&error))?;
        peer.call_unjudged(command.action, &raw)
    };
    Ok(call.within(left).await?)
}

async fn enter(
    app: &SharedApp,
    actor: String,
    command: &Command,
    outcome: &Result<String, CommandError>,
) -> Result<(), CommandError> {
    let detail = masked(&DIALECT, &command.request);
    let detail = match serde_json::from_str::<&RawValue>(&detail) {
        Ok(_) if detail.len() <= AUDITED => detail.into_owned(),
        _ => format!("{{\"bytes\":{}}}", command.request.len()),
    };
    let outcome = match outcome {
        Ok(response) => status(response).unwrap_or_else(|| "answered".to_owned()),
        Err(error) => masked(&DIALECT, &error.to_string()).into_owned(),
    };
    let action = if command.judged { command.action.name.to_owned() } else { format!("{} (raw)", command.action.name) };
    let entry = NewEntry { actor, action, target: command.charge_point.clone(), detail, outcome };
    Ok(app.store.write(|db| Box::pin(audit::enter(db, entry))).await?)
}

/// The word that most answers consist of.
fn status(response: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Status {
        status: String,
    }
    serde_json::from_str(response).ok().map(|Status { status }| status)
}
