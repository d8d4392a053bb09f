//! The message log.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::columns::Time;
use super::select::{Select, containing};
use crate::store::{Store, StoreError};

const COLUMNS: &str =
    "SELECT id, charge_point, logged_at, direction, kind, message_id, action, error_code, elapsed_ms, text
    FROM message_log";

/// A message.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Number of the entry; later ones have greater numbers.
    pub id: i64,
    /// With whom.
    pub charge_point: String,
    /// When.
    #[serde(rename = "at")]
    pub logged_at: Time,
    /// `received` or `sent`, as seen from the server.
    #[schema(value_type = Direction)]
    pub direction: String,
    /// What it is.
    #[schema(value_type = MessageKind)]
    pub kind: String,
    /// Its id.
    pub message_id: String,
    /// The action; of an answer, that of the CALL.
    pub action: Option<String>,
    /// Of a CALLERROR.
    pub error_code: Option<String>,
    /// Of an answer, milliseconds since the CALL.
    pub elapsed_ms: Option<i64>,
    /// The whole message, without secrets.
    pub text: String,
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the charge point.
    Received,
    /// To the charge point.
    Sent,
}

impl Direction {
    /// As the database has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
        }
    }
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// CALL.
    Call,
    /// CALLRESULT.
    Result,
    /// CALLERROR.
    Error,
    /// Text that is none of these.
    Unreadable,
}

impl MessageKind {
    /// As the database has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Result => "result",
            Self::Error => "error",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Which messages are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With that charge point.
    pub charge_point: Option<String>,
    /// Of that action.
    pub action: Option<String>,
    /// `received` or `sent`.
    pub direction: Option<&'static str>,
    /// `call`, `result`, `error` or `unreadable`.
    pub kind: Option<&'static str>,
    /// With that text in them.
    pub q: Option<String>,
    /// Then or later.
    pub from: Option<Time>,
    /// Before then.
    pub to: Option<Time>,
}

/// The newest first, those before that number.
///
/// # Errors
/// Those of the database.
pub async fn list(store: &Store, filter: &Filter, before: Option<i64>, limit: i64) -> Result<Vec<Message>, StoreError> {
    Select::all()
        .and_if("charge_point = ?", filter.charge_point.clone())
        .and_if("action = ?", filter.action.clone())
        .and_if("direction = ?", filter.direction)
        .and_if("kind = ?", filter.kind)
        .and_if("LOWER(text) LIKE ? ESCAPE '\\'", filter.q.as_deref().map(containing))
        .and_if("logged_at >= ?", filter.from)
        .and_if("logged_at < ?", filter.to)
        .and_if("id < ?", before)
        .rows(store.readers(), COLUMNS, "id DESC", limit, 0)
        .await
}
