//! StopTransaction.

use sqlx::{AnyConnection, AssertSqlSafe};

use super::super::energy::{Reading, Walk};
use super::super::id_tags::{self, Verdict};
use super::super::marks::{Mark, Marks};
use super::super::sql;
use super::super::{MeterValue, folded, samples};
use super::{COLUMNS, LATE_AFTER_ESTIMATE, StoreError, Transaction, by_id, kept};

/// A StopTransaction.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Identity.
    pub charge_point: String,
    /// -1: its start could never be delivered, or the answer to it.
    pub transaction: i64,
    /// In Wh.
    pub meter: i64,
    /// By the charge point's clock.
    pub at: i64,
    /// By how much that clock is ahead, as far as that is known.
    pub clock_lead: Option<i64>,
    /// As it was sent, also beyond the values of OCPP 1.6.
    pub reason: Option<String>,
    /// Who stops it, if it is somebody.
    pub id_tag: Option<String>,
    /// Its transactionData; connector and transaction are filled in here.
    pub samples: Vec<MeterValue>,
    /// The energy registers among them, in the order in which they were sent.
    pub readings: Vec<Reading>,
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

/// Ends a transaction, puts an estimated or attributed end right, or does nothing if the same stop came before. What names
/// no transaction of that charge point is kept apart, and ends the only one that it can mean.
///
/// # Errors
/// Those of the database.
pub async fn stop(db: &mut AnyConnection, stop: Stop) -> Result<Stopped, StoreError> {
    let verdict = match &stop.id_tag {
        Some(id_tag) => Some(id_tags::judge(db, id_tag, stop.accepts_unknown, stop.now).await?),
        None => None,
    };
    let (transaction, is_new) = match by_id(db, &stop.charge_point, stop.transaction).await? {
        Some(transaction) => end(db, transaction, stop, false).await?,
        None => foreign(db, stop).await?,
    };
    Ok(Stopped { transaction, verdict, is_new })
}

/// The transaction as it is then, and whether it was ended now.
async fn end(
    db: &mut AnyConnection,
    transaction: Transaction,
    mut stop: Stop,
    attributed: bool,
) -> Result<(Option<Transaction>, bool), StoreError> {
    let samples = std::mem::take(&mut stop.samples);
    if !write(db, &transaction, &stop, attributed).await? {
        return Ok((Some(transaction), false));
    }
    let of_it = |row| MeterValue { connector: transaction.connector, transaction_id: Some(transaction.id), ..row };
    samples::insert(db, samples.into_iter().map(of_it)).await?;
    if !attributed {
        // What was taken for its stop was another one's.
        let sql = "UPDATE unknown_stops SET attributed_to = NULL WHERE charge_point = $1 AND attributed_to = $2";
        sql::query(sql).bind(stop.charge_point.clone()).bind(transaction.id).execute(&mut *db).await?;
    }
    Ok((by_id(db, &stop.charge_point, transaction.id).await?, true))
}

/// Whether it had not ended yet, or by estimate or attribution alone.
async fn write(
    db: &mut AnyConnection,
    transaction: &Transaction,
    stop: &Stop,
    attributed: bool,
) -> Result<bool, StoreError> {
    let mut walk = transaction.walk()?;
    let mut marks = transaction.marks;
    for mark in [Mark::StopMeterIgnored, Mark::Attributed] {
        marks.clear(mark);
    }
    let (mut last, mut last_at) = (transaction.last_meter, transaction.last_meter_at.map(|at| at.0));
    if let Some(reading) = walk_through(&mut walk, &stop.readings, &mut marks) {
        (last, last_at) = (Some(reading.wh), Some(reading.at));
    }
    let stopped = walk.stop(Reading::whole(stop.meter, stop.at), &mut marks);
    if stopped.is_taken {
        (last, last_at) = (Some(stop.meter), Some(stop.at));
    }
    // What may turn out to be another one's shows nothing of this one.
    let registers = if attributed { transaction.walk()? } else { walk };
    if attributed {
        marks.set(Mark::Attributed);
    }
    let sql = "UPDATE transactions SET stopped_at = $2, stop_meter = $3, stop_reason = $4, stop_id_tag = $5,
            stop_received_at = $6, estimated = 0, attributed = $7, last_meter = $8, last_meter_at = $9, energy = $10,
            energy_origin = $11, marks = $12, registers = $13, clock_lead = COALESCE(clock_lead, $14)
        WHERE id = $1 AND (stopped_at IS NULL OR estimated = 1 OR attributed = 1)";
    let query = sql::query(sql)
        .bind(transaction.id)
        .bind(stop.at)
        .bind(stop.meter)
        .bind(stop.reason.clone())
        .bind(stop.id_tag.clone())
        .bind(stop.now)
        .bind(i64::from(attributed))
        .bind(last)
        .bind(last_at)
        .bind(stopped.energy)
        .bind(stopped.energy.map(|_| stopped.origin.as_str().to_owned()))
        .bind(marks.text())
        .bind(kept(&registers)?)
        .bind(stop.clock_lead);
    Ok(query.execute(&mut *db).await?.rows_affected() > 0)
}

