//! Tables of topics: what is made of them, and which are refused.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod folder;

use folder::Folder;
use serde_json::{Value, json};

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, text) });
}

/// What is generated of a table, or the error.
fn generated(test: &str, table: &Value) -> String {
    let folder = Folder::new(&format!("topics-{test}"), &[("table.json", &table.to_string())]);
    match onwire_codegen::topics(folder.path().join("table.json")).unwrap().code() {
        Ok(code) => code,
        Err(error) => error.to_string().replace(&format!("{}/", folder.path().display()), ""),
    }
}

/// The patterns in the order in which they are tried.
fn patterns(code: &str) -> Vec<&str> {
    let (_, router) = code.split_once("static ROUTER").unwrap_or_default();
    router.lines().filter_map(|line| line.trim().strip_prefix("pattern: \"")?.strip_suffix("\",")).collect()
}

#[test]
fn the_topics_of_alink_in_their_order_and_what_each_side_subscribes_to() {
    let code = onwire_codegen::alink_topics().code().unwrap();
    assert!(!code.contains("compile_error"), "{code}");
    let lists = code.split("pub const ").skip(1).filter_map(|list| list.split_once("];")).map(|(list, _)| list);
    let lists: Vec<String> = lists.map(|list| list.lines().map(str::trim).collect::<Vec<_>>().join("\n")).collect();
    snapshot("alink", &format!("{}\n\n{}", patterns(&code).join("\n"), lists.join("\n\n")));
}

/// A few topics of another protocol: the answer's topic says who had asked, a command is nobody's by its topic.
fn other() -> Value {
    let device = "$sys/{pid}/{deviceName}/";
    json!({
        "doc": "Where a message belongs.",
        "names": [{"name": "pid", "doc": "The product."}, {"name": "deviceName", "doc": "The device."}],
        "enums": [{"name": "Step", "doc": "A step.", "values": [
            {"name": "Request", "doc": "It is asked."}, {"name": "Response", "doc": "It is answered."}]}],
        "reserved": ["$sys/{rest..}"],
        "topics": [
            {"name": "Thing", "doc": "A call.", "fields": [{"name": "path", "doc": "Which."}], "rows": [{
                "pattern": format!("{device}thing/{{path..}}"), "from": ["Device", "Platform"], "framed": true,
                "answer": {
                    "Device": format!("{device}thing/{{path..}}/reply"),
                    "Platform": format!("{device}thing/{{path..}}_reply"),
                },
                "method": "thing.{path}",
                "paths": [
                    {"path": "property/post", "from": "Device"},
                    {"path": "property/set", "from": "Platform"},
                    {"path": "service/{service}/invoke", "from": "Platform"},
                    {"path": "sub/{what..}", "from": "Device", "subscriber": "gateway"},
                ],
            }]},
            {"name": "Reply", "doc": "To the device.", "fields": [{"name": "path", "doc": "Which."}], "rows": [{
                "pattern": format!("{device}thing/{{path..}}/reply"), "from": ["Platform"], "framed": true}]},
            {"name": "DeviceReply", "doc": "To the platform.", "fields": [{"name": "path", "doc": "Which."}], "rows": [{
                "pattern": format!("{device}thing/{{path..}}_reply"), "from": ["Device"], "framed": true}]},
            {"name": "Command", "doc": "A command.", "fields": [
                {"name": "step", "type": "Step", "doc": "Which step."}, {"name": "uuid", "doc": "Its number."}], "rows": [
                {"pattern": "$creq/{uuid}", "set": {"step": "Request"}, "from": ["Platform"], "answer": "$crsp/{uuid}"},
                {"pattern": "$crsp/{uuid}", "set": {"step": "Response"}, "from": ["Device"]}]},
        ],
    })
}

#[test]
fn another_protocol_is_another_table() {
    snapshot("other", &generated("other", &other()));
}

#[test]
fn text_comes_before_placeholders_and_they_before_the_rest() {
    let row = |name: &str, pattern: &str| {
        let fields: Vec<Value> = ["a", "b", "rest"]
            .iter()
            .filter(|field| pattern.contains(&format!("{{{field}")) || pattern.contains(&format!("{{/{field}")))
            .map(|field| json!({"name": field, "doc": ""}))
            .collect();
        json!({"name": name, "doc": "", "fields": fields, "rows": [{"pattern": pattern, "from": ["Device"]}]})
    };
    let names = json!([{"name": "pk", "doc": ""}, {"name": "dn", "doc": ""}]);
    let topics = [
        row("A", "x/{rest..}"),
        row("B", "x/{a}"),
        row("C", "x/y"),
        row("D", "x/{rest..}_reply"),
        row("E", "x/{rest..}_long_reply"),
        row("F", "z/{a}{/rest..}"),
        row("G", "z/{a}/b"),
    ];
    let code = generated("order", &json!({"doc": "", "names": names, "topics": topics}));
    assert!(code.starts_with("table.json: the row B"), "a level may end as an answer does: {code}");
    let topics: Vec<&Value> = topics.iter().filter(|topic| topic["name"] != "B").collect();
    let code = generated("order", &json!({"doc": "", "names": names, "topics": topics}));
    assert_eq!(patterns(&code), ["x/y", "x/#_long_reply", "x/#_reply", "x/#", "z/+/b", "z/+#"], "{code}");
}

