//! What a device says when it connects.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::{DeviceRef, Secret, SignMethod, sign};

/// What is at stake on the way, as a client id says it (`securemode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecureMode {
    /// -2: a token in place of a secret.
    Token,
    /// 2: TLS.
    Tls,
    /// 3: TCP, in plain sight.
    Tcp,
    /// 8: iTLS, a protocol of Aliyun's own, which is not supported here.
    Itls,
}

impl SecureMode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Token, Self::Tls, Self::Tcp, Self::Itls];

    /// As a client id carries it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "-2",
            Self::Tls => "2",
            Self::Tcp => "3",
            Self::Itls => "8",
        }
    }

    /// Reads it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// How a device connects that is known by its secret or token.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoginOptions {
    /// The part of the client id before its parameters: whatever tells the device from others, such as its serial number or
    /// MAC address, at most [`LoginOptions::MAX_CLIENT_ID`] characters. Default: `{pk}.{dn}`.
    pub client_id: Option<String>,
    /// How the password is made. Default: [`SignMethod::HmacSha256`].
    pub sign_method: SignMethod,
    /// Whether the connection has TLS. Default: [`SecureMode::Tls`].
    pub secure_mode: SecureMode,
    /// When this is, by the device's own clock; goes into the signature. Clients use milliseconds since 1970, seconds, or a
    /// constant, as no platform may rely on a device's clock. Default: none, and then it is not signed either.
    pub timestamp: Option<u64>,
    /// What the device can do, one bit each: 1, that services which wait for their answer may come on `/ext/rrpc/..`; 2,
    /// `ext_notify`. Default: 3, both.
    pub ext: u8,
    /// Whether the platform is to send all system topics unasked (`_ss=1`), so that the device subscribes to nothing but its
    /// own. Default: yes.
    pub subscribed_by_platform: bool,
    /// `gw`, as gateways may say of themselves. What the platform makes of it is not verified. Default: it is not said.
    pub gateway: Option<bool>,
    /// Of an enterprise instance, where the platform asks for it. Default: none.
    pub instance_id: Option<String>,
    /// More parameters: `_v`, `lan`, ... Default: none.
    pub extra: Vec<(String, String)>,
}

impl LoginOptions {
    /// How many characters the part of the client id before its parameters may have.
    pub const MAX_CLIENT_ID: usize = 64;
}

impl Default for LoginOptions {
    fn default() -> Self {
        Self {
            client_id: None,
            sign_method: SignMethod::HmacSha256,
            secure_mode: SecureMode::Tls,
            timestamp: None,
            ext: 3,
            subscribed_by_platform: true,
            gateway: None,
            instance_id: None,
            extra: Vec::new(),
        }
    }
}

/// How a device connects that is to be registered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RegisterOptions {
    /// How the password is made. Default: [`SignMethod::HmacSha256`].
    pub sign_method: SignMethod,
    /// The cloud takes [`SecureMode::Tls`] only, and for devices that it has no list of [`SecureMode::Token`] on newer and on
    /// enterprise instances. Default: [`SecureMode::Tls`].
    pub secure_mode: SecureMode,
    /// Of an enterprise instance. Default: none.
    pub instance_id: Option<String>,
}

impl Default for RegisterOptions {
    fn default() -> Self {
        Self { sign_method: SignMethod::HmacSha256, secure_mode: SecureMode::Tls, instance_id: None }
    }
}

/// Why there is no CONNECT for this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// A name, key or value is empty.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A name, key or value has a character that stands for something else where it goes: `|`, `,`, `=`, `&`, `/`, `+`, `#`,
    /// or a control character.
    #[error("{0} has a character that is not allowed there")]
    Character(&'static str),
    /// The part of the client id before its parameters has more than 64 characters.
    #[error("a client id of {0} characters, where at most 64 are allowed")]
    LongClientId(usize),
    /// A parameter stands twice, or is one of those that the options set.
    #[error("the parameter {0} stands there already")]
    Twice(String),
}

