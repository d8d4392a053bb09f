//! Ends without a stop: the charge point shows that a transaction is over, or an operator says so.

use sqlx::{AnyConnection, AssertSqlSafe};

use super::super::energy::{Origin, Reading};
use super::super::marks::Mark;
use super::super::records::columns::{Flag, Time};
use super::super::sql;
use super::order::Began;
use super::{COLUMNS, StoreError, Transaction, running};

/// That what runs on a connector is over, although no stop came.
#[derive(Debug, Clone, Copy)]
pub struct Over {
    /// Since when, by the charge point's clock.
    pub at: i64,
    /// When the server learnt of it.
    pub now: i64,
    /// Whether it shows that whatever was begun is over: a connector has one transaction. Else only what began before it.
    pub all: bool,
}

impl Over {
    fn ends(self, transaction: &Transaction) -> bool {
        let began = Began { at: transaction.started_at.0, received: transaction.start_received_at.0 };
        self.all || began.is_before(self.at, self.now)
    }
}

/// Ends what still runs on that connector although the charge point shows that it is over, with what its registers have
/// shown. A late StopTransaction puts it right.
///
/// # Errors
/// Those of the database.
pub async fn end_estimated(
    db: &mut AnyConnection,
    charge_point: &str,
    connector: i64,
    over: Over,
) -> Result<Vec<Transaction>, StoreError> {
    let mut ended = Vec::new();
    for mut transaction in running(db, charge_point, connector).await? {
        if over.ends(&transaction) {
            transaction.stopped_at = Some(Time(over.at.max(transaction.started_at.0)));
            ended.extend(end(db, transaction, over.now).await?);
        }
    }
    Ok(ended)
}

/// The register and the time that an operator closes a transaction at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtRegister {
    /// In Wh.
    pub meter: i64,
    /// When.
    pub at: i64,
}

/// That an operator closes a transaction by hand.
#[derive(Debug, Clone)]
pub struct Close {
    /// Which.
    pub id: i64,
    /// Where it ended; `None`: at the last register that is known.
    pub at: Option<AtRegister>,
    /// Who closes it.
    pub by: String,
    /// When.
    pub now: i64,
}

/// Closes a transaction that runs; `None` if it does not, or if no meter goes from its registers to that one. A late
/// StopTransaction puts it right.
///
/// # Errors
/// Those of the database.
pub async fn close(db: &mut AnyConnection, close: Close) -> Result<Option<Transaction>, StoreError> {
    let sql = AssertSqlSafe(format!("{COLUMNS} WHERE id = $1 AND stopped_at IS NULL"));
    let found: Option<Transaction> = sql::query_as(sql).bind(close.id).fetch_optional(&mut *db).await?;
    let Some(mut transaction) = found else { return Ok(None) };
    transaction.closed_by = Some(close.by);
    let Some(AtRegister { meter, at }) = close.at else {
        transaction.stopped_at = Some(transaction.last_meter_at.unwrap_or(transaction.started_at));
        return end(db, transaction, close.now).await;
    };
    let stopped = transaction.walk()?.stop(Reading::whole(meter, at), &mut transaction.marks);
    if !stopped.is_taken {
        return Ok(None);
    }
    transaction.stopped_at = Some(Time(at));
    transaction.stop_meter = Some(meter);
    transaction.energy = stopped.energy;
    write(db, transaction, close.now).await
}

/// Closes what runs at a charge point that is taken out.
///
/// # Errors
/// Those of the database.
pub async fn close_all(
    db: &mut AnyConnection,
    charge_point: &str,
    by: &str,
    now: i64,
) -> Result<Vec<Transaction>, StoreError> {
    let sql = AssertSqlSafe(format!("{COLUMNS} WHERE charge_point = $1 AND stopped_at IS NULL"));
    let found: Vec<Transaction> = sql::query_as(sql).bind(charge_point.to_owned()).fetch_all(&mut *db).await?;
    let mut closed = Vec::new();
    for mut transaction in found {
        transaction.closed_by = Some(by.to_owned());
        transaction.marks.set(Mark::ChargePointDeleted);
        transaction.stopped_at = Some(transaction.last_meter_at.unwrap_or(transaction.started_at));
        closed.extend(end(db, transaction, now).await?);
    }
    Ok(closed)
}

/// At the last register that is known.
async fn end(
    db: &mut AnyConnection,
    mut transaction: Transaction,
    now: i64,
) -> Result<Option<Transaction>, StoreError> {
    let walk = transaction.walk()?;
    transaction.stop_meter = Some(walk.meter().unwrap_or(transaction.start_meter));
    transaction.energy = walk.energy();
    write(db, transaction, now).await
}

/// `None` if it has ended meanwhile.
async fn write(
    db: &mut AnyConnection,
    mut transaction: Transaction,
    now: i64,
) -> Result<Option<Transaction>, StoreError> {
    transaction.estimated = Flag(1);
    transaction.active = Flag(0);
    transaction.stop_received_at = Some(Time(now));
    transaction.energy_origin = transaction.energy.map(|_| Origin::Estimated.as_str().to_owned());
    transaction.corrected_stopped_at =
        transaction.stopped_at.zip(transaction.clock_lead).map(|(at, lead)| Time(at.0.saturating_sub(lead)));
    let sql = "UPDATE transactions SET stopped_at = $2, stop_meter = $3, stop_received_at = $4, estimated = 1,
            energy = $5, energy_origin = $6, marks = $7, closed_by = $8
        WHERE id = $1 AND stopped_at IS NULL";
    let query = sql::query(sql)
        .bind(transaction.id)
        .bind(transaction.stopped_at.map(|at| at.0))
        .bind(transaction.stop_meter)
        .bind(now)
        .bind(transaction.energy)
        .bind(transaction.energy_origin.clone())
        .bind(transaction.marks.text())
        .bind(transaction.closed_by.clone());
    let is_written = query.execute(&mut *db).await?.rows_affected() > 0;
    Ok(is_written.then_some(transaction))
}
