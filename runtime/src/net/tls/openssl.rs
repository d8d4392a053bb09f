//! The server's TLS by OpenSSL, for cipher suites that rustls lacks.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslVerifyMode, SslVersion};
use openssl::stack::Stack;
use openssl::x509::{X509, X509VerifyResult};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::{Certificates, Pair, TlsError};
use crate::net::Transport;

/// The cipher suites for TLS 1.2 that the security whitepaper lists, in its order (A00.FR.317, A00.FR.421); those of TLS 1.3
/// have names and a list of their own.
const CIPHER_SUITES: &str =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-GCM-SHA384";

/// TLS 1.2 and 1.3 by the system's OpenSSL; clones are handles of the same. To be used like
/// [`Rustls`](crate::net::Rustls).
///
/// In TLS 1.2 it has exactly the four cipher suites of the security whitepaper (A00.FR.317). The two TLS_RSA ones, without
/// forward secrecy, are the only ones of some charge points, and need an RSA certificate; the two ECDHE_ECDSA ones need an
/// ECDSA certificate. A server with both kinds of certificate ([`Certificates::and`]) serves everybody.
#[derive(Clone)]
pub struct OpenSsl {
    context: Arc<RwLock<Context>>,
}

/// OpenSSL's context, and what it cannot hold.
#[derive(Clone)]
struct Context {
    ssl: SslContext,
    /// The intermediate certificates of the certificate that was added last. The context's own list is for all
    /// certificates without one of theirs.
    chain: Arc<[X509]>,
}

impl OpenSsl {
    /// TLS with these certificates.
    ///
    /// # Errors
    /// [`TlsError`]: they cannot be read, or do not belong together.
    pub fn new(certificates: &Certificates) -> Result<Self, TlsError> {
        Ok(Self::with(context(certificates)?))
    }

    /// TLS as a context of OpenSSL says, for revocation lists, TLS 1.0 or keys in hardware.
    pub fn from_context(context: SslContext) -> Self {
        Self::with(Context { ssl: context, chain: Arc::default() })
    }

    fn with(context: Context) -> Self {
        Self { context: Arc::new(RwLock::new(context)) }
    }

    /// Shows and trusts other certificates from the next connection on; those that stand go on.
    ///
    /// # Errors
    /// As [`OpenSsl::new`]; nothing is changed then.
    pub fn replace(&self, certificates: &Certificates) -> Result<(), TlsError> {
        self.set(context(certificates)?);
        Ok(())
    }

    /// [`OpenSsl::replace`] for a context of OpenSSL.
    pub fn replace_context(&self, context: SslContext) {
        self.set(Context { ssl: context, chain: Arc::default() });
    }

    fn set(&self, context: Context) {
        *self.context.write().unwrap_or_else(PoisonError::into_inner) = context;
    }

    fn session(&self) -> Result<Ssl, ErrorStack> {
        let Context { ssl, chain } = self.context.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut session = Ssl::new(&ssl)?;
        for certificate in chain.iter() {
            session.add_chain_cert(certificate.clone())?;
        }
        Ok(session)
    }
}

impl fmt::Debug for OpenSsl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSsl").finish_non_exhaustive()
    }
}

impl Transport for OpenSsl {
    type Stream = SslStream<TcpStream>;

    const IS_ENCRYPTED: bool = true;

    async fn accept(&self, stream: TcpStream) -> io::Result<Self::Stream> {
        let mut stream = SslStream::new(self.session()?, stream)?;
        Pin::new(&mut stream).accept().await.map_err(io::Error::other)?;
        Ok(stream)
    }

    fn client_certificate(stream: &Self::Stream) -> Option<Vec<u8>> {
        let session = stream.ssl();
        // A context of the user's may let certificates pass that were not found good.
        let certificate = session.peer_certificate().filter(|_| session.verify_result() == X509VerifyResult::OK)?;
        certificate.to_der().ok()
    }
}

fn context(certificates: &Certificates) -> Result<Context, TlsError> {
    let mut builder = settings().map_err(TlsError::unusable)?;
    let mut last_chain: Vec<X509> = Vec::new();
    for pair in certificates.pairs() {
        for certificate in last_chain.drain(..) {
            builder.add_extra_chain_cert(certificate).map_err(TlsError::unusable)?;
        }
        last_chain = add(&mut builder, pair)?;
    }
    if let Some(client_ca) = &certificates.client_ca {
        let mut mode = SslVerifyMode::PEER;
        if !certificates.is_client_certificate_optional {
            mode |= SslVerifyMode::FAIL_IF_NO_PEER_CERT;
        }
        let trusted = read(client_ca, "client CA")?;
        trust(&mut builder, trusted, mode).map_err(TlsError::unusable)?;
    }
    Ok(Context { ssl: builder.build(), chain: last_chain.into() })
}

fn settings() -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = SslContextBuilder::new(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_cipher_list(CIPHER_SUITES)?;
    // No compression: A00.FR.320.
    builder
        .set_options(SslOptions::NO_COMPRESSION | SslOptions::NO_RENEGOTIATION | SslOptions::CIPHER_SERVER_PREFERENCE);
    // An idle connection keeps no buffers, and no chain is made up from what clients are checked with.
    builder.set_mode(SslMode::RELEASE_BUFFERS | SslMode::NO_AUTO_CHAIN);
    // Without it a session of a client with a certificate cannot be resumed, which fails the handshake.
    builder.set_session_id_context(b"onwire")?;
    Ok(builder)
}

/// Adds a certificate and its key; returns the chain.
fn add(builder: &mut SslContextBuilder, pair: &Pair) -> Result<Vec<X509>, TlsError> {
    let mut chain = read(&pair.certificates, "certificates")?;
    let certificate = chain.remove(0);
    // Without a callback OpenSSL would ask for an encrypted key's password at the terminal.
    let key = PKey::private_key_from_pem_callback(&pair.key, |_| Ok(0));
    let key = key.map_err(|error| TlsError::unreadable("key")(error.into()))?;
    let mut set = || {
        builder.set_certificate(&certificate)?;
        builder.set_private_key(&key)?;
        builder.check_private_key()
    };
    set().map_err(TlsError::unusable)?;
    Ok(chain)
}

fn trust(builder: &mut SslContextBuilder, trusted: Vec<X509>, mode: SslVerifyMode) -> Result<(), ErrorStack> {
    let mut names = Stack::new()?;
    for certificate in trusted {
        names.push(certificate.subject_name().to_owned()?)?;
        builder.cert_store_mut().add_cert(certificate)?;
    }
    // Clients choose a certificate by these names.
    builder.set_client_ca_list(names);
    builder.set_verify(mode);
    Ok(())
}

/// All certificates of a text, at least one.
fn read(pem: &[u8], what: &'static str) -> Result<Vec<X509>, TlsError> {
    let certificates = X509::stack_from_pem(pem).map_err(|error| TlsError::unreadable(what)(error.into()))?;
    if certificates.is_empty() { Err(TlsError::NoCertificate(what)) } else { Ok(certificates) }
}