/// What a CONNECT carries.
///
/// ```
/// use onwire::alink::{DeviceRef, Login, LoginOptions, Secret, SecureMode, SignMethod};
///
/// let device = DeviceRef { product_key: "a1X", device_name: "SN1" };
/// let mut options = LoginOptions::default();
/// options.secure_mode = SecureMode::Tcp;
/// options.sign_method = SignMethod::HmacSha1;
/// let login = Login::with_secret(device, &Secret::from("secret"), &options)?;
/// assert_eq!(login.client_id, "a1X.SN1|securemode=3,signmethod=hmacsha1,ext=3,_ss=1|");
/// assert_eq!(login.username, "SN1&a1X");
/// # Ok::<(), onwire::alink::LoginError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Login {
    /// The MQTT client id, with its parameters.
    pub client_id: String,
    /// `{dn}&{pk}`.
    pub username: String,
    /// The signature, or the token.
    pub password: Secret,
}

impl Login {
    /// Of a device that has a secret of its own.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn with_secret(device: DeviceRef<'_>, secret: &Secret, options: &LoginOptions) -> Result<Self, LoginError> {
        let username = username(device)?;
        let id = match &options.client_id {
            Some(id) => id.clone(),
            None => alloc::format!("{}.{}", device.product_key, device.device_name),
        };
        let timestamp = options.timestamp.map(|timestamp| timestamp.to_string());
        let mut pairs = Vec::from([
            ("clientId", id.as_str()),
            ("deviceName", device.device_name),
            ("productKey", device.product_key),
        ]);
        pairs.extend(timestamp.as_deref().map(|timestamp| ("timestamp", timestamp)));
        let password = sign(options.sign_method, secret, &pairs).into();

        let mut parameters = Parameters::of(&id)?;
        parameters.push("securemode", options.secure_mode.name());
        parameters.push("signmethod", options.sign_method.name());
        if let Some(timestamp) = &timestamp {
            parameters.push("timestamp", timestamp);
        }
        parameters.options(options)?;
        Ok(Self { client_id: parameters.finish(), username, password })
    }

    /// Of a device that the platform knows by name and that asks for its secret, with its product's; the answer comes on
    /// `/ext/register`, which nobody subscribes to. `random` makes each signature another one: some 16 random letters and digits.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn register(
        device: DeviceRef<'_>,
        product_secret: &Secret,
        random: &str,
        options: &RegisterOptions,
    ) -> Result<Self, LoginError> {
        Self::registration(device, product_secret, random, options, "register")
    }

    /// Of a device that the platform does not know, and that asks for a token with its product's secret; the answer comes on
    /// `/ext/regnwl`. See [`Login::register`] for `random`.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn register_unlisted(
        device: DeviceRef<'_>,
        product_secret: &Secret,
        random: &str,
        options: &RegisterOptions,
    ) -> Result<Self, LoginError> {
        Self::registration(device, product_secret, random, options, "regnwl")
    }

    fn registration(
        device: DeviceRef<'_>,
        product_secret: &Secret,
        random: &str,
        options: &RegisterOptions,
        auth_type: &str,
    ) -> Result<Self, LoginError> {
        let username = username(device)?;
        allowed("random", random)?;
        let password = sign(options.sign_method, product_secret, &registration_pairs(device, random)).into();
        let mut parameters = Parameters::of(&alloc::format!("{}.{}", device.device_name, device.product_key))?;
        parameters.push("random", random);
        parameters.push("authType", auth_type);
        parameters.push("securemode", options.secure_mode.name());
        parameters.push("signmethod", options.sign_method.name());
        if let Some(instance_id) = &options.instance_id {
            allowed("instanceId", instance_id)?;
            parameters.push("instanceId", instance_id);
        }
        Ok(Self { client_id: parameters.finish(), username, password })
    }

    /// Of a device that was given a token. Its client id came with the token, so that [`LoginOptions::client_id`] has no say;
    /// nor have the method, the mode and the time.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn with_token(
        device: DeviceRef<'_>,
        client_id: &str,
        token: &Secret,
        options: &LoginOptions,
    ) -> Result<Self, LoginError> {
        let username = username(device)?;
        let mut parameters = Parameters::of(client_id)?;
        parameters.push("authType", "connwl");
        parameters.push("securemode", SecureMode::Token.name());
        parameters.options(options)?;
        Ok(Self { client_id: parameters.finish(), username, password: token.clone() })
    }
}

