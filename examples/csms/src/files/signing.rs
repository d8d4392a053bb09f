//! Signatures of firmware, as SignedUpdateFirmware carries them (security whitepaper, L01): ECDSA on P-256 of the image's
//! SHA-256, in Base64. It is better that the maker signs; such a signature, RSA's too, comes with the order.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use data_encoding::BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

use super::settings::FileSettings;

/// Characters of a certificate that the message has room for.
const CERTIFICATE: usize = 5500;

/// Signs firmware with the operator's key.
#[derive(Debug)]
pub struct Signer {
    key: EcdsaKeyPair,
    /// The key's certificate, in PEM.
    pub certificate: String,
}

impl Signer {
    /// Reads key and certificate, if the settings name them.
    ///
    /// # Errors
    /// A file that cannot be read or is no such thing.
    pub fn new(settings: &FileSettings) -> Result<Option<Self>> {
        settings.signing.as_ref().map(|(key, certificate)| Self::read(key, certificate)).transpose()
    }

    fn read(key: &Path, certificate: &Path) -> Result<Self> {
        let certificate_text = read(certificate)?;
        x509_parser::pem::parse_x509_pem(certificate_text.as_bytes())
            .ok()
            .and_then(|(_, pem)| pem.parse_x509().is_ok().then_some(()))
            .with_context(|| format!("{} is no certificate in PEM", certificate.display()))?;
        ensure!(certificate_text.len() <= CERTIFICATE, "{} is too long for OCPP", certificate.display());
        Ok(Self { key: self::key(key)?, certificate: certificate_text })
    }

    /// The signature of that image, in Base64.
    ///
    /// # Errors
    /// None that is known of.
    pub fn sign(&self, image: &[u8]) -> Result<String> {
        let signature = self.key.sign(&SystemRandom::new(), image).ok().context("ECDSA")?;
        Ok(BASE64.encode(signature.as_ref()))
    }
}

fn key(path: &Path) -> Result<EcdsaKeyPair> {
    let text = read(path)?;
    let pem = x509_parser::pem::parse_x509_pem(text.as_bytes());
    let der = match &pem {
        Ok((_, pem)) if pem.label == "PRIVATE KEY" => pem.contents.as_slice(),
        _ => bail!("{} is no private key of PKCS #8 in PEM", path.display()),
    };
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &SystemRandom::new())
        .map_err(|error| anyhow!("{} is no EC key on P-256 ({error})", path.display()))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
