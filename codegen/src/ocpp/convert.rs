//! From JSON Schema to the model.
//!
//! Definitions of all files are lifted into one root first: equal ones are one type, different ones of the same name are
//! refused. What a type cannot carry is refused too, never dropped in silence.

use std::collections::BTreeMap;

use schemars::schema::{InstanceType, RootSchema, Schema, SchemaObject, SingleOrVec};
use serde_json::Value as Json;

use super::cycles;
use crate::error::Error;
use crate::inline::Inlines;
use crate::model::{Enum, Extra, Field, Framing, Kind, Limits, Shape, Struct, Type, Value, Whole};
use crate::names;
use crate::secrets::Secrets;

struct Definition<'f> {
    file: &'f str,
    schema: &'f Schema,
}

pub(super) struct Converter<'f> {
    schemas: &'f BTreeMap<&'f str, RootSchema>,
    definitions: BTreeMap<&'f str, Definition<'f>>,
    inlines: Inlines,
    framing: Framing,
    secrets: Secrets,
}

/// Where in which file the converter is, and what the thing there belongs to.
#[derive(Clone)]
struct Place<'f> {
    file: &'f str,
    pointer: String,
    owner: String,
    field: String,
}

impl<'f> Place<'f> {
    fn down(&self, segments: &[&str]) -> Self {
        let mut place = self.clone();
        for segment in segments {
            place.pointer.push('/');
            place.pointer.push_str(&segment.replace('~', "~0").replace('/', "~1"));
        }
        place
    }

    fn unsupported(&self, problem: impl Into<String>) -> Error {
        Error::Unsupported { file: self.file.to_owned(), pointer: self.pointer.clone(), problem: problem.into() }
    }
}

impl<'f> Converter<'f> {
    pub(super) fn new(schemas: &'f BTreeMap<&'f str, RootSchema>, framing: Framing) -> Result<Self, Error> {
        let mut definitions: BTreeMap<&str, Definition<'_>> = BTreeMap::new();
        for (file, root) in schemas {
            for (name, schema) in &root.definitions {
                if let Some(first) = definitions.get(name.as_str()) {
                    if bare(first.schema) != bare(schema) {
                        return Err(Error::Collision {
                            name: name.clone(),
                            first: format!("{}#/definitions/{name}", first.file),
                            second: format!("a different definition in {file}"),
                        });
                    }
                } else {
                    definitions.insert(name, Definition { file, schema });
                }
            }
        }
        Ok(Self { schemas, definitions, inlines: Inlines::shared(), framing, secrets: Secrets::default() })
    }

    /// The root of a message file.
    pub(super) fn message(&mut self, name: &str, file: &'f str) -> Result<Type, Error> {
        let place = Place { file, pointer: String::new(), owner: name.to_owned(), field: String::new() };
        let Some(root) = self.schemas.get(file) else {
            return Err(place.unsupported("the file is gone"));
        };
        let kind = match root.schema.extensions.get(FIELD) {
            // A payload of OCPP-J is an object.
            Some(field) if self.framing == Framing::Alink => {
                let field = field.as_str().filter(|field| names::field_name(field).as_deref() == Some(field));
                let field = field.ok_or_else(|| place.unsupported(format!("`{FIELD}` is the name of a field")))?;
                let place = Place { field: field.to_owned(), ..place };
                Kind::Whole(Whole { field: field.to_owned(), shape: self.shape_of(&root.schema, &place)? })
            }
            _ => Kind::Struct(self.object(&root.schema, &place)?),
        };
        Ok(Type { name: name.to_owned(), doc: doc(&root.schema), kind })
    }

