//! A command that asks a charge point for a message: one whose boot is pending may send that message, which it must not send
//! by itself (OCPP 1.6 §4.2).

use onwire::ActionEntry;
use onwire::ocpp::v16::ACTIONS;
use serde_json::Value;

use super::{Command, CommandError, status};
use crate::app::SharedApp;

/// The action that is asked for; `None`: the command asks for none.
fn asked(command: &Command) -> Option<&'static str> {
    if !matches!(command.action.name, "TriggerMessage" | "ExtendedTriggerMessage") {
        return None;
    }
    let request: Value = serde_json::from_str(&command.request).ok()?;
    let name = match request.get("requestedMessage")?.as_str()? {
        "SignChargePointCertificate" => "SignCertificate",
        name => name,
    };
    ActionEntry::find(ACTIONS, name).map(|entry| entry.name)
}

/// To be called before it is sent: the message may come before the answer has been looked at.
pub(super) fn begin(app: &SharedApp, command: &Command) -> Option<&'static str> {
    let action = asked(command)?;
    app.admitted.expect(&command.charge_point, action);
    Some(action)
}

/// To be called when it was answered, or was not.
pub(super) fn settle(app: &SharedApp, command: &Command, action: &'static str, answer: &Result<String, CommandError>) {
    let may_come = match answer {
        Ok(response) => status(response).is_some_and(|status| status == "Accepted"),
        Err(error) => error.may_have_acted(),
    };
    if !may_come {
        app.admitted.expect_no_more(&command.charge_point, action);
    }
}
