//! Data types: `{"type":"int","specs":{..}}`.

use serde_json::Value;

use super::node::Node;
use super::number::{Exact, count, limit};
use super::read::member;
use super::thing::{Data, Member};
use crate::error::Error;

const TYPES: &str = "int, float, double, text, date, bool, enum, struct, array";

/// Reads `dataType` of `owner`, or an array's `item`.
pub(super) fn data(node: &Node<'_>) -> Result<Data, Error> {
    if node.value().is_string() {
        return Err(node.error(
            "expected an object with a `type`; a ThingModelJson of the cloud's API is another layout: \
             export the model (TSL) from the console",
        ));
    }
    let kind = node.need("type")?;
    let specs = node.get("specs").or_else(|| node.get("spec"));
    match (kind.text()?, specs) {
        ("int", None) => Ok(Data::Int { step: None, min: i64::from(i32::MIN), max: i64::from(i32::MAX) }),
        ("int", Some(specs)) => int(&specs),
        ("float" | "double", None) => Ok(Data::Float { step: None, min: None, max: None }),
        ("float" | "double", Some(specs)) => float(&specs),
        ("text", None) => Ok(Data::Text { max: None }),
        ("text", Some(specs)) => Ok(Data::Text { max: count(&specs, "length")? }),
        ("date", _) => Ok(Data::Date),
        ("bool", _) => Ok(Data::Bool),
        // Simplified files name types and say nothing of them.
        ("enum", None) => Ok(Data::Int { step: None, min: i64::from(i32::MIN), max: i64::from(i32::MAX) }),
        ("enum", Some(specs)) => enumeration(&specs),
        ("struct" | "array", None) => Ok(Data::Any),
        ("struct", Some(specs)) => Ok(Data::Struct(members(&specs.items()?)?)),
        ("array", Some(specs)) => {
            let item = Box::new(specs.get("item").map_or(Ok(Data::Any), |item| data(&item))?);
            Ok(Data::Array { item, max: count(&specs, "size")? })
        }
        (other, _) => Err(kind.error(format!("the data type {other:?} is unknown; there are {TYPES}"))),
    }
}

/// What a struct, an input or an output is made of.
pub(super) fn members(items: &[Node<'_>]) -> Result<Vec<Member>, Error> {
    let mut members: Vec<Member> = Vec::new();
    for item in items {
        let member = member(item)?;
        if members.iter().any(|earlier| earlier.identifier == member.identifier) {
            return Err(item.error(format!("the identifier {:?} stands here twice", member.identifier)));
        }
        members.push(member);
    }
    Ok(members)
}

/// `min`, `max` and `step`. A step is counted from zero; where the lower limit says otherwise, nothing says from where.
fn limits(specs: &Node<'_>) -> Result<[Option<Exact>; 3], Error> {
    let (min, max, step) = (limit(specs, "min")?, limit(specs, "max")?, limit(specs, "step")?);
    if let (Some(low), Some(high)) = (min, max)
        && low.is_above(high)
    {
        return Err(specs.error("`min` is above `max`"));
    }
    let step = step.filter(|step| step.is_positive() && min.is_none_or(|min| min.is_multiple_of(*step)));
    Ok([min, max, step])
}

fn int(specs: &Node<'_>) -> Result<Data, Error> {
    let [min, max, step] = limits(specs)?;
    let whole = |limit: Option<Exact>, key: &str| match limit {
        None => Ok(None),
        Some(limit) => match limit.whole() {
            Some(whole) => Ok(Some(whole)),
            None => Err(specs.get(key).as_ref().unwrap_or(specs).error("not an integer")),
        },
    };
    let step = whole(step, "step")?.filter(|step| *step != 1);
    // Also a file that gives one limit means numbers of 32 bits.
    let (given_min, given_max) = (whole(min, "min")?, whole(max, "max")?);
    let min = given_min.unwrap_or_else(|| i64::from(i32::MIN).min(given_max.unwrap_or(0)));
    let max = given_max.unwrap_or_else(|| i64::from(i32::MAX).max(min));
    Ok(Data::Int { step, min, max })
}

fn float(specs: &Node<'_>) -> Result<Data, Error> {
    let [min, max, step] = limits(specs)?.map(|limit| limit.map(Exact::text));
    Ok(Data::Float { step, min, max })
}

fn enumeration(specs: &Node<'_>) -> Result<Data, Error> {
    let mut values = Vec::new();
    for (key, label) in specs.members()? {
        let number = key.trim().parse::<i64>().ok().filter(|number| number.to_string() == key);
        let number = number.ok_or_else(|| label.error("the key of a value is an integer"))?;
        let label = match label.value() {
            Value::String(text) => text.trim().to_owned(),
            _ => return Err(label.error("expected what the value is called")),
        };
        values.push((number, label));
    }
    if values.is_empty() {
        return Err(specs.error("an enumeration lists its values"));
    }
    Ok(Data::Enum(values))
}
