//! Transactions: each is there once, whatever is sent twice, and none stays open because a stop was lost.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::id_tags::{self, Verdict};
use super::{MeterValue, StoreError, folded, next_number, reservations, samples, sql};
use crate::time;

/// How long after a transaction's stop its start is taken for a repetition. Without a clock that outlives a power cut,
/// charge points give later starts the same time-stamp.
const REPEATED_AFTER_STOP: i64 = 10 * 60 * 1000;

/// The same after an estimated stop: a charge point that was offline may repeat the start when it is back.
const REPEATED_AFTER_ESTIMATE: i64 = 24 * 60 * 60 * 1000;

/// The counter of their numbers.
const NUMBERS: &str = "transaction";

/// `SELECT` with all columns of [`Transaction`] and what follows.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, charge_point, connector, id_tag, id_tag_status, reservation, started_at, start_meter,
                last_meter, last_meter_at, stopped_at, stop_meter, stop_reason, stop_id_tag, stop_received_at,
                estimated FROM transactions ",
            $rest
        )
    };
}

/// A transaction.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Transaction {
    /// Positive, never given twice.
    pub id: i64,
    /// Identity.
    pub charge_point: String,
    /// Where.
    pub connector: i64,
    /// Who, as it was sent.
    pub id_tag: String,
    /// What the start was answered with.
    pub id_tag_status: String,
    /// What StartTransaction named.
    pub reservation: Option<i64>,
    /// By the charge point's clock.
    pub started_at: i64,
    /// In Wh.
    pub start_meter: i64,
    /// The latest energy register, in Wh.
    pub last_meter: Option<i64>,
    /// When it was read.
    pub last_meter_at: Option<i64>,
    /// `None` while it runs.
    pub stopped_at: Option<i64>,
    /// In Wh.
    pub stop_meter: Option<i64>,
    /// As it was sent.
    pub stop_reason: Option<String>,
    /// Who stopped it, if it was somebody.
    pub stop_id_tag: Option<String>,
    /// When the server learnt of it.
    pub stop_received_at: Option<i64>,
    /// 1: the stop was lost, and its numbers are the server's.
    pub estimated: i64,
}

impl Transaction {
    /// Whether it runs.
    pub fn is_active(&self) -> bool {
        self.stopped_at.is_none()
    }

    /// In Wh, as far as it is known.
    pub fn energy(&self) -> Option<i64> {
        let last = self.stop_meter.or(self.last_meter)?;
        Some(last.saturating_sub(self.start_meter))
    }
}

/// As the API and the live events have it.
impl Serialize for Transaction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Json<'a> {
            id: i64,
            charge_point: &'a str,
            connector: i64,
            id_tag: &'a str,
            id_tag_status: &'a str,
            reservation_id: Option<i64>,
            started_at: String,
            start_meter_wh: i64,
            last_meter_wh: Option<i64>,
            last_meter_at: Option<String>,
            stopped_at: Option<String>,
            stop_meter_wh: Option<i64>,
            stop_reason: Option<&'a str>,
            stop_id_tag: Option<&'a str>,
            estimated: bool,
            energy_wh: Option<i64>,
            active: bool,
        }
        let json = Json {
            id: self.id,
            charge_point: &self.charge_point,
            connector: self.connector,
            id_tag: &self.id_tag,
            id_tag_status: &self.id_tag_status,
            reservation_id: self.reservation,
            started_at: time::text(self.started_at),
            start_meter_wh: self.start_meter,
            last_meter_wh: self.last_meter,
            last_meter_at: self.last_meter_at.map(time::text),
            stopped_at: self.stopped_at.map(time::text),
            stop_meter_wh: self.stop_meter,
            stop_reason: self.stop_reason.as_deref(),
            stop_id_tag: self.stop_id_tag.as_deref(),
            estimated: self.estimated != 0,
            energy_wh: self.energy(),
            active: self.is_active(),
        };
        json.serialize(serializer)
    }
}

/// Which id tags may be in several transactions at once; a second start of the others is answered with ConcurrentTx. OCPP
/// leaves it to the central system (OCPP 1.6 §7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ConcurrentTx {
    /// None of them.
    None,
    /// Those that nobody has entered and an open server accepts: charge points without a card reader send one tag for
    /// everybody.
    #[default]
    Unknown,
    /// All of them.
    All,
}

