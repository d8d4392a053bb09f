//! Topics: what a message is for, and whose it is. Generated from `schemas/topics/alink.json`.

include!(concat!(env!("OUT_DIR"), "/alink_topics.rs"));

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::core::topic::{Direction, Row, captures};

    const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1", device_name: "d" };

    #[test]
    fn every_topic_is_read_and_written_back() {
        let device = DEVICE;
        let cases = [
            ("/sys/a1/d/thing/event/property/post", Topic::Thing { device, path: "event/property/post" }),
            ("/sys/a1/d/thing/service/property/set", Topic::Thing { device, path: "service/property/set" }),
            ("/sys/a1/d/thing/service/meter:Start_reply", Topic::ThingReply { device, path: "service/meter:Start" }),
            ("/sys/a1/d/thing/event/Fault/post_reply", Topic::ThingReply { device, path: "event/Fault/post" }),
            ("/sys/a1/d/thing/model/up_raw", Topic::Raw { device, direction: RawDirection::Up }),
            ("/sys/a1/d/thing/model/up_raw_reply", Topic::Raw { device, direction: RawDirection::UpReply }),
            ("/sys/a1/d/thing/model/down_raw_reply", Topic::Raw { device, direction: RawDirection::DownReply }),
            ("/sys/a1/d/rrpc/request/77", Topic::RrpcRequest { device, id: "77" }),
            ("/sys/a1/d/rrpc/response/77", Topic::RrpcResponse { device, id: "77" }),
            ("/ext/rrpc/77/sys/a1/d/thing/service/Go", Topic::ExtRrpc { id: "77", rest: "/sys/a1/d/thing/service/Go" }),
            ("/ext/rrpc/77/any/thing", Topic::ExtRrpc { id: "77", rest: "/any/thing" }),
            ("/ota/device/upgrade/a1/d", Topic::Ota { device, what: Ota::Upgrade }),
            ("/ota/device/inform/a1/d", Topic::Ota { device, what: Ota::Inform }),
            ("/ext/ntp/a1/d/request", Topic::Ntp { device, is_response: false }),
            ("/ext/ntp/a1/d/response", Topic::Ntp { device, is_response: true }),
            ("/shadow/update/a1/d", Topic::ShadowUpdate { device }),
            ("/shadow/get/a1/d", Topic::ShadowGet { device }),
            ("/ext/session/a1/d/combine/login_reply", Topic::Session { device, action: "combine/login_reply" }),
            ("/ext/register", Topic::Register),
            ("/ext/regnwl", Topic::RegisterUnlisted),
            ("/ext/error/a1/d", Topic::Error { device }),
            ("/broadcast/a1/news/today", Topic::Broadcast { product_key: "a1", rest: "news/today" }),
            ("/sys/a1/d/_thing/diag/post", Topic::System { device, rest: "_thing/diag/post" }),
            ("/a1/d/user/update/error", Topic::User { device, rest: "update/error" }),
        ];
        for (text, topic) in cases {
            assert_eq!(Topic::parse(text), Some(topic), "{text}");
            assert_eq!(topic.to_string(), text);
        }
        assert_eq!(cases[9].1.device(), Some(device), "a service over RRPC is its device's");
        assert_eq!(cases[10].1.device(), None);
    }

    #[test]
    fn other_topics_are_none() {
        for text in [
            "",
            "/",
            "sys/a1/d/thing/x",
            "/sys",
            "/sys/a1",
            "/sys/a1/d",
            "/sys//d/thing/x",
            "/sys/a1//thing/x",
            "/ext",
            "/ext/",
            "/ext/rrpc/77",
            "/ext/rrpc//sys",
            "/ext/ntp/a1/d/other",
            "/ota/device/dance/a1/d",
            "/ota/device/inform/a1/d/e",
            "/shadow/put/a1/d",
            "/shadow/get/a1",
            "/a1/d/other/x",
            "/a1/d/user",
            "//d/user/x",
            "/broadcast//x",
            "/sys/a1/d/rrpc/request/",
            "/sys/a1/d/rrpc/request/7/8",
        ] {
            assert_eq!(Topic::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_device_may_ask_for_its_own_topics_only() {
        for filter in ["/sys/a1/d/thing/#", "/ota/device/upgrade/a1/d", "/ext/rrpc/+/sys/a1/d/#", "/a1/d/user/get"] {
            assert!(DEVICE.may_subscribe(filter), "{filter}");
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
            assert!(!DEVICE.may_subscribe(filter), "{filter}");
        }
    }

    #[test]
    fn who_says_it_and_whether_it_is_a_frame() {
        use Direction::{Down, Up};
        for (topic, direction, is_framed) in [
            ("/sys/a1/d/thing/event/property/post", Some(Up), true),
            ("/sys/a1/d/thing/event/property/post_reply", Some(Down), true),
            ("/sys/a1/d/thing/service/meter:Start", Some(Down), true),
            ("/sys/a1/d/thing/service/meter:Start_reply", Some(Up), true),
            ("/sys/a1/d/thing/deviceinfo/update", Some(Up), true),
            ("/sys/a1/d/thing/config/push", Some(Down), true),
            ("/sys/a1/d/thing/config/push_reply", Some(Up), true),
            ("/sys/a1/d/thing/file/download", Some(Up), false),
            ("/sys/a1/d/thing/file/download_reply", Some(Down), false),
            ("/sys/a1/d/thing/whatever", None, true),
            ("/sys/a1/d/thing/model/down_raw_reply", Some(Up), false),
            ("/sys/a1/d/rrpc/request/7", Some(Down), true),
            ("/ota/device/upgrade/a1/d", Some(Down), false),
            ("/ext/ntp/a1/d/request", Some(Up), false),
            ("/ext/rrpc/7/sys/a1/d/thing/service/Go", None, true),
            ("/a1/d/user/x", None, false),
        ] {
            let parsed = Topic::parse(topic).unwrap();
            assert_eq!((parsed.direction(), parsed.is_framed()), (direction, is_framed), "{topic}");
        }
    }

    #[test]
    fn a_method_has_one_topic() {
        for (method, topic) in [
            ("thing.event.property.post", "/sys/a1/d/thing/event/property/post"),
            ("thing.service.meter:Start", "/sys/a1/d/thing/service/meter:Start"),
            ("ota.device.inform", "/ota/device/inform/a1/d"),
            ("ota.device.upgrade", "/ota/device/upgrade/a1/d"),
            ("ext.session.combine.batch_login", "/ext/session/a1/d/combine/batch_login"),
        ] {
            let mut path = String::new();
            assert_eq!(
                Topic::of_method(DEVICE, method, &mut path).map(|topic| topic.to_string()).as_deref(),
                Some(topic)
            );
            assert_eq!(Topic::parse(topic).unwrap().method().as_deref(), Some(method));
        }
        for method in ["", "thing", "ota.device.informs", "ota.device.", "other.thing"] {
            assert_eq!(Topic::of_method(DEVICE, method, &mut String::new()), None, "{method}");
        }
    }

    #[test]
    fn an_answer_belongs_where_who_asked_listens() {
        for topic in
            ["/sys/a1/d/rrpc/request/7", "/ext/ntp/a1/d/request", "/shadow/update/a1/d", "/sys/a1/d/thing/model/up_raw"]
        {
            let asked = Topic::parse(topic).unwrap();
            let answer = asked.answer().unwrap();
            assert_eq!(answer.direction(), asked.direction().map(Direction::back), "{topic}");
            assert_eq!((answer.device(), answer.answer()), (Some(DEVICE), None), "{topic}");
        }
        let stacked = "/ext/rrpc/1".repeat(6000) + "/sys/a1/d/thing/service/Go";
        assert_eq!(Topic::parse(&stacked).unwrap().device(), None);
    }

    #[test]
    fn what_a_device_subscribes_to_it_may_and_it_is_for_it() {
        for filter in Topic::DEVICE_FILTERS.iter().chain(Topic::GATEWAY_FILTERS) {
            let filter = DEVICE.filter(filter);
            assert!(DEVICE.may_subscribe(&filter), "{filter}");
            let topic = filter.replace('+', "x").replace('#', "x/y");
            let topic = Topic::parse(&topic).unwrap_or_else(|| panic!("{topic} is no topic"));
            assert!(topic.device() == Some(DEVICE) || matches!(topic, Topic::ExtRrpc { .. }), "{topic}");
        }
        for other in [DeviceRef { device_name: "e", ..DEVICE }, DeviceRef { product_key: "b2", ..DEVICE }] {
            let own = Topic::DEVICE_FILTERS.iter().filter(|filter| !filter.starts_with("/ext/rrpc/"));
            assert_eq!(own.filter(|filter| other.may_subscribe(&DEVICE.filter(filter))).count(), 0);
        }
        for filter in Topic::PLATFORM_FILTERS {
            let filter = DEVICE.filter(filter).replace('+', "x").replace('#', "x/y");
            assert_ne!(Topic::parse(&filter).unwrap().direction(), Some(Direction::Down), "{filter}");
        }
        for topic in
            ["/ext/register", "/ext/#", "/ext/rrpc", "/shadow/+/a1/d", "/ext/ntp/a1/d/request", "/broadcast/b2/x"]
        {
            assert!(!DEVICE.may_subscribe(topic), "{topic}");
        }
        for topic in ["/ext/rrpc/#", "/broadcast/a1/#", "/sys/a1/d/#", "/sys/a1/d/+/service/+", "/a1/d/user/#"] {
            assert!(DEVICE.may_subscribe(topic), "{topic}");
        }
    }

    /// Levels of topics that the table knows, and of others.
    fn level() -> impl Strategy<Value = String> {
        let known: Vec<String> = ROUTER.rows.iter().flat_map(|row| row.pattern.split('/')).map(String::from).collect();
        prop_oneof![4 => prop::sample::select(known), 1 => "[a-z+#/_]{0,3}", 1 => Just("x_reply".into())]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_read_is_written_back_and_the_first_row_that_fits_has_it(levels in prop::collection::vec(level(), 0..9)) {
            let text = levels.join("/");
            // One row after the other, without what they share being skipped.
            let alone = |row: &Row| captures(row.pattern, &text).ok();
            let rows: Vec<_> = (0..).zip(ROUTER.rows).filter_map(|(index, row)| Some((index, alone(row)?))).collect();
            prop_assert_eq!(ROUTER.find(&text), rows.first().copied());
            let Some(topic) = Topic::parse(&text) else { return Ok(()) };
            prop_assert_eq!(topic.to_string(), text.as_str());
            let (row, captures) = topic.row();
            prop_assert_eq!(Topic::build(row, captures), Some(topic));
        }
    }
}
