//! A certificate authority: enough of one to try security profile 3, and to sign what charge points ask for (security
//! whitepaper A02, A03). Its key lies in a file; who needs more has an authority of their own.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SubjectPublicKeyInfo,
};
use x509_parser::prelude::{FromDer, X509CertificationRequest};
use x509_parser::public_key::PublicKey;

use super::certificates::{common_name, organization, serial};
use super::secret::read_private;
use crate::durable::{self, Readers};
use crate::time;

/// Days that the authority's own certificate is valid.
const ROOT_DAYS: u32 = 3650;

/// Days that a server's certificate is valid.
const SERVER_DAYS: u32 = 825;

/// How far clocks of charge points may be behind.
const SKEW: Duration = Duration::from_secs(300);

/// The certificate and the key of an authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// A certificate that was issued.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Serial number, hexadecimal.
    pub serial: String,
    /// The certificate, in PEM.
    pub pem: String,
    /// In milliseconds since 1970.
    pub expires_at: i64,
}

/// What a charge point asks to be signed, after it was found good.
#[derive(Debug)]
pub struct Request {
    key: SubjectPublicKeyInfo,
    organization: Option<String>,
}

impl Request {
    /// Reads a certificate signing request in PEM.
    ///
    /// # Errors
    /// It cannot be read; its signature is not of its key; its common name is not the identity; its organization is not
    /// the operator's, if that is known; its key is too short or of a kind that is not signed here (A00.FR.501-503).
    pub fn read(pem: &str, identity: &str, operator: Option<&str>) -> Result<Self> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.trim_start().as_bytes()).context("it is no PEM text")?;
        let is_request = matches!(pem.label.as_str(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST");
        ensure!(is_request, "it is no certificate signing request");
        let (_, request) = X509CertificationRequest::from_der(&pem.contents).context("it cannot be read")?;
        let info = &request.certification_request_info;
        let name = common_name(&info.subject)?;
        ensure!(name == identity, "its common name (CN) is not the charge point's identity");
        let organization = organization(&info.subject);
        if let Some(operator) = operator {
            ensure!(organization.as_deref() == Some(operator), "its organization (O) is not {operator:?}");
        }
        let bits = match info.subject_pki.parsed().context("its key cannot be read")? {
            PublicKey::RSA(key) if key.key_size() < 2048 => bail!("its RSA key has less than 2048 bits"),
            PublicKey::EC(key) if key.key_size() < 224 => bail!("its elliptic-curve key has less than 224 bits"),
            PublicKey::RSA(_) | PublicKey::EC(_) => info.subject_pki.raw,
            _ => bail!("its key is neither RSA nor of an elliptic curve"),
        };
        request.verify_signature().context("its signature is not good")?;
        let key = SubjectPublicKeyInfo::from_der(bits).context("its key is of a kind that is not signed here")?;
        Ok(Self { key, organization })
    }
}