    /// All types: the messages, every definition, and what was met in place. The secret properties that were met are added to
    /// `secrets`.
    pub(super) fn finish(
        mut self,
        reserved: Vec<(String, String)>,
        messages: Vec<Type>,
        secrets: &mut Secrets,
    ) -> Result<Vec<Type>, Error> {
        let mut types = messages;
        let definitions: Vec<(&str, &str, &Schema)> =
            self.definitions.iter().map(|(name, definition)| (*name, definition.file, definition.schema)).collect();
        for (name, file, schema) in definitions {
            let place = Place {
                file,
                pointer: format!("/definitions/{name}"),
                owner: self.definition_name(name, file)?,
                field: String::new(),
            };
            let schema = object_of(schema, &place)?;
            let kind = if let Some(values) = self.enumeration(schema, &place)? {
                Kind::Enum(values)
            } else if is_struct(schema) {
                Kind::Struct(self.object(schema, &place)?)
            } else {
                Kind::Alias(self.shape_of(schema, &place)?)
            };
            types.push(Type { name: place.owner, doc: doc(schema), kind });
        }
        let mut taken: Vec<String> = reserved.iter().map(|(name, _)| name.clone()).collect();
        taken.extend(types.iter().map(|each| each.name.clone()));
        secrets.properties.append(&mut self.secrets.properties);
        let types = self.inlines.name(&taken, types);
        if let Some(name) = cycles::without_end(&types) {
            return Err(Error::Folder {
                file: name.to_owned(),
                problem: "the type holds itself, so that a value of it would have no end; make it a list of objects"
                    .to_owned(),
            });
        }
        let mut sources: BTreeMap<&str, String> = BTreeMap::new();
        for (name, source) in &reserved {
            sources.insert(name, source.clone());
        }
        for each in &types {
            let source = format!("the type {}", each.name);
            if let Some(first) = sources.insert(&each.name, source.clone()) {
                return Err(Error::Collision { name: each.name.clone(), first, second: source });
            }
        }
        Ok(types)
    }

    fn definition_name(&self, name: &str, file: &str) -> Result<String, Error> {
        names::type_name(name).ok_or_else(|| Error::Unsupported {
            file: file.to_owned(),
            pointer: format!("/definitions/{name}"),
            problem: "the name cannot be the name of a Rust type; rename the definition".to_owned(),
        })
    }

    fn object(&mut self, schema: &SchemaObject, place: &Place<'f>) -> Result<Struct, Error> {
        if !is_struct(schema) {
            return Err(place.unsupported("not an object; a message is `\"type\": \"object\"` with `properties`"));
        }
        self.refuse_unknown(schema, place)?;
        let none = Default::default();
        let object = schema.object.as_deref().unwrap_or(&none);
        if !object.pattern_properties.is_empty()
            || object.property_names.is_some()
            || object.min_properties.is_some()
            || object.max_properties.is_some()
            || schema.extensions.contains_key("dependencies")
            || matches!(object.additional_properties.as_deref(), Some(Schema::Object(_)))
        {
            return Err(place.unsupported(
                "`patternProperties`, `propertyNames`, `minProperties`, `maxProperties`, `dependencies` and a schema in \
                 `additionalProperties` have no type; remove them",
            ));
        }
        if object.properties.len() > 64 {
            return Err(place.unsupported("more than 64 properties; split the object"));
        }
        let extra = match object.additional_properties.as_deref() {
            Some(Schema::Bool(false)) => Extra::Forbidden,
            // There peers write more than anybody listed; keeping it is for who asks for it.
            None if self.framing == Framing::Alink => Extra::Skipped,
            _ => Extra::Kept,
        };
        let mut fields: Vec<Field> = Vec::new();
        for (wire, property) in &object.properties {
            let mut inner = place.down(&["properties", wire]);
            let name = names::field_name(wire)
                .ok_or_else(|| inner.unsupported("the property's name cannot be the name of a field; rename it"))?;
            if let Some(first) = fields.iter().find(|field| field.name == name) {
                return Err(Error::Collision {
                    name,
                    first: format!("the property {:?} of {}", first.wire, place.owner),
                    second: format!("the property {wire:?}"),
                });
            }
            if extra == Extra::Kept && name == Extra::FIELD {
                return Err(Error::Collision {
                    name,
                    first: format!("the field for further properties of {}", place.owner),
                    second: format!("the property {wire:?}"),
                });
            }
            if self.is_secret(property) {
                self.secrets.properties.insert(wire.clone());
            }
            self.secrets.add_if_named_so(wire);
            inner.field.clone_from(wire);
            let doc = match property {
                Schema::Object(property) => doc(property),
                Schema::Bool(_) => String::new(),
            };
            fields.push(Field { wire: wire.clone(), name, doc, shape: self.shape(property, &inner)? });
        }
        // `required` is a set; the order of the file is the order of the constructor's parameters, and the set that
        // schemars reads has lost it, so that it is taken in the order of the properties.
        let required: Vec<String> =
            fields.iter().map(|field| field.wire.clone()).filter(|wire| object.required.contains(wire)).collect();
        if let Some(missing) = object.required.iter().find(|wire| !required.contains(wire)) {
            return Err(place.unsupported(format!("the required property {missing:?} is not among the properties")));
        }
        Ok(Struct { fields, required, extra, writes: text_map(schema, "x-onwire-writes", place)? })
    }

