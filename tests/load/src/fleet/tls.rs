//! TLS below the frames, by rustls. Sockets are not its business: it takes and gives bytes.

use std::io::{Read, Write};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConnection, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// How charge points connect by TLS: the newest version that the server has, each with a handshake in full.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// For the server that is called `host`.
    pub(super) fn new(host: &str) -> Result<Self> {
        let name = ServerName::try_from(host.to_owned()).with_context(|| format!("{host} is no name for TLS"))?;
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        // A charge point that comes back would shorten its handshake by the ticket of another one.
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config), name })
    }

    pub(super) fn begin(&self) -> Result<Session> {
        Ok(Session(ClientConnection::new(Arc::clone(&self.config), self.name.clone())?))
    }
}

/// One connection's.
pub(super) struct Session(ClientConnection);

impl Session {
    /// What is to be sent for these bytes; while the handshake lasts they are kept for its end.
    pub(super) fn seal(&mut self, plain: &[u8]) -> Result<Vec<u8>> {
        self.0.writer().write_all(plain).context("encrypting")?;
        self.outgoing()
    }

    /// Adds to `plain` what was in these bytes, and returns what is to be sent for the sake of TLS itself.
    pub(super) fn open(&mut self, mut sealed: &[u8], plain: &mut Vec<u8>) -> Result<Vec<u8>> {
        while !sealed.is_empty() {
            if self.0.read_tls(&mut sealed)? == 0 {
                bail!("the server ended TLS");
            }
            let state = self.0.process_new_packets().context("TLS")?;
            self.0.reader().take(state.plaintext_bytes_to_read() as u64).read_to_end(plain)?;
        }
        self.outgoing()
    }

    fn outgoing(&mut self) -> Result<Vec<u8>> {
        let mut sealed = Vec::new();
        while self.0.wants_write() {
            self.0.write_tls(&mut sealed)?;
        }
        Ok(sealed)
    }
}

/// Load is put on a server, and nothing is confided to it: its certificate may be anybody's. That it has the
/// certificate's key is checked all the same, since charge points do that work.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection};
    use std::io::{Read, Write};

    use super::Tls;

    #[test]
    fn what_is_sent_during_the_handshake_arrives_after_it() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();
        let mut client = Tls::new("127.0.0.1").unwrap().begin().unwrap();

        let mut to_server = client.seal(b"request").unwrap();
        let mut plain = Vec::new();
        let mut answered = false;
        while plain != b"answer" {
            let mut sealed = to_server.as_slice();
            while !sealed.is_empty() {
                server.read_tls(&mut sealed).unwrap();
                server.process_new_packets().unwrap();
            }
            let mut request = [0; 7];
            if !answered && server.reader().read(&mut request).is_ok_and(|count| count == request.len()) {
                assert_eq!(&request, b"request");
                server.writer().write_all(b"answer").unwrap();
                answered = true;
            }
            let mut to_client = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut to_client).unwrap();
            }
            assert!(!to_client.is_empty() || !to_server.is_empty(), "both wait for the other");
            to_server = client.open(&to_client, &mut plain).unwrap();
        }
    }
}
