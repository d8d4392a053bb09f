//! Rows that are written many at a time: for what is not worth a commit of its own.
//!
//! What can be lost when the process or the machine dies is what was taken within [`LATE`] and not yet written: once rows
//! wait for longer, because the disk stalls or the database is away, no more are taken until these are written.

use std::borrow::Borrow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::{AnyConnection, AssertSqlSafe, Executor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::sql::Query;
use super::writer::Writer;
use super::{StoreError, sql};

/// Rows in one write.
const ROWS: usize = 500;

/// How long a row waits for others.
const WAIT: Duration = Duration::from_millis(500);

/// How old the oldest unwritten row may be before no more are taken.
const LATE: Duration = Duration::from_millis(750);

/// Rows that wait for the task beside those it is about to write.
const QUEUE: usize = 4000;

/// Bytes of all rows that are not written yet.
const BYTES: usize = 16 << 20;

/// What a row takes beside its text.
const ROW_BYTES: usize = 256;

/// How long a caller waits for room, or for its rows to be written.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two attempts to write.
const RETRY: Duration = Duration::from_millis(500);

/// Rows in one statement: few lengths, so that the database has few statements to prepare, and no long ones, as the driver looks
/// each parameter up by its name, one after the other.
const CHUNKS: [usize; 3] = [16, 4, 1];

/// A row of some table.
pub(crate) trait Row: Send + Sync + 'static {
    /// The table.
    const TABLE: &'static str;
    /// The columns, in the order of [`bind`](Row::bind).
    const COLUMNS: &'static [&'static str];
    /// Whether a row that a unique index finds there already is left out, instead of being refused.
    const UNLESS_THERE: bool = false;

    /// Binds a value for each column.
    fn bind(&self, query: Query) -> Query;

    /// Bytes of its text.
    fn bytes(&self) -> usize;
}