    /// Whether the value, or what it is a list or a map of, is not for logs.
    fn is_secret(&self, schema: &Schema) -> bool {
        let Schema::Object(schema) = schema else { return false };
        if let Some((_, name)) =
            schema.reference.as_deref().and_then(|reference| reference.rsplit_once("#/definitions/"))
        {
            // One step is enough: a definition that is a reference itself may lead in a circle.
            let definition = self.definitions.get(name).and_then(|definition| match definition.schema {
                Schema::Object(object) => Some(object),
                Schema::Bool(_) => None,
            });
            return says_secret(schema) || definition.is_some_and(says_secret);
        }
        let items = schema.array.as_ref().and_then(|array| array.items.as_ref());
        let values = schema.object.as_ref().and_then(|object| object.additional_properties.as_deref());
        says_secret(schema)
            || matches!(items, Some(SingleOrVec::Single(item)) if self.is_secret(item))
            || values.is_some_and(|values| self.is_secret(values))
    }

    fn shape(&mut self, schema: &Schema, place: &Place<'f>) -> Result<Shape, Error> {
        match schema {
            Schema::Bool(true) => Ok(Shape::Any),
            Schema::Bool(false) => Err(place.unsupported("a property that allows no value; remove it")),
            Schema::Object(object) => self.shape_of(object, place),
        }
    }

    fn shape_of(&mut self, schema: &SchemaObject, place: &Place<'f>) -> Result<Shape, Error> {
        if let Some(reference) = &schema.reference {
            let name = reference.rsplit_once("#/definitions/").map(|(_, name)| name);
            let known = name.and_then(|name| self.definitions.get_key_value(name));
            return match known {
                Some((name, definition)) => Ok(Shape::Named(self.definition_name(name, definition.file)?)),
                None => Err(place.unsupported(format!("{reference:?} leads to no definition of any file"))),
            };
        }
        if let Some(values) = self.enumeration(schema, place)? {
            return Ok(self.inlines.add(Kind::Enum(values), doc(schema), &place.owner, &place.field));
        }
        self.refuse_unknown(schema, place)?;
        let Some(instance_type) = single_type(schema, place)? else {
            if schema.string.is_some() || schema.number.is_some() || schema.array.is_some() || schema.object.is_some() {
                return Err(place.unsupported("limits without a `type`; add it"));
            }
            return Ok(Shape::Any);
        };
        Ok(match instance_type {
            InstanceType::String => text(schema, place)?,
            InstanceType::Integer => integer(schema, place)?,
            InstanceType::Number => Shape::Number(limits(schema, place)?),
            InstanceType::Boolean => Shape::Boolean,
            InstanceType::Array => self.list(schema, place)?,
            InstanceType::Object if is_struct(schema) => {
                let mut inner = place.clone();
                inner.owner = Inlines::nested_owner(&place.owner, &place.field);
                let object = self.object(schema, &inner)?;
                self.inlines.add(Kind::Struct(object), doc(schema), &place.owner, &place.field)
            }
            InstanceType::Object => self.map(schema, place)?,
            InstanceType::Null => return Err(place.unsupported("a value that is always null; remove it")),
        })
    }

    /// An object without properties that the schema names.
    fn map(&mut self, schema: &SchemaObject, place: &Place<'f>) -> Result<Shape, Error> {
        let none = Default::default();
        let object = schema.object.as_deref().unwrap_or(&none);
        let Some(item @ Schema::Object(_)) = object.additional_properties.as_deref() else { return Ok(Shape::Any) };
        if !object.pattern_properties.is_empty()
            || object.property_names.is_some()
            || object.min_properties.is_some()
            || !object.required.is_empty()
        {
            return Err(place.unsupported(
                "`patternProperties`, `propertyNames`, `minProperties` and `required` of a map are not checked; remove them",
            ));
        }
        let item = Box::new(self.shape(item, &place.down(&["additionalProperties"]))?);
        Ok(Shape::Map { item, max: object.max_properties.map(|max| max as usize) })
    }

