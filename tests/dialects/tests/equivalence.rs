//! Our schemas, our strict decoder and the JSON Schema files of PyPI `ocpp` judge documents alike.
//!
//! `peers/corpus.py` makes valid and single-fault documents for all 78 messages of OCPP 1.6 from the other side's schemas,
//! and judges each with both sides'; here the generated decoder judges it too. What differs is listed, with its reason.
//! A document that strict decoding takes is the same value to serde, survives encoding, and is taken by the plain flavour.

#[cfg(not(schemas))]
compile_error!("ONWIRE_OCPP_SCHEMAS names the schemas; `cargo xtask test --stage interop` sets it");

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use onwire::codec::{Quirks, decode, encode};
use onwire::ocpp::v16::*;
use onwire_dialects::plain;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Line {
    message: String,
    /// What is wrong with the document; empty if nothing is.
    fault: String,
    document: Value,
    /// What PyPI `ocpp`'s schema says.
    theirs: bool,
    /// What our schema says.
    ours: bool,
}

/// Decodes strictly, and writes what came out.
macro_rules! judges {
    ($($message:ident)+) => {
        fn judge(message: &str, text: &str) -> Result<String, String> {
            match message {
                $(stringify!($message) => {
                    let value = decode::<$message>(text, Quirks::NONE).map_err(|error| error.to_string())?;
                    let same = serde_json::from_str::<$message>(text).unwrap();
                    assert_eq!(same, value, "{message}: {text} is something else to serde");
                    let plain = serde_json::from_str::<plain::$message>(text);
                    assert!(plain.is_ok(), "{message}: {text} is refused by the plain flavour: {plain:?}");
                    let mut out = String::new();
                    encode(&value, &mut out).unwrap_or_else(|error| panic!("{message}: {text} is read and not written: {error}"));
                    assert_eq!(decode(&out, Quirks::NONE).as_ref(), Ok(&value), "{message}: {text} became {out}");
                    Ok(out)
                })+
                other => panic!("{other} is no message"),
            }
        }
    };
}

judges! {
    AuthorizeRequest
    AuthorizeResponse
    BootNotificationRequest
    BootNotificationResponse
    CancelReservationRequest
    CancelReservationResponse
    CertificateSignedRequest
    CertificateSignedResponse
    ChangeAvailabilityRequest
    ChangeAvailabilityResponse
    ChangeConfigurationRequest
    ChangeConfigurationResponse
    ClearCacheRequest
    ClearCacheResponse
    ClearChargingProfileRequest
    ClearChargingProfileResponse
    DataTransferRequest
    DataTransferResponse
    DeleteCertificateRequest
    DeleteCertificateResponse
    DiagnosticsStatusNotificationRequest
    DiagnosticsStatusNotificationResponse
    ExtendedTriggerMessageRequest
    ExtendedTriggerMessageResponse
    FirmwareStatusNotificationRequest
    FirmwareStatusNotificationResponse
    GetCompositeScheduleRequest
    GetCompositeScheduleResponse
    GetConfigurationRequest
    GetConfigurationResponse
    GetDiagnosticsRequest
    GetDiagnosticsResponse
    GetInstalledCertificateIdsRequest
    GetInstalledCertificateIdsResponse
    GetLocalListVersionRequest
    GetLocalListVersionResponse
    GetLogRequest
    GetLogResponse
    HeartbeatRequest
    HeartbeatResponse
    InstallCertificateRequest
    InstallCertificateResponse
    LogStatusNotificationRequest
    LogStatusNotificationResponse
    MeterValuesRequest
    MeterValuesResponse
    RemoteStartTransactionRequest
    RemoteStartTransactionResponse
    RemoteStopTransactionRequest
    RemoteStopTransactionResponse
    ReserveNowRequest
    ReserveNowResponse
    ResetRequest
    ResetResponse
    SecurityEventNotificationRequest
    SecurityEventNotificationResponse
    SendLocalListRequest
    SendLocalListResponse
    SetChargingProfileRequest
    SetChargingProfileResponse
    SignCertificateRequest
    SignCertificateResponse
    SignedFirmwareStatusNotificationRequest
    SignedFirmwareStatusNotificationResponse
    SignedUpdateFirmwareRequest
    SignedUpdateFirmwareResponse
    StartTransactionRequest
    StartTransactionResponse
    StatusNotificationRequest
    StatusNotificationResponse
    StopTransactionRequest
    StopTransactionResponse
    TriggerMessageRequest
    TriggerMessageResponse
    UnlockConnectorRequest
    UnlockConnectorResponse
    UpdateFirmwareRequest
    UpdateFirmwareResponse
}

/// Why our side may judge otherwise than PyPI `ocpp`'s schema.
fn known_difference(line: &Line) -> Option<&'static str> {
    let document = line.document.to_string();
    let transaction = line.message == "StopTransactionRequest";
    if line.theirs && document.contains(r#""unit":"Hertz""#) {
        return Some(
            "Hertz is a unit of their MeterValues only; neither the specification nor the official schema has it",
        );
    }
    if line.theirs && transaction && document.contains(r#""sampledValue":[]"#) {
        return Some(
            "a MeterValue has at least one SampledValue (OCPP 1.6 §7.33); their StopTransaction does not say so",
        );
    }
    if line.fault.starts_with("integer written 1.0") {
        return Some(
            "1.0 is an integer by draft 6 of JSON Schema and none by draft 4; strict decoding goes by the latter",
        );
    }
    None
}

#[test]
fn documents_are_judged_alike() {
    let python = std::env::var_os("ONWIRE_PEERS_PYTHON").expect("set by `cargo xtask test --stage interop`");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python)
        .arg(root.join("../peers/corpus.py"))
        .arg(root.join("../../schemas/ocpp1.6"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Line> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 4_000, "only {} documents", lines.len());
    assert_eq!(lines.iter().map(|line| &line.message).collect::<std::collections::BTreeSet<_>>().len(), 78);

    let (mut unexpected, mut differences) = (Vec::new(), BTreeMap::<&str, usize>::new());
    for line in &lines {
        let judged = judge(&line.message, &line.document.to_string());
        if judged.is_ok() == line.ours && line.ours == line.theirs {
            continue;
        }
        match known_difference(line) {
            Some(reason) => *differences.entry(reason).or_default() += 1,
            None => unexpected.push(format!(
                "{} [{}] {}: theirs {}, our schema {}, our decoder {:?}",
                line.message, line.fault, line.document, line.theirs, line.ours, judged
            )),
        }
    }
    println!("{} documents; known differences: {differences:#?}", lines.len());
    let count = unexpected.len();
    unexpected.truncate(20);
    assert!(count == 0, "{count} differences that are not listed, such as\n{}", unexpected.join("\n"));
}
