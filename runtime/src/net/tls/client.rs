//! The client's TLS by rustls.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder};

use super::{TlsError, pem};

/// Whom a client trusts, and what it shows: TLS 1.2 and 1.3 by rustls, with the two ECDHE_ECDSA cipher suites of the
/// security whitepaper (A00.FR.318) among others.
///
/// The server's certificate must go back to one of the given ones, and name the host of the URL as a subject alternative
/// name; a common name alone, as the security whitepaper has it (A00.FR.308), does not do.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// Trusts servers whose certificate goes back to one of these (security profile 2).
    ///
    /// # Errors
    /// [`TlsError`]: they cannot be read.
    pub fn new(roots: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        Ok(Self::from_config(Arc::new(trusting(roots.as_ref())?.with_no_client_auth())))
    }

    /// [`ClientTls::new`], and shows a certificate of its own (security profile 3): the certificate, followed by its
    /// intermediate ones, and its key; not encrypted.
    ///
    /// # Errors
    /// [`TlsError`]: they cannot be read, or do not belong together.
    pub fn with_certificate(
        roots: impl AsRef<[u8]>,
        certificates: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, TlsError> {
        let certificates = pem::certificates(certificates.as_ref(), "certificates")?;
        let builder = trusting(roots.as_ref())?;
        let config = builder.with_client_auth_cert(certificates, pem::key(key.as_ref())?);
        Ok(Self::from_config(Arc::new(config.map_err(TlsError::unusable)?)))
    }

    /// TLS as a configuration of rustls says.
    pub fn from_config(config: Arc<ClientConfig>) -> Self {
        Self { config }
    }

    /// Completes the handshake; `host` is that of the URL.
    pub(in crate::net) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        // The brackets of an IPv6 address belong to the URL.
        let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

fn trusting(roots: &[u8]) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    let roots = pem::roots(roots, "roots")?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(TlsError::unusable)?;
    Ok(builder.with_root_certificates(roots))
}