/// Memory that a row may take until it is written.
#[derive(Debug)]
pub(crate) struct Room(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

enum Item<R> {
    Row(Taken<R>),
    Flush(oneshot::Sender<()>),
    Close,
}

struct Taken<R> {
    row: R,
    at: Instant,
    #[expect(dead_code, reason = "held until the row is written")]
    room: Room,
}

/// Numbers of one [`Batch`].
#[derive(Debug)]
struct Numbers {
    epoch: Instant,
    /// Rows that are not written yet.
    waiting: AtomicUsize,
    /// When the oldest of them came, in milliseconds since `epoch`, which is in the past; 0: there is none.
    oldest: AtomicU64,
    /// Rows that the database refused, or that the program's end left over.
    lost: AtomicU64,
    closing: AtomicBool,
}

impl Numbers {
    fn new() -> Self {
        Self {
            // One second ahead, so that no time is 0.
            epoch: Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or_else(Instant::now),
            waiting: AtomicUsize::new(0),
            oldest: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            closing: AtomicBool::new(false),
        }
    }

    fn millis(&self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Takes rows, and writes them soon.
#[derive(Debug)]
pub(crate) struct Batch<R> {
    items: mpsc::Sender<Item<R>>,
    room: Arc<Semaphore>,
    numbers: Arc<Numbers>,
    writing: tokio::sync::Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl<R: Row> Batch<R> {
    pub(super) fn new(writer: Writer) -> Self {
        let (items, waiting) = mpsc::channel(QUEUE);
        let numbers = Arc::new(Numbers::new());
        let task = Task { writer, items: waiting, numbers: Arc::clone(&numbers) };
        let writing = tokio::sync::Mutex::new(Some(tokio::spawn(task.run())));
        Self { items, room: Arc::new(Semaphore::new(BYTES)), numbers, writing }
    }

    /// Takes a row; it is handed to the database within [`WAIT`].
    ///
    /// # Errors
    /// The database has not kept up for [`PATIENCE`], or is being closed; the row is not taken.
    pub(crate) async fn push(&self, row: R) -> Result<(), StoreError> {
        if self.is_late() {
            self.flush().await?;
        }
        let room = Arc::clone(&self.room).acquire_many_owned(permits(row.bytes()));
        let room = timeout(PATIENCE, room).await.map_err(|_| StoreError::Busy)?;
        let room = Room(room.map_err(|_| StoreError::Closed)?);
        let place = timeout(PATIENCE, self.items.reserve()).await.map_err(|_| StoreError::Busy)?;
        self.put(place.map_err(|_| StoreError::Closed)?, row, room);
        Ok(())
    }

    /// Takes a row for which there is room already, unless too many wait; whether it did.
    pub(crate) fn try_put(&self, row: R, room: Room) -> bool {
        self.items.try_reserve().map(|place| self.put(place, row, room)).is_ok()
    }

    fn put(&self, place: mpsc::Permit<'_, Item<R>>, row: R, room: Room) {
        self.numbers.waiting.fetch_add(1, Ordering::Relaxed);
        place.send(Item::Row(Taken { row, at: Instant::now(), room }));
    }

    /// Room for a row with so many bytes of text, if there is.
    pub(crate) fn try_room(&self, bytes: usize) -> Option<Room> {
        Arc::clone(&self.room).try_acquire_many_owned(permits(bytes)).ok().map(Room)
    }

    /// Returns when all rows that were taken are durable.
    ///
    /// # Errors
    /// The database has not kept up for [`PATIENCE`], or is being closed.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        let flush = async {
            let (told, done) = oneshot::channel();
            self.items.send(Item::Flush(told)).await.map_err(|_| StoreError::Closed)?;
            done.await.map_err(|_| StoreError::Closed)
        };
        timeout(PATIENCE, flush).await.map_err(|_| StoreError::Busy)?
    }

    /// Writes what waits; later rows are refused.
    pub(crate) async fn close(&self) {
        let Some(writing) = self.writing.lock().await.take() else { return };
        self.numbers.closing.store(true, Ordering::Relaxed);
        let _ = self.items.send(Item::Close).await;
        if let Err(error) = writing.await {
            tracing::error!(%error, table = R::TABLE, "the task that writes rows failed");
        }
    }

    /// How many rows are not written yet.
    pub(crate) fn waiting(&self) -> usize {
        self.numbers.waiting.load(Ordering::Relaxed)
    }

    /// How many rows were taken and could not be kept.
    pub(crate) fn lost(&self) -> u64 {
        self.numbers.lost.load(Ordering::Relaxed)
    }

    fn is_late(&self) -> bool {
        let oldest = self.numbers.oldest.load(Ordering::Relaxed);
        let age = self.numbers.millis(Instant::now()).saturating_sub(oldest);
        oldest != 0 && u128::from(age) > LATE.as_millis()
    }
}

fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes.saturating_add(ROW_BYTES).min(BYTES)).unwrap_or(u32::MAX)
}

struct Task<R> {
    writer: Writer,
    items: mpsc::Receiver<Item<R>>,
    numbers: Arc<Numbers>,
}

/// What a batch ended with.
enum End {
    /// It is full, or due.
    Time,
    /// Somebody waits for it.
    Flush(oneshot::Sender<()>),
    /// There will be no more.
    Closed,
}

impl<R> Borrow<R> for Taken<R> {
    fn borrow(&self) -> &R {
        &self.row
    }
}

impl<R: Row> Task<R> {
    async fn run(mut self) {
        loop {
            let (rows, end) = self.collect().await;
            if !rows.is_empty() {
                self.write(rows).await;
            }
            match end {
                End::Time => {}
                End::Flush(told) => drop(told.send(())),
                End::Closed => return,
            }
        }
    }

    async fn collect(&mut self) -> (Vec<Taken<R>>, End) {
        let mut rows: Vec<Taken<R>> = Vec::new();
        let mut due = None;
        while rows.len() < ROWS {
            let item = match due {
                None => self.items.recv().await,
                Some(due) => match timeout_at(due, self.items.recv()).await {
                    Ok(item) => item,
                    Err(_) => return (rows, End::Time),
                },
            };
            match item {
                Some(Item::Row(taken)) => {
                    if due.is_none() {
                        self.numbers.oldest.store(self.numbers.millis(taken.at), Ordering::Relaxed);
                        // Not from now: it may have waited for the batch before.
                        due = Some(taken.at + WAIT);
                    }
                    rows.push(taken);
                }
                Some(Item::Flush(told)) => return (rows, End::Flush(told)),
                // What came before is still received; then there is nothing.
                Some(Item::Close) => self.items.close(),
                None => return (rows, End::Closed),
            }
        }
        (rows, End::Time)
    }

