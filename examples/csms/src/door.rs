//! What charge points are let in by, beside keys and certificates: paths, subprotocols, sizes.

use anyhow::{Result, ensure};
use onwire::net::ServerConfig;
use onwire::ocpp::v16::DIALECT;

use crate::config::Settings;

/// The largest message, in KiB: a StopTransaction with all its meter values may have more than one MiB.
const MESSAGE_LIMIT: u32 = 2048;

/// Which handshakes and messages are taken.
#[derive(Debug, Clone)]
pub struct Door {
    /// The paths before the identity.
    pub prefixes: Vec<String>,
    /// Whether OCPP 1.6 is spoken with those that offer no subprotocol.
    without_subprotocol: bool,
    /// Whether a page of another site may be a charge point.
    pub admits_browsers: bool,
    /// In KiB.
    message_limit: u32,
    /// Before the upgrade, and for HTTP.
    connections_per_address: usize,
}

impl Door {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let prefixes = settings.ocpp_prefixes.clone().unwrap_or_else(|| vec!["/ocpp/".to_owned()]);
        let are_paths = prefixes.iter().all(|prefix| prefix.starts_with('/'));
        ensure!(!prefixes.is_empty() && are_paths, "--ocpp-prefix is a path, such as /ocpp/");
        let message_limit = settings.message_limit.unwrap_or(MESSAGE_LIMIT);
        ensure!((64..=65_536).contains(&message_limit), "--message-limit is a number from 64 to 65536");
        // A proxy's address is that of all.
        let is_direct = settings.trusted_proxies.as_ref().is_none_or(Vec::is_empty);
        let connections_per_address = settings.connections_per_address.unwrap_or(if is_direct { 512 } else { 1024 });
        Ok(Self {
            prefixes,
            without_subprotocol: settings.without_subprotocol.unwrap_or(false),
            admits_browsers: settings.admit_browsers.unwrap_or(false),
            message_limit,
            connections_per_address: connections_per_address.try_into()?,
        })
    }

    /// What the server is told of it.
    pub(crate) fn set(&self, server: &mut ServerConfig) {
        server.handshake.prefixes.clone_from(&self.prefixes);
        server.handshake.without_subprotocol = self.without_subprotocol.then_some(&DIALECT);
        server.max_handshakes_per_address = self.connections_per_address;
        server.max_http_connections_per_address = self.connections_per_address;
        server.max_message = usize::try_from(self.message_limit).unwrap_or(usize::MAX).saturating_mul(1024);
    }

    /// Where the identity stands behind, in the URL that is told.
    pub(crate) fn prefix(&self) -> &str {
        self.prefixes.first().map_or("/", String::as_str)
    }
}
