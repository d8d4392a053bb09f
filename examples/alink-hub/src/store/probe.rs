//! Whether the database takes what is written, which is tried: a disk that is full still reads.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::{Store, StoreError, sql};
use crate::time::now;

/// How long an outcome is good: whoever asks all the time does not write all the time.
const FRESH: Duration = Duration::from_secs(1);

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The latest outcome.
#[derive(Debug, Default)]
pub(super) struct Probe(Mutex<Option<(Instant, Result<(), StoreError>)>>);

impl Store {
    /// Writes something that nobody reads.
    ///
    /// # Errors
    /// Those of [`Store::write`]; [`StoreError::Busy`] after five seconds.
    pub(crate) async fn try_writing(&self) -> Result<(), StoreError> {
        let mut latest = self.probe.0.lock().await;
        if let Some((_, outcome)) = latest.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return outcome.clone();
        }
        let written = self.write(|db| {
            Box::pin(async move {
                let sql = "INSERT INTO probe (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = excluded.at";
                sql::query(sql).bind(now()).execute(&mut *db).await?;
                Ok(())
            })
        });
        let outcome = timeout(PATIENCE, written).await.unwrap_or(Err(StoreError::Busy));
        *latest = Some((Instant::now(), outcome.clone()));
        outcome
    }
}
