//! What certificates say, and whether they are to be believed.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use data_encoding::{BASE64, HEXLOWER};
use onwire::net::rustls::RootCertStore;
use onwire::net::rustls::crypto::ring::default_provider;
use onwire::net::rustls::pki_types::pem::PemObject;
use onwire::net::rustls::pki_types::{CertificateDer, UnixTime};
use onwire::net::rustls::server::WebPkiClientVerifier;
use onwire::net::rustls::server::danger::ClientCertVerifier;
use percent_encoding::percent_decode;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::X509Name;

/// Whose certificate it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// CN: of a charge point's certificate its identity (security whitepaper A00.FR.511).
    pub common_name: String,
    /// O: the operator (A00.FR.404).
    pub organization: Option<String>,
    /// Serial number, hexadecimal, without leading zeros.
    pub serial: String,
    /// Last moment of its validity, in seconds since 1970.
    pub expires: i64,
}

/// Reads a certificate in DER.
///
/// # Errors
/// It is none, or does not have exactly one common name.
pub fn subject(der: &[u8]) -> Result<Subject> {
    let (_, certificate) = X509Certificate::from_der(der).context("the certificate cannot be read")?;
    Ok(Subject {
        common_name: common_name(certificate.subject())?,
        organization: organization(certificate.subject()),
        serial: serial(certificate.raw_serial()),
        expires: certificate.validity().not_after.timestamp(),
    })
}

/// The only common name.
pub(super) fn common_name(name: &X509Name<'_>) -> Result<String> {
    let mut names = name.iter_common_name();
    let first = names.next().context("the subject has no common name (CN)")?;
    ensure!(names.next().is_none(), "the subject has more than one common name (CN)");
    Ok(first.as_str().context("the common name (CN) is no text")?.to_owned())
}

/// The first organization.
pub(super) fn organization(name: &X509Name<'_>) -> Option<String> {
    Some(name.iter_organization().next()?.as_str().ok()?.to_owned())
}

/// A serial number as the database has it.
pub fn serial(bytes: &[u8]) -> String {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    HEXLOWER.encode(bytes.get(start..).unwrap_or_default())
}

/// All certificates of a PEM text, at least one.
///
/// # Errors
/// There is none, or one cannot be read.
pub fn read_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = read.context("the PEM text cannot be read")?;
    ensure!(!certificates.is_empty(), "there is no certificate in the PEM text");
    Ok(certificates)
}

/// Checks client certificates that somebody else has taken: a proxy in front of this server.
#[derive(Debug, Clone)]
pub struct Chains(Arc<dyn ClientCertVerifier>);

impl Chains {
    /// Trusts these certificates, in PEM.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn new(pem: &[u8]) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in read_pem(pem)? {
            roots.add(certificate).context("a certificate of an authority cannot be used")?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
        Ok(Self(verifier.build().context("the certificates of authorities cannot be used")?))
    }

    /// Whether the first of them is good for a client now, and goes back, by way of the others, to one that is trusted.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, certificates: &[CertificateDer<'_>]) -> Result<()> {
        let (own, others) = certificates.split_first().context("there is no certificate")?;
        self.0.verify_client_cert(own, others, UnixTime::now()).context("the client's certificate is not trusted")?;
        Ok(())
    }
}

/// Reads what a proxy passes of a client's certificate: PEM with percent-encoding (nginx `$ssl_client_escaped_cert`), the
/// same without line breaks, base64 of the DER (with colons around it: RFC 9440).
///
/// # Errors
/// It is none of these.
pub fn from_header(value: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let value: Vec<u8> = percent_decode(value).collect();
    let value = value.trim_ascii();
    if value.starts_with(b"-----BEGIN") {
        // A header has no line breaks; some proxies put spaces or tabs in their place.
        let text = String::from_utf8_lossy(value).replace(['\t', ' '], "\n");
        return read_pem(
            text.replace("BEGIN\nCERTIFICATE", "BEGIN CERTIFICATE")
                .replace("END\nCERTIFICATE", "END CERTIFICATE")
                .as_bytes(),
        );
    }
    let encoded = value.strip_prefix(b":").and_then(|rest| rest.strip_suffix(b":")).unwrap_or(value);
    let der = BASE64.decode(encoded).context("the header with the client's certificate cannot be read")?;
    Ok(vec![CertificateDer::from(der)])
}

/// The further certificates of RFC 9440: a list of byte sequences.
///
/// # Errors
/// It cannot be read.
pub fn from_chain_header(value: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let mut certificates = Vec::new();
    for item in value.split(|byte| *byte == b',') {
        certificates.extend(from_header(item.trim_ascii())?);
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate(names: &[&str]) -> rcgen::Certificate {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.distinguished_name.push(DnType::OrganizationName, "Operator");
        params.serial_number = Some(vec![0, 0x0a, 0xbc].into());
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn the_subject_and_the_serial_number_are_read() {
        let subject = subject(certificate(&["CP1"]).der()).unwrap();
        assert_eq!((subject.common_name.as_str(), subject.organization.as_deref()), ("CP1", Some("Operator")));
        assert_eq!(subject.serial, "0abc");
        assert!(super::subject(certificate(&[]).der()).is_err());
        assert!(super::subject(b"nonsense").is_err());
    }

    #[test]
    fn certificates_are_read_as_proxies_pass_them() {
        let certificate = certificate(&["CP1"]);
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        let escaped = percent_encoding::utf8_percent_encode(&pem, percent_encoding::NON_ALPHANUMERIC).to_string();
        let folded = pem.trim().replace(['\r', '\n'], " ");
        let bare = BASE64.encode(&der);
        let rfc = format!(":{bare}:");
        for header in [&escaped, &folded, &bare, &rfc] {
            assert_eq!(from_header(header.as_bytes()).unwrap(), std::slice::from_ref(&der), "{header}");
        }
        assert_eq!(from_chain_header(format!("{rfc}, {rfc}").as_bytes()).unwrap().len(), 2);
        assert!(from_header(b"nonsense!").is_err() && from_header(b"-----BEGIN").is_err());
    }

    #[test]
    fn a_certificate_of_somebody_else_is_not_trusted() {
        let (one, other) = (certificate(&["CP1"]), certificate(&["CP1"]));
        let chains = Chains::new(one.pem().as_bytes()).unwrap();
        assert!(chains.check(&[other.der().clone()]).is_err() && chains.check(&[]).is_err());
        assert!(Chains::new(b"").is_err());
    }
}