impl Authority {
    /// Reads `ca.pem` and `ca.key` of a folder.
    ///
    /// # Errors
    /// They cannot be read, or are empty.
    pub fn open(folder: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            // Earlier versions wrote it in place, so that a power cut could leave it so.
            ensure!(
                text.contains("-----END "),
                "{} is empty or incomplete. Restore it from a backup. If this authority has signed nothing yet, delete it, \
                 and run csms make-ca again",
                path.display()
            );
            Ok(text)
        };
        let (certificate, key) = (read("ca.pem")?, read("ca.key")?);
        let key = KeyPair::from_pem(&key).with_context(|| format!("in {}", folder.join("ca.key").display()))?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key);
        let issuer = issuer.with_context(|| format!("in {}", folder.join("ca.pem").display()))?;
        Ok(Self { issuer, certificate })
    }

    /// A new authority in a folder: `ca.pem`, `ca.key`. One that is there is never replaced: what it has signed would be
    /// worth nothing.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn make(folder: &Path, operator: &str) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("ca.pem");
        ensure!(!path.exists(), "there is an authority in {} already", folder.display());
        let mut params = params(&format!("{operator} root"), Some(operator), ROOT_DAYS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Without its certificate, a key that is there has signed nothing: it was left by an attempt that was cut off, or is
        // another process's.
        let key = key(&folder.join("ca.key"))?;
        let certificate = params.self_signed(&key)?.pem();
        let is_new = durable::create(&path, certificate.as_bytes(), Readers::Everybody);
        let is_new = is_new.with_context(|| format!("cannot write {}", path.display()))?;
        ensure!(is_new, "there is an authority in {} already", folder.display());
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Its certificate, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Signs what a charge point asks for.
    ///
    /// # Errors
    /// Those of the cryptography.
    pub fn sign(&self, request: &Request, identity: &str, operator: Option<&str>, days: u32) -> Result<Issued> {
        self.issue_for(&request.key, identity, operator.or(request.organization.as_deref()), days)
    }

    /// A certificate with a key that is made here, for a charge point that cannot make its own: certificate and key.
    ///
    /// # Errors
    /// Those of the cryptography.
    pub fn issue(&self, identity: &str, operator: Option<&str>, days: u32) -> Result<(Issued, String)> {
        let key = KeyPair::generate()?;
        Ok((self.issue_for(&key, identity, operator, days)?, key.serialize_pem()))
    }

    fn issue_for(&self, key: &impl PublicKeyData, identity: &str, operator: Option<&str>, days: u32) -> Result<Issued> {
        let mut params = params(identity, operator, days)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.complete(params, key)
    }

    /// A certificate for this server under these names, and with that key.
    ///
    /// # Errors
    /// A name that is none; those of the cryptography.
    pub fn issue_server(&self, names: &[String], operator: &str, key: &KeyPair) -> Result<Issued> {
        let first = names.first().context("a server's certificate needs a name")?;
        let mut params = params(first, Some(operator), SERVER_DAYS)?;
        params.subject_alt_names = CertificateParams::new(names.to_vec())?.subject_alt_names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.complete(params, key)
    }

    fn complete(&self, params: CertificateParams, key: &impl PublicKeyData) -> Result<Issued> {
        let certificate = params.signed_by(key, &self.issuer)?;
        let serial = params.serial_number.as_ref().map(|number| serial(number.as_ref())).unwrap_or_default();
        let expires_at = params.not_after.unix_timestamp().saturating_mul(1000);
        Ok(Issued { serial, pem: certificate.pem(), expires_at })
    }
}

/// The key in that file, which is made if it is not there. A key that is written once, before its first certificate, fits
/// every later certificate, wherever the writing of one was cut off.
///
/// # Errors
/// A file that cannot be read or made, that others can read, or that holds no key.
pub fn key(path: &Path) -> Result<KeyPair> {
    let mut text = read_private(path)?;
    if text.is_none() {
        let made = KeyPair::generate()?;
        let is_new = durable::create(path, made.serialize_pem().as_bytes(), Readers::Owner);
        if is_new.with_context(|| format!("cannot make {}", path.display()))? {
            return Ok(made);
        }
        text = read_private(path)?;
    }
    let key = KeyPair::from_pem(text.as_deref().unwrap_or_default());
    key.with_context(|| {
        format!("{} holds no key. If it is empty or incomplete, delete it: a new one is made", path.display())
    })
}

