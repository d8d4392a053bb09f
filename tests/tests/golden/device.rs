//! Alink over MQTT bytes: the library's device or gateway, and a platform of the test's own.
//!
//! See [`crate::mqtt`] for packets; `END` is the end of the stream.

use std::time::Duration;

use onwire::alink::system::{self, *};
use onwire::alink::{DeviceRef, LoginOptions, Secret, SignMethod, Topic};
use onwire::codec::{Quirks, decode};
use onwire::mqtt::QoS;
use onwire::net::alink::{Device, DeviceBuilder, Gateway, Message, Messages, RequestFailure};
use onwire::net::{BackOff, Link};
use onwire::types::RawJson;
use onwire::{ActionEntry, CallError, ErrorCode};
use onwire_tests::tracker::{
    self, BatteryLowOutput, LocateResponse, Properties, SetPowerLevelRequest, SetPowerLevelResponse,
};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::bytes::{Wire, unhex};
use crate::mqtt::{read, written};
use crate::ocpp::{NOON, call, outcome, shown};
use crate::platform::{SECRET, told};
use crate::trace::{Input, World};

const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1X", device_name: "SN1" };
const HALL: DeviceRef<'_> = DeviceRef { product_key: "a1Hall", device_name: "H1" };

/// Handlers of the messages that every device has.
#[derive(Clone)]
struct System(UnboundedSender<String>);

#[onwire::handlers(onwire::alink::system, role = Device)]
impl System {
    #[on(ConfigPush)]
    fn configure(&self, request: ConfigPushRequest) {
        self.0.send(shown("ConfigPush", &request)).unwrap();
    }

    #[on(OtaUpgrade)]
    fn upgrade(&self, request: OtaUpgradeRequest) {
        self.0.send(shown("OtaUpgrade", &request)).unwrap();
    }

    #[on(Disable)]
    fn disable(&self) {
        self.0.send("Disable".to_owned()).unwrap();
    }
}

struct Tracker(System);

#[onwire::handlers(onwire_tests::tracker, role = Device, rest = self.0)]
impl Tracker {
    #[on(PropertySet)]
    fn set(&self, wanted: Properties) {
        self.0.0.send(shown("PropertySet", &wanted)).unwrap();
    }

    #[on(SetPowerLevel)]
    async fn power_level(&self, request: SetPowerLevelRequest) -> SetPowerLevelResponse {
        self.0.0.send(shown("SetPowerLevel", &request)).unwrap();
        SetPowerLevelResponse::new(true)
    }

