//! URLs for charge points.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

use super::request::{Credentials, Transport};
use super::settings::FileSettings;

/// Why a charge point cannot be told where a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoLocation {
    /// It listens on every address, and each charge point may reach it by another one.
    #[error("the server does not know how charge points reach it: set --public-url")]
    Http,
    /// As [`NoLocation::Http`].
    #[error("the server does not know how charge points reach its FTP: set --ftp-public-host")]
    Ftp,
    /// There is no FTP.
    #[error("FTP is off: set --ftp-listen")]
    FtpIsOff,
}

/// Where charge points find the server's files.
#[derive(Debug)]
pub struct Locations {
    http: Option<String>,
    ftp_host: Option<String>,
    ftp_address: OnceLock<SocketAddr>,
}

impl Locations {
    /// Those of a server that listens at `address`, for `http` or `https`.
    pub fn new(settings: &FileSettings, scheme: &str, address: SocketAddr) -> Self {
        let public = settings.public_url.clone();
        let own = || (!address.ip().is_unspecified()).then(|| format!("{scheme}://{address}"));
        let public_host = public.as_deref().and_then(host);
        Self {
            ftp_host: settings
                .ftp_public_host
                .clone()
                .or_else(|| of_listener(settings.ftp_listen?.ip()))
                .or(public_host),
            http: public.or_else(own),
            ftp_address: OnceLock::new(),
        }
    }

    /// FTP is on, at that address.
    pub fn has_ftp(&self, address: SocketAddr) {
        let _ = self.ftp_address.set(address);
    }

    /// Host of FTP as charge points reach it.
    pub fn ftp_host(&self) -> Option<&str> {
        self.ftp_host.as_deref()
    }

    /// Where a charge point with these credentials finds the file called `name`, or the folder that it is to upload to if
    /// that is empty. It ends with a slash then, because there are charge points that append their file's name as it is.
    ///
    /// # Errors
    /// The server was not told how it is reached from outside, or has no FTP.
    pub fn url(&self, transport: Transport, credentials: &Credentials, name: &str) -> Result<String, NoLocation> {
        let Credentials { id, token, .. } = credentials;
        match transport {
            Transport::Http => {
                let base = self.http.as_deref().ok_or(NoLocation::Http)?;
                Ok(format!("{base}/files/{token}/{name}"))
            }
            Transport::Ftp => {
                let address = self.ftp_address.get().ok_or(NoLocation::FtpIsOff)?;
                let host = self.ftp_host().ok_or(NoLocation::Ftp)?;
                Ok(format!("ftp://{id}:{token}@{host}:{}/{name}", address.port()))
            }
        }
    }

    /// Whether [`Locations::url`] would give one.
    ///
    /// # Errors
    /// Its.
    pub fn check(&self, transport: Transport) -> Result<(), NoLocation> {
        let nobody = Credentials { id: String::new(), token: String::new(), expires_at: 0 };
        self.url(transport, &nobody, "").map(drop)
    }
}

fn of_listener(ip: IpAddr) -> Option<String> {
    match ip {
        _ if ip.is_unspecified() => None,
        IpAddr::V4(ip) => Some(ip.to_string()),
        IpAddr::V6(ip) => Some(format!("[{ip}]")),
    }
}

fn host(url: &str) -> Option<String> {
    url.parse::<http::Uri>().ok()?.host().map(str::to_owned)
}

/// Names that firmware may have: letters, digits, `.`, `_` and `-`, because charge points put URLs together by hand.
pub fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=100).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_plain)
}

/// The last part of the path that a charge point gives its file; empty if there is none. `None`: the path leads
/// elsewhere or holds control characters.
pub fn upload_name(path: &str) -> Option<&str> {
    let mut parts = path.split(['/', '\\']);
    if path.chars().any(char::is_control) || parts.any(|part| part == "..") {
        return None;
    }
    let name = path.rsplit(['/', '\\']).next().unwrap_or("");
    (name.chars().count() <= 255).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        for (path, name) in
            [("", ""), ("a.log", "a.log"), ("/sub//a.log", "a.log"), ("日志.zip", "日志.zip"), ("dir/", "")]
        {
            assert_eq!(upload_name(path), Some(name), "{path}");
        }
        let long = "x".repeat(256);
        for path in ["..", "../a", "a/../b", "..\\a", "a\0", "a\nb", &long] {
            assert_eq!(upload_name(path), None, "{path:?}");
        }
        assert!(is_plain("fw-1.2_3.bin"));
        for name in ["", ".", "..", ".hidden", "a/b", "a b", "a\\b", "ü", &long] {
            assert!(!is_plain(name), "{name:?}");
        }
    }
}
