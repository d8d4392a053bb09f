//! Secrets at rest, and who may use the REST interface.

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod guard;
pub(crate) mod seal;

use anyhow::Result;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};

/// Random bytes of the system.
///
/// # Errors
/// The system has none.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    Ok(bytes)
}

/// A secret for a product or a device: 32 hexadecimal digits, as the vendor's are.
///
/// # Errors
/// The system has no random numbers.
pub(crate) fn new_secret() -> Result<String> {
    Ok(HEXLOWER.encode(&random::<16>()?))
}

/// A random text of 256 bits, fit for a URL.
///
/// # Errors
/// The system has no random numbers.
pub(crate) fn random_text() -> Result<String> {
    Ok(BASE64URL_NOPAD.encode(&random::<32>()?))
}

/// What is kept of such a text: it has enough random bits of its own for a fast hash.
pub(crate) fn hash(text: &str) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}
