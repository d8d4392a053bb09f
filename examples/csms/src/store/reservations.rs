//! What becomes of reservations: used, ended, expired. They are made where ReserveNow is sent.

use sqlx::AnyConnection;

use super::{StoreError, folded, sql};

/// A charge point's clock may be ahead by so much that it ends a reservation early.
const CLOCK_DIFFERENCE: i64 = 60_000;

/// A start that may use a reservation.
#[derive(Debug)]
pub struct Use<'a> {
    /// Identity.
    pub charge_point: &'a str,
    /// Where it starts.
    pub connector: i64,
    /// Who starts.
    pub id_tag: &'a str,
    /// Their group.
    pub parent_id_tag: Option<&'a str>,
    /// What StartTransaction names.
    pub reservation: Option<i64>,
    /// The transaction that uses it.
    pub transaction: i64,
}

/// Marks the reservation that this start uses: the one that it names, or that of its connector or of the whole charge
/// point for the same tag or group, because some charge points leave its number out, or send 0 or -1 instead.
///
/// # Errors
/// Those of the database.
pub async fn use_one(db: &mut AnyConnection, start: Use<'_>) -> Result<(), StoreError> {
    let named = "UPDATE reservations SET status = 'Used', transaction_id = $3
        WHERE id = $1 AND charge_point = $2 AND status IN ('Pending', 'Accepted', 'Expired', 'Terminated')";
    if let Some(reservation) = start.reservation.filter(|number| *number > 0) {
        let query = sql::query(named).bind(reservation).bind(start.charge_point.to_owned()).bind(start.transaction);
        query.execute(&mut *db).await?;
        return Ok(());
    }
    let sql = "SELECT id, id_tag, parent_id_tag FROM reservations
        WHERE charge_point = $1 AND connector IN ($2, 0) AND status IN ('Pending', 'Accepted')
        ORDER BY connector DESC, id";
    let query = sql::query_as(sql).bind(start.charge_point.to_owned()).bind(start.connector);
    let found: Vec<(i64, String, Option<String>)> = query.fetch_all(&mut *db).await?;
    let fits = |id_tag: &str, parent: Option<&str>| {
        let same_group = matches!((parent, start.parent_id_tag), (Some(a), Some(b)) if folded(a) == folded(b));
        same_group || folded(id_tag) == folded(start.id_tag)
    };
    if let Some((id, ..)) = found.iter().find(|(_, id_tag, parent)| fits(id_tag, parent.as_deref())) {
        let query = sql::query(named).bind(*id).bind(start.charge_point.to_owned()).bind(start.transaction);
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// A connector says that it is reserved: a ReserveNow whose answer was lost was accepted, or a reservation that a fault had
/// ended is there again.
///
/// # Errors
/// Those of the database.
pub async fn connector_is_reserved(
    db: &mut AnyConnection,
    charge_point: String,
    connector: i64,
    now: i64,
) -> Result<(), StoreError> {
    let sql = "UPDATE reservations SET status = 'Accepted', answer = 'Accepted'
        WHERE charge_point = $1 AND connector = $2 AND status = 'Pending'";
    sql::query(sql).bind(charge_point.clone()).bind(connector).execute(&mut *db).await?;
    let sql = "UPDATE reservations SET status = 'Accepted', end_reason = NULL
        WHERE id = (SELECT id FROM reservations WHERE charge_point = $1 AND connector IN ($2, 0)
                AND status = 'Terminated' AND expiry_at > $3 ORDER BY connector DESC, id DESC LIMIT 1)
            AND NOT EXISTS (SELECT 1 FROM reservations AS other WHERE other.charge_point = $1 AND other.connector = $2
                AND other.status = 'Accepted')";
    sql::query(sql).bind(charge_point).bind(connector).bind(now).execute(&mut *db).await?;
    Ok(())
}

/// A StatusNotification that ends reservations (OCPP 1.6 §5.13).
#[derive(Debug)]
pub struct OutOfOrder {
    /// Identity.
    pub charge_point: String,
    /// Which connector; 0: the charge point itself.
    pub connector: i64,
    /// `Faulted` or `Unavailable`.
    pub status: String,
    /// Whether the connector was reserved until then. Else what was reserved later than the status is of is not meant.
    pub was_reserved: bool,
    /// By the charge point's clock.
    pub at: i64,
}

/// What was reserved on a connector has ended because of a fault, or because it is unavailable; all of it, if it is the
/// charge point itself. A reservation of no certain connector ends with the charge point alone.
///
/// # Errors
/// Those of the database.
pub async fn end_by_fault(db: &mut AnyConnection, out: OutOfOrder) -> Result<(), StoreError> {
    let sql = "UPDATE reservations SET status = 'Terminated', end_reason = $3
        WHERE charge_point = $1 AND ($2 = 0 OR connector = $2) AND status = 'Accepted' AND ($4 = 1 OR created_at <= $5)";
    let query = sql::query(sql).bind(out.charge_point).bind(out.connector).bind(out.status);
    query.bind(i64::from(out.was_reserved)).bind(out.at).execute(&mut *db).await?;
    Ok(())
}

/// A connector that was reserved is free: its reservation has ended at the charge point, by its expiry or otherwise.
///
/// # Errors
/// Those of the database.
pub async fn connector_is_free(
    db: &mut AnyConnection,
    charge_point: String,
    connector: i64,
    now: i64,
) -> Result<(), StoreError> {
    let sql = "UPDATE reservations SET status = CASE WHEN expiry_at <= $3 THEN 'Expired' ELSE 'Cancelled' END
        WHERE charge_point = $1 AND connector = $2 AND status = 'Accepted'";
    let query = sql::query(sql).bind(charge_point).bind(connector).bind(now.saturating_add(CLOCK_DIFFERENCE));
    query.execute(&mut *db).await?;
    Ok(())
}

/// Marks those whose time is over; each by its number, and whose it is.
///
/// # Errors
/// Those of the database.
pub async fn expire(db: &mut AnyConnection, now: i64) -> Result<Vec<(i64, String)>, StoreError> {
    let sql = "UPDATE reservations SET status = 'Expired' WHERE status IN ('Pending', 'Accepted') AND expiry_at <= $1
        RETURNING id, charge_point";
    Ok(sql::query_as(sql).bind(now).fetch_all(&mut *db).await?)
}
