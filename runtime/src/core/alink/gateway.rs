//! Gateways: what becomes of their sub-devices, by code.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use core::fmt;

use super::DeviceRef;
use crate::codec::{DecodeError, Decoder, Extra, Fields, Quirks, decode_with, write_escaped};
use crate::core::error::{CallError, CallFailure, ErrorCode};
use crate::types::Text;

/// Why a sub-device may not, or no longer, be online through a gateway, be behind it, or be registered by it. The numbers are the
/// vendor's; those that it has for other things as well are told apart by what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubDeviceFault {
    /// 401: the signature of a topology is wrong.
    TopologySignature,
    /// 427: it has logged in elsewhere: through another gateway, or by itself.
    Replaced,
    /// 428: there are too many sub-devices online at this gateway.
    TooManyOnline,
    /// 429: too often.
    Throttled,
    /// 460: a parameter is missing or wrong, or there are too many.
    Parameter,
    /// 520: it is not online through this gateway (any more). It has to log in.
    NoSession,
    /// 521: it was deleted.
    Deleted,
    /// 522, and 6204: it is disabled.
    Disabled,
    /// 527: it is online already.
    AlreadyOnline,
    /// 6100: there is no such device.
    Unknown,
    /// 6280: its name cannot be one.
    Name,
    /// 6287, and 6600: the signature of a login or a registration is wrong.
    Signature,
    /// 6288: its product takes no dynamic registration.
    RegistrationOff,
    /// 6289: it was active already, and is not registered again.
    AlreadyActive,
    /// 6400: there are too many sub-devices behind the gateway.
    TooMany,
    /// 6401: it is not behind this gateway.
    NoTopology,
    /// 6402: it is the gateway itself.
    IsGateway,
    /// 6619: it is behind another gateway.
    Elsewhere,
    /// Any other: of the platform (500, 6760), or not known here.
    Other(u32),
}

/// Each with its number and what is said of it.
const FAULTS: [(SubDeviceFault, u32, &str); 18] = [
    (SubDeviceFault::TopologySignature, 401, "wrong signature"),
    (SubDeviceFault::Replaced, 427, "the sub-device has logged in elsewhere"),
    (SubDeviceFault::TooManyOnline, 428, "too many sub-devices are online at this gateway"),
    (SubDeviceFault::Throttled, 429, "too often"),
    (SubDeviceFault::Parameter, 460, "a parameter is missing or wrong"),
    (SubDeviceFault::NoSession, 520, "the sub-device is not online through this gateway"),
    (SubDeviceFault::Deleted, 521, "the sub-device was deleted"),
    (SubDeviceFault::Disabled, 522, "the sub-device is disabled"),
    (SubDeviceFault::AlreadyOnline, 527, "the sub-device is online already"),
    (SubDeviceFault::Unknown, 6100, "there is no such device"),
    (SubDeviceFault::Name, 6280, "the name cannot be one of a device"),
    (SubDeviceFault::Signature, 6287, "wrong signature"),
    (SubDeviceFault::RegistrationOff, 6288, "the product takes no such registration"),
    (SubDeviceFault::AlreadyActive, 6289, "the device has been active already"),
    (SubDeviceFault::TooMany, 6400, "too many sub-devices are behind this gateway"),
    (SubDeviceFault::NoTopology, 6401, "the sub-device is not behind this gateway"),
    (SubDeviceFault::IsGateway, 6402, "a gateway is not its own sub-device"),
    (SubDeviceFault::Elsewhere, 6619, "the sub-device is behind another gateway"),
];

impl SubDeviceFault {
    /// The fault with that number.
    pub fn from_code(code: u32) -> Self {
        match code {
            6204 => Self::Disabled,
            6600 => Self::Signature,
            _ => FAULTS.iter().find(|(_, of, _)| *of == code).map_or(Self::Other(code), |(fault, ..)| *fault),
        }
    }

    /// Its number.
    pub fn code(self) -> u32 {
        match self {
            Self::Other(code) => code,
            _ => FAULTS.iter().find(|(fault, ..)| *fault == self).map_or(500, |(_, code, _)| *code),
        }
    }

    /// The fault that a platform answered a gateway's call with; `None` if the call came to nothing for another reason.
    ///
    /// ```
    /// use onwire::alink::SubDeviceFault;
    /// use onwire::{CallError, CallFailure, ErrorCode};
    ///
    /// let failure = CallFailure::Refused(CallError::new(ErrorCode::Other("6402".into()), ""));
    /// assert_eq!(SubDeviceFault::of(&failure), Some(SubDeviceFault::IsGateway));
    /// ```
    pub fn of(failure: &CallFailure) -> Option<Self> {
        let CallFailure::Refused(CallError { code: ErrorCode::Other(code), .. }) = failure else { return None };
        code.parse().ok().map(Self::from_code)
    }
}

impl fmt::Display for SubDeviceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = FAULTS.iter().find(|(fault, ..)| fault == self);
        f.write_str(known.map_or("refused", |(_, _, text)| text))
    }
}

