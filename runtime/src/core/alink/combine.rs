//! What a gateway asks for its sub-devices' sessions, as the platform reads it and answers: `/ext/session/{pk}/{dn}/combine/..`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::claim::is_name;
use super::framing::{FRAMING, with_method};
use super::{DeviceRef, Secret, SignMethod, SubDevice, SubDeviceFault, SubDeviceRefused, WrongSignature};
use crate::alink::system::{
    CombineBatchLoginRequest, CombineBatchLogoutRequest, CombineLoginRequest, CombineLogoutRequest, Identity,
    LoginEntry,
};
use crate::codec::{Message, Quirks, decode, write_escaped};
use crate::core::frame::Frame;

/// How many sub-devices one message may be about.
const MOST: usize = 50;

/// A sub-device that is to come online, before it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubDeviceLogin {
    /// Its product.
    pub product_key: String,
    /// Its name.
    pub device_name: String,
    /// As it was signed.
    pub client_id: String,
    timestamp: Option<String>,
    clean_session: Option<String>,
    sign_method: SignMethod,
    signature: String,
}

impl SubDeviceLogin {
    /// Whose it is, as it says.
    pub fn device(&self) -> DeviceRef<'_> {
        DeviceRef { product_key: &self.product_key, device_name: &self.device_name }
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`WrongSignature`].
    pub fn verify(&self, secret: &Secret) -> Result<(), WrongSignature> {
        let device =
            SubDevice { device: self.device(), client_id: &self.client_id, timestamp: self.timestamp.as_deref() };
        device.verify(self.sign_method, secret, self.clean_session.as_deref(), &self.signature)
    }

    /// Whether services that wait for their answer may come on `/ext/rrpc/..`: the first bit of `ext` among the parameters of
    /// its client id, if it has any.
    pub fn takes_ext_rrpc(&self) -> bool {
        let parameters = self.client_id.split('|').nth(1).unwrap_or("").split(',');
        let ext = parameters.filter_map(|parameter| parameter.trim().strip_prefix("ext=")).next();
        ext.and_then(|ext| ext.parse::<u32>().ok()).is_some_and(|ext| ext & 1 == 1)
    }

    fn new(entry: LoginEntry, method: &str) -> Result<Self, SubDeviceRefused> {
        let LoginEntry { product_key, device_name, client_id, timestamp, clean_session, sign, .. } = entry;
        let sign_method = SignMethod::from_name(method)
            .ok_or_else(|| SubDeviceRefused::new(SubDeviceFault::Parameter, "unknown signMethod"))?;
        let device = named(&product_key, &device_name)?;
        Ok(Self {
            product_key: device.0,
            device_name: device.1,
            client_id: client_id.to_string(),
            timestamp: timestamp.map(|text| text.to_string()),
            clean_session: clean_session.map(|text| text.to_string()),
            sign_method,
            signature: sign.to_string(),
        })
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionRequest {
    /// These are to come online: all or none.
    Login(Vec<SubDeviceLogin>),
    /// These go, by product key and name.
    Logout(Vec<(String, String)>),
}

/// A message of a gateway about its sub-devices' sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionCall {
    /// What is asked, or why that cannot be done.
    pub request: Result<SessionRequest, SubDeviceRefused>,
    /// As JSON.
    id: String,
    is_batch: bool,
}

