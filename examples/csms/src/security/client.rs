//! Who is at the other end: the address, whether the way is encrypted, the certificate. Behind a proxy the proxy says so, if
//! it is one that is trusted; everybody else's headers are not looked at.

use std::net::IpAddr;

use anyhow::Result;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use onwire::net::Origin;

use super::certificates::{self, Chains};

/// The other end of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub address: Option<IpAddr>,
    /// Whether the way from it to here, or to the proxy, is encrypted.
    pub is_encrypted: bool,
    /// Its certificate in DER; it goes back to an authority that is trusted.
    pub certificate: Option<Vec<u8>>,
    /// Whether it came by way of a proxy.
    pub is_proxied: bool,
}

/// The proxies that are believed, and in what.
#[derive(Debug, Default)]
pub struct Proxies {
    /// Their addresses.
    pub trusted: Vec<IpNet>,
    /// The header with the client's certificate; `None`: none is believed.
    pub certificate_header: Option<HeaderName>,
}

impl Proxies {
    /// Whether that is the address of a proxy that is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// Who is at the other end.
    ///
    /// # Errors
    /// A proxy passes a certificate that is not good.
    pub fn client(&self, origin: &Origin, headers: &HeaderMap, chains: Option<&Chains>) -> Result<Client> {
        let address = origin.remote.map(|remote| remote.ip().to_canonical());
        if !address.is_some_and(|address| self.trusts(address)) {
            let certificate = origin.certificate.clone();
            return Ok(Client { address, is_encrypted: origin.is_encrypted, certificate, is_proxied: false });
        }
        let is_encrypted = last(headers, "x-forwarded-proto").is_some_and(|scheme| matches!(scheme, "https" | "wss"));
        let certificate = match &self.certificate_header {
            // Without encryption there is nothing that a certificate could have been shown in.
            Some(name) if is_encrypted => self.certificate(name, headers, chains)?,
            _ => None,
        };
        let address = forwarded_for(headers, |address| self.trusts(address)).or(address);
        Ok(Client { address, is_encrypted, certificate, is_proxied: true })
    }

    fn certificate(&self, name: &HeaderName, headers: &HeaderMap, chains: Option<&Chains>) -> Result<Option<Vec<u8>>> {
        let mut values = headers.get_all(name).iter().filter(|value| !value.is_empty());
        let Some(value) = values.next() else { return Ok(None) };
        anyhow::ensure!(values.next().is_none(), "there is more than one {name} header");
        let mut passed = certificates::from_header(value.as_bytes())?;
        if name == "client-cert" {
            for value in headers.get_all("client-cert-chain") {
                passed.extend(certificates::from_chain_header(value.as_bytes())?);
            }
        }
        // Checked here too: some proxies ask for a certificate and leave it to others to judge it.
        let chains = chains.ok_or_else(|| anyhow::anyhow!("no authority is trusted"))?;
        chains.check(&passed)?;
        Ok(passed.first().map(|certificate| certificate.to_vec()))
    }
}

/// The last address that no trusted proxy has: each proxy adds the one that it sees to the end, and what stands before may
/// be anybody's invention.
fn forwarded_for(headers: &HeaderMap, is_proxy: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let values: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or("")).collect();
    let mut nearest = None;
    for text in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        let Some(address) = address(text.trim()) else { break };
        nearest = Some(address);
        if !is_proxy(address) {
            break;
        }
    }
    nearest
}

/// An address, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok().or_else(|| Some(text.parse::<std::net::SocketAddr>().ok()?.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(remote: &str, headers: &[(&'static str, &str)]) -> Client {
        let proxies = Proxies {
            trusted: vec!["192.0.2.0/24".parse().unwrap()],
            certificate_header: Some(HeaderName::from_static("x-client-cert")),
        };
        let mut origin = Origin::default();
        origin.remote = Some(format!("{remote}:1").parse().unwrap());
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        proxies.client(&origin, &headers.collect(), None).unwrap()
    }

    fn address(remote: &str, forwarded: &[&str]) -> String {
        let headers: Vec<_> = forwarded.iter().map(|value| ("x-forwarded-for", *value)).collect();
        client(remote, &headers).address.unwrap().to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let headers = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https"), ("x-client-cert", "xyz")];
        let stranger = client("198.51.100.1", &headers);
        assert_eq!(stranger.address.unwrap().to_string(), "198.51.100.1");
        assert!(!stranger.is_encrypted && !stranger.is_proxied && stranger.certificate.is_none());
        let proxied = client("192.0.2.1", &headers[..2]);
        assert_eq!(proxied.address.unwrap().to_string(), "203.0.113.9");
        assert!(proxied.is_encrypted && proxied.is_proxied);
    }

    #[test]
    fn the_nearest_address_that_is_no_proxy_s_counts() {
        assert_eq!(address("192.0.2.1", &["10.0.0.1, 203.0.113.9, 192.0.2.7"]), "203.0.113.9");
        assert_eq!(address("192.0.2.1", &["10.0.0.1", "203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(address("192.0.2.1", &["203.0.113.9, nonsense"]), "192.0.2.1");
        assert_eq!(address("192.0.2.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(address("192.0.2.1", &[]), "192.0.2.1");
    }
}
