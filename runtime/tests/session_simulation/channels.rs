//! A device and a platform that speak Alink, with a broker between them that loses messages, brings them late, and brings them
//! twice, as brokers may.

use std::collections::BTreeMap;
use std::time::Duration;

use onwire::alink::{Channel, DeviceRef, FRAMING, Incoming, SyncServices, Topic, spell};
use onwire::codec::{Decoder, Encoder, Message, Reject};
use onwire::frame::CallFrame;
use onwire::mqtt::{Client, Connect, Limits, Link, Packet, QoS, Role, Server};
use onwire::ocpp::v16::{DataTransferRequest, DataTransferResponse};
use onwire::session::{CallToken, Config, Received, Session};
use onwire::{Action, CallFailure, Dialect, Instant, Request, Secrets};

use onwire_simulation::Chance;

static DIALECT: Dialect = Dialect {
    name: "simulation",
    subprotocols: &[],
    framing: &FRAMING,
    actions: &[],
    fresh: &[],
    spell,
    secrets: Secrets::NONE,
};

const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1", device_name: "d" };
const CALL_TIMEOUT: u64 = 30_000;

/// An action whose request carries a number in the clothes of another message.
macro_rules! action {
    ($marker:ident, $request:ident, $method:literal) => {
        struct $marker;
        struct $request(DataTransferRequest);

        impl Message for $request {
            fn blank() -> Self {
                Self(DataTransferRequest::blank())
            }

            fn read(&mut self, decoder: &mut Decoder<'_>) -> Result<(), Reject> {
                self.0.read(decoder)
            }

            fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Reject> {
                self.0.encode(encoder)
            }
        }

        impl Action for $marker {
            const NAME: &'static str = $method;
            type Request = $request;
            type Response = DataTransferResponse;
        }

        impl Request for $request {
            type Action = $marker;
            type Response = DataTransferResponse;
        }
    };
}

action!(Tell, TellRequest, "thing.event.Tell.post");
action!(Start, StartRequest, "thing.service.Start");
action!(Ask, AskRequest, "thing.service.Ask");

struct Side<R: Role> {
    channel: Channel<R>,
    session: Session,
    /// When what is handled is done.
    handled: Vec<(u64, CallFrame)>,
    number: u64,
    calls: BTreeMap<u64, CallToken>,
    runs: BTreeMap<String, u32>,
    plan: Vec<u64>,
    done: u32,
}

impl<R: Role> Side<R> {
    fn new(channel: Channel<R>, chance: &mut Chance, first: u32) -> Self {
        let mut config = Config::default();
        config.call_timeout = Duration::from_millis(CALL_TIMEOUT);
        config.outstanding = chance.pick(&[1, 2, 4]);
        config.call_queue = 32;
        config.inbox = 16;
        config.answer_memory = 1 << 20;
        config.repeat_window = Duration::from_millis(2 * CALL_TIMEOUT);
        config.first_id = first;
        let mut plan: Vec<u64> = (0..chance.between(3, 15)).map(|_| chance.between(0, 60_000)).collect();
        plan.sort_unstable_by_key(|at| std::cmp::Reverse(*at));
        Self {
            channel,
            session: Session::new(&DIALECT, config),
            handled: Vec::new(),
            number: u64::from(first),
            calls: BTreeMap::new(),
            runs: BTreeMap::new(),
            plan,
            done: 0,
        }
    }

