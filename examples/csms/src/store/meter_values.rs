//! Meter values: many, and each worth little, so that they are written many at a time.
//!
//! They are durable within a second after they were answered (half a second, and the commit). If the database stalls, what
//! came in the 750 ms before is at stake, and later values are answered when they are durable. A transaction's start, its stop
//! and its latest register do not come this way.

use serde::Serialize;
use utoipa::ToSchema;

use super::StoreError;
use super::batch::Batch;
use super::records::columns::Time;
use super::samples::Sample;
use super::writer::Writer;

/// A sampled value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeterValue {
    /// Identity of the charge point.
    #[serde(skip)]
    pub charge_point: String,
    /// The transaction, if it belongs to one.
    #[serde(skip)]
    pub transaction_id: Option<i64>,
    /// When.
    pub measured_at: Time,
    /// On which connector; 0: the charge point as a whole.
    pub connector: i64,
    /// As it was sent, like all that follow; absent: `Sample.Periodic`.
    pub context: Option<String>,
    /// Absent: `Energy.Active.Import.Register`.
    pub measurand: Option<String>,
    /// Absent: the value is not of one phase.
    pub phase: Option<String>,
    /// Absent: `Outlet`.
    pub location: Option<String>,
    /// Absent: `Raw`.
    pub format: Option<String>,
    /// Absent: `Wh`.
    pub unit: Option<String>,
    /// The value, byte for byte.
    pub value: String,
}

/// Meter values on their way into the database.
#[derive(Debug)]
pub struct MeterValues(Batch<Sample>);

impl MeterValues {
    pub(super) fn new(writer: Writer) -> Self {
        Self(Batch::new(writer))
    }

    /// Takes values, waiting for room if need be; they are durable within a second.
    ///
    /// # Errors
    /// The database does not keep up, or is being closed; some of the values may have been taken.
    pub async fn push(&self, values: impl IntoIterator<Item = Sample>) -> Result<(), StoreError> {
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
