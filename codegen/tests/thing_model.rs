//! Thing models: what is generated of them, and what is refused with file, pointer and advice.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod folder;
mod surface;

use folder::Folder;
use surface::surface;

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, text) });
}

/// What is generated of a model with that text, or the error.
fn generated(test: &str, model: &str) -> String {
    let folder = Folder::new(&format!("thing-{test}"), &[("model.json", model)]);
    let generator = onwire_codegen::alink(folder.path().join("model.json")).unwrap().serde(false);
    match generator.code() {
        Ok(code) => code,
        Err(error) => error.to_string().replace(&format!("{}/", folder.path().display()), ""),
    }
}

/// The error for a model with one property of that data type.
fn property(test: &str, data_type: &str) -> String {
    let model = format!(r#"{{"properties":[{{"identifier":"a","dataType":{data_type}}}]}}"#);
    generated(test, &model)
}

#[test]
fn the_public_surface_of_our_models() {
    for name in ["pile", "socket", "tracker"] {
        let code = onwire_codegen::thing_model(name).unwrap().code().unwrap();
        snapshot(name, &surface(&code));
    }
    let unknown = onwire_codegen::thing_model("toaster").unwrap_err();
    assert!(unknown.to_string().starts_with("toaster.json: no such thing model; there are"), "{unknown}");
}

#[test]
fn a_property_an_event_and_a_service() {
    let model = r#"{"profile":{"productKey":"a1lamp"},
        "properties":[{"identifier":"Level","name":"亮度","desc":"灯的亮度","accessMode":"rw",
            "dataType":{"type":"int","specs":{"min":"0","max":"100","step":"5","unit":"%","unitName":"百分比"}}}],
        "events":[{"identifier":"Broken","name":"故障","type":"error","outputData":[
            {"identifier":"Code","name":"代码","dataType":{"type":"enum","specs":{"7":"过热","1":"断路"}}}]}],
        "services":[{"identifier":"Blink","name":"闪烁","callType":"async","inputData":[
            {"identifier":"Seconds","name":"时长","dataType":{"type":"float","specs":{"min":"0","max":"9.5","unit":"s"}}}]}]}"#;
    snapshot("lamp", &generated("lamp", model));
}

#[test]
fn simplified_files_and_modules() {
    let simplified = r#"{"properties":[
            {"identifier":"p","dataType":{"type":"float"}},{"identifier":"q","dataType":{"type":"struct"}},
            {"identifier":"r","dataType":{"type":"array"}},{"identifier":"s","dataType":{"type":"enum"}},
            {"identifier":"t","dataType":{"type":"bool"}},{"identifier":"u","dataType":{"type":"text"}}],
        "events":[{"identifier":"post","type":"info"},{"identifier":"e","type":"alert"}]}"#;
    let module = r#"{"functionBlockId":"meter","functionBlockName":"电表","profile":{},
        "properties":[{"identifier":"Power","dataType":{"type":"double"}}],
        "events":[{"identifier":"Fault","type":"error","method":"thing.event.Fault.post","outputData":[]}],
        "services":[{"identifier":"get","method":"thing.service.property.get","inputData":["Power"]},
            {"identifier":"Start","inputData":["Power"]}]}"#;
    let blocks = format!(
        r#"{{"properties":[{{"identifier":"Power","dataType":{{"type":"int"}}}}],"functionBlocks":[{module}]}}"#
    );
    let mut text = String::new();
    for (name, model) in [("simplified", simplified), ("module", module), ("blocks", &blocks)] {
        let code = generated(name, model);
        let actions = code.lines().filter(|line| line.contains("const NAME")).map(str::trim);
        let actions: Vec<&str> = actions.map(|line| line.trim_start_matches("const NAME: &'static str = ")).collect();
        text += &format!("== {name}\n{}\n{}\n", surface(&code), actions.join("\n"));
    }
    snapshot("layouts", &text);
}

