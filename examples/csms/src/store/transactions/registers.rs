//! The energy registers of MeterValues.

use sqlx::AnyConnection;

use super::super::energy::{Origin, Reading};
use super::super::marks::Mark;
use super::super::sql;
use super::{StoreError, Transaction, by_id, kept};

/// The registers of one message, for one transaction.
#[derive(Debug, Clone)]
pub struct Registers {
    /// Identity.
    pub charge_point: String,
    /// For which transaction.
    pub transaction: i64,
    /// Whether the message names its number.
    pub named: bool,
    /// Of which connector they are; 0: of the charge point as a whole.
    pub connector: i64,
    /// In the order in which they were sent.
    pub readings: Vec<Reading>,
}

/// Keeps registers, and what they make of the transaction's energy. After an estimated stop they better the estimate, and
/// count also if a stop's own register does not; else a stop is the last word. The main meter's are not a connector's.
///
/// # Errors
/// Those of the database.
pub async fn keep_registers(db: &mut AnyConnection, registers: Registers) -> Result<(), StoreError> {
    let Some(transaction) = by_id(db, &registers.charge_point, registers.transaction).await? else { return Ok(()) };
    let is_of_it = registers.connector > 0 || transaction.connector <= 0;
    if is_of_it && !registers.readings.is_empty() && takes_registers(&transaction) {
        return walk_on(db, transaction, &registers).await;
    }
    if registers.named && transaction.named.0 == 0 {
        sql::query("UPDATE transactions SET named = 1 WHERE id = $1").bind(transaction.id).execute(&mut *db).await?;
    }
    Ok(())
}

fn takes_registers(transaction: &Transaction) -> bool {
    transaction.is_active() || transaction.is_estimated() || transaction.marks.has(Mark::StopMeterIgnored)
}

async fn walk_on(
    db: &mut AnyConnection,
    mut transaction: Transaction,
    registers: &Registers,
) -> Result<(), StoreError> {
    let mut walk = transaction.walk()?;
    let (mut last, mut last_at) = (transaction.last_meter, transaction.last_meter_at.map(|at| at.0));
    for reading in &registers.readings {
        if walk.take(*reading, &mut transaction.marks) {
            (last, last_at) = (Some(reading.wh), Some(reading.at));
        }
    }
    let is_estimated = transaction.is_estimated();
    // What an operator has closed stays as it is, until the charge point's own stop comes.
    let is_closed = transaction.closed_by.is_some() && is_estimated;
    let (energy, stop_meter) = match is_closed {
        true => (transaction.energy, transaction.stop_meter),
        false if is_estimated => (walk.energy(), walk.meter().or(transaction.stop_meter)),
        false => (walk.energy(), transaction.stop_meter),
    };
    let origin = if is_estimated { Origin::Estimated } else { Origin::FromRegisters };
    let sql = "UPDATE transactions SET last_meter = $2, last_meter_at = $3, stop_meter = $4, energy = $5,
            energy_origin = $6, marks = $7, registers = $8, named = CASE WHEN $9 = 1 THEN 1 ELSE named END
        WHERE id = $1";
    let query = sql::query(sql)
        .bind(transaction.id)
        .bind(last)
        .bind(last_at)
        .bind(stop_meter)
        .bind(energy)
        .bind(energy.map(|_| origin.as_str().to_owned()))
        .bind(transaction.marks.text())
        .bind(kept(&walk)?)
        .bind(i64::from(registers.named));
    query.execute(&mut *db).await?;
    Ok(())
}
