//! Transactions: each is there once, whatever is sent twice, and none stays open because a stop was lost.
//!
//! | module | what is there |
//! |---|---|
//! | `start` | StartTransaction, and which tags may be in several at once |
//! | `stop` | StopTransaction, also one that names no transaction of its charge point |
//! | `registers` | the energy registers in between |
//! | `over` | ends without a stop: estimated, or by an operator's hand |
//! | `numbers` | transactionId |
//! | [`order`] | what was sent before a start, and what after it |

mod numbers;
pub mod order;
mod over;
mod registers;
mod start;
mod stop;

use sqlx::{AnyConnection, AssertSqlSafe};

pub use self::numbers::number_from;
pub(super) use self::numbers::prepare;
pub use self::over::{AtRegister, Close, Over, close, close_all, end_estimated};
pub use self::registers::{Registers, keep_registers};
pub use self::start::{ConcurrentTx, Start, Started, start};
pub use self::stop::{Stop, Stopped, stop};
use super::StoreError;
use super::energy::{Reading, Walk};
use super::marks::Marks;
use super::records::transactions::COLUMNS;
pub use super::records::transactions::Transaction;
use super::sql;

/// How long after an estimated end the same start or a stop without its number is still taken for that transaction's: a
/// charge point that was offline sends it when it is back.
const LATE_AFTER_ESTIMATE: i64 = 24 * 60 * 60 * 1000;

async fn by_id(db: &mut AnyConnection, charge_point: &str, id: i64) -> Result<Option<Transaction>, StoreError> {
    let sql = AssertSqlSafe(format!("{COLUMNS} WHERE id = $1 AND charge_point = $2"));
    Ok(sql::query_as(sql).bind(id).bind(charge_point.to_owned()).fetch_optional(&mut *db).await?)
}

/// The transactions that run on that connector, the latest first.
///
/// # Errors
/// Those of the database.
pub async fn running(
    db: &mut AnyConnection,
    charge_point: &str,
    connector: i64,
) -> Result<Vec<Transaction>, StoreError> {
    let sql = AssertSqlSafe(format!(
        "{COLUMNS} WHERE charge_point = $1 AND connector = $2 AND stopped_at IS NULL ORDER BY id DESC"
    ));
    Ok(sql::query_as(sql).bind(charge_point.to_owned()).bind(connector).fetch_all(&mut *db).await?)
}

impl Transaction {
    /// What its registers have shown so far.
    fn walk(&self) -> Result<Walk, StoreError> {
        if let Some(registers) = &self.registers {
            return serde_json::from_str(registers).map_err(|_| StoreError::Corrupt("a transaction's registers"));
        }
        // From before they were kept.
        let mut unmarked = Marks::default();
        let mut walk = Walk::begin(Reading::whole(self.start_meter, self.started_at.0), &mut unmarked);
        if let Some((meter, at)) = self.last_meter.zip(self.last_meter_at) {
            walk.take(Reading::whole(meter, at.0), &mut unmarked);
        }
        Ok(walk)
    }
}

/// As the database has it.
fn kept(walk: &Walk) -> Result<String, StoreError> {
    serde_json::to_string(walk).map_err(|_| StoreError::Corrupt("a transaction's registers"))
}
