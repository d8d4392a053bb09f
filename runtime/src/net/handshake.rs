//! The server's side of the opening handshake: identity, subprotocol, the answer (OCPP-J 1.6 §3).

use std::net::SocketAddr;
use std::time::Duration;

use async_tungstenite::tungstenite::handshake::derive_accept_key;
use http::header::{
    ALLOW, CONNECTION, HeaderMap, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use http::{Method, Response, StatusCode, Version};
use percent_encoding::percent_decode_str;

use super::Denied;
use super::clock::Clock;
use super::peers::Info;
use crate::Dialect;

/// An opening handshake that may be completed: send [`Handshake::response`], then serve the upgraded stream.
#[derive(Debug, Clone)]
pub struct Handshake {
    identity: String,
    /// What the client offered, and is answered with, and what it stands for; `None` if nothing on offer is spoken here.
    agreed: Option<(Option<HeaderValue>, &'static Dialect)>,
    accept: String,
    remote: Option<SocketAddr>,
}

/// A request that is no handshake of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Another path than a prefix and an identity. 404.
    #[error("not the address of a charge point: its path ends with the identity, as in /ocpp/CP1")]
    UnknownPath,
    /// The identity is empty, no UTF-8, or has a control character. 404.
    #[error("the identity in the path is not usable")]
    BadIdentity,
    /// Not a WebSocket request. 426.
    #[error("this address speaks WebSocket")]
    NotAWebSocket,
    /// A WebSocket request that breaks RFC 6455. 400.
    #[error("broken WebSocket handshake: {0}")]
    Broken(&'static str),
    /// No subprotocol in common, and the server is told to refuse that. 400.
    #[error("no subprotocol in common")]
    NoSubprotocol,
    /// The client may not connect. 401, 403, 404, 429 or 503.
    #[error("{0}")]
    Denied(#[from] Denied),
    /// Connections of this identity replace each other; it may come back after that time. 429.
    #[error("too many connections of one identity")]
    HeldBack(Duration),
}

/// Characters of what a stranger sends that go into a log.
const LOGGED: usize = 200;

/// What subprotocols are agreed on.
pub(super) struct Agreement<'a, D> {
    /// What a subprotocol stands for.
    pub(super) dialect: D,
    /// What is spoken with a client that offers none.
    pub(super) without: Option<&'static Dialect>,
    pub(super) settings: &'a HandshakeSettings,
}

/// How a server reads opening handshakes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HandshakeSettings {
    /// The paths before the identity; `/` is for identities alone, and takes requests for a WebSocket only. Slashes that are
    /// doubled, or behind the identity, are overlooked. Default `/ocpp/`.
    pub prefixes: Vec<String>,
    /// What is spoken with a client that offers no subprotocol at all, as some chargers do; `None` closes its connection
    /// (OCPP-J 1.6 §3.2), unless the server speaks a protocol that has no subprotocol. Default `None`.
    pub without_subprotocol: Option<&'static Dialect>,
    /// Answer with 400 when there is no subprotocol in common, instead of the upgrade and a Close, which the
    /// specification asks for. Default `false`.
    pub refuse_unknown_subprotocols: bool,
}

impl Default for HandshakeSettings {
    fn default() -> Self {
        Self { prefixes: vec!["/ocpp/".to_owned()], without_subprotocol: None, refuse_unknown_subprotocols: false }
    }
}

impl Handshake {
    /// Reads a request's head.
    ///
    /// # Errors
    /// [`Refusal`], to be answered with [`Refusal::response`].
    pub(super) fn read(
        head: &http::request::Parts,
        agreement: &Agreement<'_, impl Fn(&str) -> Option<&'static Dialect>>,
    ) -> Result<Self, Refusal> {
        let settings = agreement.settings;
        let identity = identity(head.uri.path(), &settings.prefixes)?;
        if !wants_websocket(&head.headers) || !has_token(&head.headers, &CONNECTION, "upgrade") {
            return Err(Refusal::NotAWebSocket);
        }
        if head.version < Version::HTTP_11 {
            return Err(Refusal::Broken("HTTP/1.0 knows no upgrade"));
        }
        if head.method != Method::GET {
            return Err(Refusal::Broken("the method is not GET"));
        }
        if head.headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(Refusal::Broken("Sec-WebSocket-Version is not 13"));
        }
        let key = head.headers.get(SEC_WEBSOCKET_KEY).ok_or(Refusal::Broken("Sec-WebSocket-Key is missing"))?;
        let accept = derive_accept_key(key.as_bytes());
        let agreed = match agreed(&head.headers, &agreement.dialect) {
            Some((name, dialect)) => Some((Some(name), dialect)),
            None if head.headers.contains_key(SEC_WEBSOCKET_PROTOCOL) => None,
            None => settings.without_subprotocol.or(agreement.without).map(|dialect| (None, dialect)),
        };
        if agreed.is_none() && settings.refuse_unknown_subprotocols {
            return Err(Refusal::NoSubprotocol);
        }
        Ok(Self { identity, agreed, accept, remote: None })
    }

    /// What a connection needs of it: identity, version, and what the directory of peers shows.
    pub(super) fn into_parts(self, clock: Clock) -> (Box<str>, Option<&'static Dialect>, Info) {
        let (dialect, spelling) = (self.dialect(), self.spelling());
        (self.identity.into(), dialect, Info::new(self.remote, spelling, clock))
    }

    /// Which of its version's subprotocols the client offered.
    fn spelling(&self) -> Option<u8> {
        let (offered, dialect) = self.agreed.as_ref()?;
        let offered = offered.as_ref()?;
        let place = dialect.subprotocols.iter().position(|subprotocol| offered == subprotocol)?;
        u8::try_from(place).ok()
    }

    pub(super) fn with_remote(self, remote: Option<SocketAddr>) -> Self {
        Self { remote, ..self }
    }

    /// Who connects: the last part of the path, percent-decoded.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The protocol version that client and server have in common. If there is none, the handshake is completed all the
    /// same, and the connection closed at once (OCPP-J 1.6 §3.2).
    pub fn dialect(&self) -> Option<&'static Dialect> {
        self.agreed.as_ref().map(|(_, dialect)| *dialect)
    }

    /// The response that completes the handshake.
    pub fn response(&self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        if let Ok(accept) = HeaderValue::from_str(&self.accept) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some((Some(subprotocol), _)) = &self.agreed {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, subprotocol.clone());
        }
        response
    }
}