impl SessionCall {
    /// Reads a message on a topic with that `action` ([`Topic::Session`](super::Topic::Session)): `combine/login`,
    /// `combine/logout`, `combine/batch_login`, `combine/batch_logout`. `None` if it is none, or can be no message at all, so that
    /// nobody could be answered.
    pub fn parse(action: &str, text: &str) -> Option<Self> {
        let name = action.strip_prefix("combine/")?;
        let (is_batch, name) = match name.strip_prefix("batch_") {
            Some(name) => (true, name),
            None => (false, name),
        };
        let text = match (FRAMING.split)(text) {
            // On this topic messages have no method; the topic stands for it.
            Err(bad) if bad.id.is_some() => with_method(text, "-")?,
            _ => text.to_string(),
        };
        let (Frame::Call { id, payload, .. } | Frame::Send { id, payload, .. }) = (FRAMING.split)(&text).ok()? else {
            return None;
        };
        let params = text.get(payload)?;
        let request = match (name, is_batch) {
            ("login", false) => login(params),
            ("login", true) => batch_login(params),
            ("logout", false) => read::<CombineLogoutRequest>(params).and_then(
                |CombineLogoutRequest { product_key, device_name, .. }| {
                    Ok(SessionRequest::Logout(alloc::vec![named(&product_key, &device_name)?]))
                },
            ),
            ("logout", true) => read::<CombineBatchLogoutRequest>(params).and_then(|request| {
                let devices = few(request.devices)?;
                let names =
                    devices.iter().map(|Identity { product_key, device_name, .. }| named(product_key, device_name));
                names.collect::<Result<_, _>>().map(SessionRequest::Logout)
            }),
            _ => return None,
        };
        Some(Self { request, id: text.get(id)?.to_string(), is_batch })
    }

    /// The answer, for the topic of the message with `_reply` at its end.
    pub fn answer(&self, done: Result<(), &SubDeviceRefused>) -> String {
        let mut out = String::from("{\"id\":");
        out.push_str(&self.id);
        out.push_str(",\"code\":");
        let (code, message) = match done {
            Ok(()) => (200, "success"),
            Err(refused) => (refused.fault.code(), &*refused.message),
        };
        out.push_str(&code.to_string());
        out.push_str(",\"data\":");
        let devices: Vec<(&str, &str)> = match &self.request {
            Ok(SessionRequest::Login(logins)) => {
                logins.iter().map(|login| (&*login.product_key, &*login.device_name)).collect()
            }
            Ok(SessionRequest::Logout(names)) => names.iter().map(|(product, name)| (&**product, &**name)).collect(),
            Err(_) => Vec::new(),
        };
        if self.is_batch {
            out.push('[');
        }
        for (index, (product_key, device_name)) in devices.iter().enumerate() {
            out.push_str(if index == 0 { "{\"productKey\":\"" } else { ",{\"productKey\":\"" });
            write_escaped(&mut out, product_key);
            out.push_str("\",\"deviceName\":\"");
            write_escaped(&mut out, device_name);
            out.push_str("\"}");
        }
        match (self.is_batch, devices.is_empty()) {
            (true, _) => out.push(']'),
            (false, true) => out.push_str("{}"),
            (false, false) => {}
        }
        out.push_str(",\"message\":\"");
        write_escaped(&mut out, message);
        out.push_str("\"}");
        out
    }
}

fn login(params: &str) -> Result<SessionRequest, SubDeviceRefused> {
    let request = read::<CombineLoginRequest>(params)?;
    let mut entry = LoginEntry::new(request.product_key, request.device_name, request.client_id, request.sign);
    (entry.timestamp, entry.clean_session) = (request.timestamp, request.clean_session);
    Ok(SessionRequest::Login(alloc::vec![SubDeviceLogin::new(entry, &request.sign_method)?]))
}

fn batch_login(params: &str) -> Result<SessionRequest, SubDeviceRefused> {
    let request = read::<CombineBatchLoginRequest>(params)?;
    let entries = few(request.device_list)?.into_iter();
    let logins = entries.map(|entry| SubDeviceLogin::new(entry, &request.sign_method));
    logins.collect::<Result<_, _>>().map(SessionRequest::Login)
}

fn read<T: Message>(params: &str) -> Result<T, SubDeviceRefused> {
    decode(params, Quirks::ALL).map_err(|error| SubDeviceRefused::new(SubDeviceFault::Parameter, error.to_string()))
}

fn few<T>(items: Vec<T>) -> Result<Vec<T>, SubDeviceRefused> {
    match items.len() {
        1..=MOST => Ok(items),
        _ => Err(SubDeviceRefused::new(SubDeviceFault::Parameter, "1 to 50 sub-devices are needed")),
    }
}