    fn list(&mut self, schema: &SchemaObject, place: &Place<'f>) -> Result<Shape, Error> {
        let none = Default::default();
        let array = schema.array.as_deref().unwrap_or(&none);
        // `additionalItems` says something beside a list of types only, which is refused below.
        if array.unique_items == Some(true) || array.contains.is_some() {
            return Err(place.unsupported("`uniqueItems` and `contains` cannot be checked; remove them"));
        }
        let item = match &array.items {
            None => Shape::Any,
            Some(SingleOrVec::Single(item)) => self.shape(item, &place.down(&["items"]))?,
            Some(SingleOrVec::Vec(_)) => {
                return Err(place.unsupported("a list with a type for each place; use an object"));
            }
        };
        let count = |limit: Option<u32>| limit.map(|limit| limit as usize);
        Ok(Shape::List { item: Box::new(item), min: count(array.min_items).unwrap_or(0), max: count(array.max_items) })
    }

    /// `Some` if the schema lists its values.
    fn enumeration(&self, schema: &SchemaObject, place: &Place<'f>) -> Result<Option<Enum>, Error> {
        let constant;
        let listed: &[Json] = match (&schema.enum_values, &schema.const_value) {
            (Some(listed), _) => listed,
            (None, Some(only)) => {
                constant = [only.clone()];
                &constant
            }
            (None, None) => return Ok(None),
        };
        self.refuse_unknown(schema, place)?;
        let numbered = listed.iter().all(Json::is_i64);
        if listed.is_empty() || !(numbered || listed.iter().all(Json::is_string)) {
            return Err(place.unsupported("an enumeration lists strings, or integers, and at least one"));
        }
        let docs = text_map(schema, "x-onwire-values", place)?;
        let spellings = text_map(schema, "x-onwire-spelling-of", place)?;
        let mut values: Vec<Value> = Vec::new();
        for wire in listed.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)) {
            if spellings.iter().any(|(second, _)| *second == wire) {
                continue;
            }
            let name = names::variant_name(&wire)
                .ok_or_else(|| place.unsupported(format!("the value {wire:?} cannot be the name of a variant")))?;
            if let Some(first) = values.iter().find(|value| value.name == name) {
                return Err(Error::Collision {
                    name,
                    first: format!("the value {:?} of {}#{}", first.wire, place.file, place.pointer),
                    second: format!("the value {wire:?}"),
                });
            }
            let aliases = spellings.iter().filter(|(_, of)| *of == wire).map(|(second, _)| second.clone()).collect();
            let doc = docs.iter().find(|(value, _)| *value == wire).map(|(_, doc)| doc.clone()).unwrap_or_default();
            values.push(Value { wire, name, doc, aliases });
        }
        if let Some((second, of)) = spellings.iter().find(|(_, of)| !values.iter().any(|value| value.wire == *of)) {
            return Err(place.unsupported(format!("{second:?} is a spelling of {of:?}, which is not listed")));
        }
        Ok(Some(Enum { values, numbered }))
    }

    /// What would be a limit that the type does not keep.
    fn refuse_unknown(&self, schema: &SchemaObject, place: &Place<'f>) -> Result<(), Error> {
        if schema.subschemas.is_some() {
            return Err(place.unsupported(
                "`allOf`, `anyOf`, `oneOf`, `not` and `if` have no type; write one object, or use a definition",
            ));
        }
        if schema
            .string
            .as_ref()
            .is_some_and(|string| string.pattern.is_some() || string.min_length.is_some_and(|min| min > 0))
        {
            return Err(
                place.unsupported("`pattern` and `minLength` cannot be checked; remove them and check in the handler")
            );
        }
        Ok(())
    }
}

/// JSON Schema's `writeOnly`, OpenAPI's format `password`, and the format whose type is `alink::Secret`.
fn says_secret(schema: &SchemaObject) -> bool {
    schema.metadata.as_ref().is_some_and(|metadata| metadata.write_only)
        || matches!(schema.format.as_deref(), Some("password" | "secret"))
}

/// The keyword of a message that is no object with properties of its own: the name of the field that holds it.
const FIELD: &str = "x-onwire-field";

/// A message or nested object, as opposed to an object without properties of its own.
fn is_struct(schema: &SchemaObject) -> bool {
    let object_type =
        matches!(&schema.instance_type, Some(SingleOrVec::Single(kind)) if **kind == InstanceType::Object);
    match &schema.object {
        Some(object) => {
            !object.properties.is_empty()
                || matches!(object.additional_properties.as_deref(), Some(Schema::Bool(false)))
        }
        // A root without properties is a message without fields.
        None => object_type,
    }
}

fn object_of<'s>(schema: &'s Schema, place: &Place<'_>) -> Result<&'s SchemaObject, Error> {
    match schema {
        Schema::Object(object) => Ok(object),
        Schema::Bool(_) => Err(place.unsupported("a definition that is no object; write the schema of a value")),
    }
}

