//! What anybody may send to a platform before it is known who that is, and to a device that believes its platform.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics has failed")]

use onwire::alink::system::ACTIONS;
use onwire::alink::{
    Claim, ClaimKind, DeviceRef, FileBlockFrame, Login, LoginOptions, NtpResponse, RegisterForm, RegisterOptions,
    Registered, RegisteredUnlisted, Secret, SessionCall, SessionRequest, ShadowMessage, SignMethod, SubDevice,
    SubDeviceError, SubDeviceFault, matches, ntp_response, parse_register_answer, register_form, sign, verify,
};
use onwire::codec::Quirks;
use onwire::types::DateTime;
use proptest::prelude::*;

/// Payloads of the field, of every form that a message has.
const PAYLOADS: [&str; 12] = [
    r#"["Power","Voltage"]"#,
    r#"{"Power":{"value":1,"version":2}}"#,
    r#"[{"attrKey":"SN","attrValue":"1"}]"#,
    r#"{"configId":"c","configSize":1,"sign":"0f","signMethod":"Sha256","url":"https://x","getType":"file"}"#,
    r#"{"size":70000,"version":"2","isDiff":0,"url":"https://x","md5":"0f","sign":"0f","signMethod":"Md5","module":"default"}"#,
    r#"{"version":"2","files":[{"fileSize":7,"fileName":"a","fileUrl":"https://x/a"}],"extData":{"a":[1,null]}}"#,
    r#"{"step":"-3","desc":"digest \u6458 mismatch","module":"default"}"#,
    r#"{"properties":{"Power":[{"value":1.0,"time":1}]},"events":{"Fault":[{"value":{"code":1},"time":1}]}}"#,
    r#"[{"identity":{"productKey":"p","deviceName":"d"},"properties":[{"P":{"value":[1,2],"time":1}}],"events":[]}]"#,
    r#"[{"productKey":"p","deviceName":"d","clientId":"p&d","timestamp":"1","signmethod":"hmacSha1","sign":"0f"}]"#,
    r#"[{"utcTime":"t","logLevel":"ERROR","module":"m","code":"1","traceContext":"t","logContent":"c"}]"#,
    r#"{"signMethod":"hmacSha1","deviceList":[{"productKey":"p","deviceName":"d","clientId":"c","sign":"0f"}]}"#,
];

/// A payload with some of its characters changed, left out or doubled.
fn broken() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), prop_oneof!["[\\[\\]{}:,\"\\\\0-9a-z. ]{0,3}", any::<String>()]);
    (prop::sample::select(&PAYLOADS[..]), prop::collection::vec(change, 0..4)).prop_map(|(payload, changes)| {
        let mut characters: Vec<String> = payload.chars().map(String::from).collect();
        for (place, by) in changes {
            *place.get_mut(&mut characters) = by;
        }
        characters.concat()
    })
}

/// A name as a product key or a device name may be.
fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_:@-][A-Za-z0-9_.:@-]{0,23}"
}