#[test]
fn limits_are_read_from_text_and_numbers() {
    for (test, data_type, says) in [
        ("int-text", r#"{"type":"int","specs":{"min":"-5","max":"5.0","step":"1"}}"#, "integer_in(-5, 5)"),
        ("int-number", r#"{"type":"int","specs":{"min":-10,"max":1e1,"step":5}}"#, "integer_step(5, -10, 10)"),
        ("int-none", r#"{"type":"int","specs":{"min":"","max":null}}"#, "integer_in(-2147483648, 2147483647)"),
        // Nothing says from where such a step counts.
        ("int-odd", r#"{"type":"int","specs":{"min":"1","max":"9","step":"2"}}"#, "integer_in(1, 9)"),
        ("int-high", r#"{"type":"int","specs":{"min":"3000000000"}}"#, "integer_in(3000000000, 3000000000)"),
        ("text", r#"{"type":"text","specs":{"length":"20"}}"#, "::onwire::types::Text<20>"),
        ("array", r#"{"type":"array","specs":{"size":3,"item":{"type":"text"}}}"#, "            3,"),
        // The smallest and the largest of the type are no limits.
        (
            "double",
            r#"{"type":"double","specs":{"min":"-4.9E-324","max":"1.7976931348623157E308"}}"#,
            "::core::option::Option::None,\n                    ::core::option::Option::None,\n                    ::core::option::Option::None,",
        ),
        ("float", r#"{"type":"float","specs":{"min":-0.5,"step":"0.25"}}"#, "::onwire::types::Decimal::new(-5, 1)"),
    ] {
        let code = property(test, data_type);
        assert!(code.contains(says), "{test}: {code}");
    }
}

#[test]
fn what_cannot_be_read_is_told_with_a_pointer() {
    for (test, data_type, says) in [
        ("no-type", r#"{}"#, "/dataType: \"type\" is missing"),
        ("unknown", r#"{"type":"INT"}"#, "/dataType/type: the data type \"INT\" is unknown; there are int, float,"),
        ("api", r#""INT""#, "/dataType: expected an object with a `type`; a ThingModelJson of the cloud's API"),
        ("min", r#"{"type":"int","specs":{"min":"low"}}"#, "/dataType/specs/min: not a number"),
        ("nan", r#"{"type":"float","specs":{"max":"NaN"}}"#, "/dataType/specs/max: not a number"),
        ("list", r#"{"type":"float","specs":{"step":[1]}}"#, "/dataType/specs/step: not a number"),
        ("half", r#"{"type":"int","specs":{"max":"0.5"}}"#, "/dataType/specs/max: not an integer"),
        ("order", r#"{"type":"int","specs":{"min":"2","max":"1"}}"#, "/dataType/specs: `min` is above `max`"),
        ("length", r#"{"type":"text","specs":{"length":"-1"}}"#, "/dataType/specs/length: not a count"),
        (
            "keys",
            r#"{"type":"enum","specs":{"0":"a","01":"b"}}"#,
            "/dataType/specs/01: the key of a value is an integer",
        ),
        ("labels", r#"{"type":"enum","specs":{"a/b":7}}"#, "/dataType/specs/a~1b: the key of a value is an integer"),
        ("label", r#"{"type":"enum","specs":{"1":7}}"#, "/dataType/specs/1: expected what the value is called"),
        ("empty", r#"{"type":"enum","specs":{}}"#, "/dataType/specs: an enumeration lists its values"),
        ("struct", r#"{"type":"struct","specs":{}}"#, "/dataType/specs: expected a list"),
        (
            "member",
            r#"{"type":"struct","specs":[{"identifier":"x","dataType":{"type":"array","specs":{"item":{"type":"?"}}}}]}"#,
            "/dataType/specs/0/dataType/specs/item/type: the data type \"?\" is unknown",
        ),
        (
            "twice",
            r#"{"type":"struct","specs":[{"identifier":"x","dataType":{"type":"int"}},{"identifier":"x","dataType":{"type":"int"}}]}"#,
            "/dataType/specs/1: the identifier \"x\" stands here twice",
        ),
    ] {
        let error = property(test, data_type);
        assert!(error.starts_with(&format!("model.json#/properties/0{says}")), "{test}: {error}");
    }
    for (test, model, says) in [
        ("text", "{", "model.json: EOF while parsing"),
        ("array", "[]", "model.json#: no thing model (TSL)"),
        ("nothing", r#"{"properties":[]}"#, "model.json#: a thing model without a property, an event and a service"),
        ("list", r#"{"events":{}}"#, "model.json#/events: expected a list"),
        ("nameless", r#"{"events":[{"type":"info"}]}"#, "model.json#/events/0: \"identifier\" is missing"),
        (
            "blank",
            r#"{"properties":[{"identifier":"","dataType":{"type":"int"}}]}"#,
            "model.json#/properties/0/identifier: an",
        ),
        ("number", r#"{"services":[{"identifier":7}]}"#, "model.json#/services/0/identifier: expected a string"),
        ("topic", r#"{"services":[{"identifier":"a/b"}]}"#, "model.json#/services/0/identifier: neither a topic nor"),
        (
            "method",
            r#"{"services":[{"identifier":"a","method":"x\"y"}]}"#,
            "model.json#/services/0/method: neither a topic",
        ),
        (
            "again",
            r#"{"events":[{"identifier":"a"},{"identifier":"a"}]}"#,
            "model.json#/events/1: another event has the method",
        ),
        (
            "unknown",
            r#"{"services":[{"identifier":"a","inputData":["b"]}]}"#,
            "model.json#/services/0/inputData/0: there is no property b",
        ),
        (
            "both",
            r#"{"properties":[{"identifier":"b","dataType":{"type":"int"}}],"services":[{"identifier":"a","inputData":["b","b"]}]}"#,
            "model.json#/services/0/inputData/1: the identifier \"b\" stands here twice",
        ),
    ] {
        let error = generated(&format!("model-{test}"), model);
        assert!(error.starts_with(says), "{test}: {error}");
    }
}

#[test]
fn types_in_place_are_named_by_their_identifier_or_by_their_owner_too() {
    let model = r#"{"properties":[
            {"identifier":"State","dataType":{"type":"enum","specs":{"0":"On","1":"Off"}}},
            {"identifier":"Lamp","dataType":{"type":"enum","specs":{"0":"On","1":"Off"}}},
            {"identifier":"Result","dataType":{"type":"enum","specs":{"0":"Good"}}},
            {"identifier":"Blink","dataType":{"type":"enum","specs":{"0":"Slow"}}}],
        "events":[{"identifier":"State","outputData":[{"identifier":"State","dataType":{"type":"enum","specs":{"0":"On","1":"Off"}}}]}],
        "services":[{"identifier":"Blink","inputData":[{"identifier":"Lamp","dataType":{"type":"enum","specs":{"0":"Left"}}}]}]}"#;
    let code = generated("names", model);
    let names = surface(&code).lines().filter(|line| line.starts_with("enum")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        names,
        [
            "enum BlinkRequestLamp { Left, Unrecognized }",
            "enum PropertiesBlink { Slow, Unrecognized }",
            "enum PropertiesLamp { On, Off, Unrecognized }",
            "enum PropertiesState { On, Off, Unrecognized }",
            "enum ResultValue { Good, Unrecognized }",
            "enum PropertySet {  }",
            "enum PropertyGet {  }",
            "enum PropertyPost {  }",
            "enum Blink {  }",
            "enum State {  }",
        ]
    );
}

#[test]
fn hundreds_of_properties_are_one_type() {
    let one = |index: u32| format!(r#"{{"identifier":"P{index}","dataType":{{"type":"int"}}}}"#);
    let list = (0..400).map(one).collect::<Vec<_>>().join(",");
    let code = generated("hundreds", &format!(r#"{{"properties":[{list}]}}"#));
    assert!(code.contains("pub p399: ::core::option::Option<i64>"));
    assert!(code.contains("impl ::onwire::codec::Record<7> for Properties"));
    assert!(!code.contains("compile_error"));
}

#[test]
fn some_actions_keep_what_they_need() {
    let code = onwire_codegen::thing_model("pile").unwrap();
    let code = code.only(["thing.event.OrderUpload.post", "thing.service.property.get"]).code().unwrap();
    for kept in ["struct OrderUploadOutput", "enum StopReason", "struct Properties ", "type PropertyGetResponse"] {
        assert!(code.contains(kept), "{kept}");
    }
    assert!(!code.contains("struct PropertyPostRequest") && !code.contains("StartChargingRequest"));
}