fn single_type(schema: &SchemaObject, place: &Place<'_>) -> Result<Option<InstanceType>, Error> {
    match &schema.instance_type {
        None if is_struct(schema) && schema.object.is_some() => Ok(Some(InstanceType::Object)),
        None => Ok(None),
        Some(SingleOrVec::Single(kind)) => Ok(Some(**kind)),
        Some(SingleOrVec::Vec(_)) => Err(place.unsupported("several types for one value; choose one")),
    }
}

fn text(schema: &SchemaObject, place: &Place<'_>) -> Result<Shape, Error> {
    let max = schema.string.as_ref().and_then(|string| string.max_length).map(|max| max as usize);
    let ignores_case = match schema.format.as_deref() {
        Some("date-time") => return Ok(Shape::DateTime),
        Some("unix-millis") => return Ok(Shape::UnixMillis),
        Some("secret") => return Ok(Shape::Secret),
        Some("ci-string") => true,
        _ => false,
    };
    if ignores_case && max.is_none() {
        return Err(place.unsupported("a `ci-string` needs a `maxLength`"));
    }
    Ok(Shape::Text { max, ignores_case })
}

fn integer(schema: &SchemaObject, place: &Place<'_>) -> Result<Shape, Error> {
    let Some(number) = schema.number.as_deref() else { return Ok(Shape::Integer { min: None, max: None, step: None }) };
    if number.multiple_of.is_some_and(|step| step != 1.0) {
        return Err(place.unsupported("`multipleOf` of an integer is not checked; remove it"));
    }
    let whole = |limit: Option<f64>, step: f64| match limit {
        None => Ok(None),
        // Beyond 2^53 a float has lost the integer that was written.
        Some(limit) if limit.fract() == 0.0 && limit.abs() <= 9_007_199_254_740_992.0 => {
            Ok(Some((limit + step) as i64))
        }
        Some(limit) => Err(place.unsupported(format!("the limit {limit} is not an integer of at most 53 bits"))),
    };
    let min = whole(number.minimum, 0.0)?.max(whole(number.exclusive_minimum, 1.0)?);
    let max = [whole(number.maximum, 0.0)?, whole(number.exclusive_maximum, -1.0)?].into_iter().flatten().min();
    Ok(Shape::Integer { min, max, step: None })
}

fn limits(schema: &SchemaObject, place: &Place<'_>) -> Result<Limits, Error> {
    let Some(number) = schema.number.as_deref() else { return Ok(Limits::default()) };
    if number.exclusive_minimum.is_some() || number.exclusive_maximum.is_some() {
        return Err(place.unsupported("exclusive limits of a number are not checked; use `minimum` and `maximum`"));
    }
    for limit in [number.multiple_of, number.minimum, number.maximum].into_iter().flatten() {
        if !crate::emit::is_decimal(&limit.to_string()) {
            return Err(place.unsupported(format!("the limit {limit} has more than 18 digits")));
        }
    }
    let text = |limit: Option<f64>| limit.map(|limit| limit.to_string());
    Ok(Limits { step: text(number.multiple_of), min: text(number.minimum), max: text(number.maximum) })
}

/// An extension keyword that maps text to text.
fn text_map(schema: &SchemaObject, keyword: &str, place: &Place<'_>) -> Result<Vec<(String, String)>, Error> {
    let Some(value) = schema.extensions.get(keyword) else { return Ok(Vec::new()) };
    let entries = value.as_object().and_then(|map| {
        map.iter().map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect::<Option<Vec<_>>>()
    });
    entries.ok_or_else(|| place.unsupported(format!("`{keyword}` maps text to text")))
}

fn doc(schema: &SchemaObject) -> String {
    schema.metadata.as_ref().and_then(|metadata| metadata.description.clone()).unwrap_or_default()
}

/// The schema without its documentation: what makes two definitions equal.
fn bare(schema: &Schema) -> Json {
    fn strip(value: &mut Json) {
        match value {
            Json::Object(map) => {
                // A property may have one of these names; then its value is a schema and no text.
                for keyword in ["description", "title", "javaType", "$comment", "comment"] {
                    if map.get(keyword).is_some_and(Json::is_string) {
                        map.remove(keyword);
                    }
                }
                map.values_mut().for_each(strip);
            }
            Json::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(schema).unwrap_or_default();
    strip(&mut value);
    value
}