impl core::error::Error for SubDeviceFault {}

impl From<SubDeviceFault> for CallError {
    /// For handlers of `TopoAdd`, `SubRegister` and their like.
    fn from(fault: SubDeviceFault) -> Self {
        Self::new(ErrorCode::Other(fault.code().to_string().into()), fault.to_string())
    }
}

/// A fault, and what the platform says of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the platform refuses the sub-device with code {}: {message}", fault.code())]
#[non_exhaustive]
pub struct SubDeviceRefused {
    /// Which.
    pub fault: SubDeviceFault,
    /// Why, for people.
    pub message: String,
}

impl SubDeviceRefused {
    /// A fault in the platform's own words.
    pub fn new(fault: SubDeviceFault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into() }
    }
}

impl From<SubDeviceFault> for SubDeviceRefused {
    fn from(fault: SubDeviceFault) -> Self {
        Self::new(fault, fault.to_string())
    }
}

/// What a gateway is told on `/ext/error/{pk}/{dn}`: something is wrong with one of its sub-devices.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubDeviceError {
    /// Its product.
    pub product_key: String,
    /// Its name.
    pub device_name: String,
    /// What is wrong.
    pub refused: SubDeviceRefused,
}

static ERROR: Fields = Fields::new(&["code", "message", "data"], 0b101, 0, Extra::Skipped);
static DATA: Fields = Fields::new(&["productKey", "deviceName"], 0b11, 0, Extra::Skipped);

impl SubDeviceError {
    /// One to be told.
    pub fn new(device: DeviceRef<'_>, refused: impl Into<SubDeviceRefused>) -> Self {
        let (product_key, device_name) = (device.product_key.to_owned(), device.device_name.to_owned());
        Self { product_key, device_name, refused: refused.into() }
    }

    /// Whose it is.
    pub fn device(&self) -> DeviceRef<'_> {
        DeviceRef { product_key: &self.product_key, device_name: &self.device_name }
    }

    /// Reads the message: `{"id":..,"code":520,"message":..,"data":{"productKey":..,"deviceName":..}}`.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let (mut code, mut message) = (0, Text::<1024>::default());
        let (mut product_key, mut device_name) = (Text::<64>::default(), Text::<64>::default());
        decode_with(text, Quirks::ALL, |decoder: &mut Decoder<'_>| {
            let mut object = decoder.begin_object(&ERROR)?;
            while let Some(index) = decoder.next_field(&mut object)? {
                match index {
                    // A number, or text with one.
                    0 => code = decoder.any()?.as_str().trim_matches('"').parse().unwrap_or(0),
                    1 => decoder.text(&mut message)?,
                    _ => {
                        let mut data = decoder.begin_object(&DATA)?;
                        while let Some(index) = decoder.next_field(&mut data)? {
                            decoder.text(if index == 0 { &mut product_key } else { &mut device_name })?;
                        }
                    }
                }
            }
            Ok(())
        })?;
        let refused = SubDeviceRefused::new(SubDeviceFault::from_code(code), message.to_string());
        Ok(Self { product_key: product_key.to_string(), device_name: device_name.to_string(), refused })
    }

    /// Writes the message.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{\"id\":\"0\",\"code\":");
        out.push_str(&self.refused.fault.code().to_string());
        for (before, text) in [
            (",\"message\":\"", &self.refused.message),
            ("\",\"data\":{\"productKey\":\"", &self.product_key),
            ("\",\"deviceName\":\"", &self.device_name),
        ] {
            out.push_str(before);
            write_escaped(&mut out, text);
        }
        out.push_str("\"}}");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_a_number_of_its_own() {
        for (fault, code, text) in FAULTS {
            assert_eq!((SubDeviceFault::from_code(code), fault.code(), fault.to_string()), (fault, code, text.into()));
        }
        assert_eq!(SubDeviceFault::from_code(6204), SubDeviceFault::Disabled);
        assert_eq!(SubDeviceFault::from_code(5244), SubDeviceFault::Other(5244));
        assert_eq!(SubDeviceFault::Other(5244).code(), 5244);
    }

    #[test]
    fn what_is_wrong_with_a_sub_device_is_told_and_read() {
        let device = DeviceRef { product_key: "a1", device_name: "m\"1" };
        let error = SubDeviceError::new(device, SubDeviceFault::NoSession);
        assert_eq!(SubDeviceError::parse(&error.to_json()), Ok(error));
        let text = r#"{"id":7,"code":"427","data":{"deviceName":"m1","productKey":"a1","x":1}}"#;
        let error = SubDeviceError::parse(text).unwrap();
        assert_eq!((error.refused.fault, &*error.refused.message), (SubDeviceFault::Replaced, ""));
        assert_eq!(error.device(), DeviceRef { product_key: "a1", device_name: "m1" });
        for text in ["", "[]", "{}", r#"{"code":520}"#, r#"{"code":520,"data":"x"}"#, r#"{"code":{},"data":{}}"#] {
            assert!(SubDeviceError::parse(text).is_err(), "{text}");
        }
    }
}
