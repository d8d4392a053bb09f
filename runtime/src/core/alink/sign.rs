//! Signatures: a keyed hash over names and values, in hexadecimal digits.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use hmac::{Hmac, KeyInit, Mac};

use super::Secret;

/// How a signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignMethod {
    /// What a client means that does not say (32 digits).
    HmacMd5,
    /// 40 digits.
    HmacSha1,
    /// 64 digits.
    HmacSha256,
}

impl SignMethod {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::HmacMd5, Self::HmacSha1, Self::HmacSha256];

    /// As a client id carries it: `hmacsha256`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacMd5 => "hmacmd5",
            Self::HmacSha1 => "hmacsha1",
            Self::HmacSha256 => "hmacsha256",
        }
    }

    /// As messages about sub-devices and registration over HTTPS carry it: `hmacSha256`.
    pub const fn camel_case_name(self) -> &'static str {
        match self {
            Self::HmacMd5 => "hmacMd5",
            Self::HmacSha1 => "hmacSha1",
            Self::HmacSha256 => "hmacSha256",
        }
    }

    /// Reads either spelling, in upper or lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for SignMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A signature that was not made with the secret that is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("wrong signature")]
pub struct WrongSignature;

/// What is not signed.
const EXCLUDED: [&str; 4] = ["sign", "signmethod", "version", "resources"];

/// The signature over names and values, in lower case. They are sorted by name and put together without anything between
/// them; `sign`, `signmethod` (in upper or lower case), `version` and `resources` are left out.
///
/// ```
/// use onwire::alink::{Secret, SignMethod, sign};
///
/// let pairs = [("clientId", "12345"), ("deviceName", "device"), ("productKey", "pk"), ("timestamp", "789")];
/// let password = sign(SignMethod::HmacSha1, &Secret::from("secret"), &pairs);
/// assert_eq!(password, "fafd82a3d602b37fb0fa8b7892f24a477f851a14");
/// ```
pub fn sign(method: SignMethod, secret: &Secret, pairs: &[(&str, &str)]) -> String {
    let pairs = signed(pairs);
    match method {
        SignMethod::HmacMd5 => hashed::<Hmac<md5::Md5>>(secret, &pairs).map(|mac| digits(&mac.finalize().into_bytes())),
        SignMethod::HmacSha1 => {
            hashed::<Hmac<sha1::Sha1>>(secret, &pairs).map(|mac| digits(&mac.finalize().into_bytes()))
        }
        SignMethod::HmacSha256 => {
            hashed::<Hmac<sha2::Sha256>>(secret, &pairs).map(|mac| digits(&mac.finalize().into_bytes()))
        }
    }
    // A key of any length will do for HMAC.
    .unwrap_or_default()
}

/// Checks a signature, whose digits may be in upper or lower case. The time that it takes tells nothing of where it is wrong.
/// No signature is right where the secret is empty: anybody could make it.
///
/// # Errors
/// [`WrongSignature`].
pub fn verify(
    method: SignMethod,
    secret: &Secret,
    pairs: &[(&str, &str)],
    signature: &[u8],
) -> Result<(), WrongSignature> {
    if secret.expose().is_empty() {
        return Err(WrongSignature);
    }
    let pairs = signed(pairs);
    let mut buffer = [0; 32];
    let signature = base16ct::mixed::decode(signature, &mut buffer).map_err(|_| WrongSignature)?;
    match method {
        SignMethod::HmacMd5 => hashed::<Hmac<md5::Md5>>(secret, &pairs).map(|mac| mac.verify_slice(signature)),
        SignMethod::HmacSha1 => hashed::<Hmac<sha1::Sha1>>(secret, &pairs).map(|mac| mac.verify_slice(signature)),
        SignMethod::HmacSha256 => hashed::<Hmac<sha2::Sha256>>(secret, &pairs).map(|mac| mac.verify_slice(signature)),
    }
    .and_then(Result::ok)
    .ok_or(WrongSignature)
}

fn signed<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let is_signed = |name: &str| !EXCLUDED.iter().any(|excluded| excluded.eq_ignore_ascii_case(name));
    let mut pairs: Vec<_> = pairs.iter().copied().filter(|(name, _)| is_signed(name)).collect();
    pairs.sort_by_key(|(name, _)| *name);
    pairs
}

