//! The system messages of Alink, as they stand on the wire, and between two sides.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics has failed")]

use std::cell::RefCell;
use std::fmt::Debug;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use onwire::alink::FRAMING;
use onwire::alink::system::*;
use onwire::codec::{Fault, Message, Quirks, decode, encode};
use onwire::frame::Frame;
use onwire::session::Config as SessionConfig;
use onwire::types::{RawJson, Text};
use onwire::{Action, CallFailure, Connection, ErrorCode, Instant, Request, Router};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn written<T: Message>(value: &T) -> String {
    let mut out = String::new();
    encode(value, &mut out).unwrap();
    out
}

/// Reads the text without any quirk, and finds it again when it is written, by this codec and by serde.
fn same<T: Message + Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) -> T {
    let value: T = decode(text, Quirks::NONE).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(written(&value), text);
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&value).unwrap(), json);
    assert_eq!(serde_json::from_value::<T>(json).unwrap(), value);
    value
}

fn json(text: &str) -> RawJson {
    RawJson::new(text).unwrap()
}

#[test]
fn lists_and_maps_stand_for_themselves() {
    let desired: DesiredGetRequest = same(r#"["Power"]"#);
    assert_eq!(desired, DesiredGetRequest::new(["Power"]));
    let wishes: DesiredGetResponse = same(r#"{"Power":{"value":1,"version":2}}"#);
    assert_eq!(wishes.properties["Power"].value, Some(json("1")));
    assert_eq!(same::<DesiredGetResponse>(r#"{"Power":{"value":null}}"#).properties["Power"].value, Some(json("null")));
    let delete: DesiredDeleteRequest = same(r#"{"Power":{"version":2}}"#);
    assert_eq!(delete.properties["Power"].version, Some(2));
    assert_eq!(same::<DesiredDeleteRequest>("{}"), DesiredDeleteRequest::default());
    let tags: TagsUpdateRequest = same(r#"[{"attrKey":"SN","attrValue":"1"}]"#);
    assert_eq!(tags, TagsUpdateRequest::new([Tag::new("SN", "1")]));
    let model: DslTemplateGetResponse = same(r#"{"properties":[{"identifier":"Power"}]}"#);
    assert!(model.thing_model.as_str().contains("Power"));
    let update: OtaFirmwareGetResponse = same("{}");
    assert_eq!(update.package, OtaPackage::default());
}

#[test]
fn payloads_of_the_field_are_read() {
    same::<ConfigGetRequest>(r#"{"configScope":"product","getType":"file"}"#);
    same::<LogConfigGetRequest>(r#"{"configScope":"device","getType":"content"}"#);
    let config =
        r#"{"configId":"c","configSize":1,"sign":"0f","signMethod":"Sha256","url":"https://x/c","getType":"file"}"#;
    let read: ConfigGetResponse = same(config);
    assert_eq!((read.config.config_id.as_str(), read.config.config_size), ("c", Some(1)));
    let push = r#"{"size":70000,"version":"2.0.0","isDiff":0,"url":"https://x/f","md5":"0f","sign":"0f","signMethod":"Md5","module":"default"}"#;
    let read: OtaUpgradeRequest = decode(push, Quirks::NONE).unwrap();
    assert_eq!((read.package.size, read.package.is_diff), (Some(70000), Some(0)));
    let files = r#"{"version":"2","files":[{"fileSize":"7","fileName":"a","fileUrl":"https://x/a","fileMd5":"0f","fileSign":"0f"}]}"#;
    let read: OtaFirmwareGetResponse = decode(files, Quirks::ALL).unwrap();
    assert_eq!(read.package.files.unwrap()[0].file_size, 7);
    let stream = r#"{"version":"2","dProtocol":"mqtt","streamId":1,"streamFileId":1,"size":9,"extData":{"a":1}}"#;
    let read: OtaUpgradeRequest = decode(stream, Quirks::NONE).unwrap();
    assert_eq!((read.package.d_protocol.as_deref(), read.package.stream_file_id), (Some("mqtt"), Some(1)));

    same::<OtaInformRequest>(r#"{"version":"1.0.0","module":"default"}"#);
    same::<OtaProgressRequest>(r#"{"step":"-3","desc":"digest mismatch","module":"default"}"#);
    let progress: OtaProgressRequest = decode(r#"{"step":55,"desc":""}"#, Quirks::ALL).unwrap();
    assert_eq!(progress.step, "55");
    same::<FileDownloadRequest>(r#"{"fileInfo":{"streamId":1,"fileId":1},"fileBlock":{"size":5120,"offset":0}}"#);

    let batch: BatchPostRequest =
        same(r#"{"properties":{"Power":[{"value":1.0,"time":1}]},"events":{"Fault":[{"value":{"code":1},"time":1}]}}"#);
    assert_eq!(batch.properties.unwrap()["Power"][0].value, json("1.0"));
    same::<HistoryPostRequest>(
        r#"[{"identity":{"productKey":"p","deviceName":"d"},"properties":[{"P":{"value":[1,2],"time":1}}],"events":[{"E":{"value":{},"time":2}}]}]"#,
    );
    let pack: PackPostRequest = same(
        r#"{"properties":{"P":{"value":"x","time":1}},"subDevices":[{"identity":{"productKey":"p","deviceName":"d"},"properties":{"P":{"value":true}}}]}"#,
    );
    assert_eq!(pack.sub_devices.unwrap()[0].identity, Identity::new("p", "d"));

    let log = r#"[{"utcTime":"2024-01-01T00:00:00.000+0800","logLevel":"ERROR","module":"m","code":"1","traceContext":"t","logContent":"c"}]"#;
    let read: LogPostRequest = same(log);
    assert_eq!(read.entries[0].utc_time, "2024-01-01T00:00:00.000+0800");
    let push: LogConfigPushRequest = same(r#"{"getType":"content","content":{"mode":1}}"#);
    assert_eq!(push.config.content.unwrap().mode, 1);
}

#[test]
fn sub_devices_are_registered_signed_and_brought_online() {
    same::<SubRegisterRequest>(r#"[{"productKey":"p","deviceName":"d"}]"#);
    let registered = r#"[{"iotId":"i","productKey":"p","deviceName":"d","deviceSecret":"s"}]"#;
    let read: SubRegisterResponse = same(registered);
    assert_eq!(read.devices[0].device_secret.expose(), "s");
    assert!(!format!("{read:?}").contains("\"s\""), "no secret in a log");
    let add =
        r#"[{"productKey":"p","deviceName":"d","clientId":"p&d","timestamp":"1","signmethod":"hmacSha1","sign":"0f"}]"#;
    let read: TopoAddRequest = same(add);
    assert_eq!((read.devices[0].client_id.as_str(), read.devices[0].timestamp.as_deref()), ("p&d", Some("1")));
    let login = r#"{"productKey":"p","deviceName":"d","clientId":"p&d","timestamp":"1","signMethod":"hmacSha1","sign":"0f","cleanSession":"true"}"#;
    let read: CombineLoginRequest = same(login);
    assert_eq!(read.clean_session.as_deref(), Some("true"));
    let batch = r#"{"signMethod":"hmacSha1","deviceList":[{"productKey":"p","deviceName":"d","clientId":"p&d","timestamp":"1","cleanSession":"true","sign":"0f"}]}"#;
    let read: CombineBatchLoginRequest = same(batch);
    assert_eq!(read.device_list.len(), 1);
    let change: TopoChangeRequest = same(r#"{"status":1,"subList":[{"productKey":"p","deviceName":"d"}]}"#);
    assert_eq!(change.status, 1);
}

#[test]
fn a_list_may_be_nothing() {
    assert_eq!(decode::<TopoGetResponse>("{}", Quirks::ALL), Ok(TopoGetResponse::default()));
    assert_eq!(decode::<TopoGetResponse>(" { } ", Quirks::ALL), Ok(TopoGetResponse::default()));
    for text in [r#"{"devices":[]}"#, "{", "null", "7"] {
        assert!(decode::<TopoGetResponse>(text, Quirks::ALL).is_err(), "{text}");
    }
    assert_eq!(
        decode::<TopoGetResponse>("{}", Quirks::NONE).unwrap_err().fault,
        Fault::WrongType { expected: "a list" }
    );
}

#[test]
fn limits_are_those_of_the_cloud() {
    fn too_many<T: Message + Debug>(max: usize, message: impl Fn(usize) -> T) {
        let mut out = String::new();
        encode(&message(max), &mut out).unwrap();
        let refused = encode(&message(max + 1), &mut String::new()).unwrap_err();
        assert_eq!((refused.fault, refused.pointer.as_str()), (Fault::TooManyItems { max }, ""));
    }
    too_many(200, |count| TagsUpdateRequest::new((0..count).map(|_| Tag::new("a", "b"))));
    too_many(200, |count| DesiredGetRequest::new((0..count).map(|_| "Power")));
    too_many(200, |count| {
        let names = (0..count).map(|index| (Text::from(format!("P{index}").as_str()), DesiredVersion::default()));
        DesiredDeleteRequest { properties: names.collect() }
    });
    too_many(40, |count| LogPostRequest::new((0..count).map(|_| LogEntry::new("t", "INFO", "m", "1", "c"))));
    too_many(30, |count| SubRegisterRequest::new((0..count).map(|_| Identity::new("p", "d"))));
    let text = format!("[{}0]", "0,".repeat(200));
    let refused = decode::<DesiredGetRequest>(&text, Quirks::ALL).unwrap_err();
    assert_eq!(refused.fault, Fault::TooManyItems { max: 200 });
    let refused = encode(&Tag::new("k".repeat(101).as_str(), "v"), &mut String::new()).unwrap_err();
    assert_eq!((refused.fault, refused.pointer.as_str()), (Fault::TooLong { max: 100 }, "/attrKey"));
    let refused = decode::<DesiredDeleteRequest>(r#"{"P":{},"\u0050":{}}"#, Quirks::ALL).unwrap_err();
    assert_eq!((refused.fault, refused.pointer.as_str()), (Fault::Duplicate, "/P"));
    let refused = decode::<DesiredDeleteRequest>(r#"{"P":{"version":"x"}}"#, Quirks::ALL).unwrap_err();
    assert_eq!(refused.pointer, "/P/version");
}

/// A broken text of each kind is refused, and none of them panics.
#[test]
fn cut_and_broken_maps_are_refused() {
    let text =
        r#"{"events":{"Fault":[{"time":1,"value":{"code":1}}]},"properties":{"Power":[{"time":1,"value":1.0}]}}"#;
    for end in 0..text.len() {
        assert!(decode::<BatchPostRequest>(&text[..end], Quirks::ALL).is_err(), "{end}");
    }
    for broken in [
        r#"{"events":{,}}"#,
        r#"{"events":{"a"}}"#,
        r#"{"events":{"a":[]"b":[]}}"#,
        r#"{"events":{1:[]}}"#,
        r#"{"events":[]}"#,
    ] {
        assert!(decode::<BatchPostRequest>(broken, Quirks::ALL).is_err(), "{broken}");
    }
}

/// A device that takes what the platform pushes.
#[derive(Default)]
struct Device {
    seen: RefCell<Vec<String>>,
}

#[onwire::handlers(onwire::alink::system, role = Device, local)]
impl Device {
    #[on(ConfigPush)]
    fn config(&self, config: Config) {
        self.seen.borrow_mut().push(config.url.to_string());
    }

    #[on(OtaUpgrade)]
    fn upgrade(&self, upgrade: OtaUpgradeRequest) {
        self.seen.borrow_mut().push(upgrade.package.version.unwrap_or_default().to_string());
    }

    #[on(TopoAddNotify)]
    fn take_in(&self, req: TopoAddNotifyRequest) -> TopoAddNotifyResponse {
        self.seen.borrow_mut().extend(req.devices.iter().map(|device| device.device_name.to_string()));
        TopoAddNotifyResponse::new()
    }
}

/// A platform that keeps tags, and wishes.
#[derive(Default)]
struct Platform {
    tags: RefCell<Vec<Tag>>,
    versions: RefCell<Vec<String>>,
}

#[onwire::handlers(onwire::alink::system, role = Platform, local)]
impl Platform {
    #[on(TagsUpdate)]
    fn update(&self, req: TagsUpdateRequest) {
        self.tags.borrow_mut().extend(req.tags);
    }

    #[on(DesiredGet)]
    fn desired(&self, req: DesiredGetRequest) -> DesiredGetResponse {
        let wish = DesiredValue { value: Some(RawJson::new("3.5").unwrap()), version: Some(1) };
        DesiredGetResponse { properties: req.identifiers.into_iter().map(|name| (name, wish.clone())).collect() }
    }

    #[on(OtaInform)]
    fn inform(&self, req: OtaInformRequest) {
        self.versions.borrow_mut().push(req.version.to_string());
    }
}

/// Runs both sides until the work has ended and nothing moves any more; all frames.
fn run<T>(
    (device, at_device): (&Device, &Connection),
    (platform, at_platform): (&Platform, &Connection),
    work: impl Future<Output = T>,
) -> (T, Vec<String>) {
    let mut sides: [Pin<Box<dyn Future<Output = ()> + '_>>; 2] =
        [Box::pin(at_device.serve(device)), Box::pin(at_platform.serve(platform))];
    let (mut work, mut context) = (pin!(work), Context::from_waker(Waker::noop()));
    let (mut result, mut frames) = (None, Vec::new());
    loop {
        if result.is_none()
            && let Poll::Ready(done) = work.as_mut().poll(&mut context)
        {
            result = Some(done);
        }
        for side in &mut sides {
            assert_eq!(side.as_mut().poll(&mut context), Poll::Pending);
        }
        let now = Instant::default();
        let up = at_device.poll_transmit(now).inspect(|frame| drop(at_platform.receive(frame, now)));
        let down = at_platform.poll_transmit(now).inspect(|frame| drop(at_device.receive(frame, now)));
        let moved = up.is_some() || down.is_some();
        frames.extend(up.into_iter().chain(down));
        if !moved {
            return (result.expect("the work has ended"), frames);
        }
    }
}

#[test]
fn both_sides_talk_to_each_other() {
    let (device, platform) = (Device::default(), Platform::default());
    let mut config = SessionConfig::default();
    config.first_id = 1;
    let at_device = Connection::new("platform", Device::DIALECT, config.clone());
    let at_platform = Connection::new("device", Platform::DIALECT, config);
    let ((), frames) = run((&device, &at_device), (&platform, &at_platform), async {
        let (up, down) = (at_device.peer(), at_platform.peer());
        up.call(TagsUpdateRequest::new([Tag::new("SN", "1")])).await.unwrap();
        let wishes = up.call(DesiredGetRequest::new(["Power"])).await.unwrap();
        assert_eq!(wishes.properties["Power"].version, Some(1));
        up.send(OtaInformRequest::new("1.0.0")).unwrap();
        down.call(ConfigPushRequest::from(Config::new("c", "https://x/c"))).await.unwrap();
        down.call(TopoAddNotifyRequest::new([Identity::new("p", "meter")])).await.unwrap();
        down.send(OtaUpgradeRequest::from(OtaPackage { version: Some("2".into()), ..OtaPackage::default() })).unwrap();
        let unhandled = up.call(ConfigGetRequest::new("product", "file")).await.unwrap_err();
        assert!(matches!(unhandled, CallFailure::Refused(error) if error.code == ErrorCode::Other("404".into())));
    });
    assert_eq!(*device.seen.borrow(), ["https://x/c", "meter", "2"]);
    assert_eq!(*platform.tags.borrow(), [Tag::new("SN", "1")]);
    assert_eq!(*platform.versions.borrow(), ["1.0.0"]);
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!("frames", frames.join("\n")) });
}

#[test]
fn a_device_that_asks_for_too_much_is_told_so() {
    let platform = Connection::new("device", Platform::DIALECT, SessionConfig::default());
    let handlers = Platform::default();
    let tag = r#"{"attrKey":"a","attrValue":"b"}"#;
    let frame =
        format!(r#"{{"id":7,"params":[{}{tag}],"method":"thing.deviceinfo.update"}}"#, format!("{tag},").repeat(200));
    platform.receive(&frame, Instant::default());
    let mut serve = pin!(platform.serve(&handlers));
    assert_eq!(serve.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
    let answer = platform.poll_transmit(Instant::default()).unwrap();
    let Ok(Frame::CallError { error, .. }) = (FRAMING.split)(&answer) else { panic!("{answer}") };
    assert_eq!(error.code, ErrorCode::Other("460".into()));
    assert!(answer.starts_with(r#"{"id":7,"#), "{answer}");
}

#[test]
fn every_action_has_a_method_of_its_own() {
    fn method<R: Request>() -> &'static str {
        <R::Action as Action>::NAME
    }
    assert_eq!(method::<LogPostRequest>(), "thing.log.post");
    assert_eq!(method::<CombineBatchLogoutRequest>(), "ext.session.combine.batch_logout");
    let table: Vec<String> = ACTIONS
        .iter()
        .map(|action| {
            let answered = if action.response.is_some() { "" } else { ", not answered" };
            format!("{} from {}{answered}", action.name, action.from.join(" and "))
        })
        .collect();
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!("actions", table.join("\n")) });
}
