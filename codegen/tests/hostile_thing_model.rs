//! No thing model makes the generator panic, and what it writes is Rust.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod folder;

use folder::Folder;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Identifiers that collide, are keywords, or are none.
fn identifier() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "type",
            "self",
            "Self",
            "_",
            "",
            "2nd",
            "a-b",
            "aB",
            "a_b",
            "Option",
            "Result",
            "Properties",
            "PropertySet",
            "PropertyPostRequest",
            "post",
            "set",
            "get",
            "meter:Power",
            "$time",
            "€",
            "充电",
            "Unrecognized",
            "value",
            "time",
            "StartRequest",
            "Start",
            "StartOutput",
            "DIALECT",
            "role",
        ])
        .prop_map(str::to_owned),
        "[ -~]{1,6}",
        any::<String>(),
    ]
}

/// Values of any kind, where a key may or may not want them.
fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(|number| Value::from(number.to_string())),
        any::<f64>().prop_map(|number| Value::from(format!("{number:e}"))),
        prop::sample::select(vec!["1E999999999999", "-0.0", "1e-99", "99999999999999999999", "inf", "NaN", "", "."])
            .prop_map(Value::from),
        identifier().prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
    ]
}

fn object(pairs: Vec<(String, Value)>) -> Value {
    Value::Object(pairs.into_iter().collect())
}

/// An object with some of these keys.
fn some(keys: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::collection::vec((prop::sample::select(keys).prop_map(str::to_owned), odd_value()), 0..4).prop_map(object)
}

fn data_type() -> impl Strategy<Value = Value> {
    let plain = (
        prop::sample::select(vec!["int", "float", "double", "text", "date", "bool", "enum", "struct", "array", "INT"]),
        prop_oneof![
            some(&["min", "max", "step", "unit", "length", "size", "0", "1"]),
            prop::collection::vec((any::<i8>().prop_map(|number| number.to_string()), identifier()), 1..4)
                .prop_map(|values| object(values.into_iter().map(|(key, label)| (key, Value::from(label))).collect())),
            odd_value(),
        ],
    );
    let plain = prop_oneof![
        8 => plain.prop_map(|(kind, specs)| json!({"type": kind, "specs": specs})),
        1 => odd_value(),
    ];
    plain.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec((identifier(), inner.clone()), 0..4)
                .prop_map(|listed| json!({"type": "struct", "specs": members(listed)})),
            (inner, odd_value())
                .prop_map(|(item, size)| json!({"type": "array", "specs": {"size": size, "item": item}})),
        ]
    })
}

fn members(listed: Vec<(String, Value)>) -> Value {
    let one = |(identifier, data)| json!({"identifier": identifier, "name": identifier, "dataType": data});
    Value::Array(listed.into_iter().map(one).collect())
}

fn list() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => prop::collection::vec((identifier(), data_type()), 0..4).prop_map(members),
        1 => prop::collection::vec(identifier(), 0..3).prop_map(|names| json!(names)),
        1 => odd_value(),
    ]
}

fn features(input: &'static str) -> impl Strategy<Value = Value> {
    let feature = (identifier(), list(), list(), some(&["method", "callType", "type", "name", "desc"])).prop_map(
        move |(identifier, data, output, more)| {
            let mut feature = Map::new();
            feature.insert("identifier".to_owned(), Value::from(identifier));
            feature.insert(input.to_owned(), data);
            feature.insert("outputData".to_owned(), output);
            feature.extend(more.as_object().cloned().unwrap_or_default());
            Value::Object(feature)
        },
    );
    prop::collection::vec(feature, 0..4).prop_map(Value::Array)
}

fn model() -> impl Strategy<Value = Value> {
    (
        list(),
        features("outputData"),
        features("inputData"),
        some(&["profile", "schema", "functionBlockId", "functionBlocks"]),
    )
        .prop_map(|(properties, events, services, more)| {
            let mut model = Map::new();
            model.insert("properties".to_owned(), properties);
            model.insert("events".to_owned(), events);
            model.insert("services".to_owned(), services);
            model.extend(more.as_object().cloned().unwrap_or_default());
            Value::Object(model)
        })
}

fn generate(test: &str, text: &str) -> Result<String, onwire_codegen::Error> {
    let folder = Folder::new(test, &[("model.json", text)]);
    onwire_codegen::alink(folder.path().join("model.json"))?.code()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_model_is_generated_or_refused(model in model()) {
        if let Ok(code) = generate("hostile-thing", &model.to_string()) {
            prop_assert!(!code.contains("compile_error"), "{}", code);
        }
    }

    /// Whatever the features are called, they can be told apart.
    #[test]
    fn any_identifiers_are_generated(identifiers in prop::collection::hash_set("[A-Za-z0-9_:$ -]{1,4}", 1..12)) {
        let list = identifiers.iter().map(|identifier| (identifier.clone(), json!({"type": "enum", "specs": {"0": identifier}})));
        let code = generate("hostile-names", &json!({"properties": members(list.collect())}).to_string());
        prop_assert!(code.is_ok_and(|code| !code.contains("compile_error")));
    }

    #[test]
    fn any_text_is_generated_or_refused(text in "[\\[\\]{}\",:a-z0-9. -]{0,60}", keep in 0usize..6000) {
        let whole = onwire_schemas::THING.iter().find(|file| file.name == "socket.json").unwrap().text;
        let cut = (0..=keep.min(whole.len())).rev().find_map(|end| whole.get(..end)).unwrap_or("");
        let _ = generate("hostile-text", &format!("{cut}{text}"));
    }
}
