//! The Alink front-end: a thing model (TSL) of Aliyun IoT.
//!
//! Properties become one type in which each may be absent, and the actions that set, get and post them; each event becomes
//! an action that the device starts, each service one that the platform starts.

mod data;
mod names;
mod node;
mod number;
mod read;
mod thing;

use std::collections::BTreeMap;

use self::names::{Names, field_names, in_place};
use self::thing::{Data, Event, Member, Service, Thing};
use crate::error::Error;
use crate::inline::Inlines;
use crate::model::{
    Action, Enum, Extra, Field, Form, Framing, Kind, Limits, Protocol, Shape, Struct, Type, Value, Wrapped,
};
use crate::names::{is_unmistakable, variant_name};
use crate::secrets::Secrets;

const DEVICE: &str = "Device";
const PLATFORM: &str = "Platform";

/// All properties, each of which may be absent.
const PROPERTIES: &str = "Properties";

pub(crate) fn protocol(file: &str, text: &str) -> Result<Protocol, Error> {
    let text = text.trim_start_matches('\u{feff}');
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|source| Error::Json { file: file.to_owned(), source })?;
    let root = node::Node::root(file, &value);
    let thing = read::thing(&root)?;
    let mut writer = Writer::default();
    if !thing.properties.is_empty() {
        writer.properties(&thing.properties);
    }
    for service in &thing.services {
        writer.service(service);
    }
    for event in &thing.events {
        writer.event(event);
    }
    if writer.actions.is_empty() {
        return Err(root.error("a thing model without a property, an event and a service: nothing to generate"));
    }
    writer.finish(&thing)
}

/// What has been made of the thing model so far.
#[derive(Default)]
struct Writer {
    names: Names,
    actions: Vec<Action>,
    types: Vec<Type>,
    inlines: Inlines,
    secrets: Secrets,
}

impl Writer {
    fn properties(&mut self, properties: &[Member]) {
        for name in [PROPERTIES, "PropertySet", "PropertyGet", "PropertyPost"] {
            self.names.action(name, "");
        }
        let object = self.object(PROPERTIES, properties);
        self.push(PROPERTIES, "Properties of the thing. An absent one is not sent, and changes nothing.", object);
        let wrapped = |form| Kind::Wrapped(Wrapped { form, inner: PROPERTIES.to_owned() });
        let none = || Kind::Struct(Struct::default());
        self.action(Planned {
            name: "PropertySet",
            wire: "thing.service.property.set",
            doc: "The platform sets properties.",
            from: PLATFORM,
            request: ("Properties to be set.", wrapped(Form::Bare)),
            response: ("That properties were set.", none()),
        });
        self.action(Planned {
            name: "PropertyGet",
            wire: "thing.service.property.get",
            doc: "The platform asks for properties.",
            from: PLATFORM,
            request: ("Identifiers of the properties that are asked for.", wrapped(Form::Identifiers)),
            response: ("The properties that were asked for.", Kind::Alias(Shape::Named(PROPERTIES.to_owned()))),
        });
        self.action(Planned {
            name: "PropertyPost",
            wire: "thing.event.property.post",
            doc: "The device posts properties.",
            from: DEVICE,
            request: ("Properties that are posted, and when each was so.", wrapped(Form::Post)),
            response: ("That properties were taken.", none()),
        });
    }

    fn service(&mut self, service: &Service) {
        let name = self.names.action(&service.identifier, "Service");
        let input = Kind::Struct(self.object(&format!("{name}Request"), &service.input));
        let output = Kind::Struct(self.object(&format!("{name}Response"), &service.output));
        self.action(Planned {
            name: &name,
            wire: &service.method,
            doc: &format!("Service: {}", service.doc),
            from: PLATFORM,
            request: (&format!("Input of the service {name}. {}", service.doc), input),
            response: (&format!("Output of the service {name}. {}", service.doc), output),
        });
    }

    fn event(&mut self, event: &Event) {
        let name = self.names.action(&event.identifier, "Event");
        let inner = format!("{name}Output");
        let output = match &event.output {
            Some(output) => self.object(&inner, output),
            // Simplified files leave it out.
            None => Struct { extra: Extra::Kept, ..Struct::default() },
        };
        self.push(&inner, &format!("What the event {name} tells. {}", event.doc), output);
        self.action(Planned {
            name: &name,
            wire: &event.method,
            doc: &format!("Event: {}", event.doc),
            from: DEVICE,
            request: (
                &format!("The event {name}, and when it happened. {}", event.doc),
                Kind::Wrapped(Wrapped { form: Form::Event, inner }),
            ),
            response: ("That the event was taken.", Kind::Struct(Struct::default())),
        });
    }

