//! Which parts of messages are secret: what logs mask.

use std::collections::BTreeSet;
use std::sync::OnceLock;

/// The secrets of a protocol, by names on the wire.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    /// Properties whose values are secret.
    pub(crate) properties: BTreeSet<String>,
    /// Configuration keys whose values are secret.
    pub(crate) keys: BTreeSet<String>,
    /// Properties that hold the value of a configuration key.
    pub(crate) key_values: BTreeSet<String>,
}

impl Secrets {
    /// Adds a property if its name says that it is secret: thing models and the official schemas of OCPP 2.x cannot say it
    /// otherwise.
    pub(crate) fn add_if_named_so(&mut self, property: &str) {
        let lower = property.to_ascii_lowercase();
        if lower.ends_with("password") || lower.ends_with("secret") {
            self.properties.insert(property.to_owned());
        }
    }

    /// Adds the system messages' secrets: a connection that carries a thing model carries these messages too.
    pub(crate) fn add_alink_system(&mut self) {
        static SYSTEM: OnceLock<Secrets> = OnceLock::new();
        let read = || {
            let files = onwire_schemas::ALINK.iter().map(|file| (file.name.to_owned(), file.text.to_owned()));
            // Generating the system messages reports the error; here it has no reader.
            crate::ocpp::protocol(&files.collect::<Vec<_>>()).map(|protocol| protocol.secrets).unwrap_or_default()
        };
        let system = SYSTEM.get_or_init(read);
        self.properties.extend(system.properties.iter().cloned());
        self.keys.extend(system.keys.iter().cloned());
        self.key_values.extend(system.key_values.iter().cloned());
    }
}
