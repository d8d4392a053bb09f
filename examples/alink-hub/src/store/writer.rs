//! One task that writes: what waits is committed together, and each caller is answered when its own write is durable.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::{AnyConnection, AnyPool, Executor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::StoreError;
use super::history::{self, StoredEntry};

/// How many writes go into one commit.
const TOGETHER: usize = 256;

/// How many writes wait at most; then callers wait for room.
const WAITING: usize = 1024;

/// For a commit with all its writes: a database may vanish without a word.
const PATIENCE: Duration = Duration::from_secs(30);

/// For the end of a connection that failed.
const FAREWELL: Duration = Duration::from_secs(5);

/// A handle of the task; it ends when the last one is gone.
#[derive(Debug, Clone)]
pub(super) struct Writer(mpsc::Sender<Waiting>);

/// What waits to be written.
enum Waiting {
    /// Anything, within a savepoint of its own.
    Job(Box<dyn Job>),
    /// What a device has told, which is most of what is written: those that wait side by side share their statements.
    Told(Told),
}

/// A write that waits.
trait Job: Send {
    /// Does it, within a savepoint; whether it is to be kept.
    fn run<'c>(&'c mut self, db: &'c mut AnyConnection) -> BoxFuture<'c, bool>;

    /// Tells the caller.
    fn done(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Work<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Work<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
{
    fn run<'c>(&'c mut self, db: &'c mut AnyConnection) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return false };
            // Also `work` itself, which may do something before it makes its future.
            let result = guarded(async { work(db).await }).await;
            let is_good = result.is_ok();
            self.result = Some(result);
            is_good
        })
    }

    fn done(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (self.result, committed) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // The caller may have gone; what is written is written.
        let _ = self.caller.send(result);
    }
}

struct Told {
    entries: Vec<StoredEntry>,
    /// Why they are not written.
    refused: Option<StoreError>,
    caller: oneshot::Sender<Result<(), StoreError>>,
}

impl Waiting {
    fn is_told(&self) -> bool {
        matches!(self, Self::Told(_))
    }

    /// Whether the database, and not what was to be written, is why it was not.
    fn has_failed(&self) -> bool {
        matches!(self, Self::Told(Told { refused: Some(error), .. }) if error.is_passing())
    }

    fn done(self, committed: Result<(), StoreError>) {
        match self {
            Self::Job(job) => job.done(committed),
            Self::Told(Told { refused, caller, .. }) => {
                let _ = caller.send(refused.map_or(committed, Err));
            }
        }
    }
}

impl Writer {
    /// `failed` says since when what devices have told could not be written because of the database.
    pub(super) fn start(pool: AnyPool, failed: Arc<Mutex<Option<Instant>>>) -> (Self, JoinHandle<()>) {
        let (jobs, waiting) = mpsc::channel(WAITING);
        (Self(jobs), tokio::spawn(run(pool, waiting, failed)))
    }

    /// See [`Store::write`](super::Store::write).
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        let (caller, done) = oneshot::channel();
        let work = Work { work: Some(work), result: None, caller };
        self.0.send(Waiting::Job(Box::new(work))).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }

    /// See [`Store::keep`](super::Store::keep).
    pub(super) async fn keep(&self, entries: Vec<StoredEntry>) -> Result<(), StoreError> {
        let (caller, done) = oneshot::channel();
        let told = Told { entries, refused: None, caller };
        self.0.send(Waiting::Told(told)).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }
}

/// A panic is the caller's own trouble: whatever state it leaves behind is its own, and the database's part is rolled back.
async fn guarded<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or(Err(StoreError::Panicked))
}

async fn run(pool: AnyPool, mut waiting: mpsc::Receiver<Waiting>, failed: Arc<Mutex<Option<Instant>>>) {
    let mut jobs = Vec::with_capacity(TOGETHER);
    while waiting.recv_many(&mut jobs, TOGETHER).await > 0 {
        let committed = commit(&pool, &mut jobs).await;
        if let Err(error) = &committed {
            tracing::error!(%error, writes = jobs.len(), "nothing was written");
        }
        if jobs.iter().any(Waiting::is_told)
            && let Ok(mut failed) = failed.lock()
        {
            *failed = (committed.is_err() || jobs.iter().any(Waiting::has_failed)).then(Instant::now);
        }
        for job in jobs.drain(..) {
            job.done(committed.clone());
        }
    }
    pool.close().await;
}

async fn commit(pool: &AnyPool, jobs: &mut [Waiting]) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    let written = timeout(PATIENCE, write(&mut connection, jobs)).await.unwrap_or(Err(StoreError::Busy));
    if written.is_err() {
        // Whatever state it is in: the next write gets a fresh one.
        let _ = timeout(FAREWELL, connection.close()).await;
    }
    written
}

