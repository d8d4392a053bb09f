//! The Alink front-end: a thing model (TSL) of Aliyun IoT. Services become actions that the platform starts.
//!
//! Properties and events are not read yet.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::error::Error;
use crate::model::{Action, Enum, Extra, Field, Framing, Kind, Limits, Protocol, Shape, Struct, Type, Value};
use crate::names;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tsl {
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    services: Vec<Service>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    #[serde(default)]
    product_key: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    identifier: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    desc: String,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    input_data: Vec<Parameter>,
    #[serde(default)]
    output_data: Vec<Parameter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameter {
    identifier: String,
    #[serde(default)]
    name: String,
    data_type: DataType,
}

#[derive(Debug, Deserialize)]
struct DataType {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    specs: Json,
}

/// The two services that every exported thing model has for its properties.
const PROPERTY_SERVICES: [&str; 2] = ["thing.service.property.set", "thing.service.property.get"];

pub(crate) fn protocol(file: &str, text: &str) -> Result<Protocol, Error> {
    let tsl: Tsl = serde_json::from_str(text).map_err(|source| Error::Json { file: file.to_owned(), source })?;
    let mut reader = Reader { file, types: Vec::new() };
    let mut actions = Vec::new();
    for (index, service) in tsl.services.iter().enumerate() {
        let wire = service.method.clone().unwrap_or_else(|| format!("thing.service.{}", service.identifier));
        if PROPERTY_SERVICES.contains(&wire.as_str()) {
            continue;
        }
        let pointer = format!("/services/{index}");
        if actions.iter().any(|earlier: &Action| earlier.wire == wire) {
            return Err(
                reader.unsupported(&format!("{pointer}/method"), format!("another service has the method {wire}"))
            );
        }
        let name = reader.type_name(&service.identifier, &format!("{pointer}/identifier"))?;
        let (request, response) = (format!("{name}Request"), format!("{name}Response"));
        let title = [service.name.as_str(), service.desc.as_str()].into_iter().find(|text| !text.is_empty());
        let title = title.unwrap_or(&service.identifier);
        for (message, what, parameters, key) in [
            (&request, "Input", &service.input_data, "inputData"),
            (&response, "Output", &service.output_data, "outputData"),
        ] {
            let kind = Kind::Struct(reader.object(message, parameters, &format!("{pointer}/{key}"))?);
            reader.types.push(Type { name: message.clone(), doc: format!("{what} of the service {title}."), kind });
        }
        actions.push(Action {
            name,
            wire,
            doc: format!("Service {title}: called by the platform."),
            from: vec!["Platform".to_owned()],
            request,
            response: Some(response),
        });
    }
    if actions.is_empty() {
        return Err(reader.unsupported("/services", "no service of its own; nothing can be generated from it yet"));
    }
    reader.check_collisions(&actions)?;
    reader.types.sort_by(|left, right| left.name.cmp(&right.name));
    let title = format!("thing model {}", tsl.profile.product_key).trim().to_owned();
    Ok(Protocol {
        title,
        framing: Framing::Alink,
        subprotocols: Vec::new(),
        roles: vec!["Device".to_owned(), "Platform".to_owned()],
        actions,
        types: reader.types,
    })
}

struct Reader<'f> {
    file: &'f str,
    types: Vec<Type>,
}

