//! What a CONNECT says of who connects, before it is believed.

use alloc::vec::Vec;
use core::fmt;

use super::login::registration_pairs;
use super::{DeviceRef, Secret, SecureMode, SignMethod, WrongSignature, verify};

/// What a client says that it is, by which means it proves it, and what it wishes.
///
/// A platform reads it from the CONNECT, looks up the secret that [`Claim::kind`] calls for, and verifies it.
///
/// ```
/// use onwire::alink::{Claim, ClaimKind, Secret};
///
/// let password = b"1B32CC76CF5F22AF93496952FDBA283444C05A29";
/// let client_id = "a1testpk&dev1|securemode=3,signmethod=hmacsha1,ext=1,_ss=1,lan=Python,timestamp=1795301340|";
/// let claim = Claim::parse(client_id, "dev1&a1testpk", password)?;
/// assert_eq!((claim.kind(), claim.device().device_name), (ClaimKind::DeviceSecret, "dev1"));
/// assert!(claim.is_subscribed_by_platform());
/// claim.verify(&Secret::from("secretsecretsecret"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Claim<'a> {
    client_id: &'a str,
    device: DeviceRef<'a>,
    kind: ClaimKind,
    sign_method: SignMethod,
    parameters: Vec<(&'a str, &'a str)>,
    password: &'a [u8],
}

/// By which means a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClaimKind {
    /// By its own secret: it wants to work.
    DeviceSecret,
    /// By its product's secret (`authType=register`): it is known, and wants its own, on `/ext/register`.
    Register,
    /// By its product's secret (`authType=regnwl`): it need not be known, and wants a token, on `/ext/regnwl`.
    RegisterUnlisted,
    /// By its token (`authType=connwl`): it wants to work.
    Token,
}

/// Why a CONNECT is no claim of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NoClaim {
    /// The client id has no parameters between bars: some other MQTT client.
    #[error("the client id has no parameters")]
    NoParameters,
    /// A part is longer than [`Claim`] reads.
    #[error("the client id, the user name or the password is too long")]
    TooLong,
    /// A parameter is no `key=value`.
    #[error("a parameter of the client id is no key and value")]
    Parameter,
    /// A parameter stands twice.
    #[error("a parameter of the client id stands twice")]
    Duplicate,
    /// The user name is no `{dn}&{pk}`, or has characters that would mean something else in a topic, or
    /// too many ([`Claim::MAX_NAME`]).
    #[error("the user name is no device name and product key")]
    Username,
    /// `signmethod` is none that is known.
    #[error("unknown signmethod")]
    SignMethod,
    /// `authType` is none that is known.
    #[error("unknown authType")]
    AuthType,
    /// A registration says no `random`, which its signature is about.
    #[error("a registration without random")]
    NoRandom,
}

impl<'a> Claim<'a> {
    /// How many bytes the client id may have with its parameters. SDKs send some 100.
    pub const MAX_CLIENT_ID: usize = 1024;
    /// How many parameters there may be.
    pub const MAX_PARAMETERS: usize = 32;
    /// How many bytes each of product key and device name may have.
    pub const MAX_NAME: usize = 64;
    /// How many bytes the password may have. A signature has at most 64, tokens some more.
    pub const MAX_PASSWORD: usize = 512;

    /// Reads the fields of a CONNECT. Parameters may stand in any order, with white space and line breaks
    /// between them, and those that are not known are kept.
    ///
    /// # Errors
    /// [`NoClaim`].
    pub fn parse(client_id: &'a str, username: &'a str, password: &'a [u8]) -> Result<Self, NoClaim> {
        if client_id.len() > Self::MAX_CLIENT_ID || password.len() > Self::MAX_PASSWORD {
            return Err(NoClaim::TooLong);
        }
        let (client_id, parameters) = client_id.split_once('|').ok_or(NoClaim::NoParameters)?;
        let parameters = parameters.trim_end().strip_suffix('|').ok_or(NoClaim::NoParameters)?;
        let parameters = parse_parameters(parameters)?;
        let mut claim = Self {
            client_id,
            device: parse_username(username)?,
            kind: ClaimKind::DeviceSecret,
            sign_method: SignMethod::HmacMd5,
            parameters,
            password,
        };
        if let Some(name) = claim.get("signmethod") {
            claim.sign_method = SignMethod::from_name(name).ok_or(NoClaim::SignMethod)?;
        }
        claim.kind = match claim.get("authType") {
            None => ClaimKind::DeviceSecret,
            Some("register") => ClaimKind::Register,
            Some("regnwl") => ClaimKind::RegisterUnlisted,
            Some("connwl") => ClaimKind::Token,
            Some(_) => return Err(NoClaim::AuthType),
        };
        let registers = matches!(claim.kind, ClaimKind::Register | ClaimKind::RegisterUnlisted);
        if registers && claim.get("random").is_none_or(str::is_empty) {
            return Err(NoClaim::NoRandom);
        }
        Ok(claim)
    }

