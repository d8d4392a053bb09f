//! MeterValues and transactionData: sampled values as they were sent, and the energy register among them.

use onwire::Peer;
use onwire::ocpp::v16::*;
use onwire::types::Decimal;
use serde_json::json;

use crate::app::SharedApp;
use crate::store::energy::Reading;
use crate::store::text::{storable, storable_option};
use crate::store::transactions::order::Began;
use crate::store::transactions::{self, Registers, Transaction};
use crate::store::{MeterValue as Row, Sample, StoreError};

/// Keeps MeterValues: what its energy registers make of a transaction is durable when this returns, the samples soon after.
/// What came before is not kept again.
///
/// # Errors
/// Those of the database.
pub async fn keep(app: &SharedApp, peer: &Peer, req: &MeterValuesRequest, now: i64) -> Result<(), StoreError> {
    let (identity, connector) = (peer.identity(), req.connector_id);
    let times = req.meter_value.iter().map(|value| value.timestamp.unix_millis());
    if let Some(latest) = times.clone().max() {
        app.clocks.note(identity, latest, now);
    }
    // No number that was given here is 0 or negative: the charge point has none, or one of its own.
    let named = req.transaction_id.filter(|number| *number > 0);
    let transaction = match named {
        Some(number) => Some(number),
        None => unnamed(app, identity, connector, times.min().unwrap_or(now), now).await?,
    };
    let readings = readings(&req.meter_value);
    if let Some(transaction) = transaction.filter(|_| named.is_some() || !readings.is_empty()) {
        let charge_point = identity.to_owned();
        let registers = Registers { charge_point, transaction, named: named.is_some(), connector, readings };
        app.store.write(move |db| Box::pin(transactions::keep_registers(db, registers))).await?;
    }
    let kept_with = transaction.or(req.transaction_id);
    let samples = Sample::of_message(rows(identity, connector, req.transaction_id, &req.meter_value));
    app.events.tell("meterValues", identity, || {
        let values: Vec<_> = samples.iter().map(|sample| &sample.value).collect();
        json!({"chargePoint": identity, "connector": connector, "transactionId": kept_with, "values": values})
    });
    app.store.meter_values().push(samples.into_iter().map(|sample| sample.in_transaction(kept_with))).await
}

/// The transaction that values of that time are of, if they name none: the one that runs on their connector. The main
/// meter's are of none.
async fn unnamed(
    app: &SharedApp,
    identity: &str,
    connector: i64,
    at: i64,
    now: i64,
) -> Result<Option<i64>, StoreError> {
    if connector <= 0 {
        return Ok(None);
    }
    let mut reader = app.store.readers().acquire().await?;
    let running = transactions::running(&mut reader, identity, connector).await?;
    let is_before =
        |found: &Transaction| Began { at: found.started_at.0, received: found.start_received_at.0 }.is_before(at, now);
    Ok(running.iter().find(|found| is_before(found)).map(|found| found.id))
}

/// Sampled values as they are kept: each word as it was sent, and missing ones missing.
pub fn rows(charge_point: &str, connector: i64, transaction_id: Option<i64>, values: &[MeterValue]) -> Vec<Row> {
    let rows = values.iter().flat_map(|value| {
        value.sampled_value.iter().map(|sample| Row {
            charge_point: charge_point.to_owned(),
            connector,
            transaction_id,
            measured_at: value.timestamp.into(),
            context: storable_option(sample.context.as_ref().map(ReadingContext::as_str)),
            measurand: storable_option(sample.measurand.as_ref().map(Measurand::as_str)),
            phase: storable_option(sample.phase.as_ref().map(Phase::as_str)),
            location: storable_option(sample.location.as_ref().map(Location::as_str)),
            format: storable_option(sample.format.as_ref().map(ValueFormat::as_str)),
            unit: storable_option(sample.unit.as_ref().map(UnitOfMeasure::as_str)),
            value: storable(&sample.value),
        })
    });
    rows.collect()
}

/// The energy registers among them, in the order in which they were sent.
pub fn readings(values: &[MeterValue]) -> Vec<Reading> {
    let reading = |value: &MeterValue| {
        let (wh, step) = value.sampled_value.iter().find_map(energy)?;
        Some(Reading { wh, step, at: value.timestamp.unix_millis() })
    };
    values.iter().filter_map(reading).collect()
}

/// The energy that a sample tells, in Wh and without fractions of it, and what its last digit is worth, if it is the register
/// of all that was taken through the connector: what is not said is Energy.Active.Import.Register at the outlet in Wh (OCPP
/// 1.6 §7.43).
fn energy(sample: &SampledValue) -> Option<(i64, i64)> {
    let is_register = matches!(sample.measurand, None | Some(Measurand::EnergyActiveImportRegister))
        && matches!(sample.format, None | Some(ValueFormat::Raw))
        && matches!(sample.location, None | Some(Location::Outlet | Location::Body))
        && sample.phase.is_none();
    let times = match sample.unit {
        None | Some(UnitOfMeasure::Wh) => 1,
        Some(UnitOfMeasure::KWh) => 1000,
        Some(_) => return None,
    };
    if !is_register {
        return None;
    }
    let text = sample.value.trim();
    let value: Decimal = text.parse().ok()?;
    let one = 10_i128.checked_pow(u32::from(value.scale()))?;
    let energy = i128::from(value.mantissa()).checked_mul(times)?.checked_div(one)?;
    // As it was printed, with zeros at its end.
    let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    let step = 10_i128.checked_pow(u32::try_from(digits).ok()?).and_then(|one| times.checked_div(one))?;
    Some((i64::try_from(energy).ok()?, i64::try_from(step.max(1)).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(value: &str, unit: Option<UnitOfMeasure>) -> SampledValue {
        SampledValue { unit, ..SampledValue::new(value) }
    }

    #[test]
    fn energy_is_reckoned_exactly() {
        for (value, unit, expected) in [
            ("1234", None, Some((1234, 1))),
            ("12.5", Some(UnitOfMeasure::KWh), Some((12_500, 100))),
            ("12.50", Some(UnitOfMeasure::KWh), Some((12_500, 10))),
            ("13", Some(UnitOfMeasure::KWh), Some((13_000, 1000))),
            ("0.29", Some(UnitOfMeasure::KWh), Some((290, 10))),
            ("2935.6009", Some(UnitOfMeasure::KWh), Some((2_935_600, 1))),
            ("-0.5", Some(UnitOfMeasure::KWh), Some((-500, 100))),
            ("1.9", Some(UnitOfMeasure::Wh), Some((1, 1))),
            (" 7 ", Some(UnitOfMeasure::Wh), Some((7, 1))),
            ("9000000000000000000", Some(UnitOfMeasure::KWh), None),
            ("31", Some(UnitOfMeasure::Celsius), None),
            ("AB12", None, None),
        ] {
            assert_eq!(energy(&sample(value, unit)), expected, "{value}");
        }
        let phase = SampledValue { phase: Some(Phase::L1), ..SampledValue::new("5") };
        let signed = SampledValue { format: Some(ValueFormat::SignedData), ..SampledValue::new("5") };
        let power = SampledValue { measurand: Some(Measurand::PowerActiveImport), ..SampledValue::new("5") };
        for other in [phase, signed, power] {
            assert_eq!(energy(&other), None, "{other:?}");
        }
    }
}
