//! The log: what devices report, and what the hub has to say of them.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Store, StoreError, sql};
use crate::time::now;

/// The longest name that is kept, in characters.
const LONGEST_NAME: usize = 128;

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// A device.
    Device,
    /// The hub.
    Hub,
    /// The REST interface or the command line: who changed what.
    Api,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Hub => "hub",
            Self::Api => "api",
        }
    }
}

/// An entry.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Entry {
    /// Name of a [`Source`].
    pub(crate) source: String,
    pub(crate) product_key: String,
    pub(crate) device_name: String,
    pub(crate) level: String,
    pub(crate) details: Option<String>,
    pub(crate) content: String,
    pub(crate) logged_at: i64,
}

/// What is to be written down.
#[derive(Debug, Clone)]
pub(crate) struct New {
    pub(crate) source: Source,
    pub(crate) level: String,
    pub(crate) details: Option<Value>,
    pub(crate) content: String,
}

pub(crate) async fn add(store: &Store, device: (&str, &str), entries: Vec<New>) -> Result<(), StoreError> {
    // Strangers' names may be anything, and an index of PostgreSQL takes no long ones.
    let short = |name: &str| name.chars().take(LONGEST_NAME).collect::<String>();
    let (product_key, device_name) = (short(device.0), short(device.1));
    store
        .write(move |db| {
            Box::pin(async move {
                for entry in entries {
                    let sql = "INSERT INTO log (source, product_key, device_name, level, details, content, logged_at)
                        VALUES ($1, $2, $3, $4, $5, $6, $7)";
                    let query =
                        sql::query(sql).bind(entry.source.name()).bind(product_key.clone()).bind(device_name.clone());
                    let details = entry.details.map(|details| details.to_string());
                    let query = query.bind(entry.level).bind(details).bind(entry.content);
                    query.bind(now()).execute(&mut *db).await?;
                }
                Ok(())
            })
        })
        .await
}

/// Which entries are wanted; `None`: whatever it is.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) product_key: Option<String>,
    pub(crate) device_name: Option<String>,
    pub(crate) source: Option<Source>,
}

/// The latest first.
pub(crate) async fn list(store: &Store, wanted: Wanted, limit: i64) -> Result<Vec<Entry>, StoreError> {
    let sql = "SELECT source, product_key, device_name, level, details, content, logged_at FROM log
        WHERE (CAST($1 AS TEXT) IS NULL OR product_key = $1) AND (CAST($2 AS TEXT) IS NULL OR device_name = $2)
        AND (CAST($3 AS TEXT) IS NULL OR source = $3) ORDER BY logged_at DESC LIMIT $4";
    let query = sql::query_as(sql).bind(wanted.product_key).bind(wanted.device_name);
    Ok(query.bind(wanted.source.map(Source::name)).bind(limit).fetch_all(store.readers()).await?)
}
