//! `index.json`: the sides of the protocol, and who may start which action.

use serde::Deserialize;

use super::INDEX;
use crate::error::Error;
use crate::model::Framing;
use crate::secrets::Secrets;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    #[serde(default)]
    protocol: String,
    #[serde(default)]
    pub(super) version: String,
    #[serde(default)]
    pub(super) subprotocols: Vec<String>,
    #[serde(default = "both_sides")]
    pub(super) roles: Vec<String>,
    #[serde(default)]
    framing: Frames,
    #[serde(default)]
    secrets: Listed,
    actions: Vec<Entry>,
}

/// Secrets that no schema of the folder can say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// Properties whose values are secret.
    #[serde(default)]
    properties: Vec<String>,
    /// Configuration keys whose values are secret.
    #[serde(default)]
    keys: Vec<String>,
    /// Properties that hold the value of a configuration key.
    #[serde(default, rename = "keyValues")]
    key_values: Vec<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Frames {
    #[default]
    #[serde(rename = "ocpp-j")]
    OcppJ,
    #[serde(rename = "alink")]
    Alink,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    name: String,
    /// The name on the wire, if it is another (Alink).
    #[serde(default)]
    method: Option<String>,
    pub(super) from: Vec<String>,
    /// Never answered (OCPP 2.1's SEND; an Alink message that wants no answer).
    #[serde(default)]
    send: bool,
    /// Its answer holds the time or a decision of the moment, so that a repeated request is answered anew.
    #[serde(default)]
    pub(super) fresh: bool,
    #[serde(default)]
    profile: Option<String>,
    #[serde(default)]
    clause: Option<String>,
}

fn both_sides() -> Vec<String> {
    ["ChargePoint", "CentralSystem"].map(str::to_owned).to_vec()
}

impl Index {
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|source| Error::Json { file: INDEX.to_owned(), source })
    }

    /// Without an index both sides may start every action.
    pub(super) fn without_file<'a>(actions: impl Iterator<Item = &'a str>) -> Self {
        let entry = |name: &str| Entry { name: name.to_owned(), from: both_sides(), ..Entry::NOBODY };
        Self {
            protocol: String::new(),
            version: String::new(),
            subprotocols: Vec::new(),
            roles: both_sides(),
            framing: Frames::OcppJ,
            secrets: Listed::default(),
            actions: actions.map(entry).collect(),
        }
    }

    /// Every action of the folder is listed, and the other way round; roles are known.
    pub(super) fn check(&self, actions: &[&str]) -> Result<(), Error> {
        let wrong = |problem| Err(Error::Folder { file: INDEX.to_owned(), problem });
        for action in actions {
            if !self.actions.iter().any(|entry| entry.name == *action) {
                return wrong(format!(
                    "the action {action} is in the folder and not in the index; say who may start it"
                ));
            }
        }
        for (position, entry) in self.actions.iter().enumerate() {
            if self.actions.iter().take(position).any(|earlier| earlier.name == entry.name) {
                return wrong(format!("the action {} is listed twice", entry.name));
            }
            if !actions.contains(&entry.name.as_str()) {
                return wrong(format!("the action {} has no schemas in the folder", entry.name));
            }
            if entry.method.is_some() && self.framing() != Framing::Alink {
                return wrong(format!("the action {} has a method, which Alink has", entry.name));
            }
            let wire = entry.wire();
            let is_odd = |character: char| character.is_control() || "\"\\/+# ".contains(character);
            if wire.is_empty() || wire.contains(is_odd) {
                return wrong(format!("neither a topic nor a message can carry {wire:?} as a name"));
            }
            if self.actions.iter().take(position).any(|earlier| earlier.wire() == wire) {
                return wrong(format!("two actions are named {wire} on the wire"));
            }
            if entry.send && !matches!(self.framing(), Framing::OcppJ21 | Framing::Alink) {
                return wrong(format!("the action {} is a SEND, which OCPP-J has since version 2.1", entry.name));
            }
            if entry.from.is_empty() {
                return wrong(format!("nobody may start the action {}", entry.name));
            }
            if let Some(role) = entry.from.iter().find(|role| !self.roles.contains(role)) {
                return wrong(format!("{role}, who may start {}, is not one of the roles", entry.name));
            }
        }
        match self.roles.iter().find(|role| crate::names::type_name(role).as_deref() != Some(role.as_str())) {
            Some(role) => wrong(format!("the role {role:?} cannot be the name of a Rust type")),
            None if self.roles.len() != 2 || self.roles.first() == self.roles.get(1) => {
                wrong("a protocol has two different roles".to_owned())
            }
            None => Ok(()),
        }
    }

    /// The entry of an action that [`Index::check`] has seen.
    pub(super) fn action(&self, name: &str) -> &Entry {
        static NOBODY: Entry = Entry::NOBODY;
        self.actions.iter().find(|entry| entry.name == name).unwrap_or(&NOBODY)
    }

    pub(super) fn is_send(&self, name: &str) -> bool {
        self.actions.iter().any(|entry| entry.name == name && entry.send)
    }

    /// The frames of that version; a protocol of one's own has the newest.
    pub(super) fn framing(&self) -> Framing {
        if self.framing == Frames::Alink {
            return Framing::Alink;
        }
        match self.version.as_str() {
            version if version.starts_with("1.") => Framing::OcppJ1,
            version if version.starts_with("2.0") => Framing::OcppJ201,
            _ => Framing::OcppJ21,
        }
    }

    pub(super) fn secrets(&self) -> Secrets {
        let Listed { properties, keys, key_values } = &self.secrets;
        let set = |names: &[String]| names.iter().cloned().collect();
        Secrets { properties: set(properties), keys: set(keys), key_values: set(key_values) }
    }

    pub(super) fn title(&self) -> String {
        format!("{} {}", self.protocol, self.version).trim().to_owned()
    }
}

impl Entry {
    const NOBODY: Self = Self {
        name: String::new(),
        method: None,
        from: Vec::new(),
        send: false,
        fresh: false,
        profile: None,
        clause: None,
    };

    /// The name on the wire.
    pub(super) fn wire(&self) -> &str {
        self.method.as_deref().unwrap_or(&self.name)
    }

    pub(super) fn doc(&self) -> String {
        let details: Vec<String> = [
            self.profile.as_ref().map(|profile| format!("profile {profile}")),
            self.clause.as_ref().map(|clause| format!("see {clause}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        let from = self.from.join(" or ");
        if let Some(method) = &self.method {
            let details = self.profile.iter().chain(&self.clause).map(|detail| format!("; {detail}"));
            return format!("{method}: started by {from}{}.", details.collect::<String>());
        }
        if details.is_empty() {
            format!("Started by {from}.")
        } else {
            format!("Started by {from}; {}.", details.join(", "))
        }
    }
}