impl Refusal {
    /// The response that refuses; its body is the error's text.
    pub fn response(&self) -> Response<String> {
        let mut response = Response::new(format!("{self}\n"));
        let headers = response.headers_mut();
        let status = match self {
            Self::UnknownPath | Self::BadIdentity => StatusCode::NOT_FOUND,
            Self::NotAWebSocket => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
                StatusCode::UPGRADE_REQUIRED
            }
            Self::NoSubprotocol => StatusCode::BAD_REQUEST,
            Self::Denied(Denied::UnknownIdentity) => StatusCode::NOT_FOUND,
            Self::Denied(Denied::BadCredentials) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"OCPP\""));
                StatusCode::UNAUTHORIZED
            }
            Self::Denied(Denied::Forbidden) => StatusCode::FORBIDDEN,
            Self::Denied(Denied::Unavailable(wait)) => {
                headers.insert(RETRY_AFTER, seconds(*wait));
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::HeldBack(wait) | Self::Denied(Denied::TooManyAttempts(wait)) => {
                headers.insert(RETRY_AFTER, seconds(*wait));
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Broken(_) => {
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
                headers.insert(ALLOW, HeaderValue::from_static("GET"));
                StatusCode::BAD_REQUEST
            }
        };
        *response.status_mut() = status;
        response
    }
}

/// Whole seconds, at least one.
fn seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs() + 1)
}

/// The identity is percent-encoded in the path, and may hold an encoded slash (OCPP-J 1.6 §3.1.1), so that the path is judged
/// as it was sent.
fn identity(path: &str, prefixes: &[String]) -> Result<String, Refusal> {
    let mut refusal = Refusal::UnknownPath;
    for prefix in prefixes {
        let Some(mut rest) = below(path, prefix) else { continue };
        let Some(encoded) = rest.next() else {
            refusal = Refusal::BadIdentity;
            continue;
        };
        if rest.next().is_some() {
            continue;
        }
        let identity = percent_decode_str(encoded).decode_utf8().map_err(|_| Refusal::BadIdentity)?;
        if identity.contains(char::is_control) {
            return Err(Refusal::BadIdentity);
        }
        return Ok(identity.into_owned());
    }
    Err(refusal)
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// What follows the prefix in the path.
fn below<'p>(path: &'p str, prefix: &str) -> Option<impl Iterator<Item = &'p str>> {
    let mut rest = segments(path);
    segments(prefix).all(|segment| rest.next() == Some(segment)).then_some(rest)
}

/// Whether a request is a charge point's, right or wrong, and not one for whatever else is served on the port.
pub(super) fn is_for_charge_points(head: &http::uri::Uri, wants_websocket: bool, prefixes: &[String]) -> bool {
    let path = head.path();
    prefixes.iter().any(|prefix| {
        let is_root = segments(prefix).next().is_none();
        below(path, prefix).is_some_and(|rest| if is_root { wants_websocket && rest.count() == 1 } else { true })
    })
}

/// Whether a request asks for a WebSocket.
pub(super) fn wants_websocket(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
}

/// The subprotocols that a client offers, for a log.
pub(super) fn offered(headers: &HeaderMap) -> String {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let offers = offers.collect::<Vec<_>>().join(", ");
    offers.chars().take(LOGGED).collect()
}

/// A path, for a log.
pub(super) fn logged(path: &str) -> &str {
    path.char_indices().nth(LOGGED).and_then(|(end, _)| path.get(..end)).unwrap_or(path)
}

/// The first offer that is spoken here, as it was offered.
fn agreed(
    headers: &HeaderMap,
    dialect: &impl Fn(&str) -> Option<&'static Dialect>,
) -> Option<(HeaderValue, &'static Dialect)> {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let mut offers = offers.flat_map(|value| value.split(',')).map(str::trim);
    offers.find_map(|offer| Some((HeaderValue::from_str(offer).ok()?, dialect(offer)?)))
}

