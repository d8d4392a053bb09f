//! The database: SQLite in a file, or PostgreSQL, by one implementation.
//!
//! Reads go through a pool. Writes go, one after the other, through [`Store::write`]: those that wait are committed
//! together, so that a thousand charge points cost one `fsync` and not a thousand, and a caller is answered when its own
//! write is durable.
//!
//! SQL here is what both databases understand: `$1` for parameters, BIGINT and TEXT, `ON CONFLICT`, `RETURNING`.

pub mod records;
mod writer;

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::future::BoxFuture;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, Executor};
use tokio::sync::mpsc;

use self::writer::Job;

/// How many writes wait at most; then callers wait for room.
const WAITING: usize = 1024;

/// Connections that read.
const READERS: u32 = 4;

/// A read or write that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database refused, or cannot be reached. Nothing was written.
    #[error("{0}")]
    Database(String),
    /// The store is being closed.
    #[error("the database is being closed")]
    Closed,
    /// The database holds what this program never wrote.
    #[error("{0} in the database cannot be read")]
    Corrupt(&'static str),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.to_string())
    }
}

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// The database.
#[derive(Debug)]
pub struct Store {
    kind: Kind,
    readers: AnyPool,
    writer: mpsc::Sender<Box<dyn Job>>,
    /// Locked while it is waited for.
    writing: tokio::sync::Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Store {
    /// Opens the database, makes it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// A URL of another kind, a file that cannot be made, a server that does not answer.
    pub async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let (kind, url) = match url.split_once("://") {
            Some(("sqlite", path)) => {
                if let Some(folder) = Path::new(path).parent() {
                    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
                }
                (Kind::Sqlite, format!("sqlite://{path}?mode=rwc"))
            }
            Some(("postgres" | "postgresql", _)) => (Kind::Postgres, url.to_owned()),
            _ => bail!("the database is sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME"),
        };
        // Without the URL: it may hold a password.
        let options = AnyConnectOptions::from_str(&url).context("the database's URL cannot be read")?;
        let pool = |connections| {
            AnyPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(10))
                .after_connect(move |connection, _| Box::pin(prepare(connection, kind)))
        };
        let writer = pool(1).connect_with(options.clone()).await.context("cannot open the database")?;
        sqlx::migrate!("./migrations").run(&writer).await.context("cannot bring the database's schema up to date")?;
        let readers = pool(READERS).connect_with(options).await.context("cannot open the database")?;
        let (jobs, waiting) = mpsc::channel(WAITING);
        let writing = tokio::spawn(writer::run(writer, waiting));
        Ok(Self { kind, readers, writer: jobs, writing: tokio::sync::Mutex::new(Some(writing)) })
    }

    /// Which database it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// For reading.
    pub fn readers(&self) -> &AnyPool {
        &self.readers
    }

    /// How many writes wait to be begun.
    pub fn waiting_writes(&self) -> usize {
        WAITING.saturating_sub(self.writer.capacity())
    }

    /// Writes, and returns when what was written is durable. `work` sees what was written before; if it fails, nothing of
    /// it is kept. It may be committed together with the work of others, whose failure is no concern of it.
    ///
    /// ```ignore
    /// store.write(|db| Box::pin(async move {
    ///     sqlx::query("UPDATE ..").bind(id).execute(&mut *db).await?;
    ///     Ok(())
    /// })).await?;
    /// ```
    ///
    /// # Errors
    /// Those of `work`, and of the commit.
    pub async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        let (job, done) = writer::job(work);
        self.writer.send(job).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }

    /// Completes the writes that wait, and closes the database. Later ones fail.
    pub async fn close(&self) {
        let Some(writing) = self.writing.lock().await.take() else { return };
        // An empty job that tells the writer to go.
        let _ = self.writer.send(writer::last()).await;
        if let Err(error) = writing.await {
            tracing::error!(%error, "the database's writer failed");
        }
        self.readers.close().await;
    }
}

/// A number that was never given before under that name: 1, 2, .. To be called within a write, with which it is kept or
/// taken back.
///
/// # Errors
/// Those of the database.
pub async fn next_number(db: &mut AnyConnection, name: &str) -> Result<i64, StoreError> {
    let sql = "INSERT INTO counters (name, value) VALUES ($1, 1)
        ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value";
    Ok(sqlx::query_scalar(sql).bind(name.to_owned()).fetch_one(&mut *db).await?)
}

/// Id tags, configuration keys and the like, for comparing: OCPP's CiString has no case.
pub fn folded(text: &str) -> String {
    text.to_lowercase()
}

async fn prepare(connection: &mut AnyConnection, kind: Kind) -> Result<(), sqlx::Error> {
    if kind == Kind::Sqlite {
        // FULL: what was answered survives a power cut, and not only a crash of this program.
        connection.execute("PRAGMA journal_mode = WAL").await?;
        connection.execute("PRAGMA synchronous = FULL").await?;
        connection.execute("PRAGMA busy_timeout = 10000").await?;
    }
    Ok(())
}
