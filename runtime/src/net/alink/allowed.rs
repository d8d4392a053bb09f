//! What a device may subscribe to.

use crate::alink::DeviceRef;

/// What a device may ask for: its own topics, and those that are everybody's.
pub(super) struct Allowed([String; 9]);

impl Allowed {
    pub(super) fn of(device: DeviceRef<'_>) -> Self {
        Self([
            format!("/sys/{device}/"),
            format!("/ota/device/upgrade/{device}"),
            format!("/shadow/get/{device}"),
            format!("/ext/ntp/{device}/"),
            format!("/ext/session/{device}/"),
            format!("/ext/error/{device}"),
            format!("/{device}/user/"),
            format!("/broadcast/{}/", device.product_key),
            "/ext/rrpc/".to_owned(),
        ])
    }

    pub(super) fn has(&self, filter: &str) -> bool {
        self.0.iter().any(|own| filter == own || (own.ends_with('/') && filter.starts_with(own)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_may_ask_for_its_own_topics_only() {
        let device = DeviceRef { product_key: "a1", device_name: "d" };
        for filter in ["/sys/a1/d/thing/#", "/ota/device/upgrade/a1/d", "/ext/rrpc/+/sys/a1/d/#", "/a1/d/user/get"] {
            assert!(Allowed::of(device).has(filter), "{filter}");
        }
        for filter in [
            "#",
            "/sys/#",
            "/sys/a1/+/thing/#",
            "/sys/a1/d2/thing/#",
            "/ota/device/upgrade/a1/d2",
            "/a1/x/user/get",
            "",
        ] {
            assert!(!Allowed::of(device).has(filter), "{filter}");
        }
    }
}
