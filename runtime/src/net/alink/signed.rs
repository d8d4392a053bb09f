//! What a sub-device says of itself, with its signature.

use crate::alink::system::{CombineLoginRequest, Identity, LoginEntry, SignedIdentity};
use crate::alink::{DeviceRef, Secret, SignMethod, SubDevice};
use crate::types::DateTime;

pub(super) fn named(device: DeviceRef<'_>) -> Identity {
    Identity::new(device.product_key, device.device_name)
}

/// What a sub-device has signed.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub(super) device: Identity,
    client_id: String,
    timestamp: String,
    pub(super) method: SignMethod,
    sign: String,
}

impl Signed {
    /// Signs, now.
    pub(super) fn new(device: DeviceRef<'_>, method: SignMethod, secret: &Secret) -> Self {
        let client_id = format!("{}&{}", device.product_key, device.device_name);
        let timestamp = DateTime::now().unix_millis().to_string();
        let sub_device = SubDevice { device, client_id: &client_id, timestamp: Some(&timestamp) };
        let sign = sub_device.sign(method, secret);
        Self { device: named(device), client_id, timestamp, method, sign }
    }

    pub(super) fn identity(&self) -> SignedIdentity {
        let Identity { product_key, device_name, .. } = self.device.clone();
        let (client_id, method) = (self.client_id.as_str(), self.method.camel_case_name());
        let mut signed = SignedIdentity::new(product_key, device_name, client_id, method, self.sign.as_str());
        signed.timestamp = Some(self.timestamp.as_str().into());
        signed
    }

    pub(super) fn entry(&self) -> LoginEntry {
        let Identity { product_key, device_name, .. } = self.device.clone();
        let mut entry = LoginEntry::new(product_key, device_name, self.client_id.as_str(), self.sign.as_str());
        (entry.timestamp, entry.clean_session) = (Some(self.timestamp.as_str().into()), Some("true".into()));
        entry
    }

    pub(super) fn login(&self) -> CombineLoginRequest {
        let Identity { product_key, device_name, .. } = self.device.clone();
        let (client_id, method) = (self.client_id.as_str(), self.method.camel_case_name());
        let mut login = CombineLoginRequest::new(product_key, device_name, client_id, method, self.sign.as_str());
        (login.timestamp, login.clean_session) = (Some(self.timestamp.as_str().into()), Some("true".into()));
        login
    }
}
