//! Registration: the answers that come over MQTT, and both sides of the exchange over HTTPS.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::{String, ToString};
use core::fmt;

use super::login::registration_pairs;
use super::{DeviceRef, Secret, SignMethod, WrongSignature, sign, verify};
use crate::codec::{DecodeError, Decoder, Extra, Fault, Fields, Quirks, Reject, decode_with, write_escaped};
use crate::types::{RawJson, Text};

/// The path to which a device posts [`register_form`], of `https://iot-auth.{region}.aliyuncs.com`.
pub const REGISTER_PATH: &str = "/auth/register/device";

/// What a device is given that was registered: the message on `/ext/register`, and what the answer over HTTPS holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its product.
    pub product_key: String,
    /// Its name.
    pub device_name: String,
    /// Its secret, to be stored: the platform tells it once.
    pub device_secret: Secret,
}

static REGISTERED: Fields = Fields::new(&["productKey", "deviceName", "deviceSecret"], 0b111, 0, Extra::Skipped);

impl Registered {
    /// Reads the message.
    ///
    /// # Errors
    /// [`DecodeError`], also if a member is missing or empty.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let [product_key, device_name, secret] =
            decode_with(text, Quirks::ALL, |decoder| members(decoder, &REGISTERED))?;
        Ok(Self { product_key, device_name, device_secret: secret.into() })
    }

    /// Writes the message.
    pub fn to_json(&self) -> String {
        object(&[
            ("productKey", &self.product_key),
            ("deviceName", &self.device_name),
            ("deviceSecret", self.device_secret.expose()),
        ])
    }
}

/// What a device is given that registered without being known before: the message on `/ext/regnwl`. It connects by
/// [`Login::with_token`](super::Login::with_token) from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredUnlisted {
    /// The client id that goes with the token.
    pub client_id: String,
    /// Its product.
    pub product_key: String,
    /// Its name.
    pub device_name: String,
    /// Its token, to be stored.
    pub device_token: Secret,
}

static UNLISTED: Fields =
    Fields::new(&["clientId", "productKey", "deviceName", "deviceToken"], 0b1111, 0, Extra::Skipped);

impl RegisteredUnlisted {
    /// Reads the message.
    ///
    /// # Errors
    /// [`DecodeError`], also if a member is missing or empty.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let read = decode_with(text, Quirks::ALL, |decoder| members(decoder, &UNLISTED))?;
        let [client_id, product_key, device_name, token] = read;
        Ok(Self { client_id, product_key, device_name, device_token: token.into() })
    }

    /// Writes the message.
    pub fn to_json(&self) -> String {
        object(&[
            ("clientId", &self.client_id),
            ("productKey", &self.product_key),
            ("deviceName", &self.device_name),
            ("deviceToken", self.device_token.expose()),
        ])
    }
}

/// What a device posts to [`REGISTER_PATH`] as `application/x-www-form-urlencoded`. `random` makes each signature another one:
/// some 16 random letters and digits.
pub fn register_form(device: DeviceRef<'_>, product_secret: &Secret, random: &str, method: SignMethod) -> String {
    let sign = sign(method, product_secret, &registration_pairs(device, random));
    form_urlencoded::Serializer::new(String::new())
        .append_pair("productKey", device.product_key)
        .append_pair("deviceName", device.device_name)
        .append_pair("random", random)
        .append_pair("sign", &sign)
        .append_pair("signMethod", method.camel_case_name())
        .finish()
}

/// Why a platform did not register a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRegistered {
    /// It refuses: 6288, dynamic registration is off; 6289, the device is active already; 6292, the method is not
    /// supported; 6600, the signature is wrong; 6619, the device is bound to a gateway.
    #[error("refused with code {code}: {message}")]
    Refused {
        /// Why, as a number.
        code: i64,
        /// Why, for people.
        message: String,
    },
    /// Its answer cannot be read.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
}

static ANSWER: Fields = Fields::new(&["code", "data", "message"], 0b001, 0, Extra::Skipped);

/// Reads the answer to [`register_form`].
///
/// # Errors
/// [`NotRegistered`].
pub fn parse_register_answer(text: &str) -> Result<Registered, NotRegistered> {
    let (mut code, mut data, mut message) = (0, None::<RawJson>, Text::<1024>::default());
    decode_with(text, Quirks::ALL, |decoder| {
        let mut object = decoder.begin_object(&ANSWER)?;
        while let Some(index) = decoder.next_field(&mut object)? {
            match index {
                0 => code = decoder.integer()?,
                1 => data = Some(decoder.any()?),
                _ => decoder.text(&mut message)?,
            }
        }
        Ok(())
    })?;
    match code {
        200 => Ok(Registered::parse(data.as_ref().map_or("null", RawJson::as_str))?),
        _ => Err(NotRegistered::Refused { code, message: message.as_str().to_owned() }),
    }
}