fn params(common_name: &str, organization: Option<&str>, days: u32) -> Result<CertificateParams> {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    let mut serial = super::random::<16>()?;
    // Positive, and of its full length: the first bit is clear, and the second is set.
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    let now = Duration::from_millis(u64::try_from(time::now()).unwrap_or_default());
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.serial_number = Some(serial.to_vec().into());
    params.not_before = epoch + now.saturating_sub(SKEW);
    params.not_after = epoch + now + Duration::from_secs(u64::from(days) * 86_400);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::certificates::{Chains, read_pem, subject};

    fn request(name: &str, organization: &str, key: &KeyPair) -> String {
        let params = params(name, Some(organization), 1).unwrap();
        let mut asked = CertificateParams::default();
        asked.distinguished_name = params.distinguished_name;
        asked.serialize_request(key).unwrap().pem().unwrap()
    }

    #[test]
    fn what_a_charge_point_asks_for_is_signed_if_it_is_its_own() {
        let folder = tempfile::tempdir().unwrap();
        Authority::make(folder.path(), "Operator").unwrap();
        assert!(Authority::make(folder.path(), "Operator").is_err(), "an authority is never replaced");
        let authority = Authority::open(folder.path()).unwrap();
        let key = KeyPair::generate().unwrap();
        let pem = request("CP1", "Operator", &key);
        let good = Request::read(&pem, "CP1", Some("Operator")).unwrap();
        let issued = authority.sign(&good, "CP1", Some("Operator"), 30).unwrap();
        let certificates = read_pem(issued.pem.as_bytes()).unwrap();
        Chains::new(authority.certificate().as_bytes()).unwrap().check(&certificates).unwrap();
        let read = subject(&certificates[0]).unwrap();
        assert_eq!((read.common_name.as_str(), read.organization.as_deref()), ("CP1", Some("Operator")));
        assert_eq!(read.serial, issued.serial);
        assert!((29 * 86_400..31 * 86_400).contains(&(read.expires - time::now() / 1000)));

        for (pem, identity, operator, why) in [
            (pem.as_str(), "CP2", None, "identity"),
            (&pem, "CP1", Some("Other"), "organization"),
            ("nonsense", "CP1", None, "PEM"),
            (&issued.pem, "CP1", None, "no certificate signing request"),
            // A bit of the signature is another.
            (&broken(&pem), "CP1", None, "signature"),
        ] {
            let error = Request::read(pem, identity, operator).unwrap_err();
            assert!(format!("{error:#}").contains(why), "{why}: {error:#}");
        }
    }

    #[test]
    fn what_an_attempt_has_left_that_was_cut_off_is_used_or_told() {
        let folder = tempfile::tempdir().unwrap();
        let (key_file, certificate) = (folder.path().join("ca.key"), folder.path().join("ca.pem"));
        let key = KeyPair::generate().unwrap().serialize_pem();
        durable::create(&key_file, key.as_bytes(), Readers::Owner).unwrap();
        Authority::make(folder.path(), "Operator").unwrap();
        assert_eq!(std::fs::read_to_string(&key_file).unwrap(), key);
        Authority::open(folder.path()).unwrap();
        // As earlier versions may have left them.
        let whole = std::fs::read(&certificate).unwrap();
        for half in [&b""[..], &whole[..whole.len() / 2]] {
            std::fs::write(&certificate, half).unwrap();
            let error = Authority::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains("ca.pem is empty or incomplete"), "{error}");
        }
        std::fs::remove_file(&certificate).unwrap();
        durable::replace(&key_file, b"", Readers::Owner).unwrap();
        let error = format!("{:#}", Authority::make(folder.path(), "Operator").unwrap_err());
        assert!(error.contains("ca.key holds no key. If it is empty or incomplete, delete it"), "{error}");
    }

    fn broken(pem: &str) -> String {
        let mut parts: Vec<char> = pem.chars().collect();
        let end = pem.find("-----END").unwrap() - 16;
        let changed = if parts[end] == 'A' { 'B' } else { 'A' };
        parts[end] = changed;
        parts.into_iter().collect()
    }

    /// Made by OpenSSL for O=Operator, CN=CP1.
    const RSA_2048: &str = "-----BEGIN CERTIFICATE REQUEST-----\n\
        MIICZjCCAU4CAQAwITERMA8GA1UECgwIT3BlcmF0b3IxDDAKBgNVBAMMA0NQMTCC\n\
        ASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBANE4OHVhlmZ7P50C2hS4IYOj\n\
        pnHWeUyPKGk7z+ScURP4S9nBbsncQWL0Eo0/XTWgiiKEVqg73uWUR33NPcEwKIDr\n\
        ZPXYv17Kl0CQ5vIR8zAj7Jr+FG6zhlFzIsN5gmQA/YSk8Tt7/Kh0oUehwYlCZePs\n\
        tGbjmrkJ31eSHA+HQJK2f8/rxvjfmWBitWiVVycjBLOtjrD4QNtG7kktbCb0HDW+\n\
        HNHtKAgtWTPrgLe47Ga7elch83Y04Zx9gz5vazAnVmz18oZvSPjHuvKc0D5Hi75T\n\
        vWYuqx39ylT8xA+pkn7Vic/mEWadXBn+EEcnRcB/pCFrdd4/wvAxT+o4pXm+KjMC\n\
        AwEAAaAAMA0GCSqGSIb3DQEBCwUAA4IBAQCQUkwuSi+KeuIcHfn1bPWOXxhxzd6m\n\
        8OR1G5XTbQRLCSa+Z2UMSNATlxJMLogvZxNyZhE5pUNsI8HO/UFsfs+Q150JejPL\n\
        lORMBum6ZbXltvi04teFk5CxKEPO3Oc6Yav1IA5pk4ygc99dJLtNjikGwieFNfJ4\n\
        Rd7gGvlqI8WZ104CZoOb58096SKgL8j59Sygu/NAT4Bn1dK/JrZZVjySe+2trCuA\n\
        XJyhk6UyeQFhtDv7/6B5CZ/DfvYzp1AGpghmj4YLvmEHbDojL/F6tZpsNiUgF091\n\
        n0oOui2RLOsGA2CRN7vL9BRvUFOcjb/r0O3ieUGQ9/J/U5b9sR/YngzI\n\
        -----END CERTIFICATE REQUEST-----";
    const RSA_1024: &str = "-----BEGIN CERTIFICATE REQUEST-----\n\
        MIIBYDCBygIBADAhMREwDwYDVQQKDAhPcGVyYXRvcjEMMAoGA1UEAwwDQ1AxMIGf\n\
        MA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCZyPqwLE5VhEvZn6y8CscliBljaldr\n\
        Ghqzy+NouCw8Z/Uk3R8jSUwKkEgYZ5LhYQ5FaU3zTAECfQwc+V+QvTU1QxeepUga\n\
        Sq8twMpC6nGEQ3JEsILqtsdsVPkG0FIrn4liXKYiUNR5pMk+mEGYYhgW4Zn6qEri\n\
        bT5nk6qxsZVnkwIDAQABoAAwDQYJKoZIhvcNAQELBQADgYEAOoVi7RktyEG0WK3h\n\
        B2y+4Yj26yeK+s4dJYpyx097Sy4xxgrzMmxIpl2OS6Ono9zL7uTXZrzFXrY6G9/N\n\
        02I10qOWkY+LAHD4njFCwbJ0PDqIWERDTUHxb3tpzekJGr2gfOR/8o+Ycy2c+nbJ\n\
        1mO6puHziHosHcxiPUuQzZBd/c8=\n\
        -----END CERTIFICATE REQUEST-----";
    const EC_192: &str = "-----BEGIN CERTIFICATE REQUEST-----\n\
        MIG7MHMCAQAwITERMA8GA1UECgwIT3BlcmF0b3IxDDAKBgNVBAMMA0NQMTBJMBMG\n\
        ByqGSM49AgEGCCqGSM49AwEBAzIABF/+nrBBLnWVSL4dlaktOVZMnVlPwZ3ci2os\n\
        rzVYRlPbmJBcwf41kGAx/5Ara2TjlaAAMAoGCCqGSM49BAMCAzgAMDUCGBh1koaM\n\
        6Qd7a0XGJOx97BTO92nonc+ImwIZAOhMkwyxXeHLLWMLVdIzQECIhZwYrKVg4w==\n\
        -----END CERTIFICATE REQUEST-----";
    const ED25519: &str = "-----BEGIN CERTIFICATE REQUEST-----\n\
        MIGgMFQCAQAwITERMA8GA1UECgwIT3BlcmF0b3IxDDAKBgNVBAMMA0NQMTAqMAUG\n\
        AytlcAMhACMdWbcK+C21rwz7mcVhidgtdx0k4HQOAHGQwJHoFkF9oAAwBQYDK2Vw\n\
        A0EAAeqG5Jtv2fTy5ChTVLyhp4wzkad/endg0VpPmWIW86w1WYV0p80m/wO5OtdA\n\
        wYr5uKiqe9dCAlQBDcAuhii6Cw==\n\
        -----END CERTIFICATE REQUEST-----";

    /// Security whitepaper A00.FR.501-503.
    #[test]
    fn keys_that_are_too_short_or_of_another_kind_are_not_signed() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::make(folder.path(), "Operator").unwrap();
        let good = Request::read(RSA_2048, "CP1", Some("Operator")).unwrap();
        let issued = authority.sign(&good, "CP1", None, 30).unwrap();
        let certificates = read_pem(issued.pem.as_bytes()).unwrap();
        assert_eq!(subject(&certificates[0]).unwrap().organization.as_deref(), Some("Operator"));
        Chains::new(authority.certificate().as_bytes()).unwrap().check(&certificates).unwrap();
        for (pem, why) in [(RSA_1024, "2048 bits"), (EC_192, "224 bits"), (ED25519, "neither RSA")] {
            let error = format!("{:#}", Request::read(pem, "CP1", None).unwrap_err());
            assert!(error.contains(why), "{error}");
        }
    }
}
