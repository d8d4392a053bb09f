//! Who may connect, decided before the upgrade is answered.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use data_encoding::BASE64;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::KeepAlive;
use crate::Dialect;

/// Where a request comes from, as the transport knows it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Origin {
    /// The other end's address.
    pub remote: Option<SocketAddr>,
    /// The certificate that the client authenticated itself with, in DER; its chain has been checked.
    pub certificate: Option<Vec<u8>>,
    /// Whether the connection is encrypted up to this server ([`Transport::IS_ENCRYPTED`](super::Transport::IS_ENCRYPTED)).
    pub is_encrypted: bool,
}

/// Who wants to connect.
#[derive(Clone)]
#[non_exhaustive]
pub struct Login {
    /// The identity of the URL, percent-decoded.
    pub identity: String,
    /// The password of HTTP Basic authentication: raw bytes, which need not be text (OCPP-J 1.6 §6.2.2). The user name
    /// has been compared with the identity already. `None` if the client sent no credentials.
    pub password: Option<Vec<u8>>,
    /// The version that will be spoken; `None` if there is none in common.
    pub dialect: Option<&'static Dialect>,
    /// Where the request comes from.
    pub origin: Origin,
    /// The request's headers, for what a proxy says of the client, or a browser of the page that asks. `Authorization` is
    /// among them as it was sent.
    pub headers: HeaderMap,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("identity", &self.identity)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Why somebody may not connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// Nobody has that identity. 404 (OCPP-J 1.6 errata §3.3).
    #[error("unknown identity")]
    UnknownIdentity,
    /// The password is missing or wrong. 401 (security whitepaper §2.3).
    #[error("bad credentials")]
    BadCredentials,
    /// Known, and not allowed to connect; also with these credentials. 403.
    #[error("not allowed")]
    Forbidden,
    /// It cannot be decided now; the client should come back after that time. 503.
    #[error("not now")]
    Unavailable(Duration),
    /// It has failed too often, or somebody from its address has; it may try again after that time. 429.
    #[error("too many attempts")]
    TooManyAttempts(Duration),
}

/// Decides who may connect; it may ask a database. Implemented for async functions and closures:
///
/// ```
/// use onwire::net::{Denied, Login};
///
/// async fn authenticate(login: Login) -> Result<(), Denied> {
///     match (login.identity.as_str(), login.password.as_deref()) {
///         ("CP1", Some(b"a secret of 16 bytes")) => Ok(()),
///         ("CP1", _) => Err(Denied::BadCredentials),
///         _ => Err(Denied::UnknownIdentity),
///     }
/// }
/// # async fn run() -> std::io::Result<()> {
/// let server = onwire::net::Server::bind("127.0.0.1:0").await?.authenticate(authenticate);
/// # Ok(())
/// # }
/// ```
pub trait Authenticate: Send + Sync + 'static {
    /// Whether this client may connect.
    ///
    /// # Errors
    /// [`Denied`], which the client is answered with.
    fn authenticate(&self, login: Login) -> impl Future<Output = Result<(), Denied>> + Send;

    /// How it is found out that the link of a client is dead that was let in; `None`: as the server's settings say.
    fn keep_alive(&self, _identity: &str) -> Option<KeepAlive> {
        None
    }
}

impl<F, O> Authenticate for F
where
    F: Fn(Login) -> O + Send + Sync + 'static,
    O: Future<Output = Result<(), Denied>> + Send,
{
    fn authenticate(&self, login: Login) -> impl Future<Output = Result<(), Denied>> + Send {
        self(login)
    }
}

/// Lets everybody in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Everybody;

impl Authenticate for Everybody {
    async fn authenticate(&self, _: Login) -> Result<(), Denied> {
        Ok(())
    }
}

/// The password of a request's Basic credentials, whose user name must be the identity.
///
/// # Errors
/// [`Denied::BadCredentials`] for credentials that cannot be read, or are somebody else's.
pub(super) fn password(headers: &HeaderMap, identity: &str) -> Result<Option<Vec<u8>>, Denied> {
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let (scheme, encoded) = header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Denied::BadCredentials)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Denied::BadCredentials);
    }
    let decoded = BASE64.decode(encoded.trim().as_bytes()).map_err(|_| Denied::BadCredentials)?;
    // Not the first colon: an identity with one of its own is still told apart from the password.
    let password = decoded.strip_prefix(identity.as_bytes()).and_then(|rest| rest.strip_prefix(b":"));
    password.map(|password| Some(password.to_vec())).ok_or(Denied::BadCredentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(authorization: &str, identity: &str) -> Result<Option<Vec<u8>>, Denied> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization.parse().unwrap());
        password(&headers, identity)
    }

    #[test]
    fn the_specification_s_example_is_read() {
        // OCPP-J 1.6 §6.2.2: a password that is no text.
        let key = [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07].into_iter().chain([0xff; 12]).collect();
        assert_eq!(read("Basic QUwxMDAwOgABAgMEBQYH////////////////", "AL1000"), Ok(Some(key)));
    }

    #[test]
    fn passwords_may_hold_colons_and_identities_too() {
        let encoded = format!("basic {}", BASE64.encode(b"a:b:c:d"));
        assert_eq!(read(&encoded, "a"), Ok(Some(b"b:c:d".to_vec())));
        assert_eq!(read(&encoded, "a:b"), Ok(Some(b"c:d".to_vec())));
    }

    #[test]
    fn credentials_of_somebody_else_or_none_are_told_apart() {
        assert_eq!(password(&HeaderMap::new(), "CP1"), Ok(None));
        for bad in ["Basic", "Bearer abc", "Basic ***", &format!("Basic {}", BASE64.encode(b"CP2:x"))] {
            assert_eq!(read(bad, "CP1"), Err(Denied::BadCredentials), "{bad}");
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let login = Login {
            identity: "CP1".into(),
            password: Some(b"secret".to_vec()),
            dialect: None,
            origin: Origin::default(),
            headers: HeaderMap::new(),
        };
        assert!(!format!("{login:?}").contains("secret") && !format!("{login:?}").contains("115"), "{login:?}");
    }
}
