//! The server's own certificates, and whose certificates of charge points are trusted; read again when the process gets
//! SIGHUP.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use onwire::net::Certificates;
#[cfg(feature = "openssl")]
pub use onwire::net::OpenSsl as Library;
#[cfg(not(feature = "openssl"))]
pub use onwire::net::Rustls as Library;

use crate::app::SharedApp;
use crate::config::Config;

/// Whose certificates of charge points are trusted, in PEM: those that were set, and the authority that signs here.
///
/// # Errors
/// A file that cannot be read.
pub fn client_authorities(config: &Config) -> Result<Option<Vec<u8>>> {
    let own = config.ca.as_ref().map(|folder| folder.join("ca.pem"));
    let mut pem = Vec::new();
    for path in config.tls_client_ca.iter().chain(&own) {
        pem.extend(read(path)?);
        pem.push(b'\n');
    }
    Ok(if pem.is_empty() { None } else { Some(pem) })
}

/// What the settings name.
///
/// # Errors
/// A file that cannot be read; a certificate without a key.
pub fn certificates(config: &Config) -> Result<Certificates> {
    let (chains, keys) = (&config.tls_certificates, &config.tls_keys);
    ensure!(!chains.is_empty(), "--tls-listen needs --tls-certificate and --tls-key (csms make-ca makes some to try)");
    ensure!(chains.len() == keys.len(), "each --tls-certificate needs its --tls-key, in the same order");
    ensure!(chains.len() <= 2, "there may be two certificates, one of each kind (ECDSA and RSA)");
    let mut pairs = chains.iter().zip(keys).map(|(chain, key)| Ok::<_, anyhow::Error>((read(chain)?, read(key)?)));
    let (chain, key) = pairs.next().context("there is no certificate")??;
    let mut certificates = Certificates::from_pem(chain, key);
    if let Some(second) = pairs.next() {
        let (chain, key) = second?;
        certificates = certificates.and(chain, key);
    }
    Ok(match client_authorities(config)? {
        // One address for both: who shows no certificate needs a key, and browsers show none.
        Some(authorities) => certificates.client_ca(authorities).client_certificate_optional(),
        None => certificates,
    })
}

/// TLS as the settings say: by rustls, or by OpenSSL if the program was built with that feature, for charge points that know
/// the TLS_RSA cipher suites only.
///
/// # Errors
/// As [`certificates`]; certificates that cannot be used.
pub fn library(config: &Config) -> Result<Library> {
    Ok(Library::new(&certificates(config)?)?)
}

/// Reads all certificates again; connections that stand go on.
///
/// # Errors
/// As [`library`]; nothing is changed then.
pub fn renew(app: &SharedApp, replace: impl Fn(&Certificates) -> Result<()>) -> Result<()> {
    if app.config.tls_listen.is_some() {
        replace(&certificates(&app.config)?)?;
    }
    app.security.renew(&app.config)
}

/// Renews whenever the process gets SIGHUP, where there is such.
pub async fn renew_when_told(app: SharedApp, replace: impl Fn(&Certificates) -> Result<()>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut hang_up) = signal(SignalKind::hangup())
            .inspect_err(|error| tracing::error!(%error, "certificates cannot be renewed by SIGHUP"))
        else {
            return;
        };
        while hang_up.recv().await.is_some() {
            match renew(&app, &replace) {
                Ok(()) => tracing::info!("certificates were read again"),
                Err(error) => tracing::error!(error = format!("{error:#}"), "the old certificates stay"),
            }
        }
    }
    #[cfg(not(unix))]
    let _ = (app, replace);
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
