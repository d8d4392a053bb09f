//! The table as its file has it.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Error;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) doc: Lines,
    /// Placeholders that name the product and the device.
    pub(super) names: [Documented; 2],
    #[serde(default)]
    pub(super) enums: Vec<Enum>,
    /// Patterns of what is no topic, though a row with placeholders might take it.
    #[serde(default)]
    pub(super) reserved: Vec<String>,
    pub(super) topics: Vec<Topic>,
}

/// A text, or its lines.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Lines {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Documented {
    pub(super) name: String,
    pub(super) doc: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enum {
    pub(super) name: String,
    pub(super) doc: Lines,
    pub(super) values: Vec<Documented>,
}

/// A variant, of one row or of several that differ in a field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) doc: Lines,
    #[serde(default)]
    pub(super) fields: Vec<Field>,
    pub(super) rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Field {
    pub(super) name: String,
    /// One of the enumerations or `bool`, for a field that rows set; text otherwise.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) doc: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) pattern: String,
    /// The field by which the row differs from the others of its topic.
    #[serde(default)]
    pub(super) set: Map<String, Value>,
    /// Who publishes there.
    pub(super) from: Vec<Role>,
    #[serde(default)]
    pub(super) answer: Answer,
    /// The name of the calls there; `{path}` stands for a placeholder's text with dots in place of slashes.
    #[serde(default)]
    pub(super) method: Option<String>,
    /// Whether what is said there is a frame of a session, or may be.
    #[serde(default)]
    pub(super) framed: bool,
    /// A placeholder that holds another topic, which says whose it is.
    #[serde(default)]
    pub(super) topic: Option<String>,
    #[serde(default)]
    pub(super) subscribe: Subscribe,
    /// Whose list of subscriptions it is on.
    #[serde(default)]
    pub(super) subscriber: Subscriber,
    #[serde(default)]
    pub(super) paths: Vec<Path>,
}

/// What the rest of a topic may be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Path {
    pub(super) path: String,
    pub(super) from: Role,
    #[serde(default = "yes")]
    pub(super) framed: bool,
    #[serde(default)]
    pub(super) subscriber: Subscriber,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Role {
    Device,
    Platform,
}

/// Patterns: of the answer, or of the answers to each side.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub(super) enum Answer {
    #[default]
    None,
    To(String),
    ToEach(ToEach),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ToEach {
    pub(super) device: Option<String>,
    pub(super) platform: Option<String>,
}

/// Filters, where they do not follow from the pattern.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Subscribe {
    pub(super) device: Option<Vec<String>>,
    pub(super) platform: Option<Vec<String>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Subscriber {
    /// Every device.
    #[default]
    Device,
    /// A device with sub-devices.
    Gateway,
    /// Nobody by itself; whoever wants it may.
    Anybody,
    /// Nobody, and nobody may.
    Nobody,
}

impl Lines {
    pub(super) fn lines(&self) -> Vec<&str> {
        match self {
            Self::One(line) => vec![line],
            Self::Many(lines) => lines.iter().map(String::as_str).collect(),
        }
    }
}

pub(super) fn table(file: &str, text: &str) -> Result<Table, Error> {
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).map_err(|source| Error::Json { file: file.to_owned(), source })
}
