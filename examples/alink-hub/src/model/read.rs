//! From a TSL file to a [`Model`]: as the console exports it, simplified, or with custom modules.
//!
//! What a file may lack, simplified ones do: `specs`, `callType`, `outputData`, `profile`.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::data::{Data, Member, Range};
use super::{Access, Event, Model, Property, Service};

/// How deep values may be nested.
const DEPTH: usize = 8;

/// Reads a file into the model; a product may have several, one for each module.
pub(super) fn module(file: &Value, model: &mut Model) -> Result<()> {
    ensure!(
        ["properties", "events", "services", "functionBlocks"].iter().any(|key| file.get(key).is_some()),
        "no thing model (TSL): it has neither `properties` nor `events` nor `services`"
    );
    features(file, model)?;
    for (index, block) in list(file, "functionBlocks")?.iter().enumerate() {
        features(block, model).with_context(|| format!("in /functionBlocks/{index}"))?;
    }
    Ok(())
}

fn features(node: &Value, model: &mut Model) -> Result<()> {
    let block = node.get("functionBlockId").and_then(Value::as_str).filter(|id| !id.is_empty());
    let qualified =
        |identifier: &str| block.map_or_else(|| identifier.to_owned(), |block| format!("{block}:{identifier}"));
    each(node, "properties", |item| {
        let identifier = qualified(identifier(item)?);
        let access = match item.get("accessMode").and_then(Value::as_str) {
            Some("r") => Access::Read,
            Some("w") => Access::Write,
            _ => Access::ReadWrite,
        };
        let property = Property { data: data_type(item)?, access };
        ensure!(
            model.properties.insert(identifier.clone(), property).is_none(),
            "another property is named {identifier}"
        );
        Ok(())
    })?;
    each(node, "events", |item| {
        let name = identifier(item)?;
        if name == "post" {
            return Ok(());
        }
        let output = match item.get("outputData") {
            Some(Value::Null) | None => None,
            Some(_) => Some(members(item, "outputData", &[])?),
        };
        let kind = item.get("type").and_then(Value::as_str).unwrap_or("info").to_owned();
        let identifier = qualified(name);
        ensure!(
            model.events.insert(identifier.clone(), Event { kind, output }).is_none(),
            "another event is named {identifier}"
        );
        Ok(())
    })?;
    let properties: Vec<(String, Data)> =
        model.properties.iter().map(|(name, property)| (name.clone(), property.data.clone())).collect();
    let known: Vec<(String, Data)> = properties
        .into_iter()
        .filter_map(|(name, data)| match block {
            Some(block) => Some((name.strip_prefix(block)?.strip_prefix(':')?.to_owned(), data)),
            None => Some((name, data)),
        })
        .collect();
    each(node, "services", |item| {
        let name = identifier(item)?;
        if name == "set" || name == "get" {
            return Ok(());
        }
        let service = Service {
            is_sync: item.get("callType").and_then(Value::as_str) == Some("sync"),
            input: item.get("inputData").map(|_| members(item, "inputData", &known)).transpose()?,
            output: item.get("outputData").map(|_| members(item, "outputData", &[])).transpose()?,
        };
        let identifier = qualified(name);
        ensure!(model.services.insert(identifier.clone(), service).is_none(), "another service is named {identifier}");
        Ok(())
    })
}

fn each(node: &Value, key: &str, mut read: impl FnMut(&Value) -> Result<()>) -> Result<()> {
    for (index, item) in list(node, key)?.iter().enumerate() {
        read(item).with_context(|| format!("in /{key}/{index}"))?;
    }
    Ok(())
}

fn list<'v>(node: &'v Value, key: &str) -> Result<&'v [Value]> {
    match node.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => bail!("`{key}` is no array"),
    }
}

fn identifier(item: &Value) -> Result<&str> {
    let identifier = item.get("identifier").and_then(Value::as_str).context("`identifier` is missing")?;
    let is_odd = |character: char| character.is_control() || "\"\\/+# ".contains(character);
    ensure!(!identifier.is_empty() && !identifier.contains(is_odd), "{identifier:?} cannot be part of a topic");
    Ok(identifier)
}