    fn push(&mut self, name: &str, doc: &str, object: Struct) {
        self.types.push(Type { name: name.to_owned(), doc: doc.to_owned(), kind: Kind::Struct(object) });
    }

    fn action(&mut self, planned: Planned<'_>) {
        let (request, response) = (format!("{}Request", planned.name), format!("{}Response", planned.name));
        for (name, (doc, kind)) in [(&request, planned.request), (&response, planned.response)] {
            self.types.push(Type { name: name.clone(), doc: doc.to_owned(), kind });
        }
        self.actions.push(Action {
            name: planned.name.to_owned(),
            wire: planned.wire.to_owned(),
            doc: planned.doc.to_owned(),
            from: vec![planned.from.to_owned()],
            request,
            response: Some(response),
            // What a device has now.
            fresh: planned.name == "PropertyGet",
        });
    }

    fn object(&mut self, owner: &str, members: &[Member]) -> Struct {
        let names = field_names(members.iter().map(|member| member.identifier.as_str()));
        let mut fields = Vec::new();
        for (member, name) in members.iter().zip(names) {
            let field = in_place(&member.identifier, &name);
            self.secrets.add_if_named_so(&member.identifier);
            let shape = self.shape(&member.data, owner, &field, &member.doc);
            fields.push(Field { wire: member.identifier.clone(), name, doc: member.doc.clone(), shape });
        }
        let required = members.iter().filter(|member| !member.optional).map(|member| member.identifier.clone());
        Struct { required: required.collect(), fields, ..Struct::default() }
    }

    fn shape(&mut self, data: &Data, owner: &str, field: &str, doc: &str) -> Shape {
        match data {
            Data::Int { step, min, max } => Shape::Integer { min: Some(*min), max: Some(*max), step: *step },
            Data::Float { step, min, max } => {
                Shape::Float(Limits { step: step.clone(), min: min.clone(), max: max.clone() })
            }
            Data::Text { max } => Shape::Text { max: *max, ignores_case: false },
            Data::Date => Shape::UnixMillis,
            Data::Bool => Shape::Bit,
            Data::Enum(values) => self.inlines.add(Kind::Enum(enumeration(values)), doc.to_owned(), owner, field),
            Data::Struct(members) => {
                let object = self.object(&Inlines::nested_owner(owner, field), members);
                self.inlines.add(Kind::Struct(object), doc.to_owned(), owner, field)
            }
            Data::Array { item, max } => {
                Shape::List { item: Box::new(self.shape(item, owner, field, doc)), min: 0, max: *max }
            }
            Data::Any => Shape::Any,
        }
    }

    fn finish(self, thing: &Thing) -> Result<Protocol, Error> {
        let taken: Vec<String> = self.names.into_taken();
        let mut types = self.inlines.name(&taken, self.types);
        types.sort_by(|left, right| left.name.cmp(&right.name));
        let of_actions = self.actions.iter().map(|action| (&action.name, format!("the action {}", action.wire)));
        let of_types = types.iter().map(|each| (&each.name, format!("the type for {:?}", each.doc)));
        let mut seen: BTreeMap<&String, String> = BTreeMap::new();
        for (name, second) in of_actions.chain(of_types) {
            if let Some(first) = seen.insert(name, second.clone()) {
                return Err(Error::Collision { name: name.clone(), first, second });
            }
        }
        Ok(Protocol {
            title: format!("thing model {}", thing.product_key).trim().to_owned(),
            framing: Framing::Alink,
            subprotocols: Vec::new(),
            roles: vec![DEVICE.to_owned(), PLATFORM.to_owned()],
            sync: thing
                .services
                .iter()
                .filter(|service| service.is_sync)
                .map(|service| service.method.clone())
                .collect(),
            actions: self.actions,
            types,
            secrets: self.secrets,
        })
    }
}

/// An action with the documentation and kind of its messages.
struct Planned<'p> {
    name: &'p str,
    wire: &'p str,
    doc: &'p str,
    from: &'p str,
    request: (&'p str, Kind),
    response: (&'p str, Kind),
}

fn enumeration(listed: &[(i64, String)]) -> Enum {
    let mut values: Vec<Value> = Vec::new();
    for (number, label) in listed {
        // Labels are for people: where one cannot be a name, or stands twice, the number is the name.
        let is_free = |name: &String| !values.iter().any(|value| value.name == *name);
        let by_number = || format!("Value{number}").replace('-', "Minus");
        let mut name =
            variant_name(label).filter(is_free).filter(|name| is_unmistakable(name)).unwrap_or_else(by_number);
        while !is_free(&name) {
            name.push('_');
        }
        let doc = if label.is_empty() { String::new() } else { format!("{number}: {label}") };
        values.push(Value { wire: number.to_string(), name, doc, aliases: Vec::new() });
    }
    Enum { values, numbered: true }
}