fn method() -> impl Strategy<Value = SignMethod> {
    prop::sample::select(&SignMethod::ALL[..])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_payload_makes_a_message_panic_and_what_is_read_is_what_is_written(text in broken()) {
        for action in ACTIONS {
            for payload in [Some(action.request), action.response].into_iter().flatten() {
                for quirks in [Quirks::NONE, Quirks::ALL] {
                    let Ok((written, _)) = payload.received(&text, quirks) else { continue };
                    let (again, _) = payload.received(&written, quirks).expect(action.name);
                    prop_assert_eq!(&again, &written, "{}", action.name);
                }
            }
        }
    }

    #[test]
    fn nothing_that_a_gateway_asks_for_its_sub_devices_makes_a_platform_panic_and_each_answer_is_json(
        action in prop_oneof!["combine/(batch_)?(login|logout)", any::<String>()],
        params in broken(),
        id in prop_oneof!["[0-9]{1,9}", "\"[a-z|/]{0,9}\"", any::<String>()],
    ) {
        let text = format!(r#"{{"id":{id},"version":"1.0","params":{params}}}"#);
        if let Some(call) = SessionCall::parse(&action, &text) {
            match &call.request {
                Ok(SessionRequest::Login(logins)) => {
                    prop_assert!((1..=50).contains(&logins.len()));
                    for login in logins {
                        prop_assert!(login.verify(&Secret::from("secret")).is_err());
                        prop_assert!(!login.device_name.contains(['/', '+', '#', '&']));
                    }
                }
                Ok(SessionRequest::Logout(names)) => prop_assert!((1..=50).contains(&names.len())),
                Ok(other) => panic!("{other:?}"),
                Err(refused) => {
                    prop_assert!(matches!(refused.fault, SubDeviceFault::Parameter | SubDeviceFault::Name));
                }
            }
            for done in [Ok(()), Err(&SubDeviceFault::NoTopology.into())] {
                let answer: serde_json::Value = serde_json::from_str(&call.answer(done)).expect("JSON");
                prop_assert_eq!(&answer["code"], if done.is_ok() { 200 } else { 6401 });
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_sub_device_is_read_as_it_was_written_and_anything_else_is_no_panic(
        product_key in any::<String>(),
        device_name in any::<String>(),
        code in any::<u32>(),
        text in prop_oneof![any::<String>(), broken()],
    ) {
        let _ = SubDeviceError::parse(&text);
        let (product_key, device_name) = (&*product_key, &*device_name);
        let error = SubDeviceError::new(DeviceRef { product_key, device_name }, SubDeviceFault::from_code(code));
        prop_assert_eq!(SubDeviceError::parse(&error.to_json()), Ok(error));
    }

    #[test]
    fn nothing_that_a_client_says_of_itself_makes_a_platform_panic(
        client_id in prop_oneof![any::<String>(), "[a-z&.]{0,4}\\|([a-zA-Z_]{0,10}=?[a-z0-9-]{0,8},?){0,6}\\|?"],
        username in prop_oneof![any::<String>(), "[a-z]{0,3}&[a-z]{0,3}"],
        password in any::<Vec<u8>>(),
        body in any::<Vec<u8>>(),
        text in any::<String>(),
    ) {
        if let Ok(claim) = Claim::parse(&client_id, &username, &password) {
            prop_assert!(claim.verify(&Secret::from("secret")).is_err());
            prop_assert!(!claim.device().product_key.contains(['/', '+', '#']));
        }
        if let Ok(form) = RegisterForm::parse(&body) {
            prop_assert!(form.verify(&Secret::from("secret")).is_err());
        }
        let _ = (Registered::parse(&text), RegisteredUnlisted::parse(&text), parse_register_answer(&text));
        let _ = FileBlockFrame::parse(&body);
        let now = DateTime::from_unix_millis(0);
        let _ = (NtpResponse::parse(&text).map(|response| response.now(now)), ntp_response(&text, now, now));
    }

    #[test]
    fn nothing_that_a_platform_says_of_a_shadow_makes_a_device_panic(
        text in any::<String>(),
        status in "success|error|[a-z]{0,4}",
        version in prop_oneof![any::<i64>().prop_map(|version| version.to_string()), "\"[0-9-]{0,25}\"|null|\\{\\}|1e9"],
        section in prop_oneof![Just("\"null\"".to_owned()), Just("{\"Power\":1}".to_owned()), "[ -~]{0,8}"],
    ) {
        let _ = ShadowMessage::parse(&text);
        let message = format!(
            r#"{{"method":"reply","payload":{{"status":"{status}","state":{{"reported":{section}}},"version":{version},
                "content":{{"errorcode":{version},"errormessage":"no"}}}}}}"#
        );
        if let Ok(ShadowMessage::Reply(reply)) = ShadowMessage::parse(&message) {
            prop_assert_eq!(reply.is_err(), status == "error");
        }
    }

    #[test]
    fn a_filter_takes_what_it_is_made_of(
        levels in prop::collection::vec("[a-z]{0,3}", 1..6),
        wild in prop::collection::vec(any::<bool>(), 6),
        cut in 0..6_usize,
        other in any::<String>(),
    ) {
        let topic = levels.join("/");
        let plus = |(level, wild): (&String, &bool)| if *wild { "+".to_owned() } else { level.clone() };
        let filter: Vec<_> = levels.iter().zip(&wild).map(plus).collect();
        prop_assert!(matches(&filter.join("/"), &topic));
        let cut = cut.min(levels.len());
        let rest: Vec<_> = filter.iter().take(cut).cloned().chain(["#".to_owned()]).collect();
        prop_assert!(matches(&rest.join("/"), &topic));
        let longer = filter.join("/") + "/x";
        prop_assert!(!matches(&longer, &topic));
        let _ = matches(&other, &topic) || matches(&topic, &other);
    }

    #[test]
    fn a_login_is_believed_with_its_own_secret_only(
        product_key in name(),
        device_name in name(),
        secret in "[ -~]{1,40}",
        other in "[ -~]{1,40}",
        random in "[A-Za-z0-9]{1,16}",
        timestamp in any::<Option<u64>>(),
        method in method(),
    ) {
        prop_assume!(secret != other);
        let device = DeviceRef { product_key: &product_key, device_name: &device_name };
        let (secret, other) = (Secret::from(secret.as_str()), Secret::from(other.as_str()));
        let mut options = LoginOptions::default();
        options.timestamp = timestamp;
        options.sign_method = method;
        let mut register = RegisterOptions::default();
        register.sign_method = method;
        for (login, kind) in [
            (Login::with_secret(device, &secret, &options), ClaimKind::DeviceSecret),
            (Login::register(device, &secret, &random, &register), ClaimKind::Register),
            (Login::register_unlisted(device, &secret, &random, &register), ClaimKind::RegisterUnlisted),
            (Login::with_token(device, "c", &secret, &options), ClaimKind::Token),
        ] {
            let login = login.unwrap();
            let password = login.password.expose().as_bytes();
            let claim = Claim::parse(&login.client_id, &login.username, password).unwrap();
            prop_assert_eq!((claim.kind(), claim.device()), (kind, device));
            prop_assert!(claim.verify(&secret).is_ok() && claim.verify(&other).is_err());
        }
        let form = register_form(device, &secret, &random, method);
        let form = RegisterForm::parse(form.as_bytes()).unwrap();
        prop_assert_eq!(form.device(), device);
        prop_assert!(form.verify(&secret).is_ok() && form.verify(&other).is_err());
        let sub = SubDevice { device, client_id: &random, timestamp: None };
        let signature = sub.sign(method, &secret);
        prop_assert!(sub.verify(method, &secret, Some("true"), &signature).is_ok());
        prop_assert!(sub.verify(method, &other, Some("true"), &signature).is_err());
    }

    #[test]
    fn the_order_of_what_is_signed_is_of_no_matter(
        pairs in prop::collection::btree_map("[a-zA-Z]{1,8}", "[ -~]{0,8}", 0..8),
        method in method(),
    ) {
        let secret = Secret::from("secret");
        let forth: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let back: Vec<(&str, &str)> = forth.iter().rev().copied().chain([("sign", "x"), ("version", "1")]).collect();
        let signature = sign(method, &secret, &forth);
        prop_assert!(verify(method, &secret, &back, signature.to_uppercase().as_bytes()).is_ok());
    }
}
