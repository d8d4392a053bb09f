//! A thing model whose identifiers are keywords, or no identifiers at all, and which has more than 64 properties.

use onwire::ActionEntry;
use onwire::codec::{Quirks, decode, encode};
use onwire::types::{DateTime, Decimal, RawJson};
use onwire_tests::odd::*;

fn written<T: onwire::codec::Message>(value: &T) -> String {
    let mut out = String::new();
    encode(value, &mut out).unwrap();
    out
}

#[test]
fn labels_in_letters_that_stand_for_others_are_plain_names() {
    let lamp = [Lamp::ON, Lamp::III, Lamp::A, Lamp::Value3, Lamp::Value4, Lamp::関];
    assert_eq!(Lamp::all(), lamp);
    assert_eq!((Lamp::A.code(), Lamp::try_from(5), "5".parse()), (Some(2), Ok(Lamp::関), Ok(Lamp::関)));
    assert!(Lamp::try_from(6).is_err() && "ON".parse::<Lamp>().is_err());
    for (number, lamp) in lamp.into_iter().enumerate() {
        let properties = Properties { lamp: Some(lamp), r#gen: Some(1), ..Properties::default() };
        assert_eq!(written(&properties), format!(r#"{{"gen":1,"Lamp":{number}}}"#));
    }
}

#[test]
fn every_identifier_is_a_field() {
    let properties = Properties {
        r#type: Some(1),
        self_: Some(2),
        self_2: Some(3),
        r#match: Some(4),
        crate_: Some(5),
        _2nd: Some(6),
        a_b: Some(7),
        a_b_2: Some(8),
        a_b_3: Some(9),
        time: Some(1),
        meter_power: Some(2),
        功率: Some(3),
        _20ac: Some(4),
        a_b_c: Some(5),
        x_y_z_0: Some(6),
        result: Some(PropertiesResultValue::UnrecognizedValue),
        option: Some(OptionValue::new(true, 5)),
        vec: Some(vec![VecValue::new(DateTime::UNIX_EPOCH)]),
        stepped: Some(-5),
        wide: Some(Decimal::new(-1, 2)),
        blob: Some(RawJson::new("[]").unwrap()),
        list: Some(RawJson::new("{}").unwrap()),
        level: Some(3),
        channel59: Some(Decimal::new(1, 1)),
        ..Properties::default()
    };
    let text = written(&properties);
    assert_eq!(
        text,
        concat!(
            r#"{"type":1,"self":2,"Self":3,"match":4,"crate":5,"2nd":6,"a-b":7,"a_b":8,"aB":9,"$time":1,"meter:Power":2,"#,
            r#""功率":3,"€":4,"a\"b\\c":5,"x.y/z~0":6,"Result":40001,"Option":{"Some":1,"value":5},"Vec":[{"fn":"0"}],"#,
            r#""Stepped":-5,"Wide":-0.01,"Blob":[],"List":{},"Level":3,"Channel59":0.1}"#
        )
    );
    assert_eq!(decode::<Properties>(&text, Quirks::NONE).as_ref(), Ok(&properties));
    // From front to back and from back to front.
    let mut keys: Vec<(String, serde_json::Value)> =
        serde_json::from_str::<serde_json::Map<_, _>>(&text).unwrap().into_iter().collect();
    keys.reverse();
    let reversed: Vec<String> = keys.iter().map(|(key, value)| format!("{}:{value}", serde_json::json!(key))).collect();
    assert_eq!(decode::<Properties>(&format!("{{ {} }}", reversed.join(" , ")), Quirks::NONE), Ok(properties));
}

#[test]
fn properties_beyond_the_sixty_fourth_are_judged_as_the_others() {
    let says = |text: &str| decode::<Properties>(text, Quirks::NONE).unwrap_err().to_string();
    assert_eq!(says(r#"{"Channel59":1001}"#), "/Channel59: number out of range");
    assert_eq!(says(r#"{"Channel59":1,"Channel59":1}"#), "/Channel59: given twice");
    assert_eq!(says(r#"{"Channel0":1, "Channel59":1,"Channel0":1}"#), "/Channel0: given twice");
    assert_eq!(says(r#"{"Channel59":null}"#), "/Channel59: not a value");
    assert_eq!(says(r#"{"Channel59":0.25}"#), "/Channel59: not a multiple of 0.1");
    let liberal = decode::<Properties>(r#"{"Channel59":"","Channel58":null,"Channel57":0.25}"#, Quirks::ALL).unwrap();
    assert_eq!(liberal, Properties { channel57: Some(Decimal::new(25, 2)), ..Properties::default() });
    let mut out = String::new();
    assert_eq!(encode(&liberal, &mut out).unwrap_err().to_string(), "/Channel57: not a multiple of 0.1");
}

#[test]
fn integers_keep_their_step() {
    assert_eq!(
        decode::<Properties>(r#"{"Stepped":7}"#, Quirks::NONE).unwrap_err().to_string(),
        "/Stepped: not a multiple of 5"
    );
    let kept = decode::<Properties>(r#"{"Stepped":7}"#, Quirks::ALL).unwrap();
    assert_eq!(kept.stepped, Some(7));
    assert_eq!(encode(&kept, &mut String::new()).unwrap_err().to_string(), "/Stepped: not a multiple of 5");
}

#[test]
fn a_struct_that_looks_like_a_timed_value_is_told_from_one() {
    let post = |text: &str| decode::<PropertyPostRequest>(text, Quirks::ALL);
    let option = Some(OptionValue::new(false, 7));
    let plain = post(r#"{"Option":{"Some":0,"value":7}}"#).unwrap();
    assert_eq!((&plain.properties.option, plain.times.is_empty()), (&option, true));
    let timed = post(r#"{"Option":{"value":{"value":7,"Some":0},"time":5}}"#).unwrap();
    assert_eq!((&timed.properties.option, timed.times.of("Option")), (&option, Some(DateTime::from_unix_millis(5))));
    // Not a wrapping: `value` is the struct's own.
    assert_eq!(post(r#"{"Option":{"value":7}}"#).unwrap_err().to_string(), "/Option/Some: missing");
    let late = post(r#"{"Channel59":{"value":3,"time":5}}"#).unwrap();
    assert_eq!(late.times.of("Channel59"), Some(DateTime::from_unix_millis(5)));
    assert_eq!(written(&late), r#"{"Channel59":{"value":3.0,"time":5}}"#);
}

#[test]
fn an_event_with_outputs_named_value_and_time_is_read_in_any_form() {
    let read = |text: &str| decode::<MoveEventRequest>(text, Quirks::ALL).unwrap();
    let output = MoveEventOutput::new(7, DateTime::from_unix_millis(9));
    assert_eq!(read(r#"{"value":7,"time":"9"}"#), output.clone().into());
    let timed = output.at(DateTime::from_unix_millis(5));
    assert_eq!(read(r#"{"time":5,"value":{"time":"9","value":7}}"#), timed);
    assert_eq!(read(&written(&timed)), timed);
}

#[test]
fn an_event_whose_outputs_are_not_said_keeps_what_comes() {
    let text = r#"{"value":{"code":[1]},"time":5}"#;
    let read = decode::<ResultEventRequest>(text, Quirks::NONE).unwrap();
    assert_eq!(read.value.additional_properties["code"].as_str(), "[1]");
    assert_eq!(written(&read), text);
}

#[test]
fn actions_of_one_name_are_told_apart() {
    for (name, from) in [
        ("thing.service.self", "Platform"),
        ("thing.service.move", "Platform"),
        ("thing.event.move.post", "Device"),
        ("thing.service.9", "Platform"),
        ("thing.event.Result.post", "Device"),
    ] {
        assert_eq!(ActionEntry::find(ACTIONS, name).map(|entry| entry.from), Some(&[from][..]), "{name}");
    }
    let request = SelfServiceRequest { r#type: None, meter_power: Some(3) };
    assert_eq!(written(&request), r#"{"meter:Power":3}"#);
    let _: fn() -> MoveResponse = MoveResponse::new;
    assert_eq!(written(&N9Response::new(N9ResponseResultValue::One)), r#"{"Result":1}"#);
}
