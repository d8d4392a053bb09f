//! What a device asks, and is asked, beside calls: clock, shadow, raw bytes, RRPC and topics of the user's own, against a
//! platform in the same process that answers as the documentation says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use onwire::Peer;
use onwire::alink::{
    Claim, ClaimKind, DeviceRef, LoginOptions, NotRegistered, RegisterForm, Registered, RegisteredUnlisted, Secret,
    ShadowRefused, SyncServices, Topic, ntp_response, register_answer,
};
use onwire::mqtt::{QoS, Refused};
use onwire::net::alink::{
    Admission, Device, DeviceBuilder, Listener, LoginRequest, Message, Messages, Platform, Publisher, RegisterFailure,
    Registration, RequestFailure,
};
use onwire::net::{BackOff, ConnectError, Link};
use onwire::types::{DateTime, RawJson};
use onwire_tests::tracker::*;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc, oneshot};

const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1X", device_name: "SN1" };
const SECRET: &str = "device's secret";
const PRODUCT_SECRET: &str = "product's secret";
const TOKEN: &str = "token";
/// What the platform's clock says: some other time than the device's.
const NOON: i64 = 1_700_000_000_000;

struct Tracker;

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Tracker {
    #[on(Locate)]
    fn locate(&self) -> LocateResponse {
        LocateResponse::new(true, 1, 2)
    }
}

struct Nothing;

#[onwire::handlers(onwire_tests::tracker, role = Platform)]
impl Nothing {
    #[on(PropertyPost)]
    fn post(&self, _: Properties) {}
}

#[derive(Default)]
struct Shadow {
    document: Mutex<(Value, i64)>,
    conflicts: Mutex<u32>,
}

impl Shadow {
    fn serve(&self, request: &Value) -> Value {
        let mut document = self.document.lock().unwrap();
        let refused =
            |code: i64| json!({"status": "error", "content": {"errorcode": code.to_string(), "errormessage": "no"}});
        let (state, version) = &mut *document;
        if request["method"] == "get" {
            return match state.is_null() {
                true => refused(407),
                false => json!({"status": "success", "state": state, "version": version}),
            };
        }
        let asked = request["version"].as_i64().unwrap();
        if asked != -1 && asked <= *version {
            *self.conflicts.lock().unwrap() += 1;
            return refused(409);
        }
        *version = asked.max(0);
        let reported = &request["state"]["reported"];
        match (request["method"].as_str().unwrap(), reported) {
            ("update", Value::Object(_)) => *state = json!({"reported": reported, "desired": state["desired"]}),
            ("update", _) => state["desired"] = json!("null"),
            ("delete", Value::String(_)) => state["reported"] = json!({}),
            ("delete", Value::Object(names)) => {
                state["reported"].as_object_mut().unwrap().retain(|name, _| !names.contains_key(name));
            }
            other => panic!("{other:?}"),
        }
        json!({"status": "success", "version": version})
    }
}

/// The platform, of which tests can reach everything.
struct Hub {
    shadow: Arc<Shadow>,
    /// Nothing is answered while it holds nothing.
    answers: Arc<Semaphore>,
    connected: mpsc::UnboundedSender<Publisher>,
    seen: mpsc::UnboundedSender<Message>,
}

impl Platform for Hub {
    type Router = Nothing;

    async fn login(&self, login: LoginRequest) -> Result<Admission, Refused> {
        let connect = login.connect;
        let password = connect.password.unwrap_or_default();
        let username = connect.username.unwrap_or_default();
        let claim = Claim::parse(&connect.client_id, &username, &password).map_err(|_| Refused::Identifier)?;
        let secret = match claim.kind() {
            ClaimKind::DeviceSecret => SECRET,
            ClaimKind::Token => TOKEN,
            ClaimKind::Register | ClaimKind::RegisterUnlisted => PRODUCT_SECRET,
        };
        claim.verify(&Secret::from(secret)).map_err(|_| Refused::BadCredentials)?;
        let (product_key, device_name) = (DEVICE.product_key.to_owned(), DEVICE.device_name.to_owned());
        Ok(match claim.kind() {
            ClaimKind::Register => {
                let registered = Registered { product_key, device_name, device_secret: SECRET.into() };
                Admission::Registration { topic: Topic::Register.to_string(), payload: registered.to_json().into() }
            }
            ClaimKind::RegisterUnlisted => {
                let client_id = "given".to_owned();
                let registered = RegisteredUnlisted { client_id, product_key, device_name, device_token: TOKEN.into() };
                let topic = Topic::RegisterUnlisted.to_string();
                Admission::Registration { topic, payload: registered.to_json().into() }
            }
            _ => Admission::Device { product_key, device_name, sync: SyncServices::default() },
        })
    }

