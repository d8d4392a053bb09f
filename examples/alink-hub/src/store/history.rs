//! What devices have told and done: last values and history.

use serde::Deserialize;
use serde_json::Value;
use sqlx::AnyConnection;
use utoipa::ToSchema;

use super::{Store, StoreError, json, storable};
use crate::time::now;

/// What an entry is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A property's value.
    Property,
    /// An event.
    Event,
    /// A service, or properties that were set.
    Service,
    /// Of a topic of the user's own.
    Message,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Property => "property",
            Self::Event => "event",
            Self::Service => "service",
            Self::Message => "message",
        }
    }
}

/// Something that is to be kept.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) identifier: String,
    pub(crate) data: Value,
    /// Of a service: the answer's code, and its output.
    pub(crate) answer: Option<(i64, Value)>,
    /// When it was so, in milliseconds since 1970.
    pub(crate) time: i64,
}

/// Something that was kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) kind: String,
    pub(crate) identifier: String,
    pub(crate) data: Value,
    pub(crate) code: Option<i64>,
    pub(crate) output: Option<Value>,
    pub(crate) time: i64,
}

type Row = (String, String, String, Option<i64>, Option<String>, i64);

/// Keeps entries; of properties also as their last values, unless a later one is there. Returns when they are durable.
pub(crate) async fn keep(store: &Store, device: i64, entries: Vec<Entry>) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    store.write(move |db| Box::pin(insert(db, device, entries))).await
}

async fn insert(db: &mut AnyConnection, device: i64, entries: Vec<Entry>) -> Result<(), StoreError> {
    let received = now();
    for entry in entries {
        let data = storable(&entry.data.to_string());
        let identifier = storable(&entry.identifier);
        if entry.kind == Kind::Property {
            let sql = "INSERT INTO properties (device_id, identifier, value, time) VALUES ($1, $2, $3, $4)
                ON CONFLICT (device_id, identifier) DO UPDATE SET value = $3, time = $4 WHERE properties.time <= $4";
            let query = sqlx::query(sql).bind(device).bind(identifier.clone()).bind(data.clone()).bind(entry.time);
            query.execute(&mut *db).await?;
        }
        let (code, output) = match entry.answer {
            Some((code, output)) => (Some(code), Some(storable(&output.to_string()))),
            None => (None, None),
        };
        let sql = "INSERT INTO history (device_id, kind, identifier, data, code, output, time, received_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let query = sqlx::query(sql).bind(device).bind(entry.kind.name()).bind(identifier).bind(data);
        query.bind(code).bind(output).bind(entry.time).bind(received).execute(&mut *db).await?;
    }
    Ok(())
}

/// Last values: identifier, value and time.
pub(crate) async fn last(store: &Store, device: i64) -> Result<Vec<(String, Value, i64)>, StoreError> {
    let sql = "SELECT identifier, value, time FROM properties WHERE device_id = $1 ORDER BY identifier";
    let rows: Vec<(String, String, i64)> = sqlx::query_as(sql).bind(device).fetch_all(store.readers()).await?;
    rows.into_iter().map(|(identifier, value, time)| Ok((identifier, json(&value)?, time))).collect()
}

/// What is wanted of the history.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) kind: Option<Kind>,
    pub(crate) identifier: Option<String>,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) limit: i64,
}

/// The latest entries first.
pub(crate) async fn list(store: &Store, device: i64, wanted: Wanted) -> Result<Vec<Kept>, StoreError> {
    let sql = "SELECT kind, identifier, data, code, output, time FROM history WHERE device_id = $1
        AND (CAST($2 AS TEXT) IS NULL OR kind = $2) AND (CAST($3 AS TEXT) IS NULL OR identifier = $3)
        AND time >= $4 AND time < $5 ORDER BY time DESC LIMIT $6";
    let query = sqlx::query_as(sql).bind(device).bind(wanted.kind.map(Kind::name)).bind(wanted.identifier);
    let query = query.bind(wanted.from).bind(wanted.to).bind(wanted.limit);
    let rows: Vec<Row> = query.fetch_all(store.readers()).await?;
    let kept = |(kind, identifier, data, code, output, time): Row| {
        let output = output.map(|output| json(&output)).transpose()?;
        Ok(Kept { kind, identifier, data: json(&data)?, code, output, time })
    };
    rows.into_iter().map(kept).collect()
}
