//! The payloads, written in the order of the properties in the OCPP 1.6 schemas, without white space: as most charge
//! points send them.

use std::fmt::Write;

/// Readings of one moment: measurand, phase, location and unit, value at the first moment, and growth per moment.
const READINGS: [(&str, &str, &str, &str, f64, f64); 10] = [
    ("Energy.Active.Import.Register", "", "Outlet", "Wh", 4_718_342.0, 184.0),
    ("Current.Import", "L1", "Outlet", "A", 15.87, 0.02),
    ("Current.Import", "L2", "Outlet", "A", 15.92, -0.01),
    ("Current.Import", "L3", "Outlet", "A", 15.79, 0.03),
    ("Voltage", "L1-N", "Outlet", "V", 231.4, -0.1),
    ("Voltage", "L2-N", "Outlet", "V", 229.8, 0.2),
    ("Voltage", "L3-N", "Outlet", "V", 230.6, 0.1),
    ("Power.Active.Import", "", "Outlet", "W", 10_962.5, 7.5),
    ("Temperature", "", "Body", "Celsius", 38.2, 0.1),
    ("SoC", "", "EV", "Percent", 54.0, 1.0),
];

/// A post of all 60 properties of a thing model; `time` gives each the time at which it was so.
pub fn property_post(time: Option<u64>) -> String {
    let property = |index: usize| {
        let value = match index % 6 {
            0 | 1 => format!("{}.{}", 7 * index, index % 9 + 1),
            2 | 3 => format!("{}", 1201 * index),
            4 => format!(r#""SN-{index:08}-2024""#),
            _ => format!("{}", index / 6 % 2),
        };
        let value = time.map_or_else(|| value.clone(), |time| format!(r#"{{"value":{value},"time":{time}}}"#));
        format!(r#""Property{index}":{value}"#)
    };
    format!("{{{}}}", (0..60).map(property).collect::<Vec<_>>().join(","))
}

/// MeterValues.req: ten moments of ten readings each, a minute apart.
pub fn meter_values() -> String {
    let moments: Vec<String> = (0..10).map(moment).collect();
    format!(r#"{{"connectorId":2,"transactionId":480217,"meterValue":[{}]}}"#, moments.join(","))
}

fn moment(minute: u8) -> String {
    let readings: Vec<String> = READINGS
        .iter()
        .map(|(measurand, phase, location, unit, first, growth)| {
            let value = first + growth * f64::from(minute);
            let mut reading = format!(
                r#"{{"value":"{value:.2}","context":"Sample.Periodic","format":"Raw","measurand":"{measurand}""#
            );
            for (name, text) in [("phase", phase), ("location", location), ("unit", unit)] {
                if !text.is_empty() {
                    // Writing to a string does not fail.
                    let _ = write!(reading, r#","{name}":"{text}""#);
                }
            }
            reading + "}"
        })
        .collect();
    format!(r#"{{"timestamp":"2025-06-18T07:{minute:02}:00Z","sampledValue":[{}]}}"#, readings.join(","))
}

/// BootNotification.req with every property.
pub fn boot_notification() -> String {
    [
        r#"{"chargePointVendor":"Nordwall Energy","chargePointModel":"NW-22 Duo","#,
        r#""chargePointSerialNumber":"NW22D-2024-0031877","chargeBoxSerialNumber":"CB-31877-A","#,
        r#""firmwareVersion":"3.8.1-rc2+build.20250611","iccid":"8949020000841137725","imsi":"262021139045518","#,
        r#""meterType":"Isar 3PH MID class B","meterSerialNumber":"IS3-00982231"}"#,
    ]
    .concat()
}

/// StatusNotification.req with every property; milliseconds without a zero at their end, which ocpp-kit does not write.
pub fn status_notification() -> String {
    [
        r#"{"connectorId":1,"errorCode":"HighTemperature","info":"Contactor above 85 C, current reduced","#,
        r#""status":"SuspendedEVSE","timestamp":"2025-06-18T07:12:44.257Z","vendorId":"com.nordwall.duo","#,
        r#""vendorErrorCode":"T-0417"}"#,
    ]
    .concat()
}