/// Takes the registers of transactionData; the newest one that counts. That they came before is no wonder.
fn walk_through(walk: &mut Walk, readings: &[Reading], marks: &mut Marks) -> Option<Reading> {
    let came_late = marks.has(Mark::LateRegisters);
    let mut newest = None;
    for reading in readings {
        if walk.take(*reading, marks) {
            newest = Some(*reading);
        }
    }
    if !came_late {
        marks.clear(Mark::LateRegisters);
    }
    newest
}

/// A stop whose number is not one of its charge point's.
async fn foreign(db: &mut AnyConnection, stop: Stop) -> Result<(Option<Transaction>, bool), StoreError> {
    let known = "SELECT attributed_to FROM unknown_stops WHERE charge_point = $1 AND transaction_id = $2
        AND id_tag = $3 AND stopped_at = $4 AND stop_meter = $5";
    let query = sql::query_as(known)
        .bind(stop.charge_point.clone())
        .bind(stop.transaction)
        .bind(folded(stop.id_tag.as_deref().unwrap_or_default()))
        .bind(stop.at)
        .bind(stop.meter);
    let known: Option<(Option<i64>,)> = query.fetch_optional(&mut *db).await?;
    if let Some((attributed_to,)) = known {
        let transaction = match attributed_to {
            Some(id) => by_id(db, &stop.charge_point, id).await?,
            None => None,
        };
        return Ok((transaction, false));
    }
    let meant = meant(db, &stop).await?;
    keep_apart(db, &stop, meant.as_ref().map(|meant| meant.id)).await?;
    match meant {
        Some(transaction) => end(db, transaction, stop, true).await,
        None => {
            // -1 stands for many transactions.
            let transaction_id = (stop.transaction > 0).then_some(stop.transaction);
            let of_it = |row| MeterValue { transaction_id, ..row };
            samples::insert(db, stop.samples.into_iter().map(of_it)).await?;
            Ok((None, true))
        }
    }
}

/// The only transaction that a stop without a number of this charge point can mean: the charge point has never learnt its
/// number (OCPP 1.6 errata §3.18), and so has never named it.
async fn meant(db: &mut AnyConnection, stop: &Stop) -> Result<Option<Transaction>, StoreError> {
    let Some(id_tag) = &stop.id_tag else { return Ok(None) };
    let sql = AssertSqlSafe(format!(
        "{COLUMNS} WHERE charge_point = $1 AND folded_id_tag = $2
            AND (stopped_at IS NULL OR (estimated = 1 AND stop_received_at >= $3)) LIMIT 2"
    ));
    let query = sql::query_as(sql).bind(stop.charge_point.clone()).bind(folded(id_tag));
    let mut found: Vec<Transaction> =
        query.bind(stop.now.saturating_sub(LATE_AFTER_ESTIMATE)).fetch_all(&mut *db).await?;
    let (Some(only), true) = (found.pop(), found.is_empty()) else { return Ok(None) };
    let begins_before = only.started_at.0 <= stop.at && only.start_meter <= stop.meter;
    let was_closed = only.closed_by.is_some();
    if only.named.0 != 0 || was_closed || !begins_before || charges_elsewhere(db, &only).await? {
        return Ok(None);
    }
    Ok(Some(only))
}

/// Whether another connector charges without a transaction that is known here: the stop may be that one's.
async fn charges_elsewhere(db: &mut AnyConnection, transaction: &Transaction) -> Result<bool, StoreError> {
    let sql = "SELECT COUNT(*) FROM connectors WHERE charge_point = $1 AND connector > 0 AND connector <> $2
        AND status IN ('Charging', 'SuspendedEV', 'SuspendedEVSE')
        AND NOT EXISTS (SELECT 1 FROM transactions WHERE transactions.charge_point = connectors.charge_point
            AND transactions.connector = connectors.connector AND stopped_at IS NULL)";
    let query = sql::query_scalar(sql).bind(transaction.charge_point.clone()).bind(transaction.connector);
    let count: i64 = query.fetch_one(&mut *db).await?;
    Ok(count > 0)
}

async fn keep_apart(db: &mut AnyConnection, stop: &Stop, attributed_to: Option<i64>) -> Result<(), StoreError> {
    let sql = "INSERT INTO unknown_stops (charge_point, transaction_id, id_tag, stopped_at, stop_meter, stop_reason,
            received_at, attributed_to)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    let query = sql::query(sql)
        .bind(stop.charge_point.clone())
        .bind(stop.transaction)
        .bind(folded(stop.id_tag.as_deref().unwrap_or_default()))
        .bind(stop.at)
        .bind(stop.meter)
        .bind(stop.reason.clone())
        .bind(stop.now)
        .bind(attributed_to);
    query.execute(&mut *db).await?;
    Ok(())
}
