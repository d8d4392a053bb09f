//! transactionId: positive, never given twice. SQLite has one writer and counts in a row; on PostgreSQL it is a sequence,
//! which no start locks. A number of a start that fails is lost there, which nobody minds.

use sqlx::{AnyConnection, Executor};

use super::super::sql;
use super::super::{Kind, next_number};
use super::StoreError;

/// The counter of their numbers, on SQLite.
const NUMBERS: &str = "transaction";

/// What the schema of both databases cannot say: the sequence. It begins above every number that was given before.
pub(in crate::store) async fn prepare(db: &mut AnyConnection, kind: Kind) -> Result<(), StoreError> {
    if kind == Kind::Postgres {
        db.execute("CREATE SEQUENCE IF NOT EXISTS transaction_numbers").await?;
        raise(db, 1).await?;
    }
    Ok(())
}

/// Sees to it that new transactions have that number or a higher one; numbers that were given before stay given.
///
/// # Errors
/// Those of the database.
pub async fn number_from(db: &mut AnyConnection, first: i64) -> Result<(), StoreError> {
    if is_postgres(db) {
        return raise(db, first).await;
    }
    let sql = "INSERT INTO counters (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE counters.value < excluded.value";
    sql::query(sql).bind(NUMBERS.to_owned()).bind(first.saturating_sub(1)).execute(&mut *db).await?;
    Ok(())
}

/// A number that was never given before.
pub(super) async fn next(db: &mut AnyConnection) -> Result<i64, StoreError> {
    if is_postgres(db) {
        return Ok(sql::query_scalar("SELECT nextval('transaction_numbers')").fetch_one(&mut *db).await?);
    }
    next_number(db, NUMBERS).await
}

fn is_postgres(db: &AnyConnection) -> bool {
    db.backend_name() == "PostgreSQL"
}

async fn raise(db: &mut AnyConnection, first: i64) -> Result<(), StoreError> {
    let sql = "SELECT setval('transaction_numbers', GREATEST($1,
        (SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM transaction_numbers),
        (SELECT COALESCE(MAX(value), 0) + 1 FROM counters WHERE name = 'transaction'),
        (SELECT COALESCE(MAX(id), 0) + 1 FROM transactions)), false)";
    let _: i64 = sql::query_scalar(sql).bind(first).fetch_one(&mut *db).await?;
    Ok(())
}