impl Reader<'_> {
    fn unsupported(&self, pointer: &str, problem: impl Into<String>) -> Error {
        Error::Unsupported { file: self.file.to_owned(), pointer: pointer.to_owned(), problem: problem.into() }
    }

    fn type_name(&self, identifier: &str, pointer: &str) -> Result<String, Error> {
        names::type_name(identifier)
            .ok_or_else(|| self.unsupported(pointer, format!("{identifier:?} cannot be the name of a Rust type")))
    }

    fn object(&mut self, owner: &str, parameters: &[Parameter], pointer: &str) -> Result<Struct, Error> {
        if parameters.len() > 64 {
            return Err(self.unsupported(pointer, "more than 64 parameters; group them into structs"));
        }
        let mut fields: Vec<Field> = Vec::new();
        for (index, parameter) in parameters.iter().enumerate() {
            let pointer = format!("{pointer}/{index}");
            let wire = &parameter.identifier;
            let name = names::field_name(wire).ok_or_else(|| {
                self.unsupported(&format!("{pointer}/identifier"), format!("{wire:?} cannot be the name of a field"))
            })?;
            if fields.iter().any(|field| field.name == name) {
                return Err(self.unsupported(&pointer, format!("{owner} has another parameter named {name}")));
            }
            let shape = self.shape(&parameter.data_type, owner, wire, &format!("{pointer}/dataType"))?;
            let unit = parameter.data_type.specs.get("unit").and_then(Json::as_str).filter(|unit| !unit.is_empty());
            let doc = unit.map_or_else(|| parameter.name.clone(), |unit| format!("{} ({unit})", parameter.name));
            fields.push(Field { wire: wire.clone(), name, doc, shape });
        }
        // Every parameter of a service is sent.
        let required = fields.iter().map(|field| field.wire.clone()).collect();
        Ok(Struct { fields, required, extra: Extra::Skipped, writes: Vec::new() })
    }

    fn shape(&mut self, data: &DataType, owner: &str, field: &str, pointer: &str) -> Result<Shape, Error> {
        let specs = &data.specs;
        // Exported files write numbers as text.
        let spec =
            |key: &str| specs.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let spec = |key: &str| spec(key).filter(|text| !text.is_empty());
        let broken = |key: &str| self.unsupported(&format!("{pointer}/specs/{key}"), "not a number");
        let whole = |key: &str| match spec(key).map(|text| text.parse::<i64>()) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(broken(key)),
        };
        Ok(match data.kind.as_str() {
            "int" => Shape::Integer {
                min: Some(whole("min")?.unwrap_or(i64::from(i32::MIN))),
                max: Some(whole("max")?.unwrap_or(i64::from(i32::MAX))),
            },
            "float" | "double" => {
                for key in ["min", "max"] {
                    if spec(key).is_some_and(|text| !crate::emit::is_decimal(&text)) {
                        return Err(broken(key));
                    }
                }
                // A step is advice for the platform's page; meters do not round to it.
                Shape::Float(Limits { step: None, min: spec("min"), max: spec("max") })
            }
            "text" => {
                let max = whole("length")?.and_then(|max| usize::try_from(max).ok());
                Shape::Text { max, ignores_case: false }
            }
            "bool" => Shape::Bit,
            "date" => Shape::UnixMillis,
            "enum" => {
                let name = format!("{owner}{}", names::upper_camel(field));
                let kind = Kind::Enum(self.enumeration(specs, pointer)?);
                self.types.push(Type { name: name.clone(), doc: String::new(), kind });
                Shape::Named(name)
            }
            "struct" => {
                let parameters: Vec<Parameter> = serde_json::from_value(specs.clone())
                    .map_err(|source| Error::Json { file: format!("{}#{pointer}/specs", self.file), source })?;
                let name = format!("{owner}{}", names::upper_camel(field));
                let kind = Kind::Struct(self.object(&name, &parameters, &format!("{pointer}/specs"))?);
                self.types.push(Type { name: name.clone(), doc: String::new(), kind });
                Shape::Named(name)
            }
            "array" => {
                let item: DataType = specs
                    .get("item")
                    .and_then(|item| serde_json::from_value(item.clone()).ok())
                    .ok_or_else(|| self.unsupported(&format!("{pointer}/specs/item"), "an array says what it holds"))?;
                let max = whole("size")?.and_then(|max| usize::try_from(max).ok());
                let item = self.shape(&item, owner, field, &format!("{pointer}/specs/item"))?;
                Shape::List { item: Box::new(item), min: 0, max }
            }
            other => return Err(self.unsupported(pointer, format!("the data type {other:?} is unknown"))),
        })
    }

    fn enumeration(&self, specs: &Json, pointer: &str) -> Result<Enum, Error> {
        let listed = specs.as_object().filter(|listed| !listed.is_empty());
        let listed =
            listed.ok_or_else(|| self.unsupported(&format!("{pointer}/specs"), "an enumeration lists its values"))?;
        let mut values: Vec<Value> = Vec::new();
        for (wire, label) in listed {
            if wire.parse::<i64>().map(|number| number.to_string()).as_ref() != Ok(wire) {
                return Err(self.unsupported(&format!("{pointer}/specs/{wire}"), "the key of a value is an integer"));
            }
            let label = label.as_str().unwrap_or_default();
            // Labels are for people: where one cannot be a name, or stands twice, the number is the name.
            let name = names::variant_name(label).filter(|name| !values.iter().any(|value| value.name == *name));
            let name = name.unwrap_or_else(|| format!("Value{}", wire.replace('-', "Minus")));
            if values.iter().any(|value| value.name == name) {
                return Err(
                    self.unsupported(&format!("{pointer}/specs/{wire}"), format!("another value is named {name}"))
                );
            }
            values.push(Value { wire: wire.clone(), name, doc: label.to_owned(), aliases: Vec::new() });
        }
        Ok(Enum { values, numbered: true })
    }

    fn check_collisions(&self, actions: &[Action]) -> Result<(), Error> {
        let mut seen: Vec<(&str, String)> = Vec::new();
        let services = actions.iter().map(|action| (action.name.as_str(), format!("the service {}", action.wire)));
        let types = self.types.iter().map(|each| (each.name.as_str(), format!("the type {}", each.name)));
        for (name, source) in services.chain(types) {
            if let Some((_, first)) = seen.iter().find(|(known, _)| *known == name) {
                return Err(Error::Collision { name: name.to_owned(), first: first.clone(), second: source });
            }
            seen.push((name, source));
        }
        Ok(())
    }
}
