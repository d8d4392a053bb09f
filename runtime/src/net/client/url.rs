//! The address of a server.

use http::Uri;

use super::ConnectError;

/// What a `ws://` or `wss://` URL says.
#[derive(Debug, Clone)]
pub(in crate::net) struct Address {
    uri: Uri,
    host: String,
    host_and_port: String,
    is_tls: bool,
}

impl Address {
    /// A WebSocket's.
    pub(super) fn parse(url: &str) -> Result<Self, ConnectError> {
        Self::of(url, ("ws", 80), ("wss", 443))
    }

    /// One of either scheme, without and with TLS, each with its port.
    pub(in crate::net) fn of(url: &str, plain: (&str, u16), tls: (&str, u16)) -> Result<Self, ConnectError> {
        let bad_url = || ConnectError::BadUrl(without_user(url));
        let uri: Uri = url.parse().map_err(|_| bad_url())?;
        let (is_tls, default_port) = match uri.scheme_str() {
            Some(scheme) if scheme == plain.0 => (false, plain.1),
            Some(scheme) if scheme == tls.0 => (true, tls.1),
            _ => return Err(bad_url()),
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(bad_url());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(bad_url)?.to_owned();
        let host_and_port = format!("{host}:{}", uri.port_u16().unwrap_or(default_port));
        Ok(Self { uri, host, host_and_port, is_tls })
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// As it stands in the URL: an IPv6 address has brackets.
    #[cfg_attr(not(feature = "rustls"), allow(dead_code, reason = "what a certificate must name"))]
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(in crate::net) fn host_and_port(&self) -> &str {
        &self.host_and_port
    }

    pub(in crate::net) fn is_tls(&self) -> bool {
        self.is_tls
    }
}

/// The URL without a password, for errors.
fn without_user(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://***@{rest}"),
        (None, Some((_, rest))) => format!("***@{rest}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_defaults_and_ipv6_has_brackets() {
        for (url, host, host_and_port, is_tls) in [
            ("ws://csms/ocpp/CP1", "csms", "csms:80", false),
            ("wss://csms.example/ocpp/CP%201", "csms.example", "csms.example:443", true),
            ("wss://[::1]:8443/CP1", "[::1]", "[::1]:8443", true),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.host(), address.host_and_port(), address.is_tls()), (host, host_and_port, is_tls));
        }
    }

    #[test]
    fn what_is_no_web_socket_s_address_is_refused() {
        for url in ["http://csms/CP1", "csms/CP1", "/CP1", "ws:///CP1", "", "ws://csms/CP 1"] {
            assert!(matches!(Address::parse(url), Err(ConnectError::BadUrl(_))), "{url}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_shown() {
        for url in
            ["ws://CP1:secret@csms/CP1", "http://CP1:secret@csms/CP1", "CP1:secret@csms", "ws://a:secret@b@csms/ x"]
        {
            let error = Address::parse(url).unwrap_err();
            assert!(!error.to_string().contains("secret") && !format!("{error:?}").contains("secret"), "{error:?}");
        }
    }
}
