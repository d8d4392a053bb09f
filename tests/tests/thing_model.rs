//! A device and its platform from one thing model, over the messages that would travel between them.

use std::cell::RefCell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use onwire::session::Config;
use onwire::types::{DateTime, Decimal};
use onwire::{CallError, CallFailure, Connection, ErrorCode, Instant, Peer, Router};
use onwire_tests::tracker::*;
use onwire_tests::wire::Wire;

const NOON: DateTime = DateTime::from_unix_millis(1_700_000_000_000);

/// The tracker: it keeps its properties, and obeys.
struct Tracker {
    state: RefCell<Properties>,
}

#[onwire::handlers(onwire_tests::tracker, role = Device, local)]
impl Tracker {
    #[on(PropertySet)]
    fn set(&self, wanted: Properties) {
        self.state.borrow_mut().apply(wanted);
    }

    #[on(PropertyGet)]
    fn get(&self, req: PropertyGetRequest) -> Properties {
        self.state.borrow().only(req.identifiers)
    }

    #[on(SetPowerLevel)]
    async fn power_level(&self, req: SetPowerLevelRequest) -> SetPowerLevelResponse {
        SetPowerLevelResponse::new(req.power_level != PowerLevel::AlwaysOn)
    }

    #[on(Locate)]
    async fn locate(&self) -> Result<LocateResponse, CallError> {
        Err(CallError::new(ErrorCode::Other("100001".into()), "no satellites"))
    }
}

/// The platform: it takes what devices post.
#[derive(Default)]
struct Platform {
    posts: RefCell<Vec<PropertyPostRequest>>,
    alarms: RefCell<Vec<MovementAlarmRequest>>,
}

#[onwire::handlers(onwire_tests::tracker, role = Platform, local)]
impl Platform {
    #[on(PropertyPost)]
    async fn post(&self, post: PropertyPostRequest) {
        self.posts.borrow_mut().push(post);
    }

    #[on(MovementAlarm)]
    async fn alarm(&self, alarm: MovementAlarmRequest) -> MovementAlarmResponse {
        self.alarms.borrow_mut().push(alarm);
        MovementAlarmResponse::new()
    }

    #[after(MovementAlarm)]
    async fn raise_power(&self, peer: &Peer, alarm: MovementAlarmOutput) {
        if alarm.kind == Kind::Tow {
            let answer = peer.call(SetPowerLevelRequest::new(PowerLevel::High)).await;
            assert_eq!(answer, Ok(SetPowerLevelResponse::new(true)));
        }
    }
}

fn position() -> Position {
    Position::new(Decimal::new(113_264_385, 6), Decimal::new(23_129_112, 6), 21, System::WGS84)
}

fn tracker() -> Tracker {
    let state = Properties { battery_level: Some(80), armed: Some(true), ..Properties::default() };
    Tracker { state: RefCell::new(state) }
}

#[test]
fn the_device_posts_and_the_platform_reads_the_same() {
    let (wire, tracker, platform) = (Wire::between::<Tracker, Platform>(), tracker(), Platform::default());
    let properties = Properties {
        position: Some(position()),
        speed: Some(Decimal::from(10)),
        armed: Some(false),
        last_fix: Some(NOON),
        satellites: Some(vec![3, 17]),
        ..Properties::default()
    };
    let mut post = properties.clone().at(NOON);
    post.properties.battery_level = Some(79);
    let peer = wire.device.peer();
    assert_eq!(wire.run(&tracker, &platform, peer.call(post.clone())), Ok(PropertyPostResponse::new()));
    assert_eq!(*platform.posts.borrow(), [post]);
    assert_eq!(
        *wire.seen.borrow(),
        [
            concat!(
                r#"{"id":"1","version":"1.0","params":{"#,
                r#""Position":{"value":{"Longitude":113.264385,"Latitude":23.129112,"Altitude":21.0,"System":1},"time":1700000000000},"#,
                r#""Speed":{"value":10.0,"time":1700000000000},"BatteryLevel":79,"#,
                r#""Armed":{"value":0,"time":1700000000000},"#,
                r#""LastFix":{"value":"1700000000000","time":1700000000000},"#,
                r#""Satellites":{"value":[3,17],"time":1700000000000}},"method":"thing.event.property.post"}"#
            ),
            r#"{"id":"1","code":200,"data":{},"message":"success"}"#,
        ]
    );
}

