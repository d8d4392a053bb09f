//! The values that labels of metrics may have: sets that a peer cannot make larger.

use onwire::net::{Denied, Direction, Refusal};
use onwire::ocpp::j::listed_1_6;
use onwire::ocpp::v16::ACTIONS;
use onwire::{ActionEntry, ErrorCode};
use prometheus_client::encoding::EncodeLabelSet;

/// Of an OCPP call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Call {
    /// Which way the CALL went, as seen from here.
    pub direction: &'static str,
    /// Its action; `other` if it is none of OCPP 1.6.
    pub action: &'static str,
}

/// Of the answer to a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answer {
    /// Which way the CALL went.
    pub direction: &'static str,
    /// The CALL's action.
    pub action: &'static str,
    /// `result`, or the error code.
    pub outcome: &'static str,
}

/// Of a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Refused {
    /// Why.
    pub reason: &'static str,
}

/// Of an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    /// `GET`, ..
    pub method: &'static str,
    /// Template of the route; `other` if there is none.
    pub route: String,
    /// Of the answer.
    pub status: u16,
}

/// Of an HTTP route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Route {
    /// Its template.
    pub route: String,
}

/// As seen from here.
pub fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Received => "received",
        Direction::Sent => "sent",
    }
}

/// An action that OCPP 1.6 has, or `other`.
pub fn action(name: &str) -> &'static str {
    ActionEntry::find(ACTIONS, name).map_or("other", |entry| entry.name)
}

/// An error code that OCPP has, as 1.6 spells it, or `other`.
pub fn error(code: &ErrorCode) -> &'static str {
    listed_1_6(code).unwrap_or("other")
}

/// Why a handshake was refused.
pub fn refusal(refusal: &Refusal) -> Refused {
    let reason = match refusal {
        Refusal::UnknownPath => "unknownPath",
        Refusal::BadIdentity => "badIdentity",
        Refusal::NotAWebSocket => "notAWebSocket",
        Refusal::Broken(_) => "broken",
        Refusal::NoSubprotocol => "noSubprotocol",
        Refusal::Denied(Denied::UnknownIdentity) => "unknownIdentity",
        Refusal::Denied(Denied::BadCredentials) => "badCredentials",
        Refusal::Denied(Denied::Forbidden) => "forbidden",
        Refusal::Denied(Denied::Unavailable(_)) => "unavailable",
        Refusal::Denied(Denied::TooManyAttempts(_)) => "tooManyAttempts",
        Refusal::HeldBack(_) => "heldBack",
        _ => "other",
    };
    Refused { reason }
}

/// A method that HTTP has, or `other`.
pub fn method(method: &http::Method) -> &'static str {
    const KNOWN: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_make_labels() {
        assert_eq!((action("Heartbeat"), action("MakeCoffee")), ("Heartbeat", "other"));
        assert_eq!(error(&ErrorCode::Other("Coffee".into())), "other");
        let code = ErrorCode::NotSupported;
        assert_eq!(error(&code), onwire::CallError::from(code).to_string());
        assert_eq!((method(&http::Method::PUT), method(&http::Method::from_bytes(b"BREW").unwrap())), ("PUT", "other"));
    }
}
