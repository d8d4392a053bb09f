//! Where the charge points connect to, and from which addresses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result, bail};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_linger, set_tcp_nodelay};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use std::time::Duration;

use super::tls::{Session, Tls};

/// Linux gives out some 28,000 ports for each source address, and those with odd numbers, the second half of them, only
/// after a look at each of the others.
const CONNECTIONS_PER_SOURCE: usize = 14_000;

/// A server, and what charge points tell it when they connect.
#[derive(Clone)]
pub(crate) struct Target {
    address: SocketAddr,
    authority: String,
    path: String,
    identity: String,
    headers: Vec<String>,
    tls: Option<Tls>,
    /// How many charge points other fleets have before those of this one.
    first: usize,
    /// Empty: the system chooses.
    sources: Vec<IpAddr>,
}

impl Target {
    /// `url` is all that comes before an identity, with or without the slash between.
    pub(crate) fn new(url: &str, identity: &str, headers: &[String], sources: &[IpAddr]) -> Result<Self> {
        let (rest, port, is_tls) = match (url.strip_prefix("ws://"), url.strip_prefix("wss://")) {
            (Some(rest), _) => (rest, 80, false),
            (None, Some(rest)) => (rest, 443, true),
            (None, None) => bail!("{url}: neither a ws:// nor a wss:// address"),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:{port}") };
        let address = host.to_socket_addrs().with_context(|| format!("looking up {authority}"))?.next();
        let address = address.with_context(|| format!("{authority} has no address"))?;
        let separator = if path.is_empty() || path.ends_with('/') { "" } else { "/" };
        let mut sources = sources.to_vec();
        if sources.is_empty() && address.ip() == Ipv4Addr::LOCALHOST {
            sources.extend((2..=255).map(|last| IpAddr::from([127, 0, 0, last])));
        }
        Ok(Self {
            address,
            authority: authority.to_owned(),
            path: format!("/{path}{separator}"),
            identity: identity.to_owned(),
            headers: headers.to_vec(),
            tls: is_tls
                .then(|| {
                    Tls::new(host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name.trim_matches(['[', ']'])))
                })
                .transpose()?,
            first: 0,
            sources,
        })
    }

    /// Lets the first charge point be the one with this index, so that fleets of one server, or from the same addresses,
    /// do not get into each other's way.
    pub(crate) fn starting_at(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// The TLS of a new connection, if there is any.
    pub(super) fn begin_tls(&self) -> Result<Option<Session>> {
        self.tls.as_ref().map(Tls::begin).transpose()
    }

    /// Begins to connect charge point `index`; the socket can be written once it is.
    pub(super) fn connect(&self, index: usize) -> Result<OwnedFd> {
        let family = if self.address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, None).context("making a socket")?;
        set_tcp_nodelay(&socket, true)?;
        // An end that is dropped leaves no port behind in TIME_WAIT, of which there would be too many.
        set_socket_linger(&socket, Some(Duration::ZERO))?;
        let source = ((self.first + index) / CONNECTIONS_PER_SOURCE).checked_rem(self.sources.len());
        if let Some(source) = source.and_then(|source| self.sources.get(source)) {
            bind(&socket, &SocketAddr::new(*source, 0)).with_context(|| format!("no port of {source} is left"))?;
        }
        match connect(&socket, &self.address) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(error) => Err(error).context("connecting"),
        }
    }

    /// The request of charge point `index`. A random key is to protect from caches; there are none here.
    pub(super) fn handshake(&self, index: usize) -> Vec<u8> {
        let Self { authority, path, identity, .. } = self;
        let number = self.first + index + 1;
        let mut request = format!(
            "GET {path}{identity}{number} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: b253aXJlLWxvYWQtdGVzdA==\r\n\
             Sec-WebSocket-Protocol: ocpp1.6\r\n"
        );
        for header in &self.headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        request.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn identities_are_put_behind_the_url() {
        for url in ["ws://127.0.0.1:80/ocpp/", "ws://127.0.0.1:80/ocpp", "ws://127.0.0.1/ocpp"] {
            let target = Target::new(url, "CP", &["A: b".into()], &[]).unwrap();
            let request = String::from_utf8(target.handshake(4)).unwrap();
            assert!(request.starts_with("GET /ocpp/CP5 HTTP/1.1\r\nHost: 127.0.0.1"), "{request}");
            assert!(request.ends_with("\r\nA: b\r\n\r\n"), "{request}");
        }
        assert!(Target::new("http://127.0.0.1/", "CP", &[], &[]).is_err());
    }

    #[test]
    fn the_scheme_tells_whether_there_is_tls() {
        for (url, is_tls) in [("ws://127.0.0.1/", false), ("wss://127.0.0.1/", true), ("wss://[::1]:8443/", true)] {
            let target = Target::new(url, "CP", &[], &[]).unwrap();
            assert_eq!(target.begin_tls().unwrap().is_some(), is_tls, "{url}");
        }
    }

    #[test]
    fn fleets_go_on_where_others_end() {
        let target = Target::new("ws://127.0.0.1/", "CP", &[], &[]).unwrap().starting_at(30_000);
        assert!(target.handshake(0).starts_with(b"GET /CP30001 HTTP/1.1"));
    }
}