    #[on(Locate)]
    async fn locate(&self) -> Result<LocateResponse, CallError> {
        let dark = CallError::new(ErrorCode::Other("100001".into()), "no \"satellites\"");
        Err(CallError { details: Some(RawJson::new(r#"{"seen":0}"#).unwrap()), ..dark })
    }
}

/// A device or gateway that connects on `! start`.
pub(crate) struct DeviceWorld {
    listener: TcpListener,
    builder: Option<DeviceBuilder>,
    actions: Vec<ActionEntry>,
    running: Option<Running>,
    seen: UnboundedReceiver<String>,
    saw: UnboundedSender<String>,
}

struct Running {
    wire: Wire,
    link: Link,
    messages: Messages,
    gateway: Gateway,
    /// The links of sub-devices.
    links: Vec<Link>,
}

impl DeviceWorld {
    /// A tracker that sends calls and answers with this quality of service.
    pub(crate) async fn tracker(qos: QoS) -> Self {
        Self::new(DEVICE, qos).await
    }

    /// A gateway.
    pub(crate) async fn gateway() -> Self {
        Self::new(HALL, QoS::AtMostOnce).await
    }

    async fn new(device: DeviceRef<'_>, qos: QoS) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (saw, seen) = mpsc::unbounded_channel();
        let url = format!("mqtt://{}", listener.local_addr().unwrap());
        let mut options = LoginOptions::default();
        options.timestamp = Some(1_700_000_000_000);
        options.sign_method = SignMethod::HmacSha1;
        let builder = Device::with_secret(&url, device, &Secret::from(SECRET), options).unwrap();
        let hour = Duration::from_secs(3600);
        let builder = with_handlers(builder, device, &saw).qos(qos).back_off(BackOff::new(hour, hour));
        let actions = tracker::ACTIONS.iter().chain(system::ACTIONS).copied().collect();
        Self { listener, builder: Some(builder), actions, running: None, seen, saw }
    }

    async fn start(&mut self) {
        let builder = self.builder.take().expect("it starts once");
        let device = builder.build(Tracker(System(self.saw.clone()))).unwrap();
        let (link, messages, gateway) = (device.link(), device.messages(), device.gateway());
        tokio::spawn(device.run());
        let (stream, _) = self.listener.accept().await.unwrap();
        self.running = Some(Running { wire: Wire::new(stream), link, messages, gateway, links: Vec::new() });
    }

    /// Runs `work` in the background and records its outcome.
    fn tell(&self, work: impl Future<Output = String> + Send + 'static) {
        let saw = self.saw.clone();
        tokio::spawn(async move {
            let _ = saw.send(work.await);
        });
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("it was started")
    }

    async fn act_on(&mut self, what: &str) {
        if what == "start" {
            return self.start().await;
        }
        let (saw, running) = (self.saw.clone(), self.running());
        let (link, messages) = (running.link.clone(), running.messages.clone());
        let (word, rest) = what.split_once(' ').unwrap_or((what, ""));
        let rest = rest.to_owned();
        match word {
            "post" => {
                let properties: Properties = decode(&rest, Quirks::ALL).unwrap();
                self.tell(async move { outcome(link.call(properties.at(NOON)).await, |_| "posted".to_owned()) });
            }
            "battery-low" => {
                let event = BatteryLowOutput::new(rest.parse().unwrap()).at(NOON);
                self.tell(async move { outcome(link.call(event).await, |_| "told".to_owned()) });
            }
            "inform" => {
                let peer = link.connected().await.unwrap();
                peer.send(OtaInformRequest::new(rest)).unwrap();
            }
            "progress" => {
                let peer = link.connected().await.unwrap();
                peer.send(decode::<OtaProgressRequest>(&rest, Quirks::ALL).unwrap()).unwrap();
            }
            "clock" => self.tell(async move { requested(messages.clock().await.map(|_| "the time".to_owned())) }),
            "raw" => {
                self.tell(async move { requested(messages.send_raw(unhex(&rest)).await.map(|raw| format!("{raw:?}"))) })
            }
            "report" => self.tell(async move {
                requested(messages.shadow().report(&RawJson::new(&rest).unwrap()).await.map(|()| "reported".to_owned()))
            }),
            "shadow" => self.tell(async move {
                requested(messages.shadow().get().await.map(|state| {
                    let json = |json: Option<RawJson>| json.map_or("-".to_owned(), |json| json.as_str().to_owned());
                    format!("shadow {:?} {} {}", state.version, json(state.reported), json(state.desired))
                }))
            }),
            "publish" => {
                let words: Vec<_> = rest.splitn(3, ' ').collect();
                let qos = if words[0] == "q1" { QoS::AtLeastOnce } else { QoS::AtMostOnce };
                messages.publish(words[1], words[2], qos).await.unwrap();
            }
            "sub" => {
                let device = DeviceRef { product_key: "a1Meter", device_name: &rest };
                let builder = running.gateway.sub_device(device, &Secret::from(SECRET));
                let builder = with_handlers(builder, device, &saw);
                let sub_device = builder.build(Tracker(System(saw)));
                running.links.push(sub_device.link());
                tokio::spawn(sub_device.run());
            }
            "sub-post" => {
                let link = running.links[0].clone();
                let properties: Properties = decode(&rest, Quirks::ALL).unwrap();
                self.tell(async move { outcome(link.call(properties.at(NOON)).await, |_| "posted".to_owned()) });
            }
            "sub-stop" => running.links.remove(0).stop(),
            "stop" => link.stop(),
            _ => {
                let (action, call) = call(&link.connected().await.unwrap(), &self.actions, what);
                self.tell(
                    async move { format!("{action} {}", outcome(call.await, |answer| format!("answered {answer}"))) },
                );
            }
        }
    }
}

fn requested(outcome: Result<String, RequestFailure>) -> String {
    outcome.unwrap_or_else(|failure| format!("failed {failure:?}"))
}

/// Adds handlers for messages that are not calls.
fn with_handlers<C>(
    builder: DeviceBuilder<C>,
    device: DeviceRef<'_>,
    saw: &UnboundedSender<String>,
) -> DeviceBuilder<C> {
    let (shadow, user) = (saw.clone(), saw.clone());
    let own = |rest| Topic::User { device, rest }.to_string();
    builder
        .on_rrpc(own("door"), |request: Message| async move { [b"door ", &*request.payload].concat() })
        .on_system_rrpc(|request: Message| async move { [b"system ", &*request.payload].concat() })
        .on_raw(|bytes| async move { [bytes, vec![0xff]].concat() })
        .on_shadow(move |state| {
            let desired = state.desired.map_or("-".to_owned(), |json| json.as_str().to_owned());
            let _ = shadow.send(format!("wanted {:?} {desired}", state.version));
            async {}
        })
        .on_topic(own("get"), QoS::AtLeastOnce, move |message| {
            let _ = user.send(told(&message.topic, &message.payload));
            async {}
        })
}

impl World for DeviceWorld {
    async fn act(&mut self, input: Input, more: bool) {
        match input {
            Input::Sent(line) if line == "END" => self.running().wire.end().await,
            Input::Sent(line) => self.running().wire.send(&written(&line), more).await,
            Input::Done(what) => self.act_on(&what).await,
            Input::At(_) => panic!("this trace has no clock of its own"),
        }
    }

    async fn sent(&mut self, patience: Duration) -> Option<String> {
        self.running().wire.next(read, patience).await
    }

    async fn seen(&mut self, patience: Duration) -> Option<String> {
        tokio::time::timeout(patience, self.seen.recv()).await.ok().flatten()
    }
}
