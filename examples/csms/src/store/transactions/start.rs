//! StartTransaction.

use onwire::net::Peers;
use serde::Deserialize;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::super::energy::{Origin, Reading, Walk};
use super::super::id_tags::{self, Verdict};
use super::super::marks::{Mark, Marks};
use super::super::sql;
use super::super::{folded, reservations};
use super::order::Began;
use super::over::{Over, end_estimated};
use super::{COLUMNS, LATE_AFTER_ESTIMATE, StoreError, Transaction, by_id, kept, numbers};

/// How long after a transaction's stop its start is taken for a repetition. Without a clock that outlives a power cut,
/// charge points give later starts the same time-stamp.
const REPEATED_AFTER_STOP: i64 = 10 * 60 * 1000;

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
    /// By how much that clock is ahead, as far as that is known.
    pub clock_lead: Option<i64>,
    /// The reservation that it ends.
    pub reservation: Option<i64>,
    /// Whether tags that nobody has entered may charge.
    pub accepts_unknown: bool,
    /// Which tags may be in several transactions at once.
    pub concurrent_tx: ConcurrentTx,
    /// Who is connected.
    pub peers: Peers,
    /// A transaction of a charge point that was last seen before then holds nobody up; `None`: it does for ever.
    pub gone_before: Option<i64>,
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
    let over = Over { at: start.at, now: start.now, all: true };
    let ended = end_estimated(db, &start.charge_point, start.connector, over).await?;
    if verdict.is_accepted() && !start.concurrent_tx.allows(&verdict) && is_charging(db, &start).await? {
        verdict.status = "ConcurrentTx";
    }
    let id = insert(db, &start, verdict.status).await?;
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

async fn insert(db: &mut AnyConnection, start: &Start, id_tag_status: &str) -> Result<i64, StoreError> {
    let mut marks = Marks::default();
    if (Began { at: start.at, received: start.now }).is_ahead() {
        marks.set(Mark::ClockAhead);
    }
    let walk = Walk::begin(Reading::whole(start.meter, start.at), &mut marks);
    let energy = walk.energy();
    let id = numbers::next(db).await?;
    let sql =
        "INSERT INTO transactions (id, charge_point, connector, id_tag, folded_id_tag, reservation, id_tag_status,
            started_at, start_meter, start_received_at, energy, energy_origin, marks, registers, clock_lead)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    let query = sql::query(sql)
        .bind(id)
        .bind(start.charge_point.clone())
        .bind(start.connector)
        .bind(start.id_tag.clone())
        .bind(folded(&start.id_tag))
        .bind(start.reservation)
        .bind(id_tag_status.to_owned())
        .bind(start.at)
        .bind(start.meter)
        .bind(start.now)
        .bind(energy)
        .bind(energy.map(|_| Origin::FromRegisters.as_str().to_owned()))
        .bind(marks.text())
        .bind(kept(&walk)?)
        .bind(start.clock_lead);
    query.execute(&mut *db).await?;
    Ok(id)
}

/// The transaction that the same start has begun before: still open, or stopped not long ago.
async fn repeated(db: &mut AnyConnection, start: &Start) -> Result<Option<Transaction>, StoreError> {
    let sql = AssertSqlSafe(format!(
        "{COLUMNS} WHERE charge_point = $1 AND connector = $2 AND started_at = $3 AND start_meter = $4
            AND folded_id_tag = $5 ORDER BY id DESC LIMIT 1"
    ));
    let query = sql::query_as(sql)
        .bind(start.charge_point.clone())
        .bind(start.connector)
        .bind(start.at)
        .bind(start.meter)
        .bind(folded(&start.id_tag));
    let found: Option<Transaction> = query.fetch_optional(&mut *db).await?;
    Ok(found.filter(|found| {
        let window = if found.is_estimated() { LATE_AFTER_ESTIMATE } else { REPEATED_AFTER_STOP };
        found.stop_received_at.is_none_or(|stopped| start.now.saturating_sub(stopped.0) <= window)
    }))
}

/// Whether that tag is in a transaction that was accepted, at a charge point that is not gone.
async fn is_charging(db: &mut AnyConnection, start: &Start) -> Result<bool, StoreError> {
    let sql = "SELECT transactions.charge_point, charge_points.last_seen_at FROM transactions
        LEFT JOIN charge_points ON charge_points.id = transactions.charge_point
        WHERE folded_id_tag = $1 AND stopped_at IS NULL AND id_tag_status = 'Accepted'";
    let query = sql::query_as(sql).bind(folded(&start.id_tag));
    let found: Vec<(String, Option<i64>)> = query.fetch_all(&mut *db).await?;
    Ok(found.iter().any(|(charge_point, seen)| {
        let is_there = start.gone_before.is_none_or(|gone| seen.is_some_and(|seen| seen >= gone));
        is_there || start.peers.get(charge_point).is_some()
    }))
}
