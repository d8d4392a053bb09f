//! The database: SQLite in a file, or PostgreSQL, by one implementation.
//!
//! Reads go through a pool. Writes go, one after the other, through [`Store::write`]: those that wait are committed
//! together, so that a thousand charge points cost one `fsync` and not a thousand, and a caller is answered when its own
//! write is durable.
//!
//! SQL here is what both databases understand: `$1` for parameters, BIGINT and TEXT, `ON CONFLICT`, `RETURNING`.

mod batch;
pub mod charge_points;
pub mod connectors;
pub mod energy;
pub mod id_tags;
pub mod marks;
pub mod meter_values;
mod numbers;
mod postgres;
mod probe;
pub mod records;
pub mod reservations;
pub mod retention;
pub mod samples;
pub mod security_events;
pub mod sql;
pub mod text;
pub mod transactions;
mod writer;

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;
use futures_util::future::BoxFuture;
use ring::digest::{SHA256, digest};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, Executor};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

pub(crate) use self::batch::{Batch, Room, Row};
pub use self::meter_values::{MeterValue, MeterValues};
pub use self::numbers::Numbers;
use self::probe::Probe;
pub use self::samples::Sample;
use self::writer::Writer;
use crate::durable::{private_file, private_folder};

/// Connections that read.
const READERS: u32 = 4;

/// A read or write that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database refused, or cannot be reached. Nothing was written; but if the connection to a PostgreSQL broke while it
    /// committed, it may have written everything.
    #[error("{0}")]
    Database(String),
    /// The store is being closed.
    #[error("the database is being closed")]
    Closed,
    /// The database does not keep up: too much waits, or a commit took so long (30 s) that it was given up. Such a commit
    /// may succeed all the same.
    #[error("the database does not keep up")]
    Busy,
    /// A mistake of this program: nothing was written.
    #[error("the program failed while it wrote")]
    Panicked,
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
    writer: Writer,
    numbers: Numbers,
    meter_values: MeterValues,
    probe: Probe,
    /// Locked while it is waited for.
    writing: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the database, makes it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// A URL of another kind, a file that cannot be made, a server that does not answer or whose certificate is rejected.
    pub async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let (kind, url) = match url.split_once("://") {
            Some(("sqlite", path)) => {
                let path_of_file = Path::new(path);
                if let Some(folder) = path_of_file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                    private_folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
                }
                // SQLite gives the files beside it the same mode.
                private_file(path_of_file).with_context(|| format!("cannot make {path}"))?;
                (Kind::Sqlite, format!("sqlite://{path}?mode=rwc"))
            }
            Some(("postgres" | "postgresql", _)) => {
                postgres::check(url)?;
                (Kind::Postgres, url.to_owned())
            }
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
        let writer = pool(1).connect_with(options.clone()).await;
        let writer = writer.map_err(postgres::explained).context("cannot open the database")?;
        sqlx::migrate!("./migrations").run(&writer).await.context("cannot bring the database's schema up to date")?;
        let mut connection = writer.acquire().await.context("cannot open the database")?;
        transactions::prepare(&mut connection, kind).await.context("cannot bring the database's schema up to date")?;
        drop(connection);
        let readers = pool(READERS).connect_with(options).await.context("cannot open the database")?;
        let numbers = Numbers::default();
        let (writer, writing) = Writer::start(writer, numbers.clone());
        let meter_values = MeterValues::new(writer.clone());
        Ok(Self {
            kind,
            readers,
            writer,
            numbers,
            meter_values,
            probe: Probe::default(),
            writing: Mutex::new(Some(writing)),
        })
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
        self.writer.waiting()
    }

    /// What was committed so far.
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// Meter values on their way into the database.
    pub fn meter_values(&self) -> &MeterValues {
        &self.meter_values
    }

    /// For rows of another table that are written many at a time.
    pub(crate) fn batch<R: Row>(&self) -> Batch<R> {
        Batch::new(self.writer.clone())
    }

    /// Writes, and returns when what was written is durable. `work` sees what was written before; if it fails, nothing of
    /// it is kept. It may be committed together with the work of others, whose failure is no concern of it. It must not begin
    /// or end a transaction: it is within one.
    ///
    /// ```ignore
    /// store.write(|db| Box::pin(async move {
    ///     sql::query("UPDATE ..").bind(id).execute(&mut *db).await?;
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
        self.writer.write(work).await
    }

    /// Completes the writes that wait, and closes the database. Later ones fail.
    pub async fn close(&self) {
        let Some(writing) = self.writing.lock().await.take() else { return };
        self.meter_values.close().await;
        self.writer.end().await;
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
    next_numbers(db, name, 1).await
}

/// So many numbers like [`next_number`]; the last of them.
///
/// # Errors
/// Those of the database.
pub async fn next_numbers(db: &mut AnyConnection, name: &str, count: i64) -> Result<i64, StoreError> {
    let sql = "INSERT INTO counters (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = counters.value + $2 RETURNING value";
    Ok(sql::query_scalar(sql).bind(name.to_owned()).bind(count).fetch_one(&mut *db).await?)
}

/// The longest text that [`folded`] keeps whole, in bytes. It stands in indexes, and PostgreSQL rejects an index entry of more
/// than 2,704 bytes.
const LONGEST_FOLDED: usize = 512;

/// Id tags, configuration keys and the like, for comparing: OCPP's CiString has no case. Of a text of more than 512 bytes
/// (OCPP has 50 characters at most, charge points do not always care) the end is replaced by a digest of the whole.
pub fn folded(text: &str) -> String {
    let mut folded = text.to_lowercase();
    if folded.len() > LONGEST_FOLDED {
        let digest = HEXLOWER.encode(digest(&SHA256, sql::storable(&folded).as_bytes()).as_ref());
        folded.truncate(folded.floor_char_boundary(LONGEST_FOLDED - digest.len()));
        folded.push_str(&digest);
    }
    folded
}

async fn prepare(connection: &mut AnyConnection, kind: Kind) -> Result<(), sqlx::Error> {
    match kind {
        Kind::Sqlite => {
            // FULL: what was answered survives a power cut, and not only a crash of this program.
            connection.execute("PRAGMA journal_mode = WAL").await?;
            connection.execute("PRAGMA synchronous = FULL").await?;
            connection.execute("PRAGMA busy_timeout = 10000").await?;
        }
        Kind::Postgres => {
            // A server may be set to answer before it has written. More than `on` stays.
            let sql = "SELECT set_config('synchronous_commit', 'on', false)
                WHERE current_setting('synchronous_commit') = 'off'";
            connection.execute(sql).await?;
        }
    }
    Ok(())
}
