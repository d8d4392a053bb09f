//! The protocol model: what every front-end produces and the one back-end consumes.
//!
//! Names in it are final Rust names beside the names on the wire; a front-end resolves or refuses collisions before.

use crate::secrets::Secrets;

/// A protocol.
#[derive(Debug, Clone)]
pub(crate) struct Protocol {
    /// Name and version, for people.
    pub(crate) title: String,
    pub(crate) framing: Framing,
    /// WebSocket subprotocols, the preferred one first.
    pub(crate) subprotocols: Vec<String>,
    /// Names of the sides.
    pub(crate) roles: Vec<String>,
    pub(crate) actions: Vec<Action>,
    /// Names on the wire of actions whose caller waits on a topic of its own.
    pub(crate) sync: Vec<String>,
    pub(crate) types: Vec<Type>,
    /// What logs mask.
    pub(crate) secrets: Secrets,
}

/// How the protocol wraps payloads and spells errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// OCPP-J 1.6.
    OcppJ1,
    /// OCPP-J 2.0.1: other error codes, and message types that are unknown are refused.
    OcppJ201,
    /// OCPP-J 2.1 and what follows: also SEND and CALLRESULTERROR.
    OcppJ21,
    Alink,
}

#[derive(Debug, Clone)]
pub(crate) struct Action {
    /// Name of the marker type.
    pub(crate) name: String,
    /// Name on the wire.
    pub(crate) wire: String,
    pub(crate) doc: String,
    /// The roles that may start it.
    pub(crate) from: Vec<String>,
    /// Names of its message types; without a response it is never answered (OCPP 2.1's SEND).
    pub(crate) request: String,
    pub(crate) response: Option<String>,
    /// The answer is only good at the moment.
    pub(crate) fresh: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Struct(Struct),
    Enum(Enum),
    Alias(Shape),
    Wrapped(Wrapped),
    Whole(Whole),
}

/// A message that is no object with fields of its own: a list, a map, another type, anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Rust name of the one field that holds it, without `r#`.
    pub(crate) field: String,
    pub(crate) shape: Shape,
}

/// A payload of a thing model around another type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrapped {
    pub(crate) form: Form,
    /// Name of the type that it is made of, or speaks of.
    pub(crate) inner: String,
}

/// How a payload of a thing model looks around what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As the inner type: a second type, because a request belongs to one action.
    Bare,
    /// Properties, each as it is or with the time at which it was so.
    Post,
    /// The inner type, as it is or with the time at which it was so.
    Event,
    /// A list of identifiers of the inner type's properties.
    Identifiers,
}

impl Form {
    /// The Rust name of the field that holds the inner type.
    pub(crate) fn field(self) -> Option<&'static str> {
        match self {
            Self::Bare | Self::Post => Some("properties"),
            Self::Event => Some("value"),
            Self::Identifiers => None,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Struct {
    pub(crate) fields: Vec<Field>,
    /// Wire names of the required fields in the order of the constructor's parameters.
    pub(crate) required: Vec<String>,
    pub(crate) extra: Extra,
    /// Values that this message spells otherwise when it is written.
    pub(crate) writes: Vec<(String, String)>,
}

/// What becomes of properties beyond the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Extra {
    Forbidden,
    #[default]
    Skipped,
    /// A field of that type holds them.
    Kept,
}

impl Extra {
    /// The Rust name of the field that holds them.
    pub(crate) const FIELD: &'static str = "additional_properties";
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) wire: String,
    /// Rust name, without `r#`.
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enum {
    pub(crate) values: Vec<Value>,
    /// The values are numbers on the wire.
    pub(crate) numbered: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) wire: String,
    /// Rust name of the variant.
    pub(crate) name: String,
    pub(crate) doc: String,
    /// Other spellings that are read.
    pub(crate) aliases: Vec<String>,
}

/// What a field, an item or an alias holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A type of the protocol, by name.
    Named(String),
    Text {
        max: Option<usize>,
        ignores_case: bool,
    },
    Integer {
        min: Option<i64>,
        max: Option<i64>,
        step: Option<i64>,
    },
    Number(Limits),
    /// A number that is written with at least one digit after the point.
    Float(Limits),
    Boolean,
    /// A boolean that is 1 or 0 on the wire.
    Bit,
    DateTime,
    /// A time-stamp that is text with milliseconds since 1970 on the wire.
    UnixMillis,
    /// Text that nobody is to see in a log.
    Secret,
    List {
        item: Box<Shape>,
        min: usize,
        max: Option<usize>,
    },
    /// An object whose properties have names of their own and values of one type.
    Map {
        item: Box<Shape>,
        max: Option<usize>,
    },
    Any,
}

/// Limits of a decimal number, as decimal text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) step: Option<String>,
    pub(crate) min: Option<String>,
    pub(crate) max: Option<String>,
}

impl Protocol {
    /// Drops all actions but these, and the types that nothing needs then.
    pub(crate) fn keep_only(&mut self, actions: &[String]) -> Result<(), crate::Error> {
        if let Some(unknown) = actions.iter().find(|wire| !self.actions.iter().any(|action| action.wire == ***wire)) {
            return Err(crate::Error::Folder {
                file: self.title.clone(),
                problem: format!("there is no action {unknown} to keep"),
            });
        }
        self.actions.retain(|action| actions.contains(&action.wire));
        let mut needed: Vec<String> = self
            .actions
            .iter()
            .flat_map(|action| [Some(action.request.clone()), action.response.clone()])
            .flatten()
            .collect();
        let mut next = 0;
        while let Some(name) = needed.get(next).cloned() {
            next += 1;
            if let Some(found) = self.types.iter().find(|each| each.name == name) {
                for used in found.kind.uses() {
                    if !needed.iter().any(|name| name == used) {
                        needed.push(used.to_owned());
                    }
                }
            }
        }
        self.types.retain(|each| needed.contains(&each.name));
        Ok(())
    }

    /// The type of that name.
    pub(crate) fn find(&self, name: &str) -> Option<&Type> {
        self.types.iter().find(|each| each.name == name)
    }
}

impl Kind {
    /// Names of the types that this one is made of.
    fn uses(&self) -> Vec<&str> {
        match self {
            Self::Struct(object) => object.fields.iter().filter_map(|field| field.shape.named()).collect(),
            Self::Alias(shape) | Self::Whole(Whole { shape, .. }) => shape.named().into_iter().collect(),
            Self::Wrapped(wrapped) => vec![wrapped.inner.as_str()],
            Self::Enum(_) => Vec::new(),
        }
    }
}

impl Shape {
    /// The type that it names, itself or through lists.
    fn named(&self) -> Option<&str> {
        match self {
            Self::Named(name) => Some(name),
            Self::List { item, .. } | Self::Map { item, .. } => item.named(),
            _ => None,
        }
    }
}
