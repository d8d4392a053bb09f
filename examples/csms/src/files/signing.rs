//! Signatures of firmware, as SignedUpdateFirmware carries them (security whitepaper, L01): ECDSA on P-256, or RSA-PSS, of
//! the image's SHA-256, in Base64.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use data_encoding::BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PSS_SHA256, RsaKeyPair};

use super::settings::FileSettings;

/// Characters of a certificate that the message has room for.
const CERTIFICATE: usize = 5500;

/// Signs firmware with the operator's key.
#[derive(Debug)]
pub struct Signer {
    key: Key,
    /// The key's certificate, in PEM.
    pub certificate: String,
}

#[derive(Debug)]
enum Key {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
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
        Ok(Self { key: Key::read(key)?, certificate: certificate_text })
    }

    /// The signature of that image, in Base64.
    ///
    /// # Errors
    /// None that is known of.
    pub fn sign(&self, image: &[u8]) -> Result<String> {
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Ecdsa(key) => key.sign(&random, image).ok().context("ECDSA")?.as_ref().to_vec(),
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PSS_SHA256, &random, image, &mut signature).ok().context("RSA-PSS")?;
                signature
            }
        };
        Ok(BASE64.encode(&signature))
    }
}

impl Key {
    fn read(path: &Path) -> Result<Self> {
        let text = read(path)?;
        let pem = x509_parser::pem::parse_x509_pem(text.as_bytes());
        let der = match &pem {
            Ok((_, pem)) if pem.label == "PRIVATE KEY" => pem.contents.as_slice(),
            _ => bail!("{} is no private key of PKCS #8 in PEM", path.display()),
        };
        let random = SystemRandom::new();
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &random) {
            return Ok(Self::Ecdsa(key));
        }
        match RsaKeyPair::from_pkcs8(der) {
            Ok(key) => Ok(Self::Rsa(key)),
            Err(error) => bail!("{} is neither an EC key on P-256 nor an RSA key ({error})", path.display()),
        }
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
