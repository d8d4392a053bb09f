//! Every OCPP message, on its way to the message log, the metrics and the live log.

use onwire::net::{Observe, Observed};

/// Sees every message.
#[derive(Debug, Default)]
pub struct Messages {}

impl Observe for Messages {
    fn message(&self, _message: &Observed<'_>) {}
}
