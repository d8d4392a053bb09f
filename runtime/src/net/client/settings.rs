//! How a client connects.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use http::HeaderValue;

use super::ConnectError;
use super::url::Address;
use crate::net::{KeepAlive, Observe};
use crate::session::Config;

/// What [`ClientBuilder`](super::ClientBuilder) was told, checked.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) address: Address,
    pub(super) config: Config,
    pub(super) keep_alive: KeepAlive,
    /// The header `Authorization`; marked as sensitive, so that it is not printed.
    pub(super) authorization: Option<HeaderValue>,
    #[cfg(feature = "rustls")]
    pub(super) tls: Option<crate::net::ClientTls>,
    pub(super) connect_timeout: Duration,
    pub(super) observe: Option<Arc<dyn Observe>>,
}

/// Whom to trust.
#[cfg(feature = "rustls")]
pub(in crate::net) type Tls = crate::net::ClientTls;
/// There is no TLS.
#[cfg(not(feature = "rustls"))]
pub(in crate::net) type Tls = std::convert::Infallible;

impl Settings {
    pub(super) fn tls(&self) -> Option<&Tls> {
        #[cfg(feature = "rustls")]
        return self.tls.as_ref();
        #[cfg(not(feature = "rustls"))]
        None
    }
}

/// HTTP Basic credentials: the password is bytes, which need not be text (OCPP-J 1.6 §6.2.2).
pub(super) fn authorization(identity: &str, password: &[u8]) -> Result<HeaderValue, ConnectError> {
    if identity.contains(':') {
        return Err(ConnectError::BadIdentity);
    }
    let encoded = BASE64.encode(&[identity.as_bytes(), b":", password].concat());
    let header = HeaderValue::try_from(format!("Basic {encoded}"));
    // Base64 is always a header's value.
    let mut header = header.map_err(|_| ConnectError::BadIdentity)?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specification_s_example_is_written_and_not_printed() {
        let key: Vec<u8> = (0..8).chain([0xff; 12]).collect();
        let header = authorization("AL1000", &key).unwrap();
        assert_eq!(header, "Basic QUwxMDAwOgABAgMEBQYH////////////////");
        assert!(!format!("{header:?}").contains("QUwx"));
    }

    #[test]
    fn an_identity_with_a_colon_is_refused() {
        assert!(matches!(authorization("a:b", b"c"), Err(ConnectError::BadIdentity)));
    }
}