async fn write(db: &mut AnyConnection, jobs: &mut [Waiting]) -> Result<(), StoreError> {
    // SQLite: a transaction that begins with a read fails at once if somebody else, such as an operator with a tool, writes
    // in between.
    db.execute(if db.backend_name() == "SQLite" { "BEGIN IMMEDIATE" } else { "BEGIN" }).await?;
    for jobs in jobs.chunk_by_mut(|one, next| one.is_told() && next.is_told()) {
        if let [Waiting::Job(job)] = jobs {
            db.execute("SAVEPOINT job").await?;
            if !job.run(db).await {
                db.execute("ROLLBACK TO SAVEPOINT job").await?;
            }
            db.execute("RELEASE SAVEPOINT job").await?;
        } else {
            let told = jobs.iter_mut().filter_map(|job| if let Waiting::Told(told) = job { Some(told) } else { None });
            keep(db, told.collect()).await?;
        }
    }
    db.execute("COMMIT").await?;
    Ok(())
}

/// Writes what devices have told: all of it at once, or, should that fail, each message's for itself, so that one that the
/// database cannot take does not keep out its neighbours.
async fn keep(db: &mut AnyConnection, told: Vec<&mut Told>) -> Result<(), StoreError> {
    let all = told.iter().flat_map(|told| &told.entries);
    let Err(error) = attempt(db, all.collect()).await? else { return Ok(()) };
    if told.len() > 1 {
        tracing::warn!(%error, "what devices have told is written one by one");
    }
    for told in told {
        told.refused = attempt(db, told.entries.iter().collect()).await?.err();
    }
    Ok(())
}

/// Writes entries, all or none.
///
/// # Errors
/// Outside, what makes the whole transaction worthless; within, why these are not written.
async fn attempt(db: &mut AnyConnection, entries: Vec<&StoredEntry>) -> Result<Result<(), StoreError>, StoreError> {
    db.execute("SAVEPOINT entries").await?;
    let written = guarded(history::insert(db, &entries)).await;
    if written.is_err() {
        db.execute("ROLLBACK TO SAVEPOINT entries").await?;
    }
    db.execute("RELEASE SAVEPOINT entries").await?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use sqlx::any::{AnyConnectOptions, AnyPoolOptions};

    use super::super::sql;
    use super::*;
    use crate::store::Store;
    use crate::store::history::{self, Entry, Kind};

    /// A writer whose database cannot be reached.
    fn without_database() -> Writer {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/not-there/hub.db", folder.path().display());
        let options = AnyConnectOptions::from_str(&url).unwrap();
        Writer::start(AnyPoolOptions::new().max_connections(1).connect_lazy_with(options), Arc::default()).0
    }

    fn told(identifier: &str) -> Vec<Entry> {
        let (identifier, data) = (identifier.to_owned(), serde_json::json!(1));
        vec![Entry { kind: Kind::Property, identifier, data, answer: None, time: 1, is_dated: false }]
    }

    async fn mark(store: &Store, name: &'static str) -> Result<(), StoreError> {
        let sql = "INSERT INTO properties (device_id, identifier, value, time) VALUES (1, $1, '1', 1)";
        let write = store.write(move |db| {
            Box::pin(async move {
                sql::query(sql).bind(name).execute(&mut *db).await?;
                let mistake: fn() = || panic!("a mistake");
                (name == "within").then(mistake);
                Ok(())
            })
        });
        write.await
    }

    #[tokio::test]
    async fn a_write_that_panics_is_its_caller_s_trouble_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/hub.db", folder.path().display())).await.unwrap();
        // Before there is a future.
        let before = store.write::<(), _>(|_| panic!("a mistake"));
        // All of them wait before the first one is begun.
        let (a, within, before, b, entries) = tokio::join!(
            mark(&store, "a"),
            mark(&store, "within"),
            before,
            mark(&store, "b"),
            history::keep(&store, 1, told("c"))
        );
        assert!(a.is_ok() && b.is_ok() && entries.is_ok(), "{a:?} {b:?} {entries:?}");
        for panicked in [within, before] {
            assert!(matches!(panicked, Err(StoreError::Panicked)), "{panicked:?}");
        }
        let kept: Vec<String> = history::last(&store, 1).await.unwrap().into_iter().map(|(name, ..)| name).collect();
        assert_eq!(kept, ["a", "b", "c"]);
        store.close().await;
    }

    #[tokio::test]
    async fn without_a_connection_the_error_says_what_is_wrong() {
        let writer = without_database();
        let write = writer.write(|_| Box::pin(std::future::ready(Ok(()))));
        let (written, kept) = tokio::join!(write, writer.keep(Vec::new()));
        for failed in [written, kept] {
            let Err(StoreError::Database(why)) = failed else { panic!("{failed:?}") };
            assert!(why.contains("unable to open database file"), "{why}");
        }
    }
}
