//! What the database holds, beside what charge points were answered.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::{AnyConnection, Connection};

use crate::field::Field;
use crate::support::look_into;

#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
struct Transaction {
    id: i64,
    charge_point: String,
    id_tag: String,
    started_at: i64,
    start_meter: i64,
    stopped_at: Option<i64>,
    stop_meter: Option<i64>,
    stop_reason: Option<String>,
    estimated: i64,
}

/// Fails if the database lacks what was answered.
pub(crate) async fn all_there(data: &Path, field: &Field, when: &str) {
    let missing = missing(data, field).await;
    let some: Vec<_> = missing.iter().take(3).collect();
    assert!(missing.is_empty(), "{} missing {when}: {some:#?}", missing.len());
}

/// Answered transactions that the database does not have as they were answered, each in words.
pub(crate) async fn missing(data: &Path, field: &Field) -> Vec<String> {
    if !field.points.iter().any(|point| point.charged.iter().any(|charged| charged.id.is_some())) {
        // Perhaps not even the tables are there.
        return Vec::new();
    }
    let mut db = look_into(data).await;
    let rows = transactions(&mut db).await;
    db.close().await.unwrap();
    let mut by_id = HashMap::new();
    for row in &rows {
        assert!(by_id.insert(row.id, row).is_none(), "an id twice: {row:?}");
    }
    let mut missing = Vec::new();
    for point in &field.points {
        for charged in point.charged.iter().filter(|charged| charged.id.is_some()) {
            let row = by_id.get(&charged.id.unwrap());
            let is_start = row.is_some_and(|row| {
                (&row.charge_point, &row.id_tag, row.started_at, row.start_meter)
                    == (&point.identity, &point.id_tag(), charged.started_at(), charged.start_meter())
            });
            let is_stop = row.is_some_and(|row| {
                (row.stopped_at, row.stop_meter, row.stop_reason.as_deref(), row.estimated)
                    == (Some(charged.stopped_at()), Some(charged.stop_meter()), Some("Local"), 0)
            });
            if !is_start || (charged.stop_answered && !is_stop) {
                missing.push(format!("{} was answered {charged:?}, and there is {row:?}", point.identity));
            }
        }
    }
    missing
}

/// Each transaction is there once, and no other; to be asked when all charge points are answered everything.
pub(crate) async fn none_doubled(data: &Path, field: &Field) {
    let mut db = look_into(data).await;
    let rows = transactions(&mut db).await;
    let unknown: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM unknown_stops").fetch_one(&mut db).await.unwrap();
    db.close().await.unwrap();
    let mut there: Vec<_> = rows.iter().map(|row| (&*row.charge_point, row.started_at, row.id)).collect();
    let mut said: Vec<_> = field
        .points
        .iter()
        .flat_map(|point| {
            point.charged.iter().map(|charged| (&*point.identity, charged.started_at(), charged.id.unwrap()))
        })
        .collect();
    there.sort_unstable();
    said.sort_unstable();
    assert_eq!(there, said);
    assert_eq!(unknown, 0, "stops of transactions that were not there");
}

/// No meter value is there more often than it was said, nor missing where it was said and answered in the end.
pub(crate) async fn values_once(data: &Path, field: &Field) {
    let mut db = look_into(data).await;
    let sql = "SELECT charge_point, measured_at, COUNT(*) FROM meter_values GROUP BY charge_point, measured_at";
    let there: Vec<(String, i64, i64)> = sqlx::query_as(sql).fetch_all(&mut db).await.unwrap();
    db.close().await.unwrap();
    let twice: Vec<_> = there.iter().filter(|(.., count)| *count > 1).collect();
    assert!(twice.is_empty(), "{} values more than once: {:?}", twice.len(), twice.iter().take(3));
    let said: usize = field.points.iter().map(|point| point.charged.len()).sum();
    assert!(there.len() <= said, "{} values of {said}", there.len());
}

/// Of the meter values that a server answered in its time, how old the oldest was at its end that is lost.
pub(crate) async fn lost_values(data: &Path, field: &Field, time: Range<Instant>) -> Option<Duration> {
    let mut db = look_into(data).await;
    let sql = "SELECT charge_point, measured_at FROM meter_values";
    let there: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(&mut db).await.unwrap();
    db.close().await.unwrap();
    let there: HashSet<_> = there.into_iter().collect();
    let answered = field.points.iter().flat_map(|point| {
        let values = point.charged.iter().filter_map(|charged| Some((charged.values_answered?, charged.measured_at())));
        values.map(|(when, at)| (when, (point.identity.clone(), at)))
    });
    let lost = answered.filter(|(when, value)| *when >= time.start && !there.contains(value));
    lost.map(|(when, _)| time.end.saturating_duration_since(when)).max()
}

async fn transactions(db: &mut AnyConnection) -> Vec<Transaction> {
    let sql = "SELECT id, charge_point, id_tag, started_at, start_meter, stopped_at, stop_meter, stop_reason, estimated
        FROM transactions";
    sqlx::query_as(sql).fetch_all(db).await.unwrap()
}
