//! Who did what: log-ins, commands, changes.

use serde_json::Value;

use super::access::Actor;
use crate::app::App;
use crate::store::StoreError;
use crate::store::records::audit::{self, NewEntry};

/// Keeps an entry; it is durable when this returns. `detail` must not hold secrets.
///
/// # Errors
/// Those of the database.
pub async fn record(
    app: &App,
    actor: &Actor,
    action: &str,
    target: &str,
    detail: &Value,
    outcome: &str,
) -> Result<(), StoreError> {
    record_as(app, &actor.to_string(), action, target, detail, outcome).await
}

/// [`record`] for somebody who is not known (yet).
///
/// # Errors
/// Those of the database.
pub async fn record_as(
    app: &App,
    actor: &str,
    action: &str,
    target: &str,
    detail: &Value,
    outcome: &str,
) -> Result<(), StoreError> {
    let entry = NewEntry { outcome: outcome.to_owned(), ..NewEntry::done(actor, action, target, detail) };
    app.store.write(|db| Box::pin(audit::enter(db, entry))).await
}
