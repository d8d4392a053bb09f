//! The schemas of OCPP 1.6 as components of the document.

use onwire_schemas::OCPP_1_6;
use serde_json::{Map, Value};

use crate::store::records::columns::OCPP_SCHEMAS;

/// The name of a type or message among the document's schemas.
pub(super) fn name(of: &str) -> String {
    format!("{OCPP_SCHEMAS}{of}")
}

/// The schema of a message, and its description.
pub(super) fn message(file: &str) -> Option<Value> {
    let file = OCPP_1_6.iter().find(|known| known.name.strip_suffix(".json") == Some(file))?;
    let mut schema: Value = serde_json::from_str(file.text).ok()?;
    adapt(&mut schema);
    Some(schema)
}

/// The types that messages share, by name.
pub(super) fn types() -> Map<String, Value> {
    let file = OCPP_1_6.iter().find(|known| known.name == "types.json");
    let schema: Value = file.and_then(|file| serde_json::from_str(file.text).ok()).unwrap_or_default();
    let definitions = schema.get("definitions").and_then(Value::as_object).cloned().unwrap_or_default();
    let adapted = |(of, mut schema): (String, Value)| {
        adapt(&mut schema);
        (name(&of), schema)
    };
    definitions.into_iter().map(adapted).collect()
}

/// Lets references point into the document, and takes away what is the generator's own.
fn adapt(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(adapt),
        Value::Object(members) => {
            members.retain(|key, _| key != "$schema" && !key.starts_with("x-onwire-"));
            if members.get("format").is_some_and(|format| format == "ci-string") {
                members.remove("format");
            }
            if let Some(Value::String(target)) = members.get_mut("$ref")
                && let Some((_, of)) = target.rsplit_once("/definitions/")
            {
                *target = format!("#/components/schemas/{}", name(of));
            }
            members.values_mut().for_each(adapt);
        }
        _ => {}
    }
}