    /// Who it says it is. Both names fit into a topic.
    pub fn device(&self) -> DeviceRef<'a> {
        self.device
    }

    /// By which means it proves it.
    pub fn kind(&self) -> ClaimKind {
        self.kind
    }

    /// The client id without its parameters, as the signature has it.
    pub fn client_id(&self) -> &'a str {
        self.client_id
    }

    /// How the signature is made; [`SignMethod::HmacMd5`] if the client does not say.
    pub fn sign_method(&self) -> SignMethod {
        self.sign_method
    }

    /// What it says of the transport, if it is anything that is known.
    pub fn secure_mode(&self) -> Option<SecureMode> {
        SecureMode::from_name(self.get("securemode")?)
    }

    /// When it says this is: in milliseconds, in seconds, or a constant, so that nothing can be told by it.
    pub fn timestamp(&self) -> Option<&'a str> {
        self.get("timestamp")
    }

    /// Whether it wants all system topics without subscribing to them (`_ss=1`).
    pub fn is_subscribed_by_platform(&self) -> bool {
        self.get("_ss") == Some("1")
    }

    /// Whether services that wait for their answer may come on `/ext/rrpc/..` (the first bit of `ext`).
    pub fn takes_ext_rrpc(&self) -> bool {
        self.get("ext").and_then(|ext| ext.parse::<u32>().ok()).is_some_and(|ext| ext & 1 == 1)
    }

    /// A parameter of the client id; keys are compared without regard to case.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(found, _)| found.eq_ignore_ascii_case(key)).map(|(_, value)| *value)
    }

    /// The parameters of the client id, as they came.
    pub fn parameters(&self) -> &[(&'a str, &'a str)] {
        &self.parameters
    }

    /// Checks the password: with the device's secret, its product's, or its token, as [`Claim::kind`] says.
    ///
    /// # Errors
    /// [`WrongSignature`].
    pub fn verify(&self, secret: &Secret) -> Result<(), WrongSignature> {
        let DeviceRef { product_key, device_name } = self.device;
        match self.kind {
            ClaimKind::DeviceSecret => {
                let mut pairs =
                    Vec::from([("clientId", self.client_id), ("deviceName", device_name), ("productKey", product_key)]);
                pairs.extend(self.timestamp().map(|timestamp| ("timestamp", timestamp)));
                verify(self.sign_method, secret, &pairs, self.password)
            }
            ClaimKind::Register | ClaimKind::RegisterUnlisted => {
                let random = self.get("random").unwrap_or("");
                verify(self.sign_method, secret, &registration_pairs(self.device, random), self.password)
            }
            ClaimKind::Token if secret.is(self.password) => Ok(()),
            ClaimKind::Token => Err(WrongSignature),
        }
    }
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The password may be a token that is good for long.
        f.debug_struct("Claim")
            .field("client_id", &self.client_id)
            .field("device", &self.device)
            .field("kind", &self.kind)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

fn parse_parameters(text: &str) -> Result<Vec<(&str, &str)>, NoClaim> {
    let mut parameters: Vec<(&str, &str)> = Vec::new();
    // There are SDKs that begin a new line in between.
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').ok_or(NoClaim::Parameter)?;
        let (key, value) = (key.trim(), value.trim());
        let is_wrong = |text: &str| text.contains(|character: char| character.is_control() || character == '|');
        if key.is_empty() || is_wrong(key) || is_wrong(value) {
            return Err(NoClaim::Parameter);
        }
        if parameters.iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(key)) {
            return Err(NoClaim::Duplicate);
        }
        if parameters.len() == Claim::MAX_PARAMETERS {
            return Err(NoClaim::TooLong);
        }
        parameters.push((key, value));
    }
    Ok(parameters)
}

/// `{dn}&{pk}`.
fn parse_username(username: &str) -> Result<DeviceRef<'_>, NoClaim> {
    let (device_name, product_key) = username.split_once('&').ok_or(NoClaim::Username)?;
    for name in [device_name, product_key] {
        if !is_name(name) {
            return Err(NoClaim::Username);
        }
    }
    Ok(DeviceRef { product_key, device_name })
}

