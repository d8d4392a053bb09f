//! What is generated: small folders for each feature, and the public surface of OCPP 1.6.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod folder;
mod surface;

use folder::Folder;
use surface::surface;

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, text) });
}

const EMPTY: &str = r#"{"type":"object","properties":{},"additionalProperties":false}"#;

#[test]
fn the_public_surface_of_ocpp_1_6() {
    snapshot("ocpp_1_6", &surface(&onwire_codegen::ocpp_1_6().code().unwrap()));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(onwire_codegen::ocpp_1_6().code().unwrap(), onwire_codegen::ocpp_1_6().code().unwrap());
}

#[test]
fn equal_types_in_place_are_one_type_named_by_their_field() {
    let status = r#"{"type":"object","properties":{"status":{"enum":["Yes","No"]},"info":{"type":"object","properties":{"n":{"type":"integer"}}}}}"#;
    let other = r#"{"type":"object","properties":{"status":{"enum":["On","Off"]},"info":{"type":"object","properties":{"n":{"type":"integer"}}}}}"#;
    let files = [("AResponse.json", status), ("A.json", EMPTY), ("B.json", status), ("BResponse.json", other)];
    let folder = Folder::new("equal-types", &files);
    snapshot("equal_types", &surface(&onwire_codegen::ocpp(folder.path()).unwrap().code().unwrap()));
}

#[test]
fn a_send_has_no_response_and_an_index_says_who_starts_what() {
    let index = r#"{"protocol":"P","version":"2","subprotocols":["p2"],"roles":["Left","Right"],
        "actions":[{"name":"Ask","from":["Left"]},{"name":"Tell","from":["Left","Right"],"send":true}]}"#;
    let files = [("index.json", index), ("AskRequest.json", EMPTY), ("AskResponse.json", EMPTY), ("Tell.json", EMPTY)];
    let folder = Folder::new("send", &files);
    let code = onwire_codegen::ocpp(folder.path()).unwrap().serde(false).code().unwrap();
    snapshot("send", &code);
}

/// The line of the dialect that says what is secret.
fn secrets(code: &str) -> &str {
    let (_, after) = code.split_once("secrets: ::onwire::Secrets::of(").unwrap();
    after.split_once(";\n").unwrap().0
}

/// The names that stand there, in their order.
fn secret_names(code: &str) -> Vec<&str> {
    secrets(code).split('"').skip(1).step_by(2).collect()
}

#[test]
fn secrets_are_what_schemas_index_names_and_the_user_say() {
    let ask = r##"{"type":"object","properties":{
        "pin":{"type":"integer","writeOnly":true},
        "code":{"type":"string","format":"password"},
        "codes":{"type":"array","items":{"type":"string","writeOnly":true}},
        "byName":{"type":"object","additionalProperties":{"type":"string","writeOnly":true}},
        "login":{"$ref":"#/definitions/Login"},
        "ticket":{"$ref":"#/definitions/Ticket"},
        "wifiPassword":{"type":"string"},
        "passwordRules":{"type":"string"}},
        "definitions":{
            "Ticket":{"type":"string","writeOnly":true},
            "Login":{"type":"object","properties":{"user":{"type":"string"},"answer":{"type":"string","writeOnly":true}}}}}"##;
    let index = r#"{"protocol":"P","version":"2","roles":["Left","Right"],"actions":[{"name":"Ask","from":["Left"]}],
        "secrets":{"properties":["unlisted"],"keys":["Key"],"keyValues":["value"]}}"#;
    let files = [("index.json", index), ("AskRequest.json", ask), ("AskResponse.json", EMPTY)];
    let folder = Folder::new("secrets", &files);
    let code = onwire_codegen::ocpp(folder.path()).unwrap().secrets(["own"]).code().unwrap();
    let properties = ["answer", "byName", "code", "codes", "own", "pin", "ticket", "unlisted", "wifiPassword"];
    let expected: Vec<&str> = properties.into_iter().chain(["Key", "value"]).collect();
    assert_eq!(secret_names(&code), expected);
}