    fn router(&self) -> &Nothing {
        &Nothing
    }

    async fn connected(&self, _: &Peer, publisher: &Publisher) {
        self.connected.send(publisher.clone()).unwrap();
    }

    async fn message(&self, _: &Peer, publisher: &Publisher, message: Message) {
        self.seen.send(message.clone()).unwrap();
        let Ok(_may) = self.answers.try_acquire() else { return };
        let topic = message.topic().unwrap();
        let text = String::from_utf8_lossy(&message.payload).into_owned();
        let answer = match topic {
            Topic::Ntp { .. } => {
                let now = DateTime::from_unix_millis(NOON);
                ntp_response(&text, now, now).unwrap().into_bytes()
            }
            Topic::ShadowUpdate { .. } => {
                let payload = self.shadow.serve(&serde_json::from_str(&text).unwrap());
                json!({"method": "reply", "payload": payload, "timestamp": 1}).to_string().into_bytes()
            }
            Topic::Raw { .. } => message.payload.iter().rev().copied().collect(),
            _ => return,
        };
        publisher.publish(topic.answer().unwrap(), answer, QoS::AtMostOnce).await.unwrap();
    }
}

struct Running {
    url: String,
    shadow: Arc<Shadow>,
    answers: Arc<Semaphore>,
    connected: mpsc::UnboundedReceiver<Publisher>,
    seen: mpsc::UnboundedReceiver<Message>,
}

async fn running() -> Running {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    let (shadow, answers) = (Arc::<Shadow>::default(), Arc::new(Semaphore::new(1)));
    let (connections, connected) = mpsc::unbounded_channel();
    let (sender, seen) = mpsc::unbounded_channel();
    let hub = Hub { shadow: Arc::clone(&shadow), answers: Arc::clone(&answers), connected: connections, seen: sender };
    tokio::spawn(listener.serve(hub));
    Running { url, shadow, answers, connected, seen }
}

fn builder(url: &str) -> DeviceBuilder {
    let builder = Device::with_secret(url, DEVICE, &Secret::from(SECRET), LoginOptions::default()).unwrap();
    builder.back_off(BackOff::new(Duration::from_millis(1), Duration::from_millis(10)))
}

fn start(builder: DeviceBuilder) -> (Link, Messages) {
    let device = builder.build(Tracker).unwrap();
    let handles = (device.link(), device.messages());
    tokio::spawn(device.run());
    handles
}

fn json_of(text: &str) -> RawJson {
    RawJson::new(text).unwrap()
}

#[tokio::test]
async fn a_device_learns_what_time_it_is() {
    let running = running().await;
    let began = std::time::Instant::now();
    let (_, messages) = start(builder(&running.url));
    // It waits for the connection by itself.
    let clock = messages.clock().await.unwrap();
    // Half the way was added, and what has passed since.
    let ahead = u128::try_from(clock.now().unix_millis() - NOON).unwrap();
    assert!(ahead <= began.elapsed().as_millis() + 1, "{ahead}");
    assert!(clock.offset_millis() < 0, "the device's clock is ahead");
}

#[tokio::test]
async fn many_ask_for_the_time_at_once() {
    let running = running().await;
    let (_, messages) = start(builder(&running.url));
    for clock in futures_util::future::join_all((0..32).map(|_| messages.clock())).await {
        clock.unwrap();
    }
}

