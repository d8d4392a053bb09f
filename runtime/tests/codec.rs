//! Decoding, liberal and strict, and encoding of generated OCPP 1.6 types.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use onwire::ErrorCode;
use onwire::codec::{Message, Quirk, Quirks, decode, encode};
use onwire::ocpp::v16::*;
use onwire::types::{DateTime, Decimal};

/// What strict decoding says of a document: the error code and the text.
fn strict<T: Message>(text: &str) -> Option<(ErrorCode, String)> {
    decode::<T>(text, Quirks::NONE).err().map(|error| (error.fault.into(), error.to_string()))
}

fn refused<T: Message>(text: &str, code: ErrorCode, says: &str) {
    assert_eq!(strict::<T>(text), Some((code, says.to_owned())), "{text}");
}

fn encoded<T: Message>(value: &T) -> Result<String, String> {
    let mut out = String::new();
    encode(value, &mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

/// A document that liberal decoding lets through by one quirk, and strict decoding refuses.
fn quirk<T: Message>(quirk: Quirk, text: &str, code: ErrorCode, says: &str) -> T {
    refused::<T>(text, code, says);
    let without = decode::<T>(text, Quirks::ALL.without(quirk));
    assert!(without.is_err(), "{text} passes without {quirk:?}");
    match decode(text, Quirks::NONE.with(quirk)) {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

const STATUS: &str = r#""connectorId":1,"errorCode":"NoError","status":"Available""#;

#[test]
fn quirk_1_an_unknown_property_is_skipped() {
    let boot: BootNotificationRequest = quirk(
        Quirk::UnknownProperty,
        r#"{"chargePointVendor":"V","customData":{"a":[1,{"b":"\u00e9"}]},"chargePointModel":"M"}"#,
        ErrorCode::FormationViolation,
        "/customData: a property that the schema does not have",
    );
    assert_eq!(boot, BootNotificationRequest::new("V", "M"));
}

#[test]
fn quirk_2_over_long_text_is_kept_and_not_sent_on() {
    let text = r#"{"idTag":"123456789012345678901"}"#;
    let code = ErrorCode::PropertyConstraintViolation;
    let request: AuthorizeRequest = quirk(Quirk::OverlongText, text, code, "/idTag: longer than 20 characters");
    assert_eq!(request.id_tag.len(), 21);
    assert_eq!(encoded(&request).unwrap_err(), "/idTag: longer than 20 characters");
    // Characters count, not bytes.
    let chinese = format!(r#"{{"idTag":"{}"}}"#, "充".repeat(20));
    assert_eq!(strict::<AuthorizeRequest>(&chinese), None);
}

#[test]
fn quirks_3_and_4_time_stamps_of_the_field() {
    let code = || ErrorCode::PropertyConstraintViolation;
    let says = "/timestamp: not an RFC 3339 date-time";
    for (name, written) in [
        (Quirk::ZonelessDateTime, "2024-03-22T13:57:11.000000"),
        (Quirk::LooseDateTime, "2024-03-22 13:57:11Z"),
        (Quirk::LooseDateTime, "2024-03-22T21:57:11+0800"),
    ] {
        let text = format!(r#"{{{STATUS},"timestamp":"{written}"}}"#);
        let status: StatusNotificationRequest = quirk(name, &text, code(), says);
        assert_eq!(status.timestamp.unwrap().to_string(), "2024-03-22T13:57:11Z");
    }
    let never = format!(r#"{{{STATUS},"timestamp":"yesterday"}}"#);
    assert!(decode::<StatusNotificationRequest>(&never, Quirks::ALL).is_err());
}

#[test]
fn quirk_5_an_unrecognized_value_is_kept_and_not_sent_on() {
    let text = r#"{"transactionId":1,"timestamp":"2025-08-14T01:30:12Z","meterStop":3,"reason":"EnergyLimitReached"}"#;
    let code = ErrorCode::PropertyConstraintViolation;
    let says = "/reason: not one of the values that the schema lists";
    let stop: StopTransactionRequest = quirk(Quirk::UnrecognizedValue, text, code, says);
    assert_eq!(stop.reason.as_ref().unwrap().as_str(), "EnergyLimitReached");
    assert_eq!(encoded(&stop).unwrap_err(), says);
}

#[test]
fn quirks_6_and_7_null_and_empty_text_for_what_is_absent() {
    let code = ErrorCode::TypeConstraintViolation;
    let text = format!(r#"{{{STATUS},"timestamp":null}}"#);
    let status: StatusNotificationRequest = quirk(Quirk::NullForAbsent, &text, code, "/timestamp: not a value");
    assert_eq!(status.timestamp, None);
    let text = format!(r#"{{{STATUS},"timestamp":""}}"#);
    let code = ErrorCode::PropertyConstraintViolation;
    let says = "/timestamp: not one of the values that the schema lists";
    let status: StatusNotificationRequest = quirk(Quirk::EmptyForAbsent, &text, code, says);
    assert_eq!(status.timestamp, None);
    let text = r#"{"connectorId":1,"meterValue":[],"transactionId":""}"#;
    let values: MeterValuesRequest = decode(text, Quirks::ALL).unwrap();
    assert_eq!(values.transaction_id, None);
    // Empty text is a value where text is meant.
    assert_eq!(strict::<StatusNotificationRequest>(&format!(r#"{{{STATUS},"info":""}}"#)), None);
}

#[test]
fn quirks_8_to_10_numbers_and_text_in_each_others_place() {
    let code = || ErrorCode::TypeConstraintViolation;
    let text =
        r#"{"connectorId":1,"meterValue":[{"timestamp":"2025-08-14T01:30:12Z","sampledValue":[{"value":-12.30}]}]}"#;
    let says = "/meterValue/0/sampledValue/0/value: not a string";
    let values: MeterValuesRequest = quirk(Quirk::NumberForText, text, code(), says);
    assert_eq!(values.meter_value[0].sampled_value[0].value, "-12.30");

    let text = r#"{"transactionId":"461627"}"#;
    let stop: RemoteStopTransactionRequest =
        quirk(Quirk::TextForNumber, text, code(), "/transactionId: not an integer");
    assert_eq!(stop.transaction_id, 461_627);
    let text = r#"{"transactionId":7.0}"#;
    let stop: RemoteStopTransactionRequest =
        quirk(Quirk::IntegerWithFraction, text, code(), "/transactionId: not an integer");
    assert_eq!(stop.transaction_id, 7);
    for never in [r#"{"transactionId":7.5}"#, r#"{"transactionId":"7x"}"#, r#"{"transactionId":""}"#] {
        assert!(decode::<RemoteStopTransactionRequest>(never, Quirks::ALL).is_err(), "{never}");
    }
}

#[test]
fn quirk_11_a_list_that_is_too_short_is_kept_and_not_sent_on() {
    let text = r#"{"connectorId":1,"meterValue":[]}"#;
    let code = ErrorCode::OccurrenceConstraintViolation;
    let values: MeterValuesRequest = quirk(Quirk::TooFewItems, text, code, "/meterValue: fewer than 1 items");
    assert_eq!(encoded(&values).unwrap_err(), "/meterValue: fewer than 1 items");
}

#[test]
fn quirk_12_a_number_off_its_step_is_kept_and_not_sent_on() {
    let text = r#"{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":8.15}]}"#;
    let code = ErrorCode::PropertyConstraintViolation;
    let says = "/chargingSchedulePeriod/0/limit: not a multiple of 0.1";
    let schedule: ChargingSchedule = quirk(Quirk::NotAMultiple, text, code, says);
    assert_eq!(schedule.charging_schedule_period[0].limit, Decimal::new(815, 2));
    assert_eq!(encoded(&schedule).unwrap_err(), says);
}

/// It is a frame's, so that it takes a session to see it.
#[test]
fn quirk_13_a_null_payload_is_an_empty_one() {
    struct Csms;

    #[onwire::handlers(ocpp::v16, role = CentralSystem)]
    impl Csms {
        #[on(Heartbeat)]
        fn heartbeat(&self, peer: &onwire::Peer, _request: HeartbeatRequest) -> HeartbeatResponse {
            assert!(peer.noticed_quirks().contains(Quirk::NullPayload));
            HeartbeatResponse::new(DateTime::UNIX_EPOCH)
        }
    }

    for (quirks, answer) in [
        (Quirks::ALL, r#"[3,"1",{"currentTime":"1970-01-01T00:00:00Z"}]"#),
        (Quirks::NONE, r#"[4,"1","FormationViolation","the payload: not an object",{}]"#),
    ] {
        let mut config = onwire::session::Config::default();
        config.quirks = quirks;
        let connection = onwire::Connection::new("CP1", &DIALECT, config);
        connection.receive(r#"[2,"1","Heartbeat",null]"#, onwire::Instant::default());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::pin::pin!(connection.serve(&Csms)).poll(&mut context).is_pending());
        assert_eq!(connection.poll_transmit(onwire::Instant::default()).as_deref(), Some(answer));
    }
}

#[test]
fn quirk_14_an_integer_loses_its_fraction_unless_it_names_something() {
    let code = ErrorCode::TypeConstraintViolation;
    let text = r#"{"transactionId":7,"timestamp":"2025-08-14T01:30:12Z","meterStop" : 26008.333}"#;
    let stop: StopTransactionRequest = quirk(Quirk::FractionForInteger, text, code, "/meterStop: not an integer");
    assert_eq!(stop.meter_stop, 26008);
    let text = r#"{"connectorId":1,"idTag":"A","timestamp":"2025-08-14T01:30:12Z","meterStart":12.999}"#;
    let code = ErrorCode::TypeConstraintViolation;
    let start: StartTransactionRequest = quirk(Quirk::FractionForInteger, text, code, "/meterStart: not an integer");
    assert_eq!(start.meter_start, 12);
    let text = r#"{"connectorId":1.5,"idTag":"A","timestamp":"2025-08-14T01:30:12Z","meterStart":12}"#;
    assert!(decode::<StartTransactionRequest>(text, Quirks::ALL).is_err(), "there is no connector 1.5");
}

#[test]
fn quirk_15_the_only_item_stands_for_its_list() {
    let code = || ErrorCode::TypeConstraintViolation;
    let text = r#"{"connectorId":1,"meterValue":{"timestamp":"2025-08-14T01:30:12Z","sampledValue":{"value":"5"}}}"#;
    let values: MeterValuesRequest = quirk(Quirk::ItemForList, text, code(), "/meterValue: not a list");
    assert_eq!(values.meter_value.len(), 1);
    assert_eq!(values.meter_value[0].sampled_value, [SampledValue::new("5")]);
    let text = r#"{"configurationKey":[],"unknownKey":"Abc"}"#;
    let answer: GetConfigurationResponse = quirk(Quirk::ItemForList, text, code(), "/unknownKey: not a list");
    assert_eq!(answer.unknown_key.unwrap(), ["Abc"]);
    for never in [r#"{"connectorId":1,"meterValue":7}"#, r#"{"connectorId":1,"meterValue":{}}"#] {
        assert!(decode::<MeterValuesRequest>(never, Quirks::ALL).is_err(), "{never}");
    }
}

#[test]
fn quirks_16_17_and_19_a_configuration_of_the_field() {
    let code = || ErrorCode::TypeConstraintViolation;
    let says = "/configurationKey/0/readonly: not a boolean";
    let written = ["1", "0", "\"true\"", "\"False\"", "\"1\"", "\"0\""];
    for (written, means) in written.into_iter().zip([true, false].into_iter().cycle()) {
        let text = format!(r#"{{"configurationKey":[{{"key":"A","readonly":{written},"value":"1"}}]}}"#);
        let answer: GetConfigurationResponse = quirk(Quirk::LooseBoolean, &text, code(), says);
        assert_eq!(answer.configuration_key.unwrap()[0].readonly, means, "{written}");
    }
    for never in ["2", "10", "1.5", "\"yes\"", "\"\"", "null"] {
        let text = format!(r#"{{"key":"A","readonly":{never}}}"#);
        assert!(decode::<KeyValue>(&text, Quirks::ALL).is_err(), "{never}");
    }

    let text = r#"{"key":"A","readonly":false,"value":true}"#;
    let key: KeyValue = quirk(Quirk::BooleanForText, text, code(), "/value: not a string");
    assert_eq!(key.value.as_deref(), Some("true"));
    assert!(decode::<AuthorizeRequest>(r#"{"idTag":true}"#, Quirks::ALL).is_err(), "nobody's tag is `true`");

    let text = r#"{"key":"A","value":"1"}"#;
    let code = ErrorCode::OccurrenceConstraintViolation;
    let key: KeyValue = quirk(Quirk::MissingReadonly, text, code, "/readonly: missing");
    assert_eq!(key, KeyValue { value: Some("1".into()), ..KeyValue::new("A", false) });
    assert!(decode::<KeyValue>(r#"{"value":"1"}"#, Quirks::ALL).is_err(), "a key without a name is none");
}

#[test]
fn quirk_18_what_is_no_text_is_passed_on_as_its_json() {
    let code = || ErrorCode::TypeConstraintViolation;
    for data in [r#"{"a": [1, "\u00e9"]}"#, "[]"] {
        let text = format!(r#"{{"vendorId":"V","data": {data} }}"#);
        let request: DataTransferRequest = quirk(Quirk::JsonForText, &text, code(), "/data: not a string");
        assert_eq!(request.data.as_deref(), Some(data));
        let text = format!(r#"{{"status":"Accepted","data":{data}}}"#);
        let response: DataTransferResponse = quirk(Quirk::JsonForText, &text, code(), "/data: not a string");
        assert_eq!(response.data.as_deref(), Some(data));
    }
    // Where the text is limited it names something, and an object names nothing.
    assert!(decode::<AuthorizeRequest>(r#"{"idTag":{"a":1}}"#, Quirks::ALL).is_err());
}

#[test]
fn faults_have_the_code_of_the_rules_and_a_pointer() {
    use ErrorCode::{FormationViolation, OccurrenceConstraintViolation, TypeConstraintViolation};
    refused::<AuthorizeRequest>("{}", OccurrenceConstraintViolation, "/idTag: missing");
    refused::<AuthorizeRequest>("[]", FormationViolation, "the payload: not an object");
    for huge in ["1e400", "-1e400", "99999999999999999999", &"9".repeat(5000), "1e99999999999999999999"] {
        let text = format!(r#"{{"connectorId":{huge},"type":"Operative"}}"#);
        let says = "/connectorId: number out of range";
        refused::<ChangeAvailabilityRequest>(&text, ErrorCode::PropertyConstraintViolation, says);
    }
    refused::<BootNotificationResponse>(r#"{"status":[]}"#, TypeConstraintViolation, "/status: not a string");
    refused::<AuthorizeRequest>(r#"{"idTag":{"a":1}}"#, TypeConstraintViolation, "/idTag: not a string");
    refused::<AuthorizeRequest>(r#"{"idTag":null}"#, TypeConstraintViolation, "/idTag: not a string");
    refused::<AuthorizeRequest>(r#"{"idTag":"a","idTag":"b"}"#, FormationViolation, "/idTag: given twice");
    let text = r#"{"connectorId":1,"meterValue":[{"timestamp":"2025-08-14T01:30:12Z","sampledValue":[{"value":"1"},{"unit":"W"}]}]}"#;
    refused::<MeterValuesRequest>(text, OccurrenceConstraintViolation, "/meterValue/0/sampledValue/1/value: missing");
    let text = r#"{"transactionId":99999999999999999999}"#;
    let code = ErrorCode::PropertyConstraintViolation;
    refused::<RemoteStopTransactionRequest>(text, code, "/transactionId: number out of range");
}

#[test]
fn what_is_not_json_is_refused_cleanly() {
    let deep = format!(r#"{{"idTag":"a","x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for text in [
        "",
        "{",
        r#"{"idTag"#,
        r#"{"idTag":"a""#,
        r#"{"idTag":"a",}"#,
        r#"{"idTag":"a"} x"#,
        r#"{"idTag":"a"}}"#,
        r#"{"idTag":"\ud800"}"#,
        r#"{"idTag":"\ud800\u0041"}"#,
        r#"{"idTag":"\x"}"#,
        r#"{"idTag":"\u12"}"#,
        "{\"idTag\":\"a\nb\"}",
        r#"{,"idTag":"a"}"#,
        r#"{"idTag" "a"}"#,
        r#"{idTag:"a"}"#,
        r#"{"idTag":"a","x":01}"#,
        r#"{"idTag":"a","x":nul}"#,
        r#"{"idTag":"a","x":[1,]}"#,
        r#"{"idTag":"a","x":{"y"}}"#,
        &deep,
    ] {
        let error = decode::<AuthorizeRequest>(text, Quirks::ALL).unwrap_err();
        assert_eq!(ErrorCode::from(error.fault), ErrorCode::FormationViolation, "{}", &text[..text.len().min(40)]);
    }
}

#[test]
fn escapes_are_read_and_written() {
    let request: AuthorizeRequest = decode(r#"{"id\u0054ag":"\ud83d\ude97\"\\\/\t\u00e9"}"#, Quirks::NONE).unwrap();
    assert_eq!(request.id_tag, "🚗\"\\/\té");
    assert_eq!(encoded(&request).unwrap(), "{\"idTag\":\"🚗\\\"\\\\/\\té\"}");
    assert_eq!(encoded(&AuthorizeRequest::new("\u{1}")).unwrap(), r#"{"idTag":"\u0001"}"#);
}

#[test]
fn celsius_is_spelled_as_each_message_s_schema_spells_it() {
    let sample = SampledValue { unit: Some(UnitOfMeasure::Celsius), ..SampledValue::new("31") };
    let value = MeterValue::new(DateTime::UNIX_EPOCH, vec![sample]);
    let values = MeterValuesRequest::new(1, vec![value.clone()]);
    assert!(encoded(&values).unwrap().contains(r#""unit":"Celsius""#));
    let stop = StopTransactionRequest::new(1, DateTime::UNIX_EPOCH, 3);
    let stop = StopTransactionRequest { transaction_data: Some(vec![value]), ..stop };
    let text = encoded(&stop).unwrap();
    assert!(text.contains(r#""unit":"Celcius""#), "{text}");
    assert_eq!(decode::<StopTransactionRequest>(&text, Quirks::NONE).unwrap(), stop);
}

#[test]
fn a_full_message_survives_the_round_trip_and_serde_agrees() {
    let sample = SampledValue {
        context: Some(ReadingContext::SamplePeriodic),
        format: Some(ValueFormat::Raw),
        measurand: Some(Measurand::EnergyActiveImportRegister),
        phase: Some(Phase::L1N),
        location: Some(Location::Outlet),
        unit: Some(UnitOfMeasure::KWh),
        ..SampledValue::new("2935.600")
    };
    let at = DateTime::from_unix_millis(1_755_134_629_731);
    let request = MeterValuesRequest {
        transaction_id: Some(-1),
        ..MeterValuesRequest::new(
            2,
            vec![MeterValue::new(at, vec![sample.clone(), SampledValue::new("")]), MeterValue::new(at, vec![sample])],
        )
    };
    let text = encoded(&request).unwrap();
    assert_eq!(decode::<MeterValuesRequest>(&text, Quirks::NONE).unwrap(), request);
    assert_eq!(serde_json::from_str::<MeterValuesRequest>(&text).unwrap(), request);
    let ours: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&request).unwrap(), ours);
}

#[test]
fn every_integer_of_64_bits_is_read_back() {
    for id in
        [i64::MIN, -1_234_567_890_123_456_789, -1, 0, 999_999_999_999_999_999, 1_000_000_000_000_000_000, i64::MAX]
    {
        let request = RemoteStopTransactionRequest::new(id);
        let text = encoded(&request).unwrap();
        assert_eq!(decode::<RemoteStopTransactionRequest>(&text, Quirks::NONE), Ok(request));
        let quoted = format!(r#"{{"transactionId":"{id}"}}"#);
        assert_eq!(decode::<RemoteStopTransactionRequest>(&quoted, Quirks::ALL).unwrap().transaction_id, id);
    }
}

#[test]
fn serde_gives_decimals_back_exactly() {
    for decimal in ["8.1", "0.30", "123456789012345.678", "-999999999999999.999", "7"] {
        let decimal: Decimal = decimal.parse().unwrap();
        let text = serde_json::to_string(&decimal).unwrap();
        assert_eq!(serde_json::from_str::<Decimal>(&text).unwrap(), decimal, "{text}");
    }
}
