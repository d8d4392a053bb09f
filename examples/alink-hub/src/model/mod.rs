//! Thing models (TSL) that are read at start: untyped, and every value is judged by them.

mod data;
mod read;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

pub(crate) use self::data::Invalid;
use self::data::{Data, Member, accept_members};

/// The largest file, in bytes: the vendor takes 512 KiB.
const LARGEST: u64 = 4 * 1024 * 1024;

/// What the devices of a product have and do.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Where it was read from.
    pub(crate) files: Vec<String>,
    /// The files themselves, for those who want to see them: the first one, with later ones as `functionBlocks`.
    pub(crate) tsl: Value,
    pub(crate) properties: BTreeMap<String, Property>,
    pub(crate) events: BTreeMap<String, Event>,
    pub(crate) services: BTreeMap<String, Service>,
}

/// A property.
#[derive(Debug)]
pub(crate) struct Property {
    data: Data,
    access: Access,
}

/// What the platform may do with a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    ReadWrite,
}

/// An event.
#[derive(Debug)]
pub(crate) struct Event {
    /// `info`, `alert` or `error`.
    pub(crate) kind: String,
    output: Option<Vec<Member>>,
}

/// A service.
#[derive(Debug)]
pub(crate) struct Service {
    /// Whether the caller waits, which decides the topics.
    pub(crate) is_sync: bool,
    input: Option<Vec<Member>>,
    output: Option<Vec<Member>>,
}

impl Model {
    /// Judges a property's value, and returns it in Alink's form.
    pub(crate) fn property(&self, identifier: &str, value: &Value) -> Result<Value, Invalid> {
        let property = self.properties.get(identifier).ok_or_else(|| unknown("property"))?;
        property.data.accept(value)
    }

    /// Judges properties that somebody wants to set.
    pub(crate) fn settable(&self, values: &Map<String, Value>) -> Result<Map<String, Value>, Invalid> {
        let judge = |(identifier, value): (&String, &Value)| {
            let accepted = match self.properties.get(identifier) {
                Some(property) if property.access == Access::Read => Err(Invalid::new("the property is read only")),
                _ => self.property(identifier, value),
            };
            Ok((identifier.clone(), accepted.map_err(|invalid| invalid.within(identifier))?))
        };
        values.iter().map(judge).collect()
    }

    /// Judges what an event tells.
    pub(crate) fn event(&self, identifier: &str, output: &Value) -> Result<Value, Invalid> {
        let event = self.events.get(identifier).ok_or_else(|| unknown("event"))?;
        judge(event.output.as_deref(), output)
    }

    /// Judges a service's input; nothing is as good as an empty object.
    pub(crate) fn input(&self, identifier: &str, input: &Value) -> Result<Value, Invalid> {
        let service = self.services.get(identifier).ok_or_else(|| unknown("service"))?;
        judge(service.input.as_deref(), input)
    }

    /// Judges what a service has given.
    pub(crate) fn output(&self, identifier: &str, output: &Value) -> Result<Value, Invalid> {
        let service = self.services.get(identifier).ok_or_else(|| unknown("service"))?;
        judge(service.output.as_deref(), output)
    }

    fn add(&mut self, name: &str, text: &str) -> Result<()> {
        let file: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).context("no JSON")?;
        read::module(&file, self)?;
        self.files.push(name.to_owned());
        match self.tsl.as_object_mut() {
            None => self.tsl = file,
            Some(whole) => {
                if let Value::Array(blocks) = whole.entry("functionBlocks").or_insert_with(|| Value::Array(Vec::new()))
                {
                    blocks.push(file);
                }
            }
        }
        Ok(())
    }
}

fn unknown(what: &str) -> Invalid {
    Invalid::new(format!("the model has no such {what}"))
}

fn judge(members: Option<&[Member]>, value: &Value) -> Result<Value, Invalid> {
    let empty = Value::Object(Map::new());
    let value = if value.is_null() || value.as_str() == Some("") { &empty } else { value };
    match members {
        Some(members) => accept_members(members, value),
        None => Ok(value.clone()),
    }
}

