//! No input makes the generator panic, and what it writes is Rust.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod folder;

use folder::Folder;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Names that collide, are keywords, or are none.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("type".to_owned()),
        Just("self".to_owned()),
        Just("Self".to_owned()),
        Just("_".to_owned()),
        Just(String::new()),
        Just("3phase".to_owned()),
        Just("a-b".to_owned()),
        Just("aB".to_owned()),
        Just("Option".to_owned()),
        Just("Unrecognized".to_owned()),
        Just("充电".to_owned()),
        "[ -~]{1,6}",
    ]
}

/// Values of any kind, where a keyword may or may not want them.
fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!(1e308)),
        name().prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
    ]
}

/// Something like a schema: mostly the keywords that the generator knows, with values that mostly fit.
fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string"})),
        (0u32..99).prop_map(|max| json!({"type": "string", "maxLength": max})),
        Just(json!({"type": "string", "maxLength": 20, "format": "ci-string"})),
        Just(json!({"type": "string", "format": "date-time"})),
        prop::collection::vec(name(), 0..4).prop_map(|values| json!({"type": "string", "enum": values})),
        prop::collection::vec(any::<i64>(), 1..4).prop_map(|values| json!({"enum": values})),
        (any::<i64>(), any::<i64>()).prop_map(|(min, max)| json!({"type": "integer", "minimum": min, "maximum": max})),
        any::<f64>().prop_map(|step| json!({"type": "number", "multipleOf": step})),
        Just(json!({"type": "boolean"})),
        name().prop_map(|name| json!({"$ref": format!("#/definitions/{name}")})),
        (name(), odd_value()).prop_map(|(key, value)| json!({"type": "string", key: value})),
        ("(maxLength|minItems|required|properties|items|format|enum|const|x-onwire-values)", odd_value())
            .prop_map(|(key, value)| json!({"type": "object", key: value})),
        odd_value(),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (prop::collection::vec((name(), inner.clone()), 0..4), prop::collection::vec(name(), 0..3), any::<bool>())
                .prop_map(|(properties, required, open)| object(properties, required, open)),
            (inner, 0u32..3, 0u32..5).prop_map(
                |(items, min, max)| json!({"type": "array", "items": items, "minItems": min, "maxItems": max})
            ),
        ]
    })
}

fn object(properties: Vec<(String, Value)>, required: Vec<String>, open: bool) -> Value {
    let properties: Map<String, Value> = properties.into_iter().collect();
    // Most of the time what is required is there.
    let required: Vec<String> = if open { required } else { properties.keys().take(required.len()).cloned().collect() };
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": open})
}

fn file() -> impl Strategy<Value = Value> {
    let definitions = prop::collection::vec((name(), schema()), 0..4);
    (prop::collection::vec((name(), schema()), 0..5), definitions).prop_map(|(properties, definitions)| {
        let mut file = object(properties, vec![String::new()], false);
        if let Some(file) = file.as_object_mut() {
            file.insert("definitions".to_owned(), Value::Object(definitions.into_iter().collect()));
        }
        file
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_schema_is_generated_or_refused(request in file(), response in file()) {
        let (request, response) = (request.to_string(), response.to_string());
        let folder = Folder::new("hostile", &[("SaleRequest.json", &request), ("SaleResponse.json", &response)]);
        if let Ok(code) = onwire_codegen::ocpp(folder.path()).and_then(|generator| generator.code()) {
            prop_assert!(!code.contains("compile_error"), "{}", code);
        }
    }

    #[test]
    fn any_text_is_generated_or_refused(text in "[\\[\\]{}\",:a-z0-9. -]{0,60}", keep in 0usize..600) {
        let whole = onwire_schemas::OCPP_1_6.iter().find(|file| file.name == "Authorize.json").unwrap().text;
        let cut = whole.get(..keep.min(whole.len())).unwrap_or("");
        let response = format!("{cut}{text}");
        let folder = Folder::new("text", &[("Authorize.json", &text), ("AuthorizeResponse.json", &response)]);
        let _ = onwire_codegen::ocpp(folder.path()).and_then(|generator| generator.code());
    }
}
