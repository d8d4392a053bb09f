//! From the file to a [`Thing`].
//!
//! What a file may lack, simplified ones do: `specs`, `method`, `callType`, `outputData`, `profile`.

use serde_json::Value;

use super::data::{data, members};
use super::node::Node;
use super::thing::{Event, Member, Service, Thing};
use crate::error::Error;

/// Events and services that every exported model has for its properties; ours are made from the properties themselves.
const BUILT_IN: [&str; 3] = ["thing.event.property.post", "thing.service.property.set", "thing.service.property.get"];

pub(super) fn thing(root: &Node<'_>) -> Result<Thing, Error> {
    const FEATURES: [&str; 4] = ["properties", "events", "services", "functionBlocks"];
    if !FEATURES.iter().any(|key| root.get(key).is_some()) {
        return Err(root.error("no thing model (TSL): it has neither `properties` nor `events` nor `services`"));
    }
    let mut thing = Thing::default();
    if let Some(profile) = root.get("profile") {
        thing.product_key = profile.prose("productKey");
    }
    module(root, &mut thing)?;
    for block in root.items_of("functionBlocks")? {
        module(&block, &mut thing)?;
    }
    Ok(thing)
}

/// The default module, which has no name, or a custom one, whose name stands before each identifier.
fn module(node: &Node<'_>, thing: &mut Thing) -> Result<(), Error> {
    let block = node.get("functionBlockId").map(|id| id.text()).transpose()?.filter(|id| !id.is_empty());
    for item in node.items_of("properties")? {
        let mut property = member(&item)?;
        property.identifier = qualified(block, &property.identifier);
        if thing.properties.iter().any(|earlier| earlier.identifier == property.identifier) {
            return Err(item.error(format!("another property is named {}", property.identifier)));
        }
        // Whether a property is posted is up to its device.
        property.optional = true;
        property.doc.push_str(match item.prose("accessMode").as_str() {
            "r" => " Read only.",
            "w" => " Write only.",
            _ => "",
        });
        thing.properties.push(property);
    }
    for item in node.items_of("services")? {
        let Some(method) = method(&item, block, "thing.service.", "", &["set", "get"])? else { continue };
        if thing.services.iter().any(|earlier| earlier.method == method) {
            return Err(item.error(format!("another service has the method {method}")));
        }
        let input = item.items_of("inputData")?;
        thing.services.push(Service {
            identifier: qualified(block, item.need("identifier")?.text()?),
            doc: sentence(&item, None),
            input: parameters(&input, block, &thing.properties)?,
            output: members(&item.items_of("outputData")?)?,
            is_sync: item.prose("callType") == "sync",
            method,
        });
    }
    for item in node.items_of("events")? {
        let Some(method) = method(&item, block, "thing.event.", ".post", &["post"])? else { continue };
        if thing.events.iter().any(|earlier| earlier.method == method) {
            return Err(item.error(format!("another event has the method {method}")));
        }
        let kind = item.prose("type");
        let kind = if kind.is_empty() { String::new() } else { format!(" Type: {kind}.") };
        let output = item.get("outputData").map(|output| members(&output.items()?)).transpose()?;
        thing.events.push(Event {
            identifier: qualified(block, item.need("identifier")?.text()?),
            doc: format!("{}{kind}", sentence(&item, None)),
            method,
            output,
        });
    }
    Ok(())
}

fn qualified(block: Option<&str>, identifier: &str) -> String {
    block.map_or_else(|| identifier.to_owned(), |block| format!("{block}:{identifier}"))
}

/// The method of an event or service; `None` if it is built in.
fn method(
    item: &Node<'_>,
    block: Option<&str>,
    prefix: &str,
    suffix: &str,
    built_in: &[&str],
) -> Result<Option<String>, Error> {
    let node = item.need("identifier")?;
    let identifier = node.text()?;
    let given = item.get("method");
    let written = given.as_ref().map(Node::text).transpose()?;
    let is_built_in = match written {
        Some(method) => BUILT_IN.contains(&method),
        None => built_in.contains(&identifier),
    };
    if is_built_in {
        return Ok(None);
    }
    let derived = format!("{prefix}{}{suffix}", qualified(block, identifier));
    // A module's file repeats the method without the module's name.
    let method = written.filter(|_| block.is_none()).map_or(derived, str::to_owned);
    let is_odd = |character: char| character.is_control() || "\"\\/+# ".contains(character);
    if method.is_empty() || method.contains(is_odd) || identifier.is_empty() {
        let place = given.unwrap_or(node);
        return Err(place.error("neither a topic nor a message can carry this as a name"));
    }
    Ok(Some(method))
}

/// Parameters of a service: each says what it is, or names a property.
fn parameters(items: &[Node<'_>], block: Option<&str>, properties: &[Member]) -> Result<Vec<Member>, Error> {
    let mut parameters = Vec::new();
    for item in items {
        let Value::String(name) = item.value() else { continue };
        let name = qualified(block, name);
        let property = properties.iter().find(|property| property.identifier == name);
        let property = property.ok_or_else(|| item.error(format!("there is no property {name}")))?;
        parameters.push(property.clone());
    }
    let described: Vec<_> = items.iter().filter(|item| !item.value().is_string()).cloned().collect();
    parameters.extend(members(&described)?);
    for (index, parameter) in parameters.iter().enumerate() {
        if parameters.iter().take(index).any(|earlier| earlier.identifier == parameter.identifier)
            && let Some(item) = items.get(index)
        {
            return Err(item.error(format!("the identifier {:?} stands here twice", parameter.identifier)));
        }
    }
    Ok(parameters)
}

/// A property, a parameter, or what a struct is made of.
pub(super) fn member(item: &Node<'_>) -> Result<Member, Error> {
    let identifier = item.need("identifier")?;
    let text = identifier.text()?;
    if text.is_empty() {
        return Err(identifier.error("an identifier is not empty"));
    }
    let data_type = item.need("dataType")?;
    let data = data(&data_type)?;
    let required = item.get("required").and_then(|required| required.value().as_bool());
    Ok(Member {
        identifier: text.to_owned(),
        doc: sentence(item, Some(&data_type)),
        optional: required == Some(false),
        data,
    })
}

/// Name, unit, description and the names of values.
fn sentence(item: &Node<'_>, data_type: Option<&Node<'_>>) -> String {
    let (name, desc) = (item.prose("name"), item.prose("desc"));
    let mut doc = if name.is_empty() { item.prose("identifier") } else { name };
    let specs = data_type.and_then(|data_type| data_type.get("specs"));
    if let Some(specs) = &specs {
        let (unit, unit_name) = (specs.prose("unit"), specs.prose("unitName"));
        let unit = [unit, unit_name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        if !unit.is_empty() {
            doc = format!("{doc} ({})", unit.join(", "));
        }
    }
    close(&mut doc);
    if !desc.is_empty() {
        doc = format!("{doc} {desc}");
        close(&mut doc);
    }
    if let Some((specs, data_type)) = specs.zip(data_type)
        && data_type.prose("type") == "bool"
    {
        let (off, on) = (specs.prose("0"), specs.prose("1"));
        if !off.is_empty() && !on.is_empty() {
            doc = format!("{doc} False: {off}; true: {on}.");
        }
    }
    doc
}

fn close(sentence: &mut String) {
    if !sentence.ends_with(['.', '。', '!', '?', '！', '？']) {
        sentence.push('.');
    }
}