/// The error when the value at that pointer is another.
fn broken(test: &str, pointer: &str, value: Value) -> String {
    let mut table = other();
    *table.pointer_mut(pointer).unwrap() = value;
    generated(&format!("broken-{test}"), &table)
}

#[test]
fn tables_that_are_ambiguous() {
    let says = broken("twice", "/topics/3/rows/0/pattern", json!("$crsp/{uuid}"));
    assert_eq!(
        says,
        "table.json: the row Command Request (\"$crsp/{uuid}\") and the row Command Response (\"$crsp/{uuid}\") both claim \
         topics such as \"$crsp/x\", and the second never gets any"
    );
    let says = broken("crossing", "/topics/3/rows/0/pattern", json!("{uuid}/sys"));
    assert!(says.contains("topics such as \"$crsp/sys\", and neither is the more special"), "{says}");
    let mut table = other();
    table["reserved"] = json!([]);
    table["topics"][3]["fields"] =
        json!([{"name": "step", "type": "Step", "doc": ""}, {"name": "a", "doc": ""}, {"name": "b", "doc": ""}]);
    table["topics"][3]["rows"] = json!([
        {"pattern": "{a}/x/{b}", "set": {"step": "Request"}, "from": ["Platform"]},
        {"pattern": "$creq/{a}/{b}", "set": {"step": "Response"}, "from": ["Device"]}]);
    assert_eq!(
        generated("crossing", &table),
        "table.json: the row Command Response (\"$creq/{a}/{b}\") and the row Command Request (\"{a}/x/{b}\") both claim \
         topics such as \"$creq/x/x\", and neither is the more special; reserve what they share, or make one of them so"
    );
    table["reserved"] = json!(["$creq/{rest..}"]);
    assert!(generated("settled", &table).contains("pub enum Topic"), "what they share is reserved");
    let says = broken("paths", "/topics/0/rows/0/paths/1/path", json!("property/post"));
    assert!(says.ends_with("the paths \"property/post\" and \"property/post\" are for the same topics"), "{says}");
}

#[test]
fn tables_that_do_not_fit_together() {
    for (test, pointer, value, says) in [
        ("level", "/topics/3/rows/0/pattern", json!("$creq/a{uuid}"), "is not a level of its own"),
        ("wild", "/topics/3/rows/0/pattern", json!("$creq/+/{uuid}"), "characters that no pattern has"),
        ("ascii", "/topics/3/rows/0/pattern", json!("电/{uuid}"), "characters that no pattern has"),
        ("alike", "/topics/3/rows/0/pattern", json!("$creq/{uuid}/{uuid}"), "names two placeholders alike"),
        ("rest", "/topics/3/rows/0/pattern", json!("$creq{/uuid..}"), "behind what is no `{level}`"),
        ("many", "/topics/3/rows/0/pattern", json!("{a}/{b}/{c}/{d}/{e}"), "more than four placeholders"),
        ("field", "/topics/3/rows/0/pattern", json!("$creq/{id}"), "no field of text is described for `{id}`"),
        ("unused", "/topics/3/rows/0/pattern", json!("$creq/a"), "nothing gives the field `uuid`"),
        (
            "names",
            "/topics/0/rows/0/pattern",
            json!("$sys/{deviceName}/{path..}"),
            "come before all other placeholders",
        ),
        ("answer", "/topics/3/rows/0/answer", json!("$cresp/{uuid}"), "is the pattern of no row"),
        ("own", "/topics/3/rows/1/from", json!(["Platform"]), "comes from who asks"),
        ("nobody", "/topics/3/rows/1/from", json!([]), "nobody publishes there"),
        ("method", "/topics/0/rows/0/method", json!("thing"), "does not tell its topic"),
        ("value", "/topics/3/rows/1/set/step", json!("Request"), "there has to be one row in which `step` is Request"),
        ("type", "/topics/3/fields/0/type", json!("Stop"), "neither `bool` nor one of the enumerations"),
        ("name", "/topics/3/name", json!("a command"), "cannot be the name of a Rust type"),
        ("same", "/topics/3/name", json!("Thing"), "two topics are called Thing"),
        ("nested", "/topics/1/rows/0/framed", json!(7), "invalid type"),
    ] {
        let error = broken(test, pointer, value);
        assert!(error.starts_with("table.json: ") && error.contains(says), "{test}: {error}");
    }
}
