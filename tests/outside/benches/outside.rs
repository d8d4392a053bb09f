//! Nanoseconds per message by the generated code in this crate, and the ratio to the built-in code, as a plain release build
//! has both: `cargo bench -p onwire-outside`, or the last part of `cargo xtask bench`.
//!
//! Both take turns, a few milliseconds each, for many rounds. Times are medians, and ratios are medians of the ratios within each
//! round.

use std::error::Error;
use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use onwire::codec::{Message, Quirks, decode, encode};
use onwire::ocpp::v16 as built_in;
use onwire_outside::outside;

const ROUNDS: usize = 151;

/// How long a turn is, in nanoseconds.
const TURN: f64 = 2e6;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:<28} {:<8} {:>12} {:>12} {:>7}", "Message", "", "built in, ns", "outside, ns", "ratio");
    let boot = r#"{"chargePointVendor":"Vendor","chargePointModel":"Model 22","chargePointSerialNumber":"0001-4711",
        "firmwareVersion":"1.14.2-rc3","iccid":"89310410106543789301","imsi":"310410123456789"}"#;
    let status = r#"{"connectorId":1,"errorCode":"NoError","status":"Charging","timestamp":"2025-06-18T07:00:00Z"}"#;
    row::<built_in::MeterValuesRequest, outside::MeterValuesRequest>("MeterValues.req", &meter_values())?;
    row::<built_in::BootNotificationRequest, outside::BootNotificationRequest>("BootNotification.req", boot)?;
    let profile = set_charging_profile();
    row::<built_in::SetChargingProfileRequest, outside::SetChargingProfileRequest>("SetChargingProfile.req", &profile)?;
    row::<built_in::StatusNotificationRequest, outside::StatusNotificationRequest>("StatusNotification.req", status)?;
    Ok(())
}

fn row<B: Message, O: Message>(name: &str, text: &str) -> Result<(), Box<dyn Error>> {
    let (built_in, outside): (B, O) = (decode(text, Quirks::ALL)?, decode(text, Quirks::ALL)?);
    let read = |_: &mut String| drop(black_box(decode::<B>(black_box(text), Quirks::ALL)));
    let read_outside = |_: &mut String| drop(black_box(decode::<O>(black_box(text), Quirks::ALL)));
    print(name, "decode", read, read_outside);
    let write = |out: &mut String| drop(black_box(encode(black_box(&built_in), out)));
    let write_outside = |out: &mut String| drop(black_box(encode(black_box(&outside), out)));
    print(name, "encode", write, write_outside);
    Ok(())
}

fn print(name: &str, operation: &str, mut built_in: impl FnMut(&mut String), mut outside: impl FnMut(&mut String)) {
    let mut out = String::new();
    let mut repetitions = 1;
    while time(repetitions, &mut out, &mut built_in) * f64::from(repetitions) < TURN {
        repetitions *= 2;
    }
    let rounds: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|_| (time(repetitions, &mut out, &mut built_in), time(repetitions, &mut out, &mut outside)))
        .collect();
    let ours = median(rounds.iter().map(|(built_in, _)| *built_in).collect());
    let theirs = median(rounds.iter().map(|(_, outside)| *outside).collect());
    let ratio = median(rounds.iter().map(|(built_in, outside)| outside / built_in).collect());
    println!("{name:<28} {operation:<8} {ours:>12.0} {theirs:>12.0} {ratio:>7.2}");
}

/// Nanoseconds of one.
fn time(repetitions: u32, out: &mut String, run: &mut impl FnMut(&mut String)) -> f64 {
    let start = Instant::now();
    for _ in 0..repetitions {
        out.clear();
        run(out);
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(repetitions)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Numbers for the most part.
fn set_charging_profile() -> String {
    let period = |index: u32| {
        format!(r#"{{"startPeriod":{},"limit":{}.{},"numberPhases":3}}"#, 900 * index, 6 + index % 26, index % 10)
    };
    let periods: Vec<String> = (0..24).map(period).collect();
    format!(
        r#"{{"connectorId":1,"csChargingProfiles":{{"chargingProfileId":7,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","validFrom":"2025-06-18T07:00:00Z","chargingSchedule":{{"duration":86400,"startSchedule":"2025-06-18T07:00:00Z","chargingRateUnit":"A","chargingSchedulePeriod":[{}],"minChargingRate":6.0}}}}}}"#,
        periods.join(",")
    )
}

/// Ten moments of ten readings each, as most charge points send them.
fn meter_values() -> String {
    let readings = [
        ("Energy.Active.Import.Register", "Wh"),
        ("Current.Import", "A"),
        ("Voltage", "V"),
        ("Power.Active.Import", "W"),
        ("Temperature", "Celsius"),
    ];
    let reading = |minute: usize, index: usize, (measurand, unit): (&str, &str)| {
        let phase = if index < 5 { "" } else { r#""phase":"L1-N","# };
        format!(
            r#"{{"value":"{}.{index}2","context":"Sample.Periodic","format":"Raw","measurand":"{measurand}",{phase}"location":"Outlet","unit":"{unit}"}}"#,
            4_718_342 + minute * 184
        )
    };
    let mut text = String::from(r#"{"connectorId":2,"transactionId":480217,"meterValue":["#);
    for minute in 0..10 {
        let of_moment = readings.iter().cycle().take(10).enumerate();
        let of_moment: Vec<String> = of_moment.map(|(index, named)| reading(minute, index, *named)).collect();
        let comma = if minute == 0 { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(
            text,
            r#"{comma}{{"timestamp":"2025-06-18T07:{minute:02}:00Z","sampledValue":[{}]}}"#,
            of_moment.join(",")
        );
    }
    text + "]}"
}