#[tokio::test]
async fn a_shadow_is_reported_read_and_emptied() {
    let running = running().await;
    let (_, messages) = start(builder(&running.url));
    let shadow = messages.shadow();
    let Err(RequestFailure::Refused(why)) = shadow.get().await else { panic!("there is none yet") };
    assert_eq!(why.code, ShadowRefused::EMPTY);
    shadow.report(&json_of(r#"{"Power":1,"Mode":"eco"}"#)).await.unwrap();
    shadow.report(&json_of(r#"{"Power":2,"Mode":"eco"}"#)).await.unwrap();
    let state = shadow.get().await.unwrap();
    let reported: Value = serde_json::from_str(state.reported.unwrap().as_str()).unwrap();
    assert_eq!((reported, state.version), (json!({"Power": 2, "Mode": "eco"}), Some(2)));
    shadow.delete(&["Power"]).await.unwrap();
    assert_eq!(shadow.get().await.unwrap().reported, Some(json_of(r#"{"Mode":"eco"}"#)));
    shadow.delete(&[]).await.unwrap();
    assert_eq!(shadow.get().await.unwrap().reported, Some(json_of(r#"{"Mode":"eco"}"#)), "nothing was named");
    shadow.delete_all().await.unwrap();
    assert_eq!(shadow.get().await.unwrap().reported, Some(json_of("{}")));
    assert_eq!(*running.shadow.conflicts.lock().unwrap(), 0);
}

#[tokio::test]
async fn somebody_else_changes_the_shadow_meanwhile() {
    let running = running().await;
    let (_, messages) = start(builder(&running.url));
    let shadow = messages.shadow();
    shadow.report(&json_of(r#"{"Power":1}"#)).await.unwrap();
    running.shadow.document.lock().unwrap().1 = 40;
    shadow.report(&json_of(r#"{"Power":2}"#)).await.unwrap();
    assert_eq!(shadow.get().await.unwrap().version, Some(41));
    assert_eq!(*running.shadow.conflicts.lock().unwrap(), 1);
    shadow.begin_anew(&json_of(r#"{"Power":3}"#)).await.unwrap();
    assert_eq!(shadow.get().await.unwrap().version, Some(0));
}

#[tokio::test]
async fn the_version_that_comes_with_what_is_wanted_is_kept() {
    let mut running = running().await;
    let (told, mut wanted) = mpsc::unbounded_channel();
    let (_, messages) = start(builder(&running.url).on_shadow(move |state| {
        let told = told.clone();
        async move { told.send(state.version).unwrap() }
    }));
    let shadow = messages.shadow();
    shadow.report(&json_of(r#"{"Power":1}"#)).await.unwrap();
    // Somebody else wants something, which gives the shadow a version of its own.
    running.shadow.document.lock().unwrap().1 = 40;
    let publisher = running.connected.recv().await.unwrap();
    for version in [json!(40), json!("40")] {
        let control = json!({"method": "control", "payload": {"state": {"desired": {"Power": 7}}}, "version": version});
        publisher.publish(Topic::ShadowGet { device: DEVICE }, control.to_string(), QoS::AtLeastOnce).await.unwrap();
        assert_eq!(wanted.recv().await.unwrap(), Some(40));
    }
    shadow.report(&json_of(r#"{"Power":7}"#)).await.unwrap();
    assert_eq!(running.shadow.document.lock().unwrap().1, 41);
    assert_eq!(*running.shadow.conflicts.lock().unwrap(), 0);
}

#[tokio::test]
async fn what_is_wanted_by_the_shadow_is_obeyed_and_told() {
    let mut running = running().await;
    running.shadow.document.lock().unwrap().0 = json!({"reported": {}, "desired": {"Power": 7}});
    let (done, obeyed) = oneshot::channel();
    let done = Mutex::new(Some(done));
    let builder = builder(&running.url);
    let messages = builder.messages();
    start(builder.on_shadow(move |wanted| {
        let (messages, done) = (messages.clone(), done.lock().unwrap().take().unwrap());
        // A handler may ask the platform itself.
        async move {
            messages.shadow().report(&wanted.desired.unwrap()).await.unwrap();
            messages.shadow().clear_desired().await.unwrap();
            done.send(()).unwrap();
        }
    }));
    let publisher = running.connected.recv().await.unwrap();
    let control = json!({"method": "control", "payload": {"state": {"desired": {"Power": 7}}}, "version": 1});
    publisher.publish(Topic::ShadowGet { device: DEVICE }, control.to_string(), QoS::AtLeastOnce).await.unwrap();
    obeyed.await.unwrap();
    assert_eq!(running.shadow.document.lock().unwrap().0, json!({"reported": {"Power": 7}, "desired": "null"}));
}

#[tokio::test]
async fn raw_bytes_are_answered_in_both_directions() {
    let mut running = running().await;
    let (_, messages) = start(builder(&running.url).on_raw(|bytes| async move { [bytes, vec![0xff]].concat() }));
    assert_eq!(messages.send_raw([1, 2, 3]).await, Ok(vec![3, 2, 1]));
    running.seen.recv().await.unwrap();
    let publisher = running.connected.recv().await.unwrap();
    publisher.publish("/sys/a1X/SN1/thing/model/down_raw", [7, 0xfe], QoS::AtMostOnce).await.unwrap();
    let answer = running.seen.recv().await.unwrap();
    assert_eq!((&*answer.topic, &*answer.payload), ("/sys/a1X/SN1/thing/model/down_raw_reply", &[7, 0xfe, 0xff][..]));
}

#[tokio::test]
async fn rrpc_is_answered_on_its_topic_by_the_handler_that_it_is_for() {
    let mut running = running().await;
    start(
        builder(&running.url)
            .on_rrpc("/a1X/SN1/user/door", |request: Message| async move { [b"door ", &*request.payload].concat() })
            .on_rrpc("/a1X/SN1/user/+", |_| async { "other" })
            .on_system_rrpc(
                |request: Message| async move { request.payload.iter().rev().copied().collect::<Vec<_>>() },
            ),
    );
    let publisher = running.connected.recv().await.unwrap();
    for (topic, payload, answered_on, answer) in [
        ("/ext/rrpc/71/a1X/SN1/user/door", &b"open"[..], "/ext/rrpc/71/a1X/SN1/user/door", &b"door open"[..]),
        ("/ext/rrpc/72/a1X/SN1/user/lamp", b"on", "/ext/rrpc/72/a1X/SN1/user/lamp", b"other"),
        ("/sys/a1X/SN1/rrpc/request/73", &[1, 0xff], "/sys/a1X/SN1/rrpc/response/73", &[0xff, 1]),
        ("/sys/a1X/SN1/rrpc/request/74", br#"{"a":1}"#, "/sys/a1X/SN1/rrpc/response/74", br#"}1:"a"{"#),
    ] {
        publisher.publish(topic, payload, QoS::AtMostOnce).await.unwrap();
        let answered = running.seen.recv().await.unwrap();
        assert_eq!((&*answered.topic, &*answered.payload), (answered_on, answer));
    }
}

#[tokio::test]
async fn handlers_that_answer_run_side_by_side_and_may_panic() {
    let mut running = running().await;
    let both = Arc::new(tokio::sync::Barrier::new(2));
    start(
        builder(&running.url)
            .on_rrpc("/pair", move |_| {
                let both = Arc::clone(&both);
                async move {
                    both.wait().await;
                    "met"
                }
            })
            .on_rrpc("/panics", |request: Message| async move {
                assert!(request.payload.is_empty(), "it panics");
                "fine"
            }),
    );
    let publisher = running.connected.recv().await.unwrap();
    for (topic, payload) in [("/ext/rrpc/2/panics", "x"), ("/ext/rrpc/3/pair", ""), ("/ext/rrpc/4/pair", "")] {
        publisher.publish(topic, payload, QoS::AtMostOnce).await.unwrap();
    }
    let mut met: Vec<_> = [running.seen.recv().await.unwrap().topic, running.seen.recv().await.unwrap().topic].into();
    met.sort();
    assert_eq!(met, ["/ext/rrpc/3/pair", "/ext/rrpc/4/pair"]);
    publisher.publish("/ext/rrpc/5/panics", "", QoS::AtMostOnce).await.unwrap();
    assert_eq!(running.seen.recv().await.unwrap().payload, b"fine");
}

#[tokio::test]
async fn a_handler_that_does_not_answer_is_given_up() {
    /// Tells that it is no more.
    struct Told(mpsc::UnboundedSender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    let mut running = running().await;
    let (given_up, mut ends) = mpsc::unbounded_channel();
    let builder = builder(&running.url).rrpc_timeout(Duration::from_millis(1));
    let (_, messages) = start(builder.on_rrpc("/hangs", move |_| {
        let told = Told(given_up.clone());
        async move {
            let _told = told;
            std::future::pending::<&str>().await
        }
    }));
    let publisher = running.connected.recv().await.unwrap();
    publisher.publish("/ext/rrpc/1/hangs", "", QoS::AtMostOnce).await.unwrap();
    ends.recv().await.unwrap();
    messages.publish("/a1X/SN1/user/update", "after", QoS::AtMostOnce).await.unwrap();
    assert_eq!(running.seen.recv().await.unwrap().payload, b"after", "nothing was answered");
}

#[tokio::test]
async fn topics_of_the_user_s_own_go_to_the_first_handler_in_their_order() {
    let mut running = running().await;
    let (sender, mut taken) = mpsc::unbounded_channel();
    let into = |name: &'static str| {
        let sender = sender.clone();
        move |message: Message| {
            let sender = sender.clone();
            async move { sender.send((name, message.payload)).unwrap() }
        }
    };
    let (_, messages) = start(
        builder(&running.url)
            .on_topic("/a1X/SN1/user/tariff/#", QoS::AtLeastOnce, into("tariff"))
            .on_topic("/a1X/SN1/user/+", QoS::AtMostOnce, into("user"))
            .on_message(into("rest")),
    );
    let publisher = running.connected.recv().await.unwrap();
    for (topic, payload) in [
        ("/a1X/SN1/user/tariff/day", "1"),
        ("/a1X/SN1/user/get", "2"),
        ("/a1X/SN1/user/tariff", "3"),
        ("/broadcast/a1X/all", "4"),
    ] {
        publisher.publish(topic, payload, QoS::AtLeastOnce).await.unwrap();
    }
    let mut all = Vec::new();
    for _ in 0..4 {
        let (name, payload) = taken.recv().await.unwrap();
        all.push(format!("{name} {}", String::from_utf8(payload).unwrap()));
    }
    assert_eq!(all, ["tariff 1", "user 2", "tariff 3", "rest 4"]);
    messages.publish(Topic::User { device: DEVICE, rest: "update" }, "up", QoS::AtLeastOnce).await.unwrap();
    assert_eq!(running.seen.recv().await.unwrap().topic, "/a1X/SN1/user/update");
}

#[tokio::test]
async fn requests_fail_by_name() {
    let running = running().await;
    running.answers.forget_permits(1);
    let builder = builder(&running.url);
    // There is no connection before it runs.
    let short = builder.messages().timeout(Duration::from_millis(1));
    assert_eq!(short.clock().await.unwrap_err(), RequestFailure::NotConnected);
    let (link, messages) = start(builder);
    link.connected().await.unwrap();
    let short = messages.clone().timeout(Duration::from_millis(20));
    assert_eq!(short.clock().await.unwrap_err(), RequestFailure::Timeout);
    assert_eq!(short.send_raw([1]).await.unwrap_err(), RequestFailure::Timeout);
    assert_eq!(short.shadow().get().await.unwrap_err(), RequestFailure::Timeout);
    // 32 wait, the next one is told so.
    let messages = messages.timeout(Duration::from_secs(3600));
    let waiting: Vec<_> = (0..32)
        .map(|_| {
            let messages = messages.clone();
            tokio::spawn(async move { messages.clock().await })
        })
        .collect();
    let mut seen = running.seen;
    let mut questions = 0;
    while questions < 32 + 1 {
        questions += u32::from(matches!(seen.recv().await.unwrap().topic(), Some(Topic::Ntp { .. })));
    }
    assert_eq!(messages.clock().await.unwrap_err(), RequestFailure::TooMany);
    link.stop();
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap_err(), RequestFailure::Disconnected);
    }
    assert_eq!(messages.clock().await.unwrap_err(), RequestFailure::NotConnected);
}

#[tokio::test]
async fn a_device_registers_and_connects_with_what_it_was_given() {
    let mut running = running().await;
    let product_secret = Secret::from(PRODUCT_SECRET);
    let registered = Registration::new(&running.url, DEVICE, &product_secret).register().await.unwrap();
    assert_eq!(registered.device_secret.expose(), SECRET);
    let builder =
        Device::with_secret(&running.url, DEVICE, &registered.device_secret, LoginOptions::default()).unwrap();
    let (link, _) = start(builder);
    link.connected().await.unwrap();
    running.connected.recv().await.unwrap();
    link.stop();

    let registered = Registration::new(&running.url, DEVICE, &product_secret).register_unlisted().await.unwrap();
    let builder = Device::with_token(&running.url, &registered, &LoginOptions::default()).unwrap();
    let (link, _) = start(builder);
    link.connected().await.unwrap();
    running.connected.recv().await.unwrap();
    link.stop();
}

#[tokio::test]
async fn a_registration_fails_by_name() {
    let running = running().await;
    let wrong = Secret::from("wrong");
    let refused = Registration::new(&running.url, DEVICE, &wrong).register().await.unwrap_err();
    assert!(matches!(refused, RegisterFailure::Connect(ConnectError::Login(Refused::BadCredentials))), "{refused}");
    let right = Secret::from(PRODUCT_SECRET);
    let other = DeviceRef { device_name: "SN2", ..DEVICE };
    let mixed_up = Registration::new(&running.url, other, &right).register().await.unwrap_err();
    assert!(matches!(mixed_up, RegisterFailure::OtherDevice), "{mixed_up}");
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtt://{}", silent.local_addr().unwrap());
    let late = Registration::new(&url, DEVICE, &right).timeout(Duration::from_millis(10)).register().await.unwrap_err();
    assert!(matches!(late, RegisterFailure::Timeout), "{late}");
}

/// Answers one form over HTTP with that status and body; the form that came.
async fn registrar(status: &'static str, answer: String) -> (String, tokio::task::JoinHandle<String>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        let (head, body) = loop {
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).await.unwrap();
            request.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
            let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                break (head, body);
            }
        };
        assert!(head.starts_with("POST /auth/register/device HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        body.to_owned()
    });
    (url, served)
}

#[tokio::test]
async fn a_device_registers_over_http() {
    let secret = Secret::from(PRODUCT_SECRET);
    let registered = Registered { product_key: "a1X".into(), device_name: "SN1".into(), device_secret: SECRET.into() };
    let (url, served) = registrar("200 OK", register_answer(Ok(&registered))).await;
    assert_eq!(Registration::new(&url, DEVICE, &secret).register().await.unwrap(), registered);
    let form = served.await.unwrap();
    let form = RegisterForm::parse(form.as_bytes()).unwrap();
    assert_eq!((form.device(), form.verify(&secret)), (DEVICE, Ok(())));

    let (url, _) = registrar("200 OK", register_answer(Err((6289, "active")))).await;
    let refused = Registration::new(&url, DEVICE, &secret).register().await.unwrap_err();
    assert!(matches!(refused, RegisterFailure::Refused(NotRegistered::Refused { code: 6289, .. })), "{refused}");
    let (url, _) = registrar("502 Bad Gateway", "<html>".into()).await;
    let broken = Registration::new(&url, DEVICE, &secret).register().await.unwrap_err();
    assert!(matches!(broken, RegisterFailure::Status(status) if status == 502), "{broken}");
    let (url, _) = registrar("200 OK", "x".repeat(17 * 1024)).await;
    let long = Registration::new(&url, DEVICE, &secret).register().await.unwrap_err();
    assert!(matches!(long, RegisterFailure::Http(_)), "{long}");
    let (url, _) = registrar("200 OK", "{}".into()).await;
    let unreadable = Registration::new(&url, DEVICE, &secret).register().await.unwrap_err();
    assert!(matches!(unreadable, RegisterFailure::Unreadable(_)), "{unreadable}");
}

#[tokio::test]
async fn a_device_that_is_stopped_ends_once_its_handlers_have() {
    let mut running = running().await;
    let (began, mut begun) = mpsc::unbounded_channel();
    let (release, done) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(false)));
    let (released, is_done) = (Arc::clone(&release), Arc::clone(&done));
    let builder = builder(&running.url).on_topic("/a1X/SN1/user/get", QoS::AtMostOnce, move |_| {
        let (began, released, is_done) = (began.clone(), Arc::clone(&released), Arc::clone(&is_done));
        async move {
            began.send(()).unwrap();
            released.acquire().await.unwrap().forget();
            *is_done.lock().unwrap() = true;
        }
    });
    let device = builder.build(Tracker).unwrap();
    let link = device.link();
    let run = tokio::spawn(device.run());
    let publisher = running.connected.recv().await.unwrap();
    publisher.publish("/a1X/SN1/user/get", "", QoS::AtMostOnce).await.unwrap();
    begun.recv().await.unwrap();
    link.stop();
    release.add_permits(1);
    run.await.unwrap();
    assert!(*done.lock().unwrap());
}
