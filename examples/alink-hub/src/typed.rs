//! Typed handlers for a model that is compiled in: what a user adds to a hub of their own.
//!
//! The hub has judged, kept and answered the message already, by the model's file; here is what it is to lead to. A product
//! whose key is `socket` gets these handlers, if its file is that of `schemas/thing/socket.json`.

use onwire::Peer;

use crate::link::names;
use crate::mqtt::Untyped;

// The smart socket, from `schemas/thing/socket.json`.
onwire::include_protocol!(pub mod socket);

use self::socket::*;

/// The product that these handlers are for.
const PRODUCT: &str = "socket";

/// What sockets are looked after for.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// Answers everything, by the models that were read at start.
    pub(crate) untyped: Untyped,
}

#[onwire::handlers(socket, role = Platform, rest = self.untyped)]
impl Sockets {
    /// A socket that carries too much is switched off, whatever else is wrong with it.
    #[after(Overload)]
    async fn overload(&self, peer: &Peer, overload: OverloadOutput) {
        if names(peer.identity()).1 != PRODUCT {
            return;
        }
        let off = Properties { power_switch: Some(false), ..Properties::default() };
        match peer.call(PropertySetRequest::from(off)).await {
            Ok(_) => tracing::warn!(device = peer.identity(), power = %overload.power, "overload: switched off"),
            Err(error) => tracing::error!(device = peer.identity(), %error, "overload, and it cannot be switched off"),
        }
    }
}