fn has_token(headers: &HeaderMap, name: &http::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v16(offer: &str) -> Option<&'static Dialect> {
        let dialect = &crate::ocpp::v16::DIALECT;
        dialect.subprotocols.contains(&offer).then_some(dialect)
    }

    fn read(path: &str, protocols: &[&str]) -> Result<Handshake, Refusal> {
        let mut request = http::Request::get(path)
            .header(UPGRADE, "WebSocket")
            .header(CONNECTION, "keep-alive, Upgrade")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==");
        for protocol in protocols {
            request = request.header(SEC_WEBSOCKET_PROTOCOL, *protocol);
        }
        let settings = HandshakeSettings::default();
        Handshake::read(
            &request.body(()).unwrap().into_parts().0,
            &Agreement { dialect: v16, without: None, settings: &settings },
        )
    }

    fn echoed(protocols: &[&str]) -> Option<String> {
        let response = read("/ocpp/CP1", protocols).unwrap().response();
        response.headers().get(SEC_WEBSOCKET_PROTOCOL).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_identity_is_percent_decoded() {
        assert_eq!(read("/ocpp/RDAM%20123", &[]).unwrap().identity(), "RDAM 123");
        assert_eq!(read("/ocpp/a%2Fb?x=1", &[]).unwrap().identity(), "a/b");
        assert_eq!(read("/ocpp/%E5%85%85", &[]).unwrap().identity(), "充");
        for path in ["/ocpp//CP1", "/ocpp/CP1/", "//ocpp//CP1//"] {
            assert_eq!(read(path, &[]).unwrap().identity(), "CP1", "{path}");
        }
        assert_eq!(read("/ocpp/%2FCP1%2F/", &[]).unwrap().identity(), "/CP1/");
        for path in ["/ocpp/", "/ocpp//", "/ocpp/%ff", "/ocpp/a%00"] {
            assert_eq!(read(path, &[]).unwrap_err(), Refusal::BadIdentity, "{path}");
        }
        for path in ["/", "/CP1", "/ocpp/a/b"] {
            assert_eq!(read(path, &[]).unwrap_err(), Refusal::UnknownPath, "{path}");
        }
    }

    #[test]
    fn there_may_be_several_prefixes_and_none() {
        let prefixes = ["/steve/websocket/CentralSystemService".to_owned(), "/".to_owned()];
        for path in ["/steve/websocket/CentralSystemService/CP1", "/CP1", "//CP1/"] {
            assert_eq!(identity(path, &prefixes).as_deref(), Ok("CP1"), "{path}");
        }
        for path in ["/a/CP1", "/steve/websocket/CP1"] {
            assert_eq!(identity(path, &prefixes), Err(Refusal::UnknownPath), "{path}");
        }
        let is_ours = |path: &str, websocket| is_for_charge_points(&path.parse().unwrap(), websocket, &prefixes);
        assert!(is_ours("/CP1", true) && !is_ours("/web", false) && !is_ours("/web/live", true));
        assert!(is_ours("/steve/websocket/CentralSystemService/a/b", false));
    }

    #[test]
    fn the_first_offer_that_is_spoken_here_is_echoed() {
        assert_eq!(echoed(&["ocpp1.6"]).as_deref(), Some("ocpp1.6"));
        assert_eq!(echoed(&["ocpp2.0.1, ocpp1.6.0", "ocpp1.6"]).as_deref(), Some("ocpp1.6.0"));
        assert_eq!(echoed(&["ocpp0.1"]), None);
        assert_eq!(echoed(&[]), None);
    }

    #[test]
    fn the_accept_key_is_that_of_the_rfc() {
        let response = read("/ocpp/CP1", &[]).unwrap().response();
        assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_no_handshake_is_refused_with_a_status() {
        let head = |request: http::request::Builder| request.body(()).unwrap().into_parts().0;
        let settings = HandshakeSettings::default();
        let agreement = Agreement { dialect: v16, without: None, settings: &settings };
        let refused = |head| Handshake::read(&head, &agreement).unwrap_err();
        let plain = refused(head(http::Request::get("/ocpp/CP1")));
        assert_eq!((plain, plain.response().status()), (Refusal::NotAWebSocket, StatusCode::UPGRADE_REQUIRED));
        let keyless = refused(head(
            http::Request::get("/ocpp/CP1")
                .header(UPGRADE, "websocket")
                .header(CONNECTION, "upgrade")
                .header(SEC_WEBSOCKET_VERSION, "13"),
        ));
        assert_eq!(keyless.response().status(), StatusCode::BAD_REQUEST);
        let old = refused(head(
            http::Request::get("/ocpp/CP1")
                .version(Version::HTTP_10)
                .header(UPGRADE, "websocket")
                .header(CONNECTION, "upgrade")
                .header(SEC_WEBSOCKET_VERSION, "13")
                .header(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ));
        assert_eq!(old, Refusal::Broken("HTTP/1.0 knows no upgrade"));
        assert_eq!(Refusal::UnknownPath.response().status(), StatusCode::NOT_FOUND);
    }
}
