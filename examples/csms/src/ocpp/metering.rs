//! MeterValues and transactionData: sampled values as they were sent, and the energy register among them.

use onwire::Peer;
use onwire::ocpp::v16::*;
use onwire::types::Decimal;
use serde_json::json;

use crate::app::SharedApp;
use crate::store::text::{storable, storable_option};
use crate::store::transactions::{self, Register};
use crate::store::{MeterValue as Row, Sample, StoreError};

/// Keeps MeterValues: the energy register of a transaction is durable when this returns, the samples soon after. What came
/// before is not kept again.
///
/// # Errors
/// Those of the database.
pub async fn keep(app: &SharedApp, peer: &Peer, req: MeterValuesRequest) -> Result<(), StoreError> {
    let (identity, connector) = (peer.identity(), req.connector_id);
    let register = register(&req.meter_value);
    let mut transaction = req.transaction_id;
    if transaction.is_none() && connector > 0 {
        // Some leave the number out although there is a transaction.
        let at = req.meter_value.iter().map(|value| value.timestamp.unix_millis()).min().unwrap_or(0);
        let mut reader = app.store.readers().acquire().await?;
        transaction = transactions::running(&mut reader, identity, connector, at).await?.first().map(|found| found.id);
    }
    if let (Some(transaction), Some(register)) = (transaction, register) {
        let charge_point = identity.to_owned();
        let write =
            app.store.write(move |db| Box::pin(transactions::keep_register(db, charge_point, transaction, register)));
        write.await?;
    }
    let samples = Sample::of_message(rows(identity, connector, req.transaction_id, &req.meter_value));
    app.events.tell("meterValues", identity, || {
        let values: Vec<_> = samples.iter().map(|sample| &sample.value).collect();
        json!({"chargePoint": identity, "connector": connector, "transactionId": transaction, "values": values})
    });
    app.store.meter_values().push(samples.into_iter().map(|sample| sample.in_transaction(transaction))).await
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

/// The latest energy register among them.
fn register(values: &[MeterValue]) -> Option<Register> {
    let registers = values.iter().filter_map(|value| {
        let energy = value.sampled_value.iter().find_map(energy)?;
        Some(Register { energy, at: value.timestamp.unix_millis() })
    });
    registers.max_by_key(|register| register.at)
}

/// The energy that a sample tells, in Wh and without fractions of it, if it is the register of all that was taken through
/// the connector: what is not said is Energy.Active.Import.Register at the outlet in Wh (OCPP 1.6 §7.43).
fn energy(sample: &SampledValue) -> Option<i64> {
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
    let value: Decimal = sample.value.trim().parse().ok()?;
    let one = 10_i128.checked_pow(u32::from(value.scale()))?;
    let energy = i128::from(value.mantissa()).checked_mul(times)?.checked_div(one)?;
    i64::try_from(energy).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(value: &str, unit: Option<UnitOfMeasure>) -> SampledValue {
        SampledValue { unit, ..SampledValue::new(value) }
    }

    #[test]
    fn energy_is_reckoned_exactly() {
        for (value, unit, energy_wh) in [
            ("1234", None, Some(1234)),
            ("12.5", Some(UnitOfMeasure::KWh), Some(12_500)),
            ("0.29", Some(UnitOfMeasure::KWh), Some(290)),
            ("2935.6009", Some(UnitOfMeasure::KWh), Some(2_935_600)),
            ("1.9", Some(UnitOfMeasure::Wh), Some(1)),
            (" 7 ", Some(UnitOfMeasure::Wh), Some(7)),
            ("9000000000000000000", Some(UnitOfMeasure::KWh), None),
            ("31", Some(UnitOfMeasure::Celsius), None),
            ("AB12", None, None),
        ] {
            assert_eq!(energy(&sample(value, unit)), energy_wh, "{value}");
        }
        let phase = SampledValue { phase: Some(Phase::L1), ..SampledValue::new("5") };
        let signed = SampledValue { format: Some(ValueFormat::SignedData), ..SampledValue::new("5") };
        let power = SampledValue { measurand: Some(Measurand::PowerActiveImport), ..SampledValue::new("5") };
        for other in [phase, signed, power] {
            assert_eq!(energy(&other), None, "{other:?}");
        }
    }
}
