//! What cannot be generated is refused with file, pointer and advice; nothing panics.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod folder;

use folder::Folder;

const EMPTY: &str = r#"{"type":"object","properties":{},"additionalProperties":false}"#;

/// The error for a folder with these files.
fn refused(test: &str, files: &[(&str, &str)]) -> String {
    let folder = Folder::new(test, files);
    match onwire_codegen::ocpp(folder.path()).and_then(|generator| generator.code()) {
        Ok(code) => format!("generated: {code}"),
        Err(error) => error.to_string(),
    }
}

/// The error for a request with one property of that schema, besides definitions.
fn property(test: &str, schema: &str) -> String {
    let request = format!(
        r##"{{"type":"object","properties":{{"a":{schema}}},"definitions":{{"Tree":{{"type":"array","items":{{"$ref":"#/definitions/Tree"}}}}}}}}"##
    );
    refused(test, &[("SaleRequest.json", &request), ("SaleResponse.json", EMPTY)])
}

#[test]
fn folders_that_do_not_fit_together() {
    assert!(refused("nothing", &[]).contains("no JSON files"));
    let says = refused("no-response", &[("Sale.json", EMPTY)]);
    assert_eq!(says, "Sale.json: its response is missing: SaleResponse.json is not there");
    let says = refused("no-request", &[("SaleResponse.json", EMPTY)]);
    assert_eq!(says, "SaleResponse.json: its request is missing: neither SaleRequest.json nor Sale.json is there");
    let says = refused("no-json", &[("Sale.json", "{"), ("SaleResponse.json", EMPTY)]);
    assert!(says.starts_with("Sale.json: EOF while parsing"), "{says}");
    let both = [("Sale.json", EMPTY), ("SaleResponse.json", EMPTY)];
    let with_index = |index: &'static str| [("index.json", index), both[0], both[1]];
    let says = refused("index-1", &with_index(r#"{"actions":[]}"#));
    assert_eq!(says, "index.json: the action Sale is in the folder and not in the index; say who may start it");
    let says = refused("index-2", &with_index(r#"{"roles":["A","A"],"actions":[{"name":"Sale","from":["A"]}]}"#));
    assert_eq!(says, "index.json: a protocol has two different roles");
    let says = refused("index-3", &with_index(r#"{"actions":[{"name":"Sale","from":["Cat"]}]}"#));
    assert_eq!(says, "index.json: Cat, who may start Sale, is not one of the roles");
    let send = r#"{"version":"2.0.1","actions":[{"name":"Sale","from":["ChargePoint"],"send":true}]}"#;
    let says = refused("index-send", &with_index(send));
    assert_eq!(says, "index.json: the action Sale is a SEND, which OCPP-J has since version 2.1");
    let method = r#"{"version":"1.6","actions":[{"name":"Sale","method":"a.sale","from":["ChargePoint"]}]}"#;
    let says = refused("index-method", &with_index(method));
    assert_eq!(says, "index.json: the action Sale has a method, which Alink has");
}

#[test]
fn messages_of_alink_that_nothing_can_carry() {
    let alink = |test: &str, methods: [&str; 2], request: &str| {
        let actions = ["Sale", "Other"].iter().zip(methods);
        let actions: Vec<_> = actions
            .map(|(name, method)| format!(r#"{{"name":"{name}","method":"{method}","from":["ChargePoint"]}}"#))
            .collect();
        let index = format!(r#"{{"framing":"alink","actions":[{}]}}"#, actions.join(","));
        let files = [
            ("Sale.json", request),
            ("SaleResponse.json", EMPTY),
            ("Other.json", EMPTY),
            ("OtherResponse.json", EMPTY),
        ];
        refused(test, &[&[("index.json", index.as_str())], files.as_slice()].concat())
    };
    let says = alink("alink-twice", ["a.b", "a.b"], EMPTY);
    assert_eq!(says, "index.json: two actions are named a.b on the wire");
    for (test, method) in [("alink-empty", ""), ("alink-slash", "a/b"), ("alink-space", "a b")] {
        let says = alink(test, [method, "a.c"], EMPTY);
        assert!(says.starts_with("index.json: neither a topic nor a message can carry"), "{says}");
    }
    for (test, request, problem) in [
        ("alink-array", r#"{"type":"array"}"#, "not an object"),
        ("alink-field", r#"{"x-onwire-field":"no field","type":"array"}"#, "is the name of a field"),
        ("alink-field-number", r#"{"x-onwire-field":7,"type":"array"}"#, "is the name of a field"),
        ("alink-null", r#"{"x-onwire-field":"a","type":"null"}"#, "always null"),
        (
            "alink-map",
            r#"{"x-onwire-field":"a","type":"object","additionalProperties":{"type":"string"},"minProperties":1}"#,
            "`minProperties`",
        ),
    ] {
        let says = alink(test, ["a.b", "a.c"], request);
        assert!(says.starts_with("Sale.json#") && says.contains(problem), "{test}: {says}");
    }
    let index = r#"{"actions":[{"name":"Sale","from":["ChargePoint"]}]}"#;
    let whole = r#"{"x-onwire-field":"items","type":"array"}"#;
    let says = refused("ocpp-array", &[("index.json", index), ("Sale.json", whole), ("SaleResponse.json", EMPTY)]);
    assert!(says.contains("not an object"), "OCPP-J has objects: {says}");
}

#[test]
fn schemas_that_no_type_can_carry() {
    for (test, schema, says) in [
        ("pattern", r#"{"type":"string","pattern":"x"}"#, "`pattern` and `minLength` cannot be checked"),
        ("any-of", r#"{"anyOf":[{"type":"string"}]}"#, "`allOf`, `anyOf`, `oneOf`"),
        ("any-of-enum", r#"{"enum":["a"],"not":{"type":"string"}}"#, "`allOf`, `anyOf`, `oneOf`"),
        ("types", r#"{"type":["string","null"]}"#, "several types for one value"),
        ("typeless", r#"{"maxLength":20}"#, "limits without a `type`"),
        ("ref", r##"{"$ref":"#/definitions/Nobody"}"##, "leads to no definition"),
        ("mixed", r#"{"enum":["a",1]}"#, "lists strings, or integers"),
        ("variants", r#"{"enum":["a-b","aB"]}"#, "is made from"),
        ("nameless", r#"{"enum":["€"]}"#, "cannot be the name of a variant"),
        (
            "values",
            r#"{"type":"object","additionalProperties":{"type":"string"},"properties":{"b":{"type":"string"}}}"#,
            "`additionalProperties`",
        ),
        ("unique", r#"{"type":"array","uniqueItems":true}"#, "`uniqueItems`"),
        ("tree", r##"{"$ref":"#/definitions/Tree"}"##, "the type holds itself"),
        ("digits", r#"{"type":"number","multipleOf":1e-30}"#, "more than 18 digits"),
    ] {
        let error = property(test, schema);
        assert!(error.contains(says), "{test}: {error}");
    }
    let says = property("pointer", r#"{"type":"object","properties":{"b":{"type":"string","minLength":1}}}"#);
    assert!(says.starts_with("SaleRequest.json#/properties/a/properties/b: "), "{says}");
}

#[test]
fn odd_names_become_names_of_rust() {
    let request = r##"{"type":"object","properties":{
        "3phase":{"type":"string","enum":["L1","3"]},
        "self":{"type":"object","properties":{"type":{"type":"string"}}},
        "list":{"type":"array","items":{"type":"array","items":{"enum":["x"]}}},
        "phases":{"$ref":"#/definitions/Phases"}
    },"definitions":{"Phases":{"type":"array","items":{"type":"string","enum":["L1"]}}}}"##;
    let code = refused("odd-names", &[("SaleRequest.json", request), ("SaleResponse.json", EMPTY)]);
    assert!(!code.contains("compile_error"), "{code}");
    for item in
        ["pub enum SaleRequest3phase", "pub struct SaleRequestSelf", "pub r#type:", "pub self_:", "pub enum PhasesItem"]
    {
        assert!(code.contains(item), "{item}: {code}");
    }
}