/// Whether this may be a product key or a device name: nothing in it separates, or stands for other topics.
pub(super) fn is_name(name: &str) -> bool {
    (1..=Claim::MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"/+#&|,=\"\\".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alink::{Login, LoginOptions, RegisterOptions};

    const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1testpk", device_name: "dev1" };

    fn claim(login: &Login) -> Claim<'_> {
        Claim::parse(&login.client_id, &login.username, login.password.expose().as_bytes()).unwrap()
    }

    #[test]
    fn what_other_clients_send_is_believed_with_the_right_secret() {
        let secret = Secret::from("secretsecretsecret");
        for (client_id, password, subscribed) in [
            (
                "a1testpk&dev1|securemode=3,signmethod=hmacsha1,ext=1,_ss=1,lan=Python,_v=1.2.13,timestamp=1795301340|",
                "1b32cc76cf5f22af93496952fdba283444c05a29",
                true,
            ),
            (
                "a1testpk&dev1|timestamp=1795301318039,securemode=3,signmethod=hmacsha1|",
                "04AB73500109C03A7056EE33DCF9476271C322FA",
                false,
            ),
            // Who does not say how, means MD5.
            ("a1testpk.dev1|timestamp=2524608000000,|", "9ecf5bee7626571936ea5815dfce4727", false),
        ] {
            let claim = Claim::parse(client_id, "dev1&a1testpk", password.as_bytes()).unwrap();
            assert_eq!((claim.kind(), claim.device()), (ClaimKind::DeviceSecret, DEVICE));
            assert_eq!(claim.is_subscribed_by_platform(), subscribed);
            assert_eq!(claim.verify(&secret), Ok(()), "{client_id}");
            assert_eq!(claim.verify(&Secret::from("other")), Err(WrongSignature));
            assert!(!alloc::format!("{claim:?}").contains(password));
        }
    }

    #[test]
    fn every_login_is_a_claim_of_its_kind() {
        let (secret, product, token) = (Secret::from("s"), Secret::from("p"), Secret::from("t"));
        let (login, register) = (LoginOptions::default(), RegisterOptions::default());
        let logins = [
            (Login::with_secret(DEVICE, &secret, &login), ClaimKind::DeviceSecret, &secret),
            (Login::register(DEVICE, &product, "r", &register), ClaimKind::Register, &product),
            (Login::register_unlisted(DEVICE, &product, "r", &register), ClaimKind::RegisterUnlisted, &product),
            (Login::with_token(DEVICE, "c", &token, &login), ClaimKind::Token, &token),
        ];
        for (login, kind, right) in logins {
            let login = login.unwrap();
            let claim = claim(&login);
            assert_eq!((claim.kind(), claim.device()), (kind, DEVICE));
            for secret in [&secret, &product, &token] {
                assert_eq!(claim.verify(secret).is_ok(), secret == right, "{kind:?}");
            }
        }
        let login = Login::with_secret(DEVICE, &secret, &login).unwrap();
        let claim = claim(&login);
        assert_eq!((claim.secure_mode(), claim.sign_method()), (Some(SecureMode::Tls), SignMethod::HmacSha256));
        assert!(claim.is_subscribed_by_platform() && claim.takes_ext_rrpc());
    }

    #[test]
    fn what_is_no_claim_is_refused_with_the_reason() {
        let parse = |client_id: &str| Claim::parse(client_id, "d&p", b"").map(|_| ()).unwrap_err();
        assert_eq!(parse(""), NoClaim::NoParameters);
        assert_eq!(parse("mosqsub-1"), NoClaim::NoParameters);
        assert_eq!(parse("c|securemode=3"), NoClaim::NoParameters);
        assert_eq!(parse("c|"), NoClaim::NoParameters);
        assert_eq!(parse("c|securemode|"), NoClaim::Parameter);
        assert_eq!(parse("c|=3|"), NoClaim::Parameter);
        assert_eq!(parse("c|a=1||"), NoClaim::Parameter);
        assert_eq!(parse("c|a=1\0|"), NoClaim::Parameter);
        assert_eq!(parse("c|ext=1,Ext=3|"), NoClaim::Duplicate);
        assert_eq!(parse("c|signmethod=md5|"), NoClaim::SignMethod);
        assert_eq!(parse("c|authType=other|"), NoClaim::AuthType);
        assert_eq!(parse("c|authType=register|"), NoClaim::NoRandom);
        assert_eq!(parse("c|authType=regnwl,random=|"), NoClaim::NoRandom);
        assert_eq!(parse(&alloc::format!("c|a={}|", "x".repeat(1024))), NoClaim::TooLong);
        let many: Vec<_> = (0..33).map(|index| alloc::format!("k{index}=1")).collect();
        assert_eq!(parse(&alloc::format!("c|{}|", many.join(","))), NoClaim::TooLong);

        let user = |username: &str| Claim::parse("c||", username, b"").map(|_| ()).unwrap_err();
        for username in ["", "d", "&", "d&", "&p", "d&p&x", "d/e&p", "+&p", "d&#", "d e&p", "d\n&p", "é&p", "d&p|"] {
            assert_eq!(user(username), NoClaim::Username, "{username}");
        }
        assert_eq!(user(&alloc::format!("{}&p", "d".repeat(65))), NoClaim::Username);
        assert_eq!(Claim::parse("c||", "d&p", &[0; 513]).map(|_| ()), Err(NoClaim::TooLong));
    }

    #[test]
    fn an_empty_token_is_no_token() {
        let claim = Claim::parse("c|authType=connwl|", "d&p", b"").unwrap();
        assert_eq!(claim.verify(&Secret::from("t")), Err(WrongSignature));
    }
}