/// Writes the answer to [`register_form`]: the device's secret, or why it gets none, as a code and for people.
pub fn register_answer(result: Result<&Registered, (u32, &str)>) -> String {
    let (code, data, message) = match result {
        Ok(registered) => (200, registered.to_json(), "success"),
        Err((code, message)) => (code, "{}".to_owned(), message),
    };
    let mut out = alloc::format!("{{\"code\":{code},\"data\":{data},\"message\":\"");
    write_escaped(&mut out, message);
    out.push_str("\"}");
    out
}

/// What a device posts to be registered, as the platform reads it.
#[derive(Clone)]
pub struct RegisterForm<'a> {
    product_key: Cow<'a, str>,
    device_name: Cow<'a, str>,
    random: Cow<'a, str>,
    method: SignMethod,
    sign: Cow<'a, str>,
}

/// Why a body is no form of registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NoForm {
    /// The body is longer than [`RegisterForm::MAX`].
    #[error("the form is too long")]
    TooLong,
    /// A field is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field stands twice.
    #[error("a field stands twice")]
    Duplicate,
    /// A name has characters that would mean something else in a topic, or too many.
    #[error("no product key or no device name")]
    Name,
    /// `signMethod` is none that is known.
    #[error("unknown signMethod")]
    SignMethod,
}

impl<'a> RegisterForm<'a> {
    /// How many bytes the body may have.
    pub const MAX: usize = 1024;

    /// Reads the body.
    ///
    /// # Errors
    /// [`NoForm`].
    pub fn parse(body: &'a [u8]) -> Result<Self, NoForm> {
        const NAMES: [&str; 5] = ["productKey", "deviceName", "random", "sign", "signMethod"];
        if body.len() > Self::MAX {
            return Err(NoForm::TooLong);
        }
        let mut fields: [Option<Cow<'a, str>>; 5] = Default::default();
        for (name, value) in form_urlencoded::parse(body) {
            let place = NAMES.iter().position(|known| *known == name).and_then(|index| fields.get_mut(index));
            if place.is_some_and(|place| place.replace(value).is_some()) {
                return Err(NoForm::Duplicate);
            }
        }
        let [product_key, device_name, random, sign, method] = fields;
        let need = |field: Option<Cow<'a, str>>, name| match field {
            Some(field) if !field.is_empty() => Ok(field),
            _ => Err(NoForm::Missing(name)),
        };
        let form = Self {
            product_key: need(product_key, "productKey")?,
            device_name: need(device_name, "deviceName")?,
            random: need(random, "random")?,
            method: SignMethod::from_name(&need(method, "signMethod")?).ok_or(NoForm::SignMethod)?,
            sign: need(sign, "sign")?,
        };
        let are_names = [&form.product_key, &form.device_name].into_iter().all(|name| super::claim::is_name(name));
        if are_names { Ok(form) } else { Err(NoForm::Name) }
    }

    /// Who wants to be registered. Both names fit into a topic.
    pub fn device(&self) -> DeviceRef<'_> {
        DeviceRef { product_key: &self.product_key, device_name: &self.device_name }
    }

    /// Checks its signature, with the product's secret.
    ///
    /// # Errors
    /// [`WrongSignature`].
    pub fn verify(&self, product_secret: &Secret) -> Result<(), WrongSignature> {
        let pairs = registration_pairs(self.device(), &self.random);
        verify(self.method, product_secret, &pairs, self.sign.as_bytes())
    }
}

impl fmt::Debug for RegisterForm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterForm")
            .field("device", &self.device())
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// Reads an object of text that is not empty.
fn members<const N: usize>(decoder: &mut Decoder<'_>, fields: &'static Fields) -> Result<[String; N], Reject> {
    let mut texts: [String; N] = core::array::from_fn(|_| String::new());
    let mut object = decoder.begin_object(fields)?;
    while let Some(index) = decoder.next_field(&mut object)? {
        decoder.peek();
        let start = decoder.offset();
        let mut text = Text::<1024>::default();
        decoder.text(&mut text)?;
        if text.is_empty() {
            return Err(decoder.reject(start, Fault::UnrecognizedValue));
        }
        if let Some(place) = texts.get_mut(index) {
            *place = text.to_string();
        }
    }
    Ok(texts)
}