#[test]
fn a_thing_model_has_the_system_s_secrets_and_those_that_are_named_so() {
    let model = r#"{"properties":[
        {"identifier":"Power","dataType":{"type":"bool"}},
        {"identifier":"WifiPassword","dataType":{"type":"text"}},
        {"identifier":"DoorCode","dataType":{"type":"text"}}]}"#;
    let code = onwire_codegen::alink_text("door.json", model).secrets(["DoorCode"]).code().unwrap();
    let system = onwire_codegen::alink_system().code().unwrap();
    let system = secret_names(&system);
    assert_eq!(system, ["deviceSecret", "deviceToken", "password", "productSecret", "sign"]);
    let mut expected = [&system, &["DoorCode", "WifiPassword"][..]].concat();
    expected.sort_unstable();
    assert_eq!(secret_names(&code), expected);
}

#[test]
fn an_overlay_types_a_vendor_s_field() {
    let overlays = Folder::new(
        "overlays",
        &[(
            "BootNotification.json",
            r#"{"properties":{"customData":{"type":"object","properties":{"networkType":{"type":"string","maxLength":8}}}}}"#,
        )],
    );
    let generator = onwire_codegen::ocpp_1_6().overlays(overlays.path()).unwrap().only(["BootNotification"]);
    let generator = generator.derive("PartialOrd").unwrap();
    let code = generator.code().unwrap();
    assert!(code.contains("#[derive(PartialOrd)]"));
    snapshot("overlay", &surface(&code));

    let stray = Folder::new("stray-overlay", &[("Boot.json", "{}")]);
    let error = onwire_codegen::ocpp_1_6().overlays(stray.path()).unwrap_err();
    assert_eq!(error.to_string(), "Boot.json: an overlay of no schema: its name is that of the file it changes");
    assert!(onwire_codegen::ocpp_1_6().derive("no path").is_err());
    let nobody = onwire_codegen::ocpp_1_6().only(["Dance"]).code().unwrap_err();
    assert_eq!(nobody.to_string(), "OCPP 1.6: there is no action Dance to keep");
}

#[cfg(feature = "typify")]
#[test]
fn the_plain_flavour_keeps_only_what_was_asked_for_and_derives_what_was_asked_for() {
    let generator = onwire_codegen::ocpp_1_6().only(["Authorize"]).derive("PartialEq").unwrap();
    let code = generator.plain_code().unwrap();
    assert!(code.contains("pub struct AuthorizeResponse") && code.contains("pub struct IdTagInfo"), "{code}");
    assert!(!code.contains("MeterValues") && code.contains("PartialEq"), "{code}");
    let unknown = onwire_codegen::ocpp_1_6().only(["Authorise"]).plain_code().unwrap_err();
    assert!(unknown.to_string().contains("no action Authorise"), "{unknown}");
}

#[test]
fn the_public_surface_of_the_system_messages_of_alink() {
    snapshot("alink_system", &surface(&onwire_codegen::alink_system().code().unwrap()));
}

const ALINK: &str = r#"{"protocol":"P","version":"1","framing":"alink","roles":["Device","Platform"],"actions":[
    {"name":"Tags","method":"thing.tags.set","from":["Device"],"profile":"tags","clause":"P §1"},
    {"name":"Found","method":"thing.found","from":["Platform"],"send":true}]}"#;

#[test]
fn messages_of_alink_have_a_method_and_may_be_lists_maps_and_other_types() {
    let tags = r##"{"description":"Tags.","x-onwire-field":"tags","type":"array","items":{"$ref":"#/definitions/Tag"},"maxItems":3,
        "definitions":{"Tag":{"type":"object","properties":{"key":{"type":"string","format":"secret"},
            "at":{"type":"string","format":"unix-millis"}},"required":["key"]}}}"##;
    let answer = r#"{"x-onwire-field":"by_name","type":"object","additionalProperties":{"type":"integer","minimum":0},"maxProperties":2}"#;
    let found = r##"{"x-onwire-field":"tag","$ref":"#/definitions/Tag"}"##;
    let files = [("index.json", ALINK), ("Tags.json", tags), ("TagsResponse.json", answer), ("Found.json", found)];
    let folder = Folder::new("alink-messages", &files);
    let generator = onwire_codegen::ocpp(folder.path()).unwrap();
    snapshot("alink_messages", &generator.clone().serde(false).code().unwrap());
    let some = generator.only(["thing.found"]).code().unwrap();
    assert!(some.contains("pub struct FoundRequest") && !some.contains("TagsRequest"), "{some}");
}
