//! A command that changes a charge point's key: from its sending on the new one is good too, and afterwards the one that the
//! answer leaves (OCPP-J 1.6 §6.2.2).

use serde_json::Value;

use super::{Command, CommandError, status};
use crate::app::SharedApp;
use crate::security::keys::{self, Change, ChangeError, Outcome};

/// To be called before it is sent; `None`: it changes no key.
pub(super) async fn begin(app: &SharedApp, command: &Command) -> Result<Option<Change>, CommandError> {
    let Ok(request) = serde_json::from_str::<Value>(&command.request) else { return Ok(None) };
    let Some(key) = keys::in_command(command.action.name, &request) else { return Ok(None) };
    match keys::begin_change(app, &command.charge_point, key).await {
        Ok(change) => Ok(Some(change)),
        Err(ChangeError::Key(error)) => Err(CommandError::NotAKey(error)),
        Err(ChangeError::Store(error)) => Err(CommandError::NotPrepared(error)),
    }
}

/// To be called when it was answered, or was not.
pub(super) async fn settle(
    app: &SharedApp,
    change: &Change,
    answer: &Result<String, CommandError>,
) -> Result<(), CommandError> {
    let outcome = match answer {
        Ok(response) => status(response).map_or(Outcome::Unknown, |status| Outcome::of_status(&status)),
        Err(error) if error.may_have_acted() => Outcome::Unknown,
        Err(_) => Outcome::Refused,
    };
    Ok(keys::settle_change(app, change, outcome).await?)
}
