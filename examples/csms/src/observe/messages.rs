//! Every OCPP message, on its way to the message log, the metrics and the live log.
//!
//! The connection's task never waits for this: what does not fit into the queue, in number or in bytes, is left out of the
//! log and of the live log, and counted. Rows are written every half second; their ids are taken from blocks that are
//! reserved in the database, so that ids rise, are never used twice, and have a gap where the program was restarted.

use std::sync::Arc;

use onwire::CallError;
use onwire::net::{MessageKind, Observe, Observed, Refusal};
use prometheus_client::metrics::gauge::Gauge;
use serde::Serialize;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::app::SharedApp;
use crate::observe::labels;
use crate::store::sql::Query;
use crate::store::{Batch, Room, Row, StoreError, next_numbers};
use crate::time;

/// Messages that wait for the task.
const QUEUE: usize = 4096;

/// Ids that are reserved at once.
const BLOCK: i64 = 10_000;

/// A message, as it is logged.
#[derive(Debug)]
struct Logged {
    id: i64,
    charge_point: Arc<str>,
    at: i64,
    direction: &'static str,
    kind: &'static str,
    message_id: String,
    action: Option<String>,
    error_code: Option<String>,
    elapsed_ms: Option<i64>,
    text: String,
    /// Counts it until it is written.
    _waiting: Waiting,
}

#[derive(Debug)]
struct Waiting(Gauge);

impl Waiting {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Row for Logged {
    const TABLE: &'static str = "message_log";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "charge_point",
        "logged_at",
        "direction",
        "kind",
        "message_id",
        "action",
        "error_code",
        "elapsed_ms",
        "text",
    ];

    fn bind(&self, query: Query) -> Query {
        query
            .bind(self.id)
            .bind(self.charge_point.to_string())
            .bind(self.at)
            .bind(self.direction.to_owned())
            .bind(self.kind.to_owned())
            .bind(self.message_id.clone())
            .bind(self.action.clone())
            .bind(self.error_code.clone())
            .bind(self.elapsed_ms)
            .bind(self.text.clone())
    }

    fn bytes(&self) -> usize {
        self.text.len().saturating_add(self.message_id.len())
    }
}

/// A message, as it is told live and as `/api/v1/messages` shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    id: i64,
    charge_point: &'a str,
    at: String,
    direction: &'static str,
    kind: &'static str,
    message_id: &'a str,
    action: Option<&'a str>,
    error_code: Option<&'a str>,
    elapsed_ms: Option<i64>,
    text: &'a str,
}

enum Item {
    Message(Box<Logged>, Room),
    Close,
}

/// Sees every message.
#[derive(Debug)]
pub struct Messages {
    app: SharedApp,
    items: mpsc::Sender<Item>,
    rows: Arc<Batch<Logged>>,
    writing: Mutex<Option<JoinHandle<()>>>,
}

impl Messages {
    /// Starts the task that writes them.
    pub fn start(app: &SharedApp) -> Arc<Self> {
        let (items, waiting) = mpsc::channel(QUEUE);
        let rows = Arc::new(app.store.batch());
        let log = Log { app: Arc::clone(app), rows: Arc::clone(&rows), ids: 0..0 };
        let writing = Mutex::new(Some(tokio::spawn(log.run(waiting))));
        Arc::new(Self { app: Arc::clone(app), items, rows, writing })
    }

    /// Writes what waits.
    pub async fn close(&self) {
        let Some(writing) = self.writing.lock().await.take() else { return };
        let _ = self.items.send(Item::Close).await;
        if let Err(error) = writing.await {
            tracing::error!(%error, "the message log's task failed");
        }
        self.rows.close().await;
    }

    fn log(&self, message: &Observed<'_>) -> Option<()> {
        let room = self.rows.try_room(message.text.len())?;
        let place = self.items.try_reserve().ok()?;
        let error_code = match &message.kind {
            MessageKind::CallError(code) | MessageKind::ResultError(code) => {
                Some(CallError::from(code.clone()).to_string())
            }
            _ => None,
        };
        let logged = Logged {
            id: 0,
            charge_point: message.peer.identity().into(),
            at: time::now(),
            direction: labels::direction(message.direction),
            kind: match message.kind {
                MessageKind::Call | MessageKind::Send => "call",
                MessageKind::CallResult => "result",
                MessageKind::CallError(_) | MessageKind::ResultError(_) => "error",
                _ => "unreadable",
            },
            message_id: message.id.to_owned(),
            action: message.action.map(str::to_owned),
            error_code,
            elapsed_ms: message.elapsed.map(|elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)),
            text: message.masked().into_owned(),
            _waiting: Waiting::new(&self.app.metrics.message_log_waiting),
        };
        place.send(Item::Message(Box::new(logged), room));
        Some(())
    }
}

impl Observe for Messages {
    fn message(&self, message: &Observed<'_>) {
        self.app.metrics.calls.count(message);
        self.app.refusals.note(message);
        if self.log(message).is_none() {
            self.app.metrics.message_log_dropped.inc();
        }
    }

    fn refused(&self, refusal: &Refusal) {
        self.app.metrics.refused_handshakes.get_or_create(&labels::refusal(refusal)).inc();
    }
}

struct Log {
    app: SharedApp,
    rows: Arc<Batch<Logged>>,
    ids: std::ops::Range<i64>,
}

impl Log {
    async fn run(mut self, mut items: mpsc::Receiver<Item>) {
        while let Some(Item::Message(mut message, room)) = items.recv().await {
            let Ok(id) = self.next_id().await else {
                self.app.metrics.message_log_dropped.inc();
                continue;
            };
            message.id = id;
            self.tell(&message);
            // Without waiting: the live log goes on when the database does not.
            if !self.rows.try_put(*message, room) {
                self.app.metrics.message_log_dropped.inc();
            }
        }
    }

    async fn next_id(&mut self) -> Result<i64, StoreError> {
        if let Some(id) = self.ids.next() {
            return Ok(id);
        }
        let last = self.app.store.write(|db| Box::pin(next_numbers(db, "message", BLOCK))).await?;
        self.ids = last - BLOCK + 2..last + 1;
        Ok(last - BLOCK + 1)
    }

    fn tell(&self, message: &Logged) {
        self.app.events.tell("message", &message.charge_point, || Told {
            id: message.id,
            charge_point: &message.charge_point,
            at: time::text(message.at),
            direction: message.direction,
            kind: message.kind,
            message_id: &message.message_id,
            action: message.action.as_deref(),
            error_code: message.error_code.as_deref(),
            elapsed_ms: message.elapsed_ms,
            text: &message.text,
        });
    }
}