impl ConcurrentTx {
    fn allows(self, verdict: &Verdict) -> bool {
        match self {
            Self::None => false,
            Self::Unknown => !verdict.is_known,
            Self::All => true,
        }
    }
}

/// A StartTransaction.
#[derive(Debug, Clone)]
pub struct Start {
    /// Identity.
    pub charge_point: String,
    /// Where.
    pub connector: i64,
    /// Who.
    pub id_tag: String,
    /// In Wh.
    pub meter: i64,
    /// By the charge point's clock.
    pub at: i64,
    /// The reservation that it ends.
    pub reservation: Option<i64>,
    /// Whether tags that nobody has entered may charge.
    pub accepts_unknown: bool,
    /// Which tags may be in several transactions at once.
    pub concurrent_tx: ConcurrentTx,
    /// When it came.
    pub now: i64,
}

/// What became of a StartTransaction.
#[derive(Debug)]
pub struct Started {
    /// The transaction, begun now or when the same start came before.
    pub transaction: Transaction,
    /// What its tag is worth; the status is that of the first answer.
    pub verdict: Verdict,
    /// Whether it was begun now.
    pub is_new: bool,
    /// Transactions of the connector that this start proves to be over.
    pub ended: Vec<Transaction>,
}

/// Sees to it that new transactions have that number or a higher one; numbers that were given before stay given.
///
/// # Errors
/// Those of the database.
pub async fn number_from(db: &mut AnyConnection, first: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO counters (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE counters.value < excluded.value";
    sql::query(sql).bind(NUMBERS.to_owned()).bind(first.saturating_sub(1)).execute(&mut *db).await?;
    Ok(())
}

/// Begins a transaction, or finds the one that the same start has begun. It is there whatever the tag is worth: the charge
/// point decides what it makes of a refusal, and its StopTransaction has to name a transaction.
///
/// A tag is in one transaction at a time, unless [`ConcurrentTx`] says otherwise.
///
/// # Errors
/// Those of the database.
pub async fn start(db: &mut AnyConnection, start: Start) -> Result<Started, StoreError> {
    let mut verdict = id_tags::judge(db, &start.id_tag, start.accepts_unknown, start.now).await?;
    if let Some(transaction) = repeated(db, &start).await? {
        verdict.status = id_tags::status(&transaction.id_tag_status);
        return Ok(Started { transaction, verdict, is_new: false, ended: Vec::new() });
    }
    // Whatever its clock says: one connector has one transaction.
    let over = Over { begun_until: i64::MAX, at: start.at, now: start.now };
    let ended = end_estimated(db, &start.charge_point, start.connector, over).await?;
    if verdict.is_accepted() && !start.concurrent_tx.allows(&verdict) && is_charging(db, &start.id_tag).await? {
        verdict.status = "ConcurrentTx";
    }
    let id = next_number(db, NUMBERS).await?;
    let sql =
        "INSERT INTO transactions (id, charge_point, connector, id_tag, folded_id_tag, reservation, id_tag_status,
            started_at, start_meter, start_received_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let query = sql::query(sql)
        .bind(id)
        .bind(start.charge_point.clone())
        .bind(start.connector)
        .bind(start.id_tag.clone())
        .bind(folded(&start.id_tag))
        .bind(start.reservation)
        .bind(verdict.status.to_owned())
        .bind(start.at)
        .bind(start.meter)
        .bind(start.now);
    query.execute(&mut *db).await?;
    let reservation = reservations::Use {
        charge_point: &start.charge_point,
        connector: start.connector,
        id_tag: &start.id_tag,
        parent_id_tag: verdict.parent_id_tag.as_deref(),
        reservation: start.reservation,
        transaction: id,
    };
    reservations::use_one(db, reservation).await?;
    let transaction = by_id(db, &start.charge_point, id).await?.ok_or(StoreError::Corrupt("a transaction"))?;
    Ok(Started { transaction, verdict, is_new: true, ended })
}

/// The transaction that the same start has begun before: still open, or stopped not long ago.
async fn repeated(db: &mut AnyConnection, start: &Start) -> Result<Option<Transaction>, StoreError> {
    let sql = select!(
        "WHERE charge_point = $1 AND connector = $2 AND started_at = $3 AND start_meter = $4 AND folded_id_tag = $5
            ORDER BY id DESC LIMIT 1"
    );
    let query = sql::query_as(sql)
        .bind(start.charge_point.clone())
        .bind(start.connector)
        .bind(start.at)
        .bind(start.meter)
        .bind(folded(&start.id_tag));
    let found: Option<Transaction> = query.fetch_optional(&mut *db).await?;
    Ok(found.filter(|found| {
        let window = if found.estimated == 0 { REPEATED_AFTER_STOP } else { REPEATED_AFTER_ESTIMATE };
        found.stop_received_at.is_none_or(|stopped| start.now.saturating_sub(stopped) <= window)
    }))
}

/// Whether that tag is in a transaction that was accepted.
async fn is_charging(db: &mut AnyConnection, id_tag: &str) -> Result<bool, StoreError> {
    let sql = "SELECT COUNT(*) FROM transactions
        WHERE folded_id_tag = $1 AND stopped_at IS NULL AND id_tag_status = 'Accepted'";
    let count: i64 = sql::query_scalar(sql).bind(folded(id_tag)).fetch_one(&mut *db).await?;
    Ok(count > 0)
}

async fn by_id(db: &mut AnyConnection, charge_point: &str, id: i64) -> Result<Option<Transaction>, StoreError> {
    let sql = select!("WHERE id = $1 AND charge_point = $2");
    Ok(sql::query_as(sql).bind(id).bind(charge_point.to_owned()).fetch_optional(&mut *db).await?)
}

/// The transactions that run on that connector, the latest first; begun until then by the charge point's clock.
///
/// # Errors
/// Those of the database.
pub async fn running(
    db: &mut AnyConnection,
    charge_point: &str,
    connector: i64,
    begun_until: i64,
) -> Result<Vec<Transaction>, StoreError> {
    let sql = select!(
        "WHERE charge_point = $1 AND connector = $2 AND stopped_at IS NULL AND started_at <= $3 ORDER BY id DESC"
    );
    let query = sql::query_as(sql).bind(charge_point.to_owned()).bind(connector).bind(begun_until);
    Ok(query.fetch_all(&mut *db).await?)
}

/// That what runs on a connector is over, although no stop came.
#[derive(Debug, Clone, Copy)]
pub struct Over {
    /// What began later is not meant.
    pub begun_until: i64,
    /// Since when, by the charge point's clock.
    pub at: i64,
    /// When the server learnt of it.
    pub now: i64,
}

/// Ends what still runs on that connector although the charge point shows that it is over, with the last register that is
/// known. A late StopTransaction puts it right.
///
/// # Errors
/// Those of the database.
pub async fn end_estimated(
    db: &mut AnyConnection,
    charge_point: &str,
    connector: i64,
    over: Over,
) -> Result<Vec<Transaction>, StoreError> {
    let mut ended = running(db, charge_point, connector, over.begun_until).await?;
    for transaction in &mut ended {
        transaction.stopped_at = Some(over.at.max(transaction.started_at));
        transaction.stop_meter = Some(transaction.last_meter.unwrap_or(transaction.start_meter));
        transaction.stop_received_at = Some(over.now);
        transaction.estimated = 1;
        let sql = "UPDATE transactions SET stopped_at = $2, stop_meter = $3, stop_received_at = $4, estimated = 1
            WHERE id = $1";
        let query = sql::query(sql)
            .bind(transaction.id)
            .bind(transaction.stopped_at)
            .bind(transaction.stop_meter)
            .bind(transaction.stop_received_at);
        query.execute(&mut *db).await?;
    }
    Ok(ended)
}

/// A StopTransaction.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Identity.
    pub charge_point: String,
    /// -1: its start could never be delivered.
    pub transaction: i64,
    /// In Wh.
    pub meter: i64,
    /// By the charge point's clock.
    pub at: i64,
    /// As it was sent, also beyond the values of OCPP 1.6.
    pub reason: Option<String>,
    /// Who stops it, if it is somebody.
    pub id_tag: Option<String>,
    /// Its transactionData; connector and transaction are filled in here.
    pub samples: Vec<MeterValue>,
    /// Whether tags that nobody has entered may charge.
    pub accepts_unknown: bool,
    /// When it came.
    pub now: i64,
}