impl From<Login> for crate::mqtt::Connect {
    /// With a clean session and a keep-alive of five minutes, as the cloud recommends at the least.
    fn from(login: Login) -> Self {
        let mut connect = Self::new(login.client_id);
        connect.username = Some(login.username);
        connect.password = Some(login.password.expose().as_bytes().to_vec());
        connect
    }
}

/// What registration signs, over MQTT and over HTTPS.
pub(super) fn registration_pairs<'a>(device: DeviceRef<'a>, random: &'a str) -> [(&'a str, &'a str); 3] {
    [("deviceName", device.device_name), ("productKey", device.product_key), ("random", random)]
}

fn username(device: DeviceRef<'_>) -> Result<String, LoginError> {
    for (what, name) in [("the product key", device.product_key), ("the device name", device.device_name)] {
        allowed(what, name)?;
        // Names go into topics, too.
        if name.contains(['/', '+', '#', '&']) {
            return Err(LoginError::Character(what));
        }
    }
    Ok(alloc::format!("{}&{}", device.device_name, device.product_key))
}

fn allowed(what: &'static str, text: &str) -> Result<(), LoginError> {
    if text.is_empty() {
        return Err(LoginError::Empty(what));
    }
    match text.contains(|character: char| character.is_control() || "|,=".contains(character)) {
        true => Err(LoginError::Character(what)),
        false => Ok(()),
    }
}

/// A client id that is being put together.
struct Parameters {
    text: String,
    keys: Vec<String>,
}

impl Parameters {
    fn of(client_id: &str) -> Result<Self, LoginError> {
        if client_id.is_empty() {
            return Err(LoginError::Empty("the client id"));
        }
        if client_id.contains(|character: char| character.is_control() || character == '|') {
            return Err(LoginError::Character("the client id"));
        }
        let length = client_id.chars().count();
        if length > LoginOptions::MAX_CLIENT_ID {
            return Err(LoginError::LongClientId(length));
        }
        Ok(Self { text: client_id.into(), keys: Vec::new() })
    }

    fn push(&mut self, key: &str, value: &str) {
        let separator = if self.keys.is_empty() { '|' } else { ',' };
        // Writing to a string does not fail.
        let _ = write!(self.text, "{separator}{key}={value}");
        self.keys.push(key.to_ascii_lowercase());
    }

    fn options(&mut self, options: &LoginOptions) -> Result<(), LoginError> {
        self.push("ext", &options.ext.to_string());
        if options.subscribed_by_platform {
            self.push("_ss", "1");
        }
        if let Some(gateway) = options.gateway {
            self.push("gw", if gateway { "1" } else { "0" });
        }
        if let Some(instance_id) = &options.instance_id {
            allowed("instanceId", instance_id)?;
            self.push("instanceId", instance_id);
        }
        // What the options can say, they say.
        const OPTIONS: [&str; 10] =
            ["securemode", "signmethod", "timestamp", "ext", "_ss", "gw", "instanceid", "authtype", "random", "sign"];
        for (key, value) in &options.extra {
            allowed("a parameter's key", key)?;
            allowed("a parameter's value", value)?;
            let lower = key.to_ascii_lowercase();
            if OPTIONS.contains(&lower.as_str()) || self.keys.contains(&lower) {
                return Err(LoginError::Twice(key.clone()));
            }
            self.push(key, value);
        }
        Ok(())
    }