/// Members of a struct or parameters; a plain string names a property.
fn members(node: &Value, key: &str, properties: &[(String, Data)]) -> Result<Vec<Member>> {
    list_of_members(list(node, key)?, properties, DEPTH).with_context(|| format!("in /{key}"))
}

fn list_of_members(items: &[Value], properties: &[(String, Data)], depth: usize) -> Result<Vec<Member>> {
    let mut members: Vec<Member> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let member = match item {
            Value::String(name) => {
                let found = properties.iter().find(|(property, _)| property == name);
                let (_, data) = found.with_context(|| format!("in /{index}: there is no property {name}"))?;
                Member { identifier: name.clone(), data: data.clone(), optional: true }
            }
            _ => {
                let read = || -> Result<Member> {
                    let identifier = item.get("identifier").and_then(Value::as_str);
                    Ok(Member {
                        identifier: identifier.context("`identifier` is missing")?.to_owned(),
                        data: data_within(item, depth)?,
                        optional: item.get("required").and_then(Value::as_bool) == Some(false),
                    })
                };
                read().with_context(|| format!("in /{index}"))?
            }
        };
        ensure!(
            !members.iter().any(|earlier| earlier.identifier == member.identifier),
            "in /{index}: {} stands twice",
            member.identifier
        );
        members.push(member);
    }
    Ok(members)
}

fn data_type(item: &Value) -> Result<Data> {
    data_within(item, DEPTH)
}

fn data_within(item: &Value, depth: usize) -> Result<Data> {
    match item.get("dataType") {
        Some(node) => data(node, depth).context("in /dataType"),
        None => Ok(Data::Any),
    }
}

fn data(node: &Value, depth: usize) -> Result<Data> {
    let Some(depth) = depth.checked_sub(1) else { bail!("values are nested too deep") };
    let kind = node.get("type").and_then(Value::as_str).context("`type` is missing")?;
    let specs = node.get("specs").unwrap_or(&Value::Null);
    let range = || -> Result<Range> {
        Ok(Range { min: number(specs, "min")?, max: number(specs, "max")?, step: number(specs, "step")? })
    };
    Ok(match kind {
        "int" => Data::Int(range()?),
        "float" | "double" => Data::Float(range()?),
        "text" => Data::Text { max: size(specs, "length")? },
        "date" => Data::Date,
        "bool" => Data::Bool,
        "enum" => {
            let keys = specs.as_object().into_iter().flat_map(|specs| specs.keys());
            let number = |key: &String| key.parse::<i64>().with_context(|| format!("{key:?} is no whole number"));
            Data::Enum(keys.map(number).collect::<Result<_>>()?)
        }
        "struct" => match specs {
            Value::Array(items) => Data::Struct(list_of_members(items, &[], depth).context("in /specs")?),
            Value::Null => Data::Any,
            _ => bail!("`specs` of a struct is no array"),
        },
        "array" => Data::Array {
            item: Box::new(match specs.get("item") {
                Some(item) => data(item, depth).context("in /specs/item")?,
                None => Data::Any,
            }),
            max: size(specs, "size")?,
        },
        other => bail!("{other:?} is no type of a thing model"),
    })
}

/// Limits are strings, as a rule; a missing one may be `null` or empty.
fn number(specs: &Value, key: &str) -> Result<Option<f64>> {
    match specs.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => {
            Ok(Some(text.trim().parse().with_context(|| format!("`{key}` is {text:?}, which is no number"))?))
        }
        Some(other) => Ok(Some(other.as_f64().with_context(|| format!("`{key}` is {other}, which is no number"))?)),
    }
}

fn size(specs: &Value, key: &str) -> Result<Option<usize>> {
    let number = number(specs, key)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is checked")]
    match number {
        None => Ok(None),
        Some(number) if number.fract() == 0.0 && (0.0..1e9).contains(&number) => Ok(Some(number as usize)),
        Some(number) => bail!("`{key}` is {number}, which is no size"),
    }
}