fn hashed<M: Mac + KeyInit>(secret: &Secret, pairs: &[(&str, &str)]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(secret.expose().as_bytes()).ok()?;
    for (name, value) in pairs {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    Some(mac)
}

fn digits(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Client id, device name, product key, timestamp, secret, and the signatures with MD5, SHA-1 and SHA-256.
    type Vector<'a> = ([&'a str; 5], [Option<&'a str>; 3]);

    const VECTORS: [Vector<'_>; 6] = [
        (
            ["12345", "device", "pk", "789", "secret"],
            [
                Some("14b198324fe55e1d3c88f2e705e201ee"),
                Some("FAFD82A3D602B37FB0FA8B7892F24A477F851A14"),
                Some("6074a46a91b1ebb2cc4ea42790ad0e80202c9843859fc292e57c4eb19fad9e57"),
            ],
        ),
        (
            ["SN1928339", "light1983432", "a14Xib5kdYd", "1539421321846", "oLyaKqVxtRvjH284LdhqVgVUx1UPy6zq"],
            [None, Some("b2488041f64f425016b467ee1c94959ebd592ad1"), None],
        ),
        (
            [
                "a13FN5TplKq.mqtt_basic_demo",
                "mqtt_basic_demo",
                "a13FN5TplKq",
                "2524608000000",
                "jA0K15GobTDa5wgOtJPzdtcZPc4X7NYQ",
            ],
            [None, None, Some("4780A5F17990D8DC4CCAD392683ED80160C4C2A1FFA649425CD0E2666A8593EB")],
        ),
        (
            ["a1testpk.dev1", "dev1", "a1testpk", "2524608000000", "secretsecretsecret"],
            [
                Some("9ecf5bee7626571936ea5815dfce4727"),
                Some("5a22dc0a74ad99c4e019f15adc8bc3b47af90361"),
                Some("dffd4f6439920c63999c5ef7167bc76bacc8233e8a25c72535d04774c7042cb0"),
            ],
        ),
        // As SDKs in Python and JavaScript sent them.
        (
            ["a1testpk&dev1", "dev1", "a1testpk", "1795301340", "secretsecretsecret"],
            [None, Some("1b32cc76cf5f22af93496952fdba283444c05a29"), None],
        ),
        (
            ["a1testpk&dev1", "dev1", "a1testpk", "1795301318039", "secretsecretsecret"],
            [None, Some("04ab73500109c03a7056ee33dcf9476271c322fa"), None],
        ),
    ];

    #[test]
    fn signatures_are_those_of_documents_and_of_other_clients() {
        let mut checked = 0;
        for ([client_id, device_name, product_key, timestamp, secret], signatures) in VECTORS {
            // In no order.
            let pairs = [
                ("timestamp", timestamp),
                ("deviceName", device_name),
                ("clientId", client_id),
                ("productKey", product_key),
                ("signMethod", "any"),
            ];
            let secret = Secret::from(secret);
            for (method, expected) in SignMethod::ALL.into_iter().zip(signatures) {
                let Some(expected) = expected else { continue };
                assert_eq!(sign(method, &secret, &pairs), expected.to_ascii_lowercase());
                assert_eq!(verify(method, &secret, &pairs, expected.as_bytes()), Ok(()));
                assert_eq!(verify(method, &secret, &pairs, expected.to_ascii_uppercase().as_bytes()), Ok(()));
                assert_eq!(verify(method, &Secret::from("other"), &pairs, expected.as_bytes()), Err(WrongSignature));
                checked += 1;
            }
        }
        assert_eq!(checked, 10);
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let secret = Secret::from("secret");
        let pairs = [("clientId", "12345"), ("deviceName", "device")];
        for method in SignMethod::ALL {
            let good = sign(method, &secret, &pairs);
            let longer = alloc::format!("{good}00");
            let bad = good.replacen(|_: char| true, "g", 1);
            for wrong in ["", "0", &good[1..], &good[2..], &longer, &bad, "é"] {
                assert_eq!(verify(method, &secret, &pairs, wrong.as_bytes()), Err(WrongSignature), "{wrong}");
            }
            assert_eq!(verify(method, &secret, &[], good.as_bytes()), Err(WrongSignature));
            let (nothing, by_anybody) = (Secret::from(""), sign(method, &Secret::from(""), &pairs));
            assert_eq!(verify(method, &nothing, &pairs, by_anybody.as_bytes()), Err(WrongSignature));
        }
    }

    #[test]
    fn methods_are_named_as_on_the_wire() {
        for method in SignMethod::ALL {
            assert_eq!(SignMethod::from_name(method.name()), Some(method));
            assert_eq!(SignMethod::from_name(method.camel_case_name()), Some(method));
        }
        assert_eq!(SignMethod::HmacSha1.to_string(), "hmacsha1");
        assert_eq!(SignMethod::from_name("sha1"), None);
        assert_eq!(SignMethod::from_name(""), None);
    }
}
