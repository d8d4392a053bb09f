//! Flags that concern files.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::config::{Settings, resolve};

const MIB: u64 = 1024 * 1024;

/// Settings of uploads and downloads, with their defaults.
#[derive(Debug, Clone)]
pub struct FileSettings {
    /// Base of URLs for charge points, without a slash at its end.
    pub public_url: Option<String>,
    /// Where to listen for FTP; `None`: nowhere.
    pub ftp_listen: Option<SocketAddr>,
    /// Host of FTP as charge points reach it.
    pub ftp_public_host: Option<String>,
    /// Ports of passive data connections.
    pub ftp_passive_ports: RangeInclusive<u16>,
    /// In bytes.
    pub upload_limit: u64,
    /// In bytes.
    pub firmware_limit: u64,
    /// How long a charge point has, in milliseconds.
    pub request_life: i64,
    /// Key and certificate that sign firmware.
    pub signing: Option<(PathBuf, PathBuf)>,
}

impl FileSettings {
    /// Fills in the defaults.
    ///
    /// # Errors
    /// A value that is none, a key without its certificate.
    pub fn new(settings: &Settings) -> Result<Self> {
        let ports = settings.ftp_passive_ports.as_deref().map(ports).transpose()?;
        let signing = match (&settings.firmware_signing_key, &settings.firmware_signing_certificate) {
            (None, None) => None,
            (Some(key), Some(certificate)) => Some((key.clone(), certificate.clone())),
            _ => anyhow::bail!("--firmware-signing-key and --firmware-signing-certificate go together"),
        };
        Ok(Self {
            public_url: settings.public_url.as_deref().map(base_url).transpose()?,
            ftp_listen: settings.ftp_listen.as_deref().map(resolve).transpose()?,
            ftp_public_host: settings.ftp_public_host.clone(),
            ftp_passive_ports: ports.unwrap_or(49152..=65535),
            upload_limit: u64::from(settings.upload_limit.unwrap_or(100)) * MIB,
            firmware_limit: u64::from(settings.firmware_limit.unwrap_or(256)) * MIB,
            request_life: i64::from(settings.file_request_hours.unwrap_or(24)) * 3_600_000,
            signing,
        })
    }
}

fn base_url(text: &str) -> Result<String> {
    let url: http::Uri = text.parse().with_context(|| format!("{text:?} is no URL"))?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    let has_user = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
    ensure!(is_http && url.query().is_none() && !has_user, "--public-url is like https://HOST or https://HOST/PATH");
    Ok(text.trim_end_matches('/').to_owned())
}

fn ports(text: &str) -> Result<RangeInclusive<u16>> {
    let bounds = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    let (first, last) = bounds.with_context(|| format!("{text:?} is no FIRST-LAST"))?;
    ensure!(0 < first && first <= last, "{text:?} holds no ports");
    Ok(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_none_are_refused() {
        assert_eq!(ports("50000-50009").unwrap(), 50000..=50009);
        for wrong in ["", "50000", "2-1", "0-9", "1-70000"] {
            assert!(ports(wrong).is_err(), "{wrong}");
        }
        assert_eq!(base_url("https://example.org/csms/").unwrap(), "https://example.org/csms");
        for wrong in ["", "example.org", "ftp://example.org", "http://u:p@example.org", "http://example.org/?a"] {
            assert!(base_url(wrong).is_err(), "{wrong}");
        }
        let half = Settings { firmware_signing_key: Some("key".into()), ..Settings::default() };
        assert!(FileSettings::new(&half).is_err());
    }
}
