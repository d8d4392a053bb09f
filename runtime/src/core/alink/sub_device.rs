//! What a gateway says for a sub-device, so that the platform believes that the two belong together.

use super::{DeviceRef, Secret, SignMethod, WrongSignature, sign, verify};

/// Whose topology or login is signed (`thing.topo.add`, `combine/login`, `combine/batch_login`).
///
/// ```
/// use onwire::alink::{DeviceRef, Secret, SignMethod, SubDevice};
///
/// let device = DeviceRef { product_key: "p", device_name: "d" };
/// let meter = SubDevice { device, client_id: "p&d", timestamp: Some("1795301340000") };
/// let signature = meter.sign(SignMethod::HmacSha1, &Secret::from("secret"));
/// assert!(meter.verify(SignMethod::HmacSha1, &Secret::from("secret"), None, &signature).is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubDevice<'a> {
    /// The sub-device.
    pub device: DeviceRef<'a>,
    /// Whatever tells it from others; SDKs take `{pk}&{dn}`.
    pub client_id: &'a str,
    /// When this is, by the gateway's clock, as the message has it; not signed if it has none.
    pub timestamp: Option<&'a str>,
}

impl SubDevice<'_> {
    /// Signs with the sub-device's secret, as SDKs do: without `cleanSession`.
    pub fn sign(&self, method: SignMethod, secret: &Secret) -> alloc::string::String {
        let (pairs, count) = self.pairs(None);
        sign(method, secret, pairs.get(..count).unwrap_or(&[]))
    }

    /// Checks a signature. A login's may be about `cleanSession` too, as the documentation says, or not, as SDKs do;
    /// `clean_session` is its text in the message.
    ///
    /// # Errors
    /// [`WrongSignature`].
    pub fn verify(
        &self,
        method: SignMethod,
        secret: &Secret,
        clean_session: Option<&str>,
        signature: &str,
    ) -> Result<(), WrongSignature> {
        let check = |clean_session| {
            let (pairs, count) = self.pairs(clean_session);
            verify(method, secret, pairs.get(..count).unwrap_or(&[]), signature.as_bytes())
        };
        match clean_session {
            None => check(None),
            Some(_) => check(None).or_else(|_| check(clean_session)),
        }
    }

    fn pairs<'s>(&'s self, clean_session: Option<&'s str>) -> ([(&'s str, &'s str); 5], usize) {
        let mut pairs = [
            ("clientId", self.client_id),
            ("deviceName", self.device.device_name),
            ("productKey", self.device.product_key),
            ("", ""),
            ("", ""),
        ];
        let mut count = 3;
        for (name, value) in [("timestamp", self.timestamp), ("cleanSession", clean_session)] {
            if let (Some(value), Some(place)) = (value, pairs.get_mut(count)) {
                *place = (name, value);
                count += 1;
            }
        }
        (pairs, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUB: SubDevice<'_> = SubDevice {
        device: DeviceRef { product_key: "a1testpk", device_name: "dev1" },
        client_id: "a1testpk&dev1",
        timestamp: Some("1795301340"),
    };

    #[test]
    fn a_sub_device_signs_as_a_device_does() {
        let secret = Secret::from("secretsecretsecret");
        assert_eq!(SUB.sign(SignMethod::HmacSha1, &secret), "1b32cc76cf5f22af93496952fdba283444c05a29");
    }

    #[test]
    fn a_login_may_sign_clean_session_or_not() {
        let secret = Secret::from("s");
        let method = SignMethod::HmacSha256;
        let without = SUB.sign(method, &secret);
        let pairs = [
            ("cleanSession", "true"),
            ("clientId", SUB.client_id),
            ("deviceName", "dev1"),
            ("productKey", "a1testpk"),
            ("timestamp", "1795301340"),
        ];
        let with = sign(method, &secret, &pairs);
        assert_ne!(with, without);
        for signature in [&with, &without] {
            assert_eq!(SUB.verify(method, &secret, Some("true"), signature), Ok(()));
            assert_eq!(SUB.verify(method, &Secret::from("x"), Some("true"), signature), Err(WrongSignature));
        }
        assert_eq!(SUB.verify(method, &secret, Some("false"), &with), Err(WrongSignature));
        assert_eq!(SUB.verify(method, &secret, None, &without), Ok(()));
        assert_eq!(SUB.verify(method, &secret, None, &with), Err(WrongSignature));
        let timeless = SubDevice { timestamp: None, ..SUB };
        assert_ne!(timeless.sign(method, &secret), without);
    }
}
