//! CALLs that were refused for their payload: whoever looks at the charge point should see that it sends them, as what is
//! refused is lost.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use onwire::ErrorCode;
use onwire::net::{Direction, MessageKind, Observed};
use serde::Deserialize;
use sqlx::AnyConnection;

use crate::app::App;
use crate::store::{StoreError, sql};
use crate::time;

/// How much of what was wrong is kept, in characters.
const SHOWN: usize = 255;

/// What a charge point was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// How many CALLs.
    pub calls: i64,
    /// What was wrong with the latest one.
    pub latest: String,
    /// When that came, in milliseconds since 1970.
    pub at: i64,
}

/// What is not written to the database yet, by identity.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<Box<str>, Refused>>);

/// Whether a CALL with that answer was refused for what stands in it.
fn is_of_payload(code: &ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::FormationViolation
            | ErrorCode::OccurrenceConstraintViolation
            | ErrorCode::PropertyConstraintViolation
            | ErrorCode::TypeConstraintViolation
    )
}

impl Refusals {
    fn with<T>(&self, access: impl FnOnce(&mut HashMap<Box<str>, Refused>) -> T) -> T {
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts and logs a message if it refuses a CALL for its payload.
    pub fn note(&self, message: &Observed<'_>) {
        let (Direction::Sent, MessageKind::CallError(code)) = (message.direction, &message.kind) else { return };
        if !is_of_payload(code) {
            return;
        }
        let identity = message.peer.identity();
        let text = message.masked();
        let error = serde_json::from_str(&text)
            .map_or_else(|_| String::new(), |Error(_, _, code, says, _)| code + ": " + &says);
        let latest = format!("{}: {error}", message.action.unwrap_or("?"));
        tracing::warn!(identity, refused = %latest, "a CALL was refused for its payload; what it told is lost");
        let latest = latest.chars().take(SHOWN).collect();
        self.add(identity.into(), Refused { calls: 1, latest, at: time::now() });
    }

    fn add(&self, identity: Box<str>, more: Refused) {
        self.with(|waiting| match waiting.get_mut(&identity) {
            Some(known) => {
                let calls = known.calls.saturating_add(more.calls);
                if more.at >= known.at {
                    *known = more;
                }
                known.calls = calls;
            }
            None => drop(waiting.insert(identity, more)),
        });
    }

    /// What the database does not know yet of a charge point.
    pub fn waiting(&self, identity: &str) -> Option<Refused> {
        self.with(|waiting| waiting.get(identity).cloned())
    }

    /// Writes it to the database.
    ///
    /// # Errors
    /// Those of the database; it is tried again then.
    pub async fn keep(&self, app: &App) -> Result<(), StoreError> {
        let waiting = self.with(std::mem::take);
        if waiting.is_empty() {
            return Ok(());
        }
        let rows = waiting.clone();
        let kept = app.store.write(move |db| Box::pin(write(db, rows))).await;
        if kept.is_err() {
            waiting.into_iter().for_each(|(identity, refused)| self.add(identity, refused));
        }
        kept
    }
}

/// A CALLERROR: its type, id, code and description, and details.
#[derive(Deserialize)]
struct Error(serde::de::IgnoredAny, serde::de::IgnoredAny, String, String, serde::de::IgnoredAny);

async fn write(db: &mut AnyConnection, rows: HashMap<Box<str>, Refused>) -> Result<(), StoreError> {
    for (identity, Refused { calls, latest, at }) in rows {
        let sql = "UPDATE charge_points SET refused_calls = refused_calls + $2, refused_call = $3, refused_call_at = $4
            WHERE id = $1";
        sql::query(sql).bind(String::from(identity)).bind(calls).bind(latest).bind(at).execute(&mut *db).await?;
    }
    Ok(())
}