fn object(members: &[(&str, &str)]) -> String {
    let mut out = String::from("{");
    for (index, (name, value)) in members.iter().enumerate() {
        out.push_str(if index == 0 { "\"" } else { ",\"" });
        out.push_str(name);
        out.push_str("\":\"");
        write_escaped(&mut out, value);
        out.push('"');
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1testpk", device_name: "dev:1" };

    fn registered() -> Registered {
        Registered { product_key: "a1testpk".into(), device_name: "dev:1".into(), device_secret: "s\"1".into() }
    }

    #[test]
    fn answers_over_mqtt_are_written_and_read() {
        let text = registered().to_json();
        assert_eq!(text, r#"{"productKey":"a1testpk","deviceName":"dev:1","deviceSecret":"s\"1"}"#);
        assert_eq!(Registered::parse(&text), Ok(registered()));
        let unlisted = RegisteredUnlisted {
            client_id: "c1".into(),
            product_key: "a1testpk".into(),
            device_name: "dev:1".into(),
            device_token: "t".into(),
        };
        assert_eq!(RegisteredUnlisted::parse(&unlisted.to_json()), Ok(unlisted));
        for text in [
            "",
            "{}",
            "[]",
            r#"{"productKey":"p","deviceName":"d"}"#,
            r#"{"productKey":"p","deviceName":"d","deviceSecret":""}"#,
        ] {
            assert!(Registered::parse(text).is_err(), "{text}");
        }
        assert!(!alloc::format!("{:?}", registered()).contains("s\\\"1"));
    }

    #[test]
    fn a_form_is_written_and_verified() {
        let secret = Secret::from("productsecretx");
        let vector = DeviceRef { device_name: "dev1", ..DEVICE };
        let form = register_form(vector, &secret, "8Ygb7ULYh53B6OA", SignMethod::HmacSha256);
        assert_eq!(
            form,
            "productKey=a1testpk&deviceName=dev1&random=8Ygb7ULYh53B6OA\
             &sign=6899c9318f39f993e86e30e06c8797d8c4e5a0bd803582ce3c7701d4aa157e13&signMethod=hmacSha256"
        );
        let form = register_form(DEVICE, &secret, "r", SignMethod::HmacSha1);
        let read = RegisterForm::parse(form.as_bytes()).unwrap();
        assert_eq!(read.device(), DEVICE);
        assert_eq!(read.verify(&secret), Ok(()));
        assert_eq!(read.verify(&Secret::from("other")), Err(WrongSignature));
    }

    #[test]
    fn what_is_no_form_is_refused_with_the_reason() {
        let parse = |body: &str| RegisterForm::parse(body.as_bytes()).map(|_| ()).unwrap_err();
        assert_eq!(parse(""), NoForm::Missing("productKey"));
        assert_eq!(parse("productKey=p&deviceName=d&random=r&sign=0"), NoForm::Missing("signMethod"));
        assert_eq!(parse("productKey=p&deviceName=&random=r&sign=0&signMethod=hmacMd5"), NoForm::Missing("deviceName"));
        assert_eq!(parse("productKey=p&productKey=q"), NoForm::Duplicate);
        assert_eq!(parse("productKey=p&deviceName=d%2Fe&random=r&sign=0&signMethod=hmacMd5"), NoForm::Name);
        assert_eq!(parse("productKey=p&deviceName=d&random=r&sign=0&signMethod=md5"), NoForm::SignMethod);
        assert_eq!(parse(&"x".repeat(1025)), NoForm::TooLong);
    }

    #[test]
    fn an_answer_over_https_has_the_secret_or_the_reason() {
        assert_eq!(parse_register_answer(&register_answer(Ok(&registered()))), Ok(registered()));
        let refused = register_answer(Err((6289, "already \"active\"")));
        assert_eq!(refused, r#"{"code":6289,"data":{},"message":"already \"active\""}"#);
        let error = parse_register_answer(&refused).unwrap_err();
        assert_eq!(error, NotRegistered::Refused { code: 6289, message: "already \"active\"".into() });
        for text in ["", "<html>", "{}", r#"{"code":200}"#, r#"{"code":200,"data":{}}"#] {
            assert!(matches!(parse_register_answer(text), Err(NotRegistered::Unreadable(_))), "{text}");
        }
    }
}
