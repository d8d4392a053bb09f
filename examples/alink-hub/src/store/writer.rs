//! One task that writes: what waits is committed together, and each caller is answered when its own write is durable.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::{AnyConnection, AnyPool, Executor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::StoreError;

/// How many writes go into one commit.
const TOGETHER: usize = 256;

/// How many writes wait at most; then callers wait for room.
const WAITING: usize = 1024;

/// For a commit with all its writes: a database may vanish without a word.
const PATIENCE: Duration = Duration::from_secs(30);

/// A write that waits: does its work within a savepoint, says whether it is to be kept, and leaves who is to be told.
type Job = Box<dyn for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Done> + Send>;

/// Tells a caller whether what it wrote was committed.
type Tell = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A write that is done; told whether it was committed.
struct Done {
    is_good: bool,
    tell: Tell,
}

/// A handle of the task; it ends when the last one is gone.
#[derive(Debug, Clone)]
pub(super) struct Writer(mpsc::Sender<JobOf>);

struct JobOf(Job);

impl Writer {
    pub(super) fn start(pool: AnyPool) -> (Self, JoinHandle<()>) {
        let (jobs, waiting) = mpsc::channel(WAITING);
        (Self(jobs), tokio::spawn(run(pool, waiting)))
    }

    /// See [`Store::write`](super::Store::write).
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        let (caller, done) = oneshot::channel();
        let job: Job = Box::new(move |db| {
            Box::pin(async move {
                let result = work(db).await;
                let is_good = result.is_ok();
                let tell = move |committed: Result<(), StoreError>| {
                    // The caller may have gone; what is written is written.
                    let _ = caller.send(result.and_then(|value| committed.map(|()| value)));
                };
                Done { is_good, tell: Box::new(tell) }
            })
        });
        self.0.send(JobOf(job)).await.map_err(|_| StoreError::Closed)?;
        // A write that panicked has told nobody.
        done.await.map_err(|_| StoreError::Closed)?
    }
}

async fn run(pool: AnyPool, mut waiting: mpsc::Receiver<JobOf>) {
    let mut jobs = Vec::with_capacity(TOGETHER);
    while waiting.recv_many(&mut jobs, TOGETHER).await > 0 {
        let mut done = Vec::with_capacity(jobs.len());
        let committed = commit(&pool, jobs.drain(..), &mut done).await;
        if let Err(error) = &committed {
            tracing::error!(%error, "nothing was written");
        }
        for tell in done {
            tell(committed.clone());
        }
    }
    pool.close().await;
}

async fn commit(
    pool: &AnyPool,
    jobs: impl Iterator<Item = JobOf> + Send,
    done: &mut Vec<Tell>,
) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    let work = std::panic::AssertUnwindSafe(write(&mut connection, jobs, done)).catch_unwind();
    let written = match timeout(PATIENCE, work).await {
        Ok(Ok(written)) => written,
        Ok(Err(_)) => Err(StoreError::Panicked),
        Err(_) => Err(StoreError::Busy),
    };
    if written.is_err() {
        // Whatever state it is in: the next write gets a fresh one.
        let _ = timeout(Duration::from_secs(5), connection.close()).await;
    }
    written
}

async fn write(
    db: &mut AnyConnection,
    jobs: impl Iterator<Item = JobOf>,
    done: &mut Vec<Tell>,
) -> Result<(), StoreError> {
    // SQLite: a transaction that begins with a read fails at once if somebody else, such as an operator with a tool, writes
    // in between.
    db.execute(if db.backend_name() == "SQLite" { "BEGIN IMMEDIATE" } else { "BEGIN" }).await?;
    for JobOf(job) in jobs {
        db.execute("SAVEPOINT job").await?;
        let Done { is_good, tell } = job(db).await;
        done.push(tell);
        if !is_good {
            db.execute("ROLLBACK TO SAVEPOINT job").await?;
        }
        db.execute("RELEASE SAVEPOINT job").await?;
    }
    db.execute("COMMIT").await?;
    Ok(())
}