    fn finish(mut self) -> String {
        self.text.push('|');
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1testpk", device_name: "dev1" };

    fn secret() -> Secret {
        Secret::from("secretsecretsecret")
    }

    #[test]
    fn a_login_is_the_one_of_the_vectors() {
        let mut options = LoginOptions { timestamp: Some(2_524_608_000_000), ..LoginOptions::default() };
        options.subscribed_by_platform = false;
        options.gateway = Some(false);
        options.instance_id = Some("iot-1".into());
        options.extra.push(("_v".into(), "onwire".into()));
        let login = Login::with_secret(DEVICE, &secret(), &options).unwrap();
        assert_eq!(
            login.client_id,
            "a1testpk.dev1|securemode=2,signmethod=hmacsha256,timestamp=2524608000000,ext=3,gw=0,instanceId=iot-1,_v=onwire|"
        );
        assert_eq!(login.username, "dev1&a1testpk");
        assert_eq!(login.password.expose(), "dffd4f6439920c63999c5ef7167bc76bacc8233e8a25c72535d04774c7042cb0");
        assert!(!alloc::format!("{login:?}").contains("dffd4f"), "no password in a log");
        let connect = crate::mqtt::Connect::from(login);
        assert_eq!(connect.username.as_deref(), Some("dev1&a1testpk"));
        assert_eq!(connect.password.map(|password| password.len()), Some(64));
    }

    #[test]
    fn a_registration_is_the_one_of_the_vectors() {
        let mut options = RegisterOptions::default();
        let secret = Secret::from("productsecretx");
        for (random, password) in [
            ("fixut0UZdmZWxT6", "ca594afdbac5391a03dcbdd34619f589d1594c515546606cefd611c6a5a3402a"),
            ("8Ygb7ULYh53B6OA", "6899c9318f39f993e86e30e06c8797d8c4e5a0bd803582ce3c7701d4aa157e13"),
        ] {
            let login = Login::register(DEVICE, &secret, random, &options).unwrap();
            assert_eq!(
                login.client_id,
                alloc::format!("dev1.a1testpk|random={random},authType=register,securemode=2,signmethod=hmacsha256|")
            );
            assert_eq!((login.username.as_str(), login.password.expose()), ("dev1&a1testpk", password));
        }
        options.secure_mode = SecureMode::Token;
        options.instance_id = Some("iot-1".into());
        let login = Login::register_unlisted(DEVICE, &secret, "r", &options).unwrap();
        assert_eq!(
            login.client_id,
            "dev1.a1testpk|random=r,authType=regnwl,securemode=-2,signmethod=hmacsha256,instanceId=iot-1|"
        );
    }

    #[test]
    fn a_token_is_the_password() {
        let login = Login::with_token(DEVICE, "c1", &Secret::from("tok"), &LoginOptions::default()).unwrap();
        assert_eq!(login.client_id, "c1|authType=connwl,securemode=-2,ext=3,_ss=1|");
        assert_eq!(login.password.expose(), "tok");
    }

    #[test]
    fn what_would_say_something_else_is_refused() {
        let with = |change: &dyn Fn(&mut LoginOptions)| {
            let mut options = LoginOptions::default();
            change(&mut options);
            Login::with_secret(DEVICE, &secret(), &options).unwrap_err()
        };
        assert_eq!(with(&|o| o.client_id = Some("a|b".into())), LoginError::Character("the client id"));
        assert_eq!(with(&|o| o.client_id = Some("x".repeat(65))), LoginError::LongClientId(65));
        assert_eq!(with(&|o| o.instance_id = Some("a,b=c".into())), LoginError::Character("instanceId"));
        assert_eq!(with(&|o| o.extra = [("EXT".into(), "1".into())].into()), LoginError::Twice("EXT".into()));
        assert_eq!(with(&|o| o.extra = [("a".into(), String::new())].into()), LoginError::Empty("a parameter's value"));
        let twice = [("a".into(), "1".into()), ("A".into(), "1".into())];
        assert_eq!(with(&|o| o.extra = twice.clone().into()), LoginError::Twice("A".into()));
        for device_name in ["", "a/b", "a+", "#", "a&b", "a|b", "a\n"] {
            let device = DeviceRef { device_name, ..DEVICE };
            assert!(Login::with_secret(device, &secret(), &LoginOptions::default()).is_err(), "{device_name}");
        }
        assert!(Login::register(DEVICE, &secret(), "a,b", &RegisterOptions::default()).is_err());
    }
}