/// What became of a StopTransaction.
#[derive(Debug)]
pub struct Stopped {
    /// The transaction, if it is known.
    pub transaction: Option<Transaction>,
    /// What the tag is worth that stopped it, if one was sent.
    pub verdict: Option<Verdict>,
    /// Whether it was stopped, or its estimated stop put right, now.
    pub is_new: bool,
}

/// Ends a transaction, puts an estimated end right, or does nothing if the same stop came before. What names no transaction
/// of that charge point is kept apart.
///
/// # Errors
/// Those of the database.
pub async fn stop(db: &mut AnyConnection, mut stop: Stop) -> Result<Stopped, StoreError> {
    let verdict = match &stop.id_tag {
        Some(id_tag) => Some(id_tags::judge(db, id_tag, stop.accepts_unknown, stop.now).await?),
        None => None,
    };
    let Some(transaction) = by_id(db, &stop.charge_point, stop.transaction).await? else {
        let is_new = keep_unknown(db, stop).await?;
        return Ok(Stopped { transaction: None, verdict, is_new });
    };
    if !transaction.is_active() && transaction.estimated == 0 {
        return Ok(Stopped { transaction: Some(transaction), verdict, is_new: false });
    }
    let samples = std::mem::take(&mut stop.samples);
    let of_it = |row| MeterValue { connector: transaction.connector, transaction_id: Some(transaction.id), ..row };
    samples::insert(db, samples.into_iter().map(of_it)).await?;
    let sql = "UPDATE transactions SET stopped_at = $2, stop_meter = $3, stop_reason = $4, stop_id_tag = $5,
            stop_received_at = $6, estimated = 0, last_meter = $3, last_meter_at = $2
        WHERE id = $1";
    let query = sql::query(sql)
        .bind(transaction.id)
        .bind(stop.at)
        .bind(stop.meter)
        .bind(stop.reason)
        .bind(stop.id_tag)
        .bind(stop.now);
    query.execute(&mut *db).await?;
    let transaction = by_id(db, &stop.charge_point, transaction.id).await?;
    Ok(Stopped { transaction, verdict, is_new: true })
}

