//! Every message of our thing models, with values that are made from the models themselves.

use onwire::ActionEntry;
use onwire_tests::{pile, socket, tracker};
use serde_json::{Map, Value, json};

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    /// Below `bound`.
    fn roll(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn number(specs: &Value, key: &str) -> Option<f64> {
    specs[key].as_str().map(|text| text.parse().unwrap())
}

/// A value that the data type allows.
fn value(data_type: &Value, dice: &mut Dice) -> Value {
    let specs = &data_type["specs"];
    match data_type["type"].as_str().unwrap() {
        "int" => {
            let (min, max) = (number(specs, "min").unwrap() as i64, number(specs, "max").unwrap() as i64);
            let step = number(specs, "step").unwrap() as i64;
            let steps = (max - min) / step;
            json!(min + step * dice.roll(steps as u64 + 1) as i64)
        }
        "float" | "double" => {
            let step = specs["step"].as_str().unwrap();
            let places = step.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            let (min, max) = (number(specs, "min").unwrap(), number(specs, "max").unwrap());
            let steps = ((max - min) / number(specs, "step").unwrap()).round() as u64;
            let value = min + dice.roll(steps + 1) as f64 * number(specs, "step").unwrap();
            serde_json::from_str(&format!("{value:.places$}")).unwrap()
        }
        "text" => {
            let length = number(specs, "length").unwrap() as u64;
            json!("电\"x\\\n".chars().cycle().take(dice.roll(length + 1) as usize).collect::<String>())
        }
        "date" => json!((dice.roll(1 << 31) * 1000).to_string()),
        "bool" => json!(dice.roll(2)),
        "enum" => {
            let keys: Vec<&String> = specs.as_object().unwrap().keys().collect();
            json!(keys[dice.roll(keys.len() as u64) as usize].parse::<i64>().unwrap())
        }
        "struct" => members(specs, dice),
        "array" => {
            let count = dice.roll(number(specs, "size").unwrap() as u64 + 1);
            (0..count).map(|_| value(&specs["item"], dice)).collect()
        }
        other => panic!("{other}"),
    }
}

fn members(list: &Value, dice: &mut Dice) -> Value {
    let members = list.as_array().unwrap().iter();
    let members =
        members.map(|member| (member["identifier"].as_str().unwrap().to_owned(), value(&member["dataType"], dice)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn model(name: &str) -> Value {
    let file = onwire_schemas::THING.iter().find(|file| file.name == name).unwrap();
    serde_json::from_str(file.text).unwrap()
}

/// What is sent of a payload is what it says.
fn comes_through(actions: &'static [ActionEntry], method: &str, is_request: bool, payload: &Value) {
    let entry = ActionEntry::find(actions, method).unwrap();
    let kind = if is_request { entry.request } else { entry.response.unwrap() };
    let sent = kind.sendable(&payload.to_string()).unwrap_or_else(|error| panic!("{method}: {error}: {payload}"));
    assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), *payload, "{method}");
}

#[test]
fn every_message_of_our_models_comes_through_unchanged() {
    for (file, actions) in
        [("pile.json", pile::ACTIONS), ("socket.json", socket::ACTIONS), ("tracker.json", tracker::ACTIONS)]
    {
        let (model, mut dice) = (model(file), Dice(7));
        for _ in 0..100 {
            let properties = members(&model["properties"], &mut dice);
            comes_through(actions, "thing.event.property.post", true, &properties);
            comes_through(actions, "thing.service.property.set", true, &properties);
            comes_through(actions, "thing.service.property.get", false, &properties);
            let timed = properties.as_object().unwrap().iter();
            let timed = timed.map(|(key, value)| (key.clone(), json!({"value": value, "time": dice.roll(1 << 31)})));
            comes_through(actions, "thing.event.property.post", true, &Value::Object(timed.collect()));
            for event in model["events"].as_array().unwrap() {
                let method = event["method"].as_str().unwrap();
                if method != "thing.event.property.post" {
                    let value = members(&event["outputData"], &mut dice);
                    comes_through(actions, method, true, &json!({"value": value, "time": dice.roll(1 << 31)}));
                    comes_through(actions, method, false, &json!({}));
                }
            }
            for service in model["services"].as_array().unwrap() {
                let method = service["method"].as_str().unwrap();
                if !method.starts_with("thing.service.property.") {
                    comes_through(actions, method, true, &members(&service["inputData"], &mut dice));
                    comes_through(actions, method, false, &members(&service["outputData"], &mut dice));
                }
            }
        }
        let methods: Vec<&str> = ["events", "services"]
            .into_iter()
            .flat_map(|key| model[key].as_array().unwrap().iter().map(|feature| feature["method"].as_str().unwrap()))
            .collect();
        assert_eq!(actions.len(), methods.len());
    }
}

#[test]
fn floats_have_a_fraction_and_times_are_milliseconds() {
    let post = ActionEntry::find(socket::ACTIONS, "thing.event.property.post").unwrap().request;
    let sent = post.sendable(r#"{"Power":10,"PowerSwitch":true,"Energy":{"value":3,"time":5}}"#).unwrap();
    assert_eq!(sent, r#"{"PowerSwitch":1,"Power":10.0,"Energy":{"value":3.0,"time":5}}"#);
}

/// For each property with a limit, a value just beyond it.
#[test]
fn what_is_just_beyond_a_limit_is_refused_by_name() {
    let mut judged = 0;
    for (file, actions) in [("socket.json", socket::ACTIONS), ("tracker.json", tracker::ACTIONS)] {
        let post = ActionEntry::find(actions, "thing.event.property.post").unwrap().request;
        for property in model(file)["properties"].as_array().unwrap() {
            let (identifier, data_type) = (property["identifier"].as_str().unwrap(), &property["dataType"]);
            let specs = &data_type["specs"];
            let bad = match data_type["type"].as_str().unwrap() {
                "int" => vec![
                    json!(number(specs, "min").unwrap() as i64 - 1),
                    json!(number(specs, "max").unwrap() as i64 + 1),
                ],
                "float" | "double" => {
                    vec![json!(number(specs, "min").unwrap() - 1.0), json!(number(specs, "max").unwrap() + 1.0)]
                }
                "text" => vec![json!("x".repeat(number(specs, "length").unwrap() as usize + 1))],
                "enum" => vec![json!(99), json!("Low")],
                "bool" => vec![json!(2)],
                "array" => vec![json!([1].repeat(number(specs, "size").unwrap() as usize + 1))],
                "date" => vec![json!("yesterday")],
                _ => vec![json!({})],
            };
            for value in bad {
                let error = post.sendable(&json!({ identifier: value }).to_string()).unwrap_err();
                assert!(error.pointer.starts_with(&format!("/{identifier}")), "{error}");
                judged += 1;
            }
        }
    }
    assert!(judged > 30, "{judged}");
}
