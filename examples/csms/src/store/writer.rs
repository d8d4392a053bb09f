//! One task that writes: what waits is committed together.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::{AnyConnection, AnyPool, Executor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Numbers, StoreError};

/// How many writes go into one commit.
const TOGETHER: usize = 256;

/// How many writes wait at most; then callers wait for room.
const WAITING: usize = 1024;

/// For a commit with all its writes: a database may vanish without a word.
const PATIENCE: Duration = Duration::from_secs(30);

/// For the end of a connection that failed.
const FAREWELL: Duration = Duration::from_secs(5);

/// A handle of the task.
#[derive(Debug, Clone)]
pub(super) struct Writer(mpsc::Sender<Box<dyn Job>>);

impl Writer {
    /// Starts the task; it owns the pool.
    pub(super) fn start(pool: AnyPool, numbers: Numbers) -> (Self, JoinHandle<()>) {
        let (jobs, waiting) = mpsc::channel(WAITING);
        (Self(jobs), tokio::spawn(run(pool, waiting, numbers)))
    }

    /// See [`Store::write`](super::Store::write).
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        let (job, done) = job(work);
        self.0.send(job).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }

    /// How many writes wait to be begun.
    pub(super) fn waiting(&self) -> usize {
        WAITING.saturating_sub(self.0.capacity())
    }

    /// Ends the task, once it has done what waits.
    pub(super) async fn end(&self) {
        let _ = self.0.send(Box::new(Last)).await;
    }
}

/// A write that waits.
trait Job: Send {
    /// Does it, within a savepoint; whether it is to be kept.
    fn run<'c>(&'c mut self, db: &'c mut AnyConnection) -> BoxFuture<'c, bool>;

    /// Tells the caller.
    fn done(self: Box<Self>, committed: Result<(), StoreError>);

    /// Whether the writer is to end after it.
    fn is_last(&self) -> bool {
        false
    }
}

struct Work<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

/// A write, and where its result comes.
fn job<T, F>(work: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
{
    let (caller, done) = oneshot::channel();
    (Box::new(Work { work: Some(work), result: None, caller }), done)
}

impl<T, F> Job for Work<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
{
    fn run<'c>(&'c mut self, db: &'c mut AnyConnection) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return false };
            // Also `work` itself, which may do something before it makes its future. Whatever state it leaves behind is its
            // own: the database's part is rolled back.
            let result = AssertUnwindSafe(async { work(db).await }).catch_unwind().await;
            let result = result.unwrap_or(Err(StoreError::Panicked));
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

/// What ends the task.
struct Last;

impl Job for Last {
    fn run<'c>(&'c mut self, _: &'c mut AnyConnection) -> BoxFuture<'c, bool> {
        Box::pin(std::future::ready(true))
    }

    fn done(self: Box<Self>, _: Result<(), StoreError>) {}

    fn is_last(&self) -> bool {
        true
    }
}

/// Writes until the store is closed.
async fn run(pool: AnyPool, mut waiting: mpsc::Receiver<Box<dyn Job>>, numbers: Numbers) {
    let mut jobs = Vec::with_capacity(TOGETHER);
    while waiting.recv_many(&mut jobs, TOGETHER).await > 0 {
        let is_last = jobs.iter().any(|job| job.is_last());
        let began = Instant::now();
        let committed = commit(&pool, &mut jobs).await;
        numbers.count(jobs.len(), committed.is_ok(), began.elapsed());
        if let Err(error) = &committed {
            tracing::error!(%error, writes = jobs.len(), "nothing was written");
        }
        for job in jobs.drain(..) {
            job.done(committed.clone());
        }
        if is_last {
            break;
        }
    }
    pool.close().await;
}

async fn commit(pool: &AnyPool, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    let written = timeout(PATIENCE, write(&mut connection, jobs)).await.unwrap_or(Err(StoreError::Busy));
    if written.is_err() {
        // Whatever state it is in: the next write gets a fresh one.
        let _ = timeout(FAREWELL, connection.close()).await;
    }
    written
}

/// Says each step itself: the depth of transactions that sqlx counts goes wrong when a connection is lost within a
/// savepoint, and then its `commit` succeeds without a word to the database.
async fn write(db: &mut AnyConnection, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    // SQLite: a transaction that begins with a read and goes on with a write fails at once if somebody else, such as an
    // operator with a tool, writes in between.
    db.execute(if db.backend_name() == "SQLite" { "BEGIN IMMEDIATE" } else { "BEGIN" }).await?;
    for job in jobs {
        db.execute("SAVEPOINT job").await?;
        if !job.run(db).await {
            db.execute("ROLLBACK TO SAVEPOINT job").await?;
        }
        // Fails if the transaction has ended meanwhile, for whatever reason.
        db.execute("RELEASE SAVEPOINT job").await?;
    }
    db.execute("COMMIT").await?;
    Ok(())
}
