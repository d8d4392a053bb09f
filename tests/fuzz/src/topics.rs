//! Topics, and filters that a device asks for.

use onwire::alink::{DeviceRef, Topic, matches};

const OWN: DeviceRef<'_> = DeviceRef { product_key: "a1", device_name: "d" };

/// A topic, and behind a line's end a filter.
pub fn topics(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    let (text, filter) = text.split_once('\n').unwrap_or((text, "#"));
    let _ = matches(filter, text);
    let Some(topic) = Topic::parse(text) else { return };
    assert_eq!(topic.to_string(), text);
    let (device, direction) = (topic.device(), topic.direction());
    if let Some(answer) = topic.answer() {
        let (device, direction) = (device, direction.map(|direction| direction.back()));
        assert_eq!((answer.device(), answer.direction()), (device, direction), "{answer} answers {text}");
        assert_eq!(Topic::parse(&answer.to_string()).map(|answer| answer.to_string()), Some(answer.to_string()));
    }
    if let (Some(device), Some(method)) = (device, topic.method()) {
        let mut path = String::new();
        // A dot in a topic comes back as a slash.
        let again = Topic::of_method(device, &method, &mut path).unwrap().to_string();
        assert!(text.contains('.') || again == text, "{again} for {method} of {text}");
    }
    let is_of_nobody = matches!(topic, Topic::ExtRrpc { .. });
    let is_of_another = match topic {
        Topic::Broadcast { product_key, .. } => product_key != OWN.product_key,
        _ => device.is_some_and(|device| device != OWN),
    };
    if is_of_another && !is_of_nobody && matches(filter, text) {
        assert!(!OWN.may_subscribe(filter), "{filter} brings {text}");
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let own = |filter: &&str| OWN.filter(filter);
    let all = Topic::DEVICE_FILTERS.iter().chain(Topic::GATEWAY_FILTERS).chain(Topic::PLATFORM_FILTERS);
    let all = all.map(|filter| format!("{}\n{}", own(filter).replace('+', "x").replace('#', "x/y"), own(filter)));
    let others =
        ["/a1/e/user/get\n/a1/+/user/#", "/broadcast/b2/x\n/broadcast/+/#", "/shadow/get/a1/e\n/shadow/get/a1/+"];
    all.chain(others.map(str::to_owned)).map(String::into_bytes).collect()
}