/// Names go into topics.
fn named(product_key: &str, device_name: &str) -> Result<(String, String), SubDeviceRefused> {
    match is_name(product_key) && is_name(device_name) {
        true => Ok((product_key.to_string(), device_name.to_string())),
        false => Err(SubDeviceFault::Name.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = r#"{"productKey":"a1testpk","deviceName":"dev1","clientId":"a1testpk&dev1|ext=1|","timestamp":"1795301340","cleanSession":"true","sign":"SIGN"}"#;

    #[test]
    fn a_batch_with_or_without_a_method_is_read_and_answered() {
        for method in ["", r#","method":"ext.session.combine.batch_login""#] {
            let text = alloc::format!(
                r#"{{"id":7,"version":"1.0","params":{{"signMethod":"hmacSha1","deviceList":[{ENTRY}]}}{method}}}"#
            );
            let call = SessionCall::parse("combine/batch_login", &text).unwrap();
            let Ok(SessionRequest::Login(logins)) = &call.request else { panic!("{call:?}") };
            assert_eq!(logins.len(), 1);
            assert!(logins[0].takes_ext_rrpc() && logins[0].verify(&Secret::from("x")).is_err());
            let data = r#"[{"productKey":"a1testpk","deviceName":"dev1"}]"#;
            let answer = alloc::format!(r#"{{"id":7,"code":200,"data":{data},"message":"success"}}"#);
            assert_eq!(call.answer(Ok(())), answer);
            let refused = call.answer(Err(&SubDeviceFault::NoTopology.into()));
            assert!(refused.starts_with(&alloc::format!(r#"{{"id":7,"code":6401,"data":{data}"#)), "{refused}");
        }
    }

    #[test]
    fn a_login_is_verified_as_it_was_signed() {
        let device = DeviceRef { product_key: "a1testpk", device_name: "dev1" };
        let signed = SubDevice { device, client_id: "c", timestamp: None };
        let sign = signed.sign(SignMethod::HmacMd5, &Secret::from("s"));
        let text = alloc::format!(
            r#"{{"id":"1","params":{{"productKey":"a1testpk","deviceName":"dev1","clientId":"c","signMethod":"hmacMd5","sign":"{sign}"}}}}"#
        );
        let call = SessionCall::parse("combine/login", &text).unwrap();
        let Ok(SessionRequest::Login(logins)) = &call.request else { panic!("{call:?}") };
        assert_eq!((logins[0].verify(&Secret::from("s")), logins[0].takes_ext_rrpc()), (Ok(()), false));
        assert_eq!(
            call.answer(Ok(())),
            r#"{"id":"1","code":200,"data":{"productKey":"a1testpk","deviceName":"dev1"},"message":"success"}"#
        );
    }

    #[test]
    fn what_cannot_be_done_is_refused_and_what_is_no_message_is_none() {
        let fault = |action: &str, params: &str| {
            let text = alloc::format!(r#"{{"id":"1","params":{params}}}"#);
            SessionCall::parse(action, &text).unwrap().request.unwrap_err().fault
        };
        assert_eq!(fault("combine/login", "{}"), SubDeviceFault::Parameter);
        assert_eq!(fault("combine/logout", r#"{"productKey":"a/b","deviceName":"d"}"#), SubDeviceFault::Name);
        assert_eq!(fault("combine/batch_logout", "[]"), SubDeviceFault::Parameter);
        let many = alloc::vec![r#"{"productKey":"p","deviceName":"d"}"#; MOST + 1].join(",");
        assert_eq!(fault("combine/batch_logout", &alloc::format!("[{many}]")), SubDeviceFault::Parameter);
        let odd = alloc::format!(r#"{{"signMethod":"rot13","deviceList":[{ENTRY}]}}"#);
        assert_eq!(fault("combine/batch_login", &odd), SubDeviceFault::Parameter);
        for (action, text) in [
            ("combine/login_reply", r#"{"id":"1","code":200}"#),
            ("combine/login", r#"{"id":"1","code":200}"#),
            ("combine/login", "[]"),
            ("login", r#"{"id":"1","params":{}}"#),
        ] {
            assert_eq!(SessionCall::parse(action, text), None, "{action} {text}");
        }
    }
}
