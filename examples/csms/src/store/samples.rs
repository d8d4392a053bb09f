//! A sample that is sent again, in whatever message, is kept once: charge points repeat MeterValues whose answer was lost,
//! and StopTransaction may bring what MeterValues had before.

use std::collections::HashMap;

use ring::digest::{Context, SHA256};
use sqlx::AnyConnection;

use super::batch::{self, Row};
use super::sql::Query;
use super::{MeterValue, StoreError};
use crate::time::now;

/// A sampled value with what tells it from every other one of its charge point and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// As it was sent.
    pub value: MeterValue,
    digest: i64,
}

impl Sample {
    /// The values of one message. What is there twice in it is there twice afterwards: the values of three phases that are
    /// not named may well be the same.
    pub fn of_message(values: impl IntoIterator<Item = MeterValue>) -> Vec<Self> {
        let mut alike: HashMap<i64, u64> = HashMap::new();
        let sample = |value: MeterValue| {
            let all = digested(&value);
            let before = alike.entry(short(all.clone())).or_default();
            let digest = nth(all, *before);
            *before += 1;
            Self { value, digest }
        };
        values.into_iter().map(sample).collect()
    }

    /// The same in a transaction that the message did not name. It stays the same sample, also if it comes again when that
    /// transaction has ended.
    pub fn in_transaction(mut self, transaction: Option<i64>) -> Self {
        self.value.transaction_id = transaction;
        self
    }
}

/// All that was sent of it.
fn digested(value: &MeterValue) -> Context {
    let mut context = Context::new(&SHA256);
    for number in [value.connector, value.transaction_id.unwrap_or(i64::MIN), value.measured_at.0] {
        context.update(&number.to_be_bytes());
    }
    let MeterValue { context: reading, measurand, phase, location, format, unit, .. } = value;
    for text in [reading, measurand, phase, location, format, unit, &Some(value.value.clone())] {
        // With its length, so that what ends one text cannot begin the next.
        let length = text.as_ref().map_or(i64::MAX, |text| i64::try_from(text.len()).unwrap_or(i64::MAX - 1));
        context.update(&length.to_be_bytes());
        context.update(text.as_deref().unwrap_or_default().as_bytes());
    }
    context
}

fn nth(mut digested: Context, before: u64) -> i64 {
    digested.update(&before.to_be_bytes());
    short(digested)
}

/// 64 bits are enough among the samples of one charge point and one millisecond.
fn short(digested: Context) -> i64 {
    let digest = digested.finish();
    digest.as_ref().first_chunk().copied().map_or(0, i64::from_be_bytes)
}

impl Row for Sample {
    const TABLE: &'static str = "meter_values";
    const COLUMNS: &'static [&'static str] = &[
        "charge_point",
        "connector",
        "transaction_id",
        "measured_at",
        "context",
        "measurand",
        "phase",
        "location",
        "format",
        "unit",
        "value",
        "received_at",
        "digest",
    ];
    const UNLESS_THERE: bool = true;

    fn bind(&self, query: Query) -> Query {
        let value = &self.value;
        query
            .bind(value.charge_point.clone())
            .bind(value.connector)
            .bind(value.transaction_id)
            .bind(value.measured_at)
            .bind(value.context.clone())
            .bind(value.measurand.clone())
            .bind(value.phase.clone())
            .bind(value.location.clone())
            .bind(value.format.clone())
            .bind(value.unit.clone())
            .bind(value.value.clone())
            .bind(now())
            .bind(self.digest)
    }

    fn bytes(&self) -> usize {
        let MeterValue { context, measurand, phase, location, format, unit, .. } = &self.value;
        let optional = [context, measurand, phase, location, format, unit];
        let optional: usize = optional.into_iter().flatten().map(String::len).sum();
        self.value.charge_point.len().saturating_add(self.value.value.len()).saturating_add(optional)
    }
}

/// Keeps the values of one message, within a write: those that are kept with something else or not at all.
///
/// # Errors
/// Those of the database.
pub(super) async fn insert(
    db: &mut AnyConnection,
    values: impl IntoIterator<Item = MeterValue>,
) -> Result<(), StoreError> {
    batch::insert::<Sample>(db, &Sample::of_message(values)).await
}