#[test]
fn the_platform_sets_and_gets_properties() {
    let (wire, tracker, platform) = (Wire::between::<Tracker, Platform>(), tracker(), Platform::default());
    let peer = wire.platform.peer();
    let wanted =
        Properties { report_interval: Some(60), phone_number: Some("+4930123456".into()), ..Properties::default() };
    let set = peer.call(PropertySetRequest::from(wanted));
    assert_eq!(wire.run(&tracker, &platform, set), Ok(PropertySetResponse::new()));
    let get = peer.call(PropertyGetRequest::new(["ReportInterval", "BatteryLevel", "Speed", "Nothing"]));
    let got = wire.run(&tracker, &platform, get).unwrap();
    assert_eq!(got, Properties { report_interval: Some(60), battery_level: Some(80), ..Properties::default() });
    assert_eq!(
        wire.seen.borrow()[2..],
        [
            r#"{"id":"2","version":"1.0","params":["ReportInterval","BatteryLevel","Speed","Nothing"],"method":"thing.service.property.get"}"#,
            r#"{"id":"2","code":200,"data":{"BatteryLevel":80,"ReportInterval":60},"message":"success"}"#,
        ]
    );
}

#[test]
fn an_alarm_is_told_and_followed_by_a_service_call() {
    let (wire, tracker, platform) = (Wire::between::<Tracker, Platform>(), tracker(), Platform::default());
    let alarm = MovementAlarmOutput::new(position(), Kind::Tow).at(NOON);
    let told = wire.run(&tracker, &platform, wire.device.peer().call(alarm.clone()));
    assert_eq!(told, Ok(MovementAlarmResponse::new()));
    assert_eq!(*platform.alarms.borrow(), [alarm]);
    let seen = wire.seen.borrow();
    assert!(
        seen[0].ends_with(r#""Kind":2},"time":1700000000000},"method":"thing.event.MovementAlarm.post"}"#),
        "{seen:?}"
    );
    assert!(
        seen.iter().any(|frame| frame.contains(r#""params":{"PowerLevel":2},"method":"thing.service.SetPowerLevel""#))
    );
}

#[test]
fn a_refusal_has_the_device_s_own_code() {
    let (wire, tracker, platform) = (Wire::between::<Tracker, Platform>(), tracker(), Platform::default());
    let located = wire.run(&tracker, &platform, wire.platform.peer().call(LocateRequest::new()));
    let error = CallError::new(ErrorCode::Other("100001".into()), "no satellites");
    assert_eq!(located, Err(CallFailure::Refused(error)));
    let toast = wire.run(&tracker, &platform, wire.platform.peer().call(SetPhoneNumberRequest::new("112")));
    let unserved = CallError::new(ErrorCode::Other("404".into()), "this method is not served");
    assert_eq!(toast, Err(CallFailure::Refused(unserved)));
}

#[test]
fn what_breaks_a_limit_is_not_sent() {
    let wire = Wire::between::<Tracker, Platform>();
    let says = |properties: Properties| {
        let mut call = pin!(wire.device.peer().call(properties.at(NOON)));
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Err(CallFailure::Unsendable(error))) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let some = Properties::default;
    assert_eq!(says(Properties { battery_level: Some(101), ..some() }), "/BatteryLevel/value: number out of range");
    assert_eq!(says(Properties { report_interval: Some(7), ..some() }), "/ReportInterval/value: not a multiple of 5");
    assert_eq!(says(Properties { speed: Some(Decimal::new(105, 2)), ..some() }), "/Speed/value: not a multiple of 0.1");
    assert_eq!(
        says(Properties { phone_number: Some("1".repeat(21).into()), ..some() }),
        "/PhoneNumber/value: longer than 20 characters"
    );
    assert_eq!(says(Properties { satellites: Some(vec![1; 33]), ..some() }), "/Satellites/value: more than 32 items");
    let position = Position { longitude: Decimal::from(181), ..position() };
    assert_eq!(
        says(Properties { position: Some(position), ..some() }),
        "/Position/value/Longitude: number out of range"
    );
    assert_eq!(wire.device.poll_transmit(Instant::default()), None);
}

/// What the platform keeps of a message, or how it refuses it.
fn received(text: &str) -> (Platform, String) {
    let (platform, now) = (Platform::default(), Instant::default());
    let connection = Connection::new("tracker", Platform::DIALECT, Config::default());
    connection.receive(text, now);
    assert!(pin!(connection.serve(&platform)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let answer = connection.poll_transmit(now).unwrap_or_default();
    (platform, answer)
}

#[test]
fn events_come_wrapped_bare_and_without_a_time_and_ids_in_any_form() {
    let output = MovementAlarmOutput::new(position(), Kind::Tilt);
    let bare = r#"{"Kind":0,"Position":{"System":1,"Longitude":113.264385,"Latitude":23.129112,"Altitude":21}}"#;
    let wrapped = |rest: &str| format!(r#"{{"value":{bare}{rest}}}"#);
    let first = format!(r#"{{"time" : 1700000000000, "value":{bare}}}"#);
    for (params, time, id) in [
        (bare.to_owned(), None, "\"7\""),
        (wrapped(""), None, "7"),
        (wrapped(r#","time":null"#), None, "7"),
        (wrapped(r#","time":1700000000000"#), Some(NOON), r#""1|exp-topic|/sys/a/b/c""#),
        (wrapped(r#", "time": "1700000000000" "#), Some(NOON), "1507707025"),
        (first, Some(NOON), "\"\""),
    ] {
        let text = format!(r#"{{"id":{id},"params":{params},"method":"thing.event.MovementAlarm.post"}}"#);
        let (platform, answer) = received(&text);
        assert_eq!(answer, format!(r#"{{"id":{id},"code":200,"data":{{}},"message":"success"}}"#), "{text}");
        assert_eq!(*platform.alarms.borrow(), [MovementAlarmRequest { value: output.clone(), time }], "{text}");
    }
    let broken = r#"{"id":"7","params":{"value":{"Kind":0},"time":1},"method":"thing.event.MovementAlarm.post"}"#;
    let says = r#"{"id":"7","code":460,"message":"/value/Position: missing","data":{}}"#;
    assert_eq!(received(broken).1, says);
}

#[test]
fn posts_come_plain_and_timed_and_careless() {
    let post = |params: &str| format!(r#"{{"id":"1","params":{params},"method":"thing.event.property.post"}}"#);
    // A number as text, an integer for a float, an unknown value, a step that is not kept: read, and not sent on.
    let (platform, answer) = received(&post(
        r#"{"Speed":{"time":"1700000000000","value":"10"},"Unknown":{"a":[1]},"BatteryVoltage":{"value":3.999},
            "Armed":true,"PowerLevel":5,"Heading":null,"LastFix":1700000000000,"BatteryLevel":7}"#,
    ));
    assert_eq!(answer, r#"{"id":"1","code":200,"data":{},"message":"success"}"#);
    let posts = platform.posts.borrow();
    let read = &posts[0].properties;
    assert_eq!((read.speed, read.battery_voltage), (Some(Decimal::from(10)), Some(Decimal::new(3999, 3))));
    assert_eq!((read.armed, read.heading, read.last_fix, read.battery_level), (Some(true), None, Some(NOON), Some(7)));
    assert_eq!(read.power_level.as_ref().map(PowerLevel::as_str), Some("5"));
    assert_eq!(posts[0].times.iter().collect::<Vec<_>>(), [("Speed", NOON)]);

    for (params, says) in [
        (r#"{"BatteryLevel":{"value":101,"time":1}}"#, "/BatteryLevel/value: number out of range"),
        (r#"{"BatteryLevel":{"value":1,"time":"soon"}}"#, "/BatteryLevel/time: not an RFC 3339 date-time"),
        (r#"{"BatteryLevel":{"Value":1}}"#, "/BatteryLevel: not an integer"),
        (r#"{"BatteryLevel":1,"BatteryLevel":1}"#, "/BatteryLevel: given twice"),
        (r#"{"Position":{"value":{"Longitude":1}}}"#, "/Position/value/Latitude: missing"),
        (r#"{"Position":{"value":7}}"#, "/Position/Longitude: missing"),
        (r#"[1]"#, "the payload: not an object"),
    ] {
        let (platform, answer) = received(&post(params));
        assert!(answer.contains(&format!(r#""message":"{says}""#)), "{params}: {answer}");
        assert!(platform.posts.borrow().is_empty());
    }
}

#[test]
fn a_post_that_wants_no_answer_gets_none() {
    let text = r#"{"id":"1","sys":{"ack":0},"params":{"BatteryLevel":7},"method":"thing.event.property.post"}"#;
    let (platform, answer) = received(text);
    assert_eq!((platform.posts.borrow().len(), answer.as_str()), (1, ""));
}
