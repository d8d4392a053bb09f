//! The server's TLS by rustls.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{Error, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::{Certificates, Pair, TlsError, pem};
use crate::net::Transport;

/// TLS 1.2 and 1.3 by rustls; clones are handles of the same.
///
/// ```no_run
/// # use onwire::ocpp::v16::*;
/// # struct Csms;
/// # #[onwire::handlers(ocpp::v16, role = CentralSystem)]
/// # impl Csms {
/// #     #[on(Heartbeat)]
/// #     fn heartbeat(&self) -> HeartbeatResponse { HeartbeatResponse::new(onwire::types::DateTime::now()) }
/// # }
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use onwire::net::{Certificates, Rustls, Server};
///
/// let read = || std::io::Result::Ok(Certificates::from_pem(std::fs::read("cert.pem")?, std::fs::read("key.pem")?));
/// let tls = Rustls::new(&read()?)?;
/// let server = Server::bind("0.0.0.0:443").await?.transport(tls.clone());
/// // Later, when the certificate has been renewed:
/// tls.replace(&read()?)?;
/// # server.serve(Csms).await?;
/// # Ok(())
/// # }
/// ```
///
/// rustls has the two ECDHE_ECDSA cipher suites of the security whitepaper (A00.FR.317), and not the two TLS_RSA ones, which
/// have no forward secrecy: a charge point that has only those needs [`OpenSsl`](crate::net::OpenSsl).
#[derive(Clone)]
pub struct Rustls {
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

impl Rustls {
    /// TLS with these certificates.
    ///
    /// # Errors
    /// [`TlsError`]: they cannot be read, or do not belong together.
    pub fn new(certificates: &Certificates) -> Result<Self, TlsError> {
        Ok(Self::from_config(config(certificates)?))
    }

    /// TLS as a configuration of rustls says, for revocation lists, other cryptography or keys in hardware.
    pub fn from_config(config: Arc<ServerConfig>) -> Self {
        Self { config: Arc::new(RwLock::new(config)) }
    }

    /// Shows and trusts other certificates from the next connection on; those that stand go on.
    ///
    /// # Errors
    /// As [`Rustls::new`]; nothing is changed then.
    pub fn replace(&self, certificates: &Certificates) -> Result<(), TlsError> {
        self.replace_config(config(certificates)?);
        Ok(())
    }

    /// [`Rustls::replace`] for a configuration of rustls.
    pub fn replace_config(&self, config: Arc<ServerConfig>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Rustls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rustls").finish_non_exhaustive()
    }
}

impl Transport for Rustls {
    type Stream = TlsStream<TcpStream>;

    const IS_ENCRYPTED: bool = true;

    async fn accept(&self, stream: TcpStream) -> io::Result<Self::Stream> {
        TlsAcceptor::from(self.current()).accept(stream).await
    }

    fn client_certificate(stream: &Self::Stream) -> Option<Vec<u8>> {
        let (_, session) = stream.get_ref();
        Some(session.peer_certificates()?.first()?.to_vec())
    }
}

fn config(certificates: &Certificates) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let keys: Result<Vec<_>, _> = certificates.pairs().map(|pair| certified_key(pair, &provider)).collect();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::unusable)?;
    let builder = match &certificates.client_ca {
        None => builder.with_no_client_auth(),
        Some(client_ca) => {
            let roots = Arc::new(pem::roots(client_ca, "client CA")?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier =
                if certificates.is_client_certificate_optional { verifier.allow_unauthenticated() } else { verifier };
            builder.with_client_cert_verifier(verifier.build().map_err(TlsError::unusable)?)
        }
    };
    Ok(Arc::new(builder.with_cert_resolver(Arc::new(ByKind(keys?)))))
}

fn certified_key(pair: &Pair, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
    let certificates = pem::certificates(&pair.certificates, "certificates")?;
    let key = CertifiedKey::from_der(certificates, pem::key(&pair.key)?, provider);
    match key {
        Ok(key) => Ok(Arc::new(key)),
        Err(error @ Error::InconsistentKeys(_)) => Err(TlsError::unusable(error)),
        Err(error) => Err(TlsError::unreadable("certificates and key")(error.into())),
    }
}

/// Shows the first certificate whose signatures the client can check.
#[derive(Debug)]
struct ByKind(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByKind {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = client_hello.signature_schemes();
        self.0.iter().find(|certified| certified.key.choose_scheme(schemes).is_some()).cloned()
    }
}