    fn due(&self) -> u64 {
        let plan = self.plan.last().copied();
        let handled = self.handled.iter().map(|(at, _)| *at).min();
        let session = self.session.poll_deadline().map(Instant::as_millis);
        let link = self.channel.link().poll_deadline().map(Instant::as_millis);
        [plan, handled, session, link].into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    fn turn(&mut self, now: u64, chance: &mut Chance, call: impl Fn(&mut Session, u64, &mut Chance) -> CallToken) {
        let at = Instant::from_millis(now);
        self.channel.link_mut().handle_timeout(at).unwrap();
        while self.plan.last().is_some_and(|due| *due <= now) {
            self.plan.pop();
            self.number += 1;
            let token = call(&mut self.session, self.number, chance);
            self.calls.insert(self.number, token);
        }
        while let Some(incoming) = self.channel.poll() {
            let Incoming::Frame { text, receipt } = incoming else { continue };
            let received = self.session.receive_as(&text, receipt, at);
            assert!(!matches!(received, Received::Refused(_)), "{text}: {received:?}");
        }
        while let Some(call) = self.session.next_call() {
            let id = format!("{} {}", call.action(), call.id_token());
            *self.runs.entry(id).or_default() += 1;
            self.handled.push((now + chance.between(0, 5_000), call));
        }
        let (done, handled) = std::mem::take(&mut self.handled).into_iter().partition(|(due, _)| *due <= now);
        self.handled = handled;
        let done: Vec<(u64, CallFrame)> = done;
        for (_, call) in done {
            let mut frame = String::new();
            (FRAMING.open_result)(&mut frame, call.id_token());
            frame.push_str(r#"{"status":"Accepted","data":""#);
            frame.push_str(call.payload().rsplit('"').nth(1).unwrap());
            frame.push_str("\"}");
            (FRAMING.close_result)(&mut frame);
            self.session.answer(&call, frame);
        }
        while self.session.poll_deadline().is_some_and(|deadline| deadline <= at) {
            self.session.handle_timeout(at);
        }
        while let Some((frame, answers)) = self.session.poll_transmit_for(at) {
            self.channel.send(&frame, answers, at).unwrap();
        }
        while let Some(done) = self.session.poll_receipt() {
            self.channel.done(done);
        }
        for (number, token) in std::mem::take(&mut self.calls) {
            match self.session.take_outcome(token) {
                None => drop(self.calls.insert(number, token)),
                Some(Ok(payload)) => {
                    assert!(payload.contains(&format!("\"{number}\"")), "the answer to another call: {payload}");
                    self.done += 1;
                }
                Some(Err(failure)) => assert_eq!(failure, CallFailure::Timeout),
            }
        }
    }
}

/// A message on its way.
struct Under {
    due: u64,
    topic: String,
    payload: Vec<u8>,
}

/// Ends of the broker's two connections, and what it does to messages.
struct Broker {
    device: Link<Server>,
    platform: Link<Client>,
    up: Vec<Under>,
    down: Vec<Under>,
    loses: u64,
    doubles: u64,
}

impl Broker {
    fn take<R: Role>(link: &mut Link<R>, way: &mut Vec<Under>, faults: (u64, u64), now: u64, chance: &mut Chance) {
        while let Some(packet) = link.poll_packet() {
            let Packet::Message { topic, payload, .. } = packet else { continue };
            if chance.percent(faults.0) {
                continue;
            }
            let copies = if chance.percent(faults.1) { 2 } else { 1 };
            for _ in 0..copies {
                let slow = if chance.percent(5) { 40_000 } else { 1_000 };
                way.push(Under { due: now + chance.between(0, slow), topic: topic.clone(), payload: payload.clone() });
            }
        }
    }

    fn bring<R: Role>(way: &mut Vec<Under>, link: &mut Link<R>, now: u64) {
        way.retain(|message| {
            if message.due > now {
                return true;
            }
            let at = Instant::from_millis(now);
            link.publish(&message.topic, &message.payload, QoS::AtMostOnce, at).unwrap();
            false
        });
    }
}

fn pump<A: Role, B: Role>(from: &mut Link<A>, to: &mut Link<B>, now: Instant) {
    while let Some(bytes) = from.poll_transmit() {
        to.receive(&bytes, now).unwrap();
    }
}

pub(crate) fn run(mut chance: Chance) {
    let start = Instant::default();
    let mut connect = Connect::new("simulation");
    connect.keep_alive = Duration::ZERO;
    let mut device = Channel::device(DEVICE, Limits::default());
    let mut broker = Broker {
        device: Link::server(Limits::default(), start),
        platform: Link::client(Limits::default()),
        up: Vec::new(),
        down: Vec::new(),
        loses: chance.pick(&[0, 0, 5, 30]),
        doubles: chance.pick(&[0, 5, 50]),
    };
    let mut platform = Link::server(Limits::default(), start);
    device.link_mut().connect(&connect, start).unwrap();
    broker.platform.connect(&connect, start).unwrap();
    pump(device.link_mut(), &mut broker.device, start);
    pump(&mut broker.platform, &mut platform, start);
    broker.device.accept(start);
    platform.accept(start);
    pump(&mut broker.device, device.link_mut(), start);
    pump(&mut platform, &mut broker.platform, start);
    let sync = SyncServices { methods: vec![Ask::NAME.into()], extended: chance.percent(50) };
    let platform = Channel::platform(platform, DEVICE, sync);
    let mut device = Side::new(device, &mut chance, 1_000);
    let mut platform = Side::new(platform, &mut chance, 5_000);
    let with = |number: u64| {
        let mut request = DataTransferRequest::new("simulation");
        request.data = Some(number.to_string().as_str().into());
        request
    };
    let (mut now, mut turns) = (0, 0);
    loop {
        device.turn(now, &mut chance, |session, number, _| session.call(&TellRequest(with(number))).unwrap());
        platform.turn(now, &mut chance, |session, number, chance| match chance.percent(50) {
            true => session.call(&StartRequest(with(number))).unwrap(),
            false => session.call(&AskRequest(with(number))).unwrap(),
        });
        let at = Instant::from_millis(now);
        pump(device.channel.link_mut(), &mut broker.device, at);
        pump(platform.channel.link_mut(), &mut broker.platform, at);
        let faults = (broker.loses, broker.doubles);
        Broker::take(&mut broker.device, &mut broker.up, faults, now, &mut chance);
        Broker::take(&mut broker.platform, &mut broker.down, faults, now, &mut chance);
        Broker::bring(&mut broker.up, &mut broker.platform, now);
        Broker::bring(&mut broker.down, &mut broker.device, now);
        pump(&mut broker.platform, platform.channel.link_mut(), at);
        pump(&mut broker.device, device.channel.link_mut(), at);
        let on_way = broker.up.iter().chain(&broker.down);
        for message in on_way.clone() {
            assert!(Topic::parse(&message.topic).is_some(), "{}", message.topic);
        }
        let next = on_way.map(|message| message.due).chain([device.due(), platform.due()]).min().unwrap();
        if next == u64::MAX {
            break;
        }
        now = next.max(now + 1);
        turns += 1;
        assert!(turns < 50_000, "it never comes to rest");
    }
    assert!(device.calls.is_empty() && platform.calls.is_empty(), "a call without an outcome");
    // Twenty messages that are slow in a row would be chance enough.
    assert!(broker.loses > 0 || device.done + platform.done > 0, "nothing arrives, though nothing is lost");
    for (id, runs) in device.runs.iter().chain(&platform.runs) {
        assert_eq!(*runs, 1, "{id} was handled {runs} times");
    }
}
