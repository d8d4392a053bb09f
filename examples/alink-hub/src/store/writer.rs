//! One task that writes: what waits is committed together, and each caller is answered when its own write is durable.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::{AnyConnection, AnyPool, Executor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::StoreError;
use super::history::{self, StoredEntry};

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
pub(super) struct Writer(mpsc::Sender<Waiting>);

/// What waits to be written.
enum Waiting {
    /// Anything, within a savepoint of its own.
    Job(Job),
    /// What a device has told, which is most of what is written: those that wait side by side share their statements.
    Entries(Vec<StoredEntry>, Tell),
}

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
        self.0.send(Waiting::Job(job)).await.map_err(|_| StoreError::Closed)?;
        // A write that panicked has told nobody.
        done.await.map_err(|_| StoreError::Closed)?
    }

    /// See [`Store::keep`](super::Store::keep).
    pub(super) async fn keep(&self, entries: Vec<StoredEntry>) -> Result<(), StoreError> {
        let (caller, done) = oneshot::channel();
        let tell: Tell = Box::new(move |committed| {
            let _ = caller.send(committed);
        });
        self.0.send(Waiting::Entries(entries, tell)).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }
}

async fn run(pool: AnyPool, mut waiting: mpsc::Receiver<Waiting>) {
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
    jobs: impl Iterator<Item = Waiting> + Send,
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
    jobs: impl Iterator<Item = Waiting>,
    done: &mut Vec<Tell>,
) -> Result<(), StoreError> {
    // SQLite: a transaction that begins with a read fails at once if somebody else, such as an operator with a tool, writes
    // in between.
    db.execute(if db.backend_name() == "SQLite" { "BEGIN IMMEDIATE" } else { "BEGIN" }).await?;
    let mut jobs = jobs.peekable();
    while let Some(job) = jobs.next() {
        let job = match job {
            Waiting::Job(job) => job,
            Waiting::Entries(entries, tell) => {
                let mut told = vec![(entries, tell)];
                while let Some(Waiting::Entries(entries, tell)) =
                    jobs.next_if(|next| matches!(next, Waiting::Entries(..)))
                {
                    told.push((entries, tell));
                }
                keep(db, told, done).await?;
                continue;
            }
        };
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

/// Writes what devices have told: all of it at once, or, should that fail, each message's for itself, so that one that the
/// database cannot take does not keep out its neighbours.
async fn keep(
    db: &mut AnyConnection,
    told: Vec<(Vec<StoredEntry>, Tell)>,
    done: &mut Vec<Tell>,
) -> Result<(), StoreError> {
    let all = told.iter().flat_map(|(entries, _)| entries);
    let Err(error) = attempt(db, all.collect()).await? else {
        done.extend(told.into_iter().map(|(_, tell)| tell));
        return Ok(());
    };
    if told.len() > 1 {
        tracing::warn!(%error, "what devices have told is written one by one");
    }
    for (entries, tell) in told {
        match attempt(db, entries.iter().collect()).await? {
            Ok(()) => done.push(tell),
            Err(error) => done.push(Box::new(move |_| tell(Err(error)))),
        }
    }
    Ok(())
}

/// Writes entries, all or none.
///
/// # Errors
/// Outside, what makes the whole transaction worthless; within, why these are not written.
async fn attempt(db: &mut AnyConnection, entries: Vec<&StoredEntry>) -> Result<Result<(), StoreError>, StoreError> {
    db.execute("SAVEPOINT entries").await?;
    let written = history::insert(db, &entries).await;
    if written.is_err() {
        db.execute("ROLLBACK TO SAVEPOINT entries").await?;
    }
    db.execute("RELEASE SAVEPOINT entries").await?;
    Ok(written)
}
