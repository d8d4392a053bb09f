//! Meter values: many, and each worth little, so that they are written many at a time.
//!
//! They are durable within a second after they were answered (half a second, and the commit). If the database stalls, what
//! came in the 750 ms before is at stake, and later values are answered when they are durable. A transaction's start, its stop
//! and its latest register do not come this way.

use super::StoreError;
use super::batch::{Batch, Binding, Row};
use super::writer::Writer;
use crate::time::now;

/// One sampled value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterValue {
    /// Identity of the charge point.
    pub charge_point: String,
    /// 0: the charge point as a whole.
    pub connector: i64,
    /// The transaction, if it belongs to one.
    pub transaction_id: Option<i64>,
    /// Milliseconds since 1970.
    pub measured_at: i64,
    /// These as they were sent, also beyond the values of OCPP 1.6; `None`: absent.
    pub context: Option<String>,
    /// What was measured.
    pub measurand: Option<String>,
    /// On which phase.
    pub phase: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// `Raw` or `SignedData`.
    pub format: Option<String>,
    /// Of the value.
    pub unit: Option<String>,
    /// Byte for byte.
    pub value: String,
}

impl Row for MeterValue {
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
    ];

    fn bind<'q>(&self, query: Binding<'q>) -> Binding<'q> {
        query
            .bind(self.charge_point.clone())
            .bind(self.connector)
            .bind(self.transaction_id)
            .bind(self.measured_at)
            .bind(self.context.clone())
            .bind(self.measurand.clone())
            .bind(self.phase.clone())
            .bind(self.location.clone())
            .bind(self.format.clone())
            .bind(self.unit.clone())
            .bind(self.value.clone())
            .bind(now())
    }

    fn bytes(&self) -> usize {
        let optional = [&self.context, &self.measurand, &self.phase, &self.location, &self.format, &self.unit];
        let optional: usize = optional.into_iter().flatten().map(String::len).sum();
        self.charge_point.len().saturating_add(self.value.len()).saturating_add(optional)
    }
}

/// Meter values on their way into the database.
#[derive(Debug)]
pub struct MeterValues(Batch<MeterValue>);

impl MeterValues {
    pub(super) fn new(writer: Writer) -> Self {
        Self(Batch::new(writer))
    }

    /// Takes values, waiting for room if need be; they are durable within a second.
    ///
    /// # Errors
    /// The database does not keep up, or is being closed; some of the values may have been taken.
    pub async fn push(&self, values: impl IntoIterator<Item = MeterValue>) -> Result<(), StoreError> {
        for value in values {
            self.0.push(value).await?;
        }
        Ok(())
    }

    /// Returns when all values that were taken are durable, and so seen by reads.
    ///
    /// # Errors
    /// The database does not keep up, or is being closed.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.0.flush().await
    }

    /// How many are not written yet.
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// How many were taken and could not be kept: the database refused them, or the program ended without it.
    pub fn lost(&self) -> u64 {
        self.0.lost()
    }

    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}