    /// Tries until it succeeds, or until the store is being closed.
    async fn write(&self, rows: Vec<Taken<R>>) {
        let rows = Arc::new(rows);
        let lost = loop {
            match self.try_write(&rows).await {
                Ok(refused) => break refused,
                Err(error) if self.numbers.closing.load(Ordering::Relaxed) => {
                    tracing::error!(%error, table = R::TABLE, rows = rows.len(), "rows are lost");
                    break rows.len();
                }
                Err(error) => {
                    tracing::warn!(%error, table = R::TABLE, rows = rows.len(), "rows cannot be written now");
                    sleep(RETRY).await;
                }
            }
        };
        self.numbers.lost.fetch_add(u64::try_from(lost).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.numbers.waiting.fetch_sub(rows.len(), Ordering::Relaxed);
        self.numbers.oldest.store(0, Ordering::Relaxed);
    }

    /// All at once; if that fails, each by itself, so that one that the database refuses costs no other. How many it
    /// refused.
    async fn try_write(&self, rows: &Arc<Vec<Taken<R>>>) -> Result<usize, StoreError> {
        let all = Arc::clone(rows);
        if self.writer.write(move |db| Box::pin(async move { insert::<R>(db, &all).await })).await.is_ok() {
            return Ok(0);
        }
        let each = Arc::clone(rows);
        self.writer.write(move |db| Box::pin(async move { insert_each(db, &each).await })).await
    }
}

/// Inserts rows, within a write.
///
/// # Errors
/// Those of the database.
pub(super) async fn insert<R: Row>(db: &mut AnyConnection, rows: &[impl Borrow<R>]) -> Result<(), StoreError> {
    let mut left = rows;
    for size in CHUNKS {
        let chunks = left.chunks_exact(size);
        left = chunks.remainder();
        for chunk in chunks {
            insert_chunk::<R>(db, chunk).await?;
        }
    }
    Ok(())
}

async fn insert_each<R: Row>(db: &mut AnyConnection, rows: &[Taken<R>]) -> Result<usize, StoreError> {
    let mut refused = 0;
    for row in rows {
        db.execute("SAVEPOINT one_row").await?;
        if let Err(error) = insert_chunk::<R>(db, std::slice::from_ref(row)).await {
            tracing::error!(%error, table = R::TABLE, "the database refuses a row");
            refused += 1;
            db.execute("ROLLBACK TO SAVEPOINT one_row").await?;
        }
        db.execute("RELEASE SAVEPOINT one_row").await?;
    }
    // Refused by a database that works, or not written because it does not?
    if refused == rows.len() {
        sql::query("SELECT 1").execute(&mut *db).await?;
    }
    Ok(refused)
}

async fn insert_chunk<R: Row>(db: &mut AnyConnection, rows: &[impl Borrow<R>]) -> Result<(), StoreError> {
    let query = sql::query(AssertSqlSafe(insertion::<R>(rows.len())));
    rows.iter().fold(query, |query, row| row.borrow().bind(query)).execute(&mut *db).await?;
    Ok(())
}

fn insertion<R: Row>(rows: usize) -> String {
    use std::fmt::Write;
    let columns = R::COLUMNS.len();
    let mut sql = format!("INSERT INTO {} ({}) VALUES ", R::TABLE, R::COLUMNS.join(", "));
    for row in 0..rows {
        for column in 0..columns {
            let before = match (row, column) {
                (0, 0) => "(",
                (_, 0) => "), (",
                _ => ", ",
            };
            let _ = write!(sql, "{before}${}", row * columns + column + 1);
        }
    }
    sql.push_str(if R::UNLESS_THERE { ") ON CONFLICT DO NOTHING" } else { ")" });
    sql
}
