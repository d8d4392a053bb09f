//! The database: SQLite in a file, or PostgreSQL, by one implementation.
//!
//! Reads go through a pool. Writes go, one after the other, through [`Store::write`]: those that wait are committed
//! together, so that a thousand devices cost one `fsync` and not a thousand.

pub(crate) mod configs;
pub(crate) mod desired;
pub(crate) mod devices;
pub(crate) mod firmware;
pub(crate) mod history;
pub(crate) mod log;
mod postgres;
mod probe;
pub(crate) mod products;
pub(crate) mod retention;
pub(crate) mod shadows;
pub(crate) mod sql;
pub(crate) mod tags;
pub(crate) mod tokens;
pub(crate) mod topology;
pub(crate) mod updates;
pub(crate) mod uploads;
mod writer;

use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::future::BoxFuture;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, Executor};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::probe::Probe;
use self::writer::Writer;
use crate::durable::{private_file, private_folder};

/// Connections that read.
const READERS: u32 = 4;

/// How long a failure counts: where nothing is sent any more because of it, it must come to an end.
const RECENT: Duration = Duration::from_secs(30);

/// A read or write that failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StoreError {
    /// The database refused, or cannot be reached.
    #[error("{0}")]
    Database(String),
    /// The database does not take these values, and never will.
    #[error("{0}")]
    Refused(String),
    /// The store is being closed.
    #[error("the database is being closed")]
    Closed,
    /// A commit took so long that it was given up; it may succeed all the same.
    #[error("the database does not keep up")]
    Busy,
    /// A mistake of this program: nothing was written.
    #[error("the program failed while it wrote")]
    Panicked,
    /// The database holds what this program never wrote, or what was sealed with another key.
    #[error("{0} in the database cannot be read")]
    Corrupt(&'static str),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        if is_of_values(&error) { Self::Refused(text) } else { Self::Database(text) }
    }
}

/// Whether it is the values that are wrong, and not the database's state.
fn is_of_values(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            // PostgreSQL: "data exception". SQLite: too large, of another type.
            let is_data = error
                .code()
                .is_some_and(|code| code.len() == 5 && code.starts_with("22") || code == "18" || code == "20");
            is_data || !matches!(error.kind(), sqlx::error::ErrorKind::Other)
        }
        sqlx::Error::Encode(_) => true,
        _ => false,
    }
}

impl StoreError {
    /// Whether the same may succeed later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Database(_) | Self::Busy)
    }
}

/// The database.
#[derive(Debug)]
pub(crate) struct Store {
    readers: AnyPool,
    writer: Mutex<Option<Writer>>,
    writing: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    /// When what devices have told could not be written, if that was so the last time.
    failed: Arc<Mutex<Option<Instant>>>,
    probe: Probe,
}

impl Store {
    /// Opens the database, makes it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// A URL of another kind, a file that cannot be made, a server that does not answer or whose certificate is rejected.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let (is_file, url) = match url.split_once("://") {
            Some(("sqlite", path)) => {
                let path_of_file = Path::new(path);
                if let Some(folder) = path_of_file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                    private_folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
                }
                // SQLite gives the files beside it the same mode.
                private_file(path_of_file).with_context(|| format!("cannot make {path}"))?;
                (true, format!("sqlite://{path}?mode=rwc"))
            }
            Some(("postgres" | "postgresql", _)) => {
                postgres::check(url)?;
                (false, url.to_owned())
            }
            _ => bail!("the database is sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME"),
        };
        // Without the URL: it may hold a password.
        let options = AnyConnectOptions::from_str(&url).context("the database's URL cannot be read")?;
        let pool = |connections| {
            AnyPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(10))
                .after_connect(move |connection, _| Box::pin(prepare(connection, is_file)))
        };
        let writer = pool(1).connect_with(options.clone()).await;
        let writer = writer.map_err(postgres::explained).context("cannot open the database")?;
        sqlx::migrate!("./migrations").run(&writer).await.context("cannot bring the database's schema up to date")?;
        let readers = pool(READERS).connect_with(options).await.context("cannot open the database")?;
        let failed = Arc::default();
        let (writer, writing) = Writer::start(writer, Arc::clone(&failed));
        let (writer, writing) = (Mutex::new(Some(writer)), tokio::sync::Mutex::new(Some(writing)));
        Ok(Self { readers, writer, writing, failed, probe: Probe::default() })
    }

    /// For reading.
    pub(crate) fn readers(&self) -> &AnyPool {
        &self.readers
    }

    /// Writes, and returns when what was written is durable. If `work` fails, nothing of it is kept. It must not begin or
    /// end a transaction: it is within one.
    ///
    /// # Errors
    /// Those of `work`, and of the commit.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        let writer = self.writer.lock().map_err(|_| StoreError::Panicked)?.clone();
        writer.ok_or(StoreError::Closed)?.write(work).await
    }

    /// Writes what devices have told, together with whatever else of that kind waits.
    ///
    /// # Errors
    /// Those of the statements, and of the commit.
    async fn keep(&self, entries: Vec<history::StoredEntry>) -> Result<(), StoreError> {
        let writer = self.writer.lock().map_err(|_| StoreError::Panicked)?.clone();
        writer.ok_or(StoreError::Closed)?.keep(entries).await
    }

    /// Whether what devices have told could not be written just now.
    pub(crate) fn fails_to_write(&self) -> bool {
        self.failed.lock().is_ok_and(|failed| failed.is_some_and(|at| at.elapsed() < RECENT))
    }

    /// Completes the writes that wait, and closes the database. Later ones fail.
    pub(crate) async fn close(&self) {
        if let Ok(mut writer) = self.writer.lock() {
            writer.take();
        }
        if let Some(writing) = self.writing.lock().await.take()
            && let Err(error) = writing.await
        {
            tracing::error!(%error, "the database's writer failed");
        }
        self.readers.close().await;
    }
}

/// Reads JSON that this program wrote.
pub(crate) fn json(text: &str) -> Result<serde_json::Value, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt("JSON"))
}

async fn prepare(connection: &mut AnyConnection, is_file: bool) -> Result<(), sqlx::Error> {
    if is_file {
        // FULL: what was answered survives a power cut, and not only a crash of this program.
        connection.execute("PRAGMA journal_mode = WAL").await?;
        connection.execute("PRAGMA synchronous = FULL").await?;
        connection.execute("PRAGMA busy_timeout = 10000").await?;
        // The pages that devices write to all the time: 16 MiB of them stay in memory, and as much is written to the log before
        // each of them goes once into the database.
        connection.execute("PRAGMA cache_size = -16384").await?;
        connection.execute("PRAGMA wal_autocheckpoint = 4096").await?;
    } else {
        let sql = "SELECT set_config('synchronous_commit', 'on', false)
            WHERE current_setting('synchronous_commit') = 'off'";
        connection.execute(sql).await?;
    }
    Ok(())
}
