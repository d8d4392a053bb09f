//! TLS: rustls or OpenSSL between TCP and HTTP.

#[cfg(all(feature = "client", feature = "rustls"))]
mod client;
#[cfg(all(feature = "server", feature = "openssl"))]
mod openssl;
#[cfg(feature = "rustls")]
mod pem;
#[cfg(all(feature = "server", feature = "rustls"))]
mod rustls;

use std::error::Error;
#[cfg(feature = "server")]
use std::fmt;

#[cfg(all(feature = "client", feature = "rustls"))]
pub use client::ClientTls;
#[cfg(all(feature = "server", feature = "openssl"))]
pub use openssl::OpenSsl;
#[cfg(all(feature = "server", feature = "rustls"))]
pub use rustls::Rustls;

/// Certificates or a key that TLS cannot work with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The PEM text holds no certificate.
    #[error("there is no certificate in the PEM text of the {0}")]
    NoCertificate(&'static str),
    /// The PEM text, or what it holds, cannot be read.
    #[error("cannot read the {what}: {source}")]
    Unreadable {
        /// Which of the PEM texts.
        what: &'static str,
        /// What the TLS library says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// They were read, and the library cannot use them: the key is another certificate's, for example.
    #[error("the certificates cannot be used: {0}")]
    Unusable(#[source] Box<dyn Error + Send + Sync>),
}

impl TlsError {
    fn unreadable(what: &'static str) -> impl FnOnce(Box<dyn Error + Send + Sync>) -> Self {
        move |source| Self::Unreadable { what, source }
    }

    fn unusable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unusable(source.into())
    }
}

/// What a server shows, and whose clients it trusts: PEM texts, the same for [`Rustls`](super::Rustls) and
/// [`OpenSsl`](super::OpenSsl).
///
/// ```no_run
/// # fn read() -> std::io::Result<()> {
/// use onwire::net::Certificates;
///
/// let certificates = Certificates::from_pem(std::fs::read("ecdsa.pem")?, std::fs::read("ecdsa.key")?)
///     .and(std::fs::read("rsa.pem")?, std::fs::read("rsa.key")?)
///     .client_ca(std::fs::read("charge-point-ca.pem")?);
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "server")]
#[derive(Clone)]
pub struct Certificates {
    first: Pair,
    /// For clients that cannot check signatures of the first one's kind.
    second: Option<Pair>,
    client_ca: Option<Vec<u8>>,
    is_client_certificate_optional: bool,
}

/// A certificate, its chain and its key.
#[cfg(feature = "server")]
#[derive(Clone)]
struct Pair {
    certificates: Vec<u8>,
    key: Vec<u8>,
}

#[cfg(feature = "server")]
impl Pair {
    fn new(certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self { certificates: certificates.into(), key: key.into() }
    }
}

#[cfg(feature = "server")]
impl Certificates {
    /// The server's certificate, followed by the intermediate ones that clients may lack, and its key; not encrypted.
    /// Clients need no certificate.
    #[must_use]
    pub fn from_pem(certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self {
            first: Pair::new(certificates, key),
            second: None,
            client_ca: None,
            is_client_certificate_optional: false,
        }
    }

    /// A second certificate, of the other kind: a central system has to support both ECDSA and RSA (security whitepaper
    /// A00.FR.317). Each client is shown one that it can check, the first if it can check both.
    #[must_use]
    pub fn and(self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self { second: Some(Pair::new(certificates, key)), ..self }
    }

    /// Demands a certificate of every client that goes back to one of these certificates (security profile 3, security
    /// whitepaper §2.5). It is [`Origin::certificate`](super::Origin::certificate) then; whether it is that of the
    /// identity is for the authenticator to say. Revocation is not checked.
    #[must_use]
    pub fn client_ca(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { client_ca: Some(pem.into()), ..self }
    }

    /// Lets clients without a certificate in too, for one address with both security profiles, 2 and 3; a certificate
    /// that is shown is checked all the same. The authenticator must demand a password of those without.
    #[must_use]
    pub fn client_certificate_optional(self) -> Self {
        Self { is_client_certificate_optional: true, ..self }
    }

    fn pairs(&self) -> impl Iterator<Item = &Pair> {
        std::iter::once(&self.first).chain(&self.second)
    }
}

#[cfg(feature = "server")]
impl fmt::Debug for Certificates {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("has_second", &self.second.is_some())
            .field("has_client_ca", &self.client_ca.is_some())
            .field("is_client_certificate_optional", &self.is_client_certificate_optional)
            .finish_non_exhaustive()
    }
}