/// Whether it was not there before.
async fn keep_unknown(db: &mut AnyConnection, stop: Stop) -> Result<bool, StoreError> {
    let sql = "INSERT INTO unknown_stops (charge_point, transaction_id, id_tag, stopped_at, stop_meter, stop_reason,
            received_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let query = sql::query(sql)
        .bind(stop.charge_point)
        .bind(stop.transaction)
        .bind(folded(stop.id_tag.as_deref().unwrap_or_default()))
        .bind(stop.at)
        .bind(stop.meter)
        .bind(stop.reason)
        .bind(stop.now);
    if query.execute(&mut *db).await?.rows_affected() == 0 {
        return Ok(false);
    }
    // -1 stands for many transactions.
    let transaction_id = (stop.transaction > 0).then_some(stop.transaction);
    let of_it = |row| MeterValue { transaction_id, ..row };
    samples::insert(db, stop.samples.into_iter().map(of_it)).await?;
    Ok(true)
}

/// An energy register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// In Wh.
    pub energy: i64,
    /// When it was read.
    pub at: i64,
}

/// Keeps the latest register of a transaction. One that is older than what is known changes nothing, and neither does one
/// below the start's, which counts from somewhere else. After an estimated stop it betters the estimate.
///
/// # Errors
/// Those of the database.
pub async fn keep_register(
    db: &mut AnyConnection,
    charge_point: String,
    transaction: i64,
    register: Register,
) -> Result<(), StoreError> {
    let sql = "UPDATE transactions SET last_meter = $3, last_meter_at = $4,
            stop_meter = CASE WHEN estimated = 1 THEN $3 ELSE stop_meter END
        WHERE id = $1 AND charge_point = $2 AND (stopped_at IS NULL OR estimated = 1) AND start_meter <= $3
            AND (last_meter_at IS NULL OR last_meter_at <= $4)";
    let query = sql::query(sql).bind(transaction).bind(charge_point).bind(register.energy).bind(register.at);
    query.execute(&mut *db).await?;
    Ok(())
}