/// Reads every `.json` file of a folder: models by product key, which is the one that the file says or else its name.
///
/// # Errors
/// A folder or file that cannot be read, or is no thing model; says which, and where in it.
pub(crate) fn read_folder(folder: &Path) -> Result<BTreeMap<String, Model>> {
    let mut models: BTreeMap<String, Model> = BTreeMap::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "json")) {
        let mut read = || -> Result<()> {
            ensure!(std::fs::metadata(path)?.len() <= LARGEST, "larger than {LARGEST} bytes");
            let text = std::fs::read_to_string(path)?;
            let key = product_key(&text)?;
            let stem = || path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
            let key = key.or_else(stem).context("its name is no product key")?;
            ensure!(
                key.len() <= 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)),
                "{key:?} is no product key: letters, digits, `_` and `-` are"
            );
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            models.entry(key).or_default().add(&name, &text)
        };
        read().with_context(|| format!("in {}", path.display()))?;
    }
    Ok(models)
}

fn product_key(text: &str) -> Result<Option<String>> {
    let file: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).context("no JSON")?;
    let key = file.pointer("/profile/productKey").and_then(Value::as_str);
    Ok(key.map(str::to_owned).filter(|key| !key.is_empty()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn model(text: &str) -> Result<Model> {
        let mut model = Model::default();
        model.add("test.json", text)?;
        Ok(model)
    }

    #[test]
    fn a_full_model_judges_what_it_describes() {
        let model = model(include_str!("../../../../schemas/thing/socket.json")).unwrap();
        assert_eq!(model.property("Power", &json!(7)).unwrap().to_string(), "7.0");
        let invalid = model.property("Timers", &json!([{"Enabled": 1, "Minute": 1440, "Weekdays": 1, "On": 1}]));
        assert_eq!(invalid.unwrap_err().pointer, "/0/Minute");
        let set = json!({"PowerSwitch": 1, "Power": 1.0});
        assert_eq!(model.settable(set.as_object().unwrap()).unwrap_err().pointer, "/Power");
        assert!(model.property("Nothing", &json!(1)).is_err() && model.event("Nothing", &json!({})).is_err());
    }

    #[test]
    fn modules_name_their_features_and_parameters_may_be_names_of_properties() {
        let text = r#"{"functionBlockId":"meter","properties":[{"identifier":"Power","dataType":{"type":"float"}}],
            "services":[{"identifier":"Start","callType":"sync","inputData":["Power"]},
                {"identifier":"get","inputData":["Power"]}]}"#;
        let model = model(text).unwrap();
        assert_eq!(model.property("meter:Power", &json!(1)).unwrap(), json!(1.0));
        assert_eq!(model.input("meter:Start", &json!({"Power": 2})).unwrap(), json!({"Power": 2.0}));
        assert!(model.services["meter:Start"].is_sync && model.services.len() == 1);
    }

    #[test]
    fn a_simplified_model_takes_what_it_does_not_describe() {
        let text = r#"{"properties":[{"identifier":"a","dataType":{"type":"struct"}}],
            "events":[{"identifier":"e","type":"alert"}]}"#;
        let model = model(text).unwrap();
        assert!(model.property("a", &json!({"x": [1]})).is_ok() && model.event("e", &json!({"y": 1})).is_ok());
    }

    #[test]
    fn a_broken_model_is_refused_with_the_place() {
        let problem = |text: &str| format!("{:#}", model(text).unwrap_err());
        let type_ = problem(r#"{"properties":[{"identifier":"a","dataType":{"type":"integer"}}]}"#);
        assert!(type_.contains("/properties/0") && type_.contains("/dataType"), "{type_}");
        assert!(problem(r#"{"properties":[{"identifier":"a/b"}]}"#).contains("topic"));
        assert!(problem(r#"{"properties":[{"identifier":"a"},{"identifier":"a"}]}"#).contains("another property"));
        assert!(problem("{}").contains("no thing model"));
        let deep = (0..40)
            .fold(r#"{"type":"int"}"#.to_owned(), |item, _| format!(r#"{{"type":"array","specs":{{"item":{item}}}}}"#));
        let deep = problem(&format!(r#"{{"properties":[{{"identifier":"a","dataType":{deep}}}]}}"#));
        assert!(deep.contains("too deep"), "{deep}");
    }

    #[test]
    fn every_model_of_the_project_is_read() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/thing"));
        let models = read_folder(folder).unwrap();
        assert!(models.len() >= 3 && models.values().all(|model| !model.properties.is_empty()));
    }
}
