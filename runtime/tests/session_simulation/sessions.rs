//! Two bare sessions, driven by events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use onwire::codec::{Decoder, Encoder, Message, Reject};
use onwire::frame::CallFrame;
use onwire::ocpp::v16::{self, *};
use onwire::session::{CallToken, Config, Receipt, Received, Session};
use onwire::{CallFailure, Dialect, Instant, Secrets, Unanswered};

use onwire_simulation::Chance;

/// 1.6's messages in 2.1's frames, which can do all that the others can.
static DIALECT: Dialect = Dialect {
    name: "simulation",
    subprotocols: &[],
    framing: &onwire::ocpp::j::FRAMING_2_1,
    actions: v16::DIALECT.actions,
    fresh: &[],
    spell: onwire::ocpp::j::spell_2,
    secrets: Secrets::NONE,
};

/// A message that is never answered.
struct Tick(HeartbeatRequest);

impl Message for Tick {
    fn blank() -> Self {
        Self(HeartbeatRequest::new())
    }

    fn read(&mut self, decoder: &mut Decoder<'_>) -> Result<(), Reject> {
        self.0.read(decoder)
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Reject> {
        self.0.encode(encoder)
    }
}

impl Unanswered for Tick {
    const NAME: &'static str = "Tick";
}

const CALL_TIMEOUT: u64 = 30_000;
const HANDLER_TIMEOUT: u64 = 60_000;
/// How long a CALL is known after its answer.
const MEMORY: u64 = 2 * CALL_TIMEOUT;
/// How long a transport waits for a peer that does not read.
const PATIENCE: u64 = 30_000;

struct InFlight {
    due: u64,
    text: String,
}

/// What a side does on its own account, and when.
#[derive(Debug, Clone, Copy)]
enum Step {
    Call,
    Send,
    Abandon,
    /// A CALL that was sent goes out once more, as a retrying peer does it.
    Resend,
    /// Nothing that is sent from now on arrives.
    HalfOpen,
    Disconnect,
    /// Ends without loss.
    Close,
}

struct Side {
    session: Session,
    config: Config,
    outgoing: VecDeque<InFlight>,
    /// What its transport held when the connection ended.
    held: VecDeque<String>,
    /// How many frames the link takes.
    capacity: usize,
    half_open: bool,
    stuck_since: Option<u64>,
    plan: Vec<(u64, Step)>,
    number: u64,
    /// Calls of ours without an outcome, and the number that each carries.
    calls: BTreeMap<u64, CallToken>,
    /// Calls of ours that were queued and not sent.
    waiting: usize,
    /// The call that an observer of the link sees outstanding: its id and its time-out.
    outstanding: Option<(String, u64)>,
    /// CALLs that were sent: when, and their text.
    sent: Vec<(u64, String)>,
    sends: usize,
    ticks: u64,
    /// The CALL that is handled, and when its handler is done.
    handled: Option<(CallFrame, Option<u64>)>,
    /// CALLs of the peer that no handler has taken.
    inbox: usize,
    /// Answers that were queued and not sent.
    answers: usize,
    /// How often the handler of each CALL ran, and since when its answer is on its way.
    runs: BTreeMap<String, (u32, Option<u64>)>,
    /// How many messages the session took, and how many of them a handler took.
    taken: u64,
    begun: u64,
    /// Messages that were handed in and are not done with, and how many there were.
    receipts: BTreeSet<u32>,
    received: u32,
    lingers: bool,
    closes: bool,
}

impl Side {
    fn new(chance: &mut Chance, first_id: u32) -> Self {
        let mut config = Config::default();
        config.call_timeout = Duration::from_millis(CALL_TIMEOUT);
        config.handler_timeout = Duration::from_millis(HANDLER_TIMEOUT);
        config.call_queue = chance.pick(&[1, 2, 8]);
        config.send_queue = chance.pick(&[0, 1, 8]);
        config.inbox = chance.pick(&[1, 2, 8]);
        config.answer_memory = chance.pick(&[0, 300, 1 << 20, 1 << 20]);
        config.repeat_window = Duration::from_millis(MEMORY);
        config.first_id = first_id;
        let steps = [Step::Call, Step::Call, Step::Call, Step::Send, Step::Resend, Step::Resend, Step::Abandon];
        let mut plan: Vec<(u64, Step)> =
            (0..chance.between(3, 25)).map(|_| (chance.between(0, 120_000), chance.pick(&steps))).collect();
        if chance.percent(10) {
            plan.push((chance.between(0, 150_000), Step::HalfOpen));
        }
        if chance.percent(15) {
            plan.push((chance.between(0, 150_000), Step::Disconnect));
        }
        if chance.percent(15) {
            plan.push((chance.between(0, 150_000), Step::Close));
        }
        plan.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let mut session = Session::new(&DIALECT, config.clone());
        let lingers = chance.percent(70);
        if lingers {
            session.linger();
        }
        Self {
            session,
            config,
            outgoing: VecDeque::new(),
            held: VecDeque::new(),
            capacity: chance.pick(&[1, 2, 4]),
            half_open: false,
            stuck_since: None,
            plan,
            number: u64::from(first_id) * 1000,
            calls: BTreeMap::new(),
            waiting: 0,
            outstanding: None,
            sent: Vec::new(),
            sends: 0,
            ticks: 0,
            handled: None,
            inbox: 0,
            answers: 0,
            runs: BTreeMap::new(),
            taken: 0,
            begun: 0,
            receipts: BTreeSet::new(),
            received: 0,
            lingers,
            closes: false,
        }
    }

    fn ended(&self) -> bool {
        self.session.ended().is_some()
    }

    fn step(&mut self, step: Step, now: u64, chance: &mut Chance) {
        match step {
            Step::Call => {
                self.number += 1;
                let mut request = DataTransferRequest::new("simulation");
                request.data = Some(self.number.to_string().as_str().into());
                match self.session.call(&request) {
                    Ok(token) => {
                        self.waiting += 1;
                        assert!(self.waiting <= self.config.call_queue, "calls wait beyond the bound");
                        assert!(self.calls.insert(self.number, token).is_none());
                    }
                    Err(CallFailure::QueueFull) => assert_eq!(self.waiting, self.config.call_queue),
                    Err(CallFailure::ShuttingDown) => assert!(self.closes && !self.ended()),
                    Err(failure) => assert!(self.ended() && failure == CallFailure::NotSent, "{failure}"),
                }
            }
            Step::Send => match self.session.send(&Tick::blank()) {
                Ok(()) => {
                    self.sends += 1;
                    assert!(self.sends <= self.config.send_queue, "sends wait beyond the bound");
                }
                Err(CallFailure::QueueFull) => assert_eq!(self.sends, self.config.send_queue),
                Err(failure) => assert!(self.ended() && failure == CallFailure::NotSent, "{failure}"),
            },
            Step::Abandon => {
                let numbers: Vec<u64> = self.calls.keys().copied().collect();
                if let Some(number) = (!numbers.is_empty()).then(|| chance.pick(&numbers)) {
                    let token = self.calls.remove(&number).unwrap();
                    let is_out = self.sent.iter().any(|(_, text)| text.contains(&format!("\"{number}\"")));
                    self.waiting -= usize::from(!is_out && !self.ended());
                    self.session.abandon(token);
                }
            }
            Step::Resend => {
                let recent: Vec<usize> =
                    (0..self.sent.len()).filter(|index| self.sent[*index].0 + CALL_TIMEOUT > now).collect();
                if !recent.is_empty() && !self.ended() {
                    let text = self.sent[chance.pick(&recent)].1.clone();
                    self.put(text, now, chance);
                }
            }
            Step::HalfOpen => {
                self.half_open = true;
                self.outgoing.clear();
            }
            Step::Close => {
                self.session.close();
                self.closes = true;
            }
            Step::Disconnect => {}
        }
    }

    fn put(&mut self, text: String, now: u64, chance: &mut Chance) {
        if self.half_open {
            return;
        }
        let slow = if chance.percent(5) { 40_000 } else { 400 };
        let earliest = self.outgoing.back().map_or(0, |last| last.due);
        self.outgoing.push_back(InFlight { due: earliest.max(now + chance.between(0, slow)), text });
    }

    /// Sends what may be sent, as far as the link takes it.
    fn transmit(&mut self, now: u64, chance: &mut Chance) {
        while self.outgoing.len() < self.capacity {
            self.stuck_since = None;
            let Some(frame) = self.session.poll_transmit(at(now)) else { return };
            match frame.as_bytes()[1] {
                b'2' => {
                    if let Some((id, deadline)) = &self.outstanding {
                        assert!(*deadline <= now, "a second CALL goes out while {id} is outstanding");
                    }
                    self.waiting -= 1;
                    self.outstanding = Some((id_of(&frame), now + CALL_TIMEOUT));
                    self.sent.push((now, frame.clone()));
                }
                b'6' => self.sends -= 1,
                _ => {
                    self.answers -= 1;
                    if let Some((_, (_, answered))) =
                        self.runs.iter_mut().find(|(call, _)| id_of(call) == id_of(&frame))
                    {
                        answered.get_or_insert(now);
                    }
                }
            }
            self.put(frame, now, chance);
        }
        self.stuck_since.get_or_insert(now);
    }

    fn receive(&mut self, text: &str, now: u64) {
        let may_answer_again = self.runs.get(text).and_then(|(_, answered)| *answered);
        self.received += 1;
        self.receipts.insert(self.received);
        match self.session.receive_as(text, Some(Receipt(self.received)), at(now)) {
            Received::Call => {
                self.inbox += 1;
                self.taken += 1;
                assert!(self.inbox <= 2 * self.config.inbox, "CALLs wait beyond the bound");
            }
            Received::Answer(token) => {
                let (id, _) = self.outstanding.take().expect("an answer to an outstanding call");
                assert_eq!(id, id_of(text));
                if let Some((number, _)) = self.calls.iter().find(|(_, of)| **of == token) {
                    let number = *number;
                    self.finish(number, Some(text));
                }
            }
            Received::Late => {
                assert!(self.outstanding.as_ref().is_none_or(|(id, _)| *id != id_of(text)), "{text} was waited for");
            }
            Received::Repeated => assert!(self.runs.contains_key(text) || self.inbox > 0),
            Received::AnsweredAgain => {
                let is_recent = may_answer_again.is_some_and(|answered| now < answered + MEMORY);
                assert!(is_recent || self.ended(), "an answer is repeated that was not sent lately");
                self.answers += usize::from(!self.ended());
            }
            Received::Refused(error) => {
                assert!(!error.description.contains("too many"), "what is read while there is room is taken: {error}");
                self.answers += usize::from(!self.ended());
            }
            Received::Ignored(reason) => {
                assert!(self.ended(), "{reason}");
                if reason.contains("ended") {
                    assert!(!self.lingers, "it was handed in all the same");
                    self.receipts.remove(&self.received);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn finish(&mut self, number: u64, answer: Option<&str>) {
        let token = self.calls.remove(&number).unwrap();
        let outcome = self.session.take_outcome(token).expect("a call that ended has an outcome");
        assert_eq!(self.session.take_outcome(token), None, "an outcome is taken once");
        match outcome {
            Ok(payload) => {
                assert!(answer.is_some() && payload.contains(&number.to_string()), "{payload} answers {number}");
            }
            Err(CallFailure::Refused(_)) => assert!(answer.is_some()),
            Err(_) => assert!(answer.is_none()),
        }
    }

    fn handle(&mut self, now: u64, chance: &mut Chance) {
        loop {
            match &self.handled {
                Some((call, _)) if !self.session.is_in_progress(call) => {
                    self.answers += usize::from(call.wants_answer() && !self.ended());
                    let (call, _) = self.handled.take().unwrap();
                    assert!(!self.session.answer(&call, String::new()), "an answer too late is not sent");
                }
                Some((call, Some(done))) if *done <= now => {
                    let frame = format!("[3,{},{}]", call.id_token(), call.payload());
                    let queued = self.session.answer(call, frame);
                    assert_eq!(queued, !self.ended());
                    self.answers += usize::from(queued && call.wants_answer());
                    self.handled = None;
                }
                Some(_) => return,
                None => {
                    let Some(call) = self.session.next_call() else { return };
                    self.inbox -= 1;
                    self.begun += 1;
                    if call.wants_answer() {
                        let text = format!("[2,{},\"DataTransfer\",{}]", call.id_token(), call.payload());
                        let keeps = self.config.answer_memory >= 1 << 20;
                        let (runs, answered) = self.runs.entry(text).or_default();
                        *runs += 1;
                        let forgotten = answered.is_some_and(|answered| answered + MEMORY <= now);
                        assert!(*runs == 1 || forgotten || !keeps, "a handler ran twice for one CALL");
                        *answered = None;
                    } else {
                        self.ticks += 1;
                    }
                    let done = match chance.between(0, 19) {
                        0 => None,
                        1 => Some(now + chance.between(50_000, 100_000)),
                        2..6 => Some(now + chance.between(0, 30_000)),
                        _ => Some(now),
                    };
                    self.handled = Some((call, done));
                }
            }
            let bound = self.config.inbox + 1;
            assert!(self.ended() || self.answers <= bound, "{} answers wait, the bound is {bound}", self.answers);
        }
    }

    fn end(&mut self) {
        if self.ended() {
            return;
        }
        self.session.end(CallFailure::Disconnected);
        (self.waiting, self.sends, self.answers, self.outstanding) = (0, 0, 0, None);
        let numbers: Vec<u64> = self.calls.keys().copied().collect();
        for number in numbers {
            self.finish(number, None);
        }
    }

    /// The connection has ended: what its transport holds is handed in as there is room for it.
    fn read_on(&mut self, now: u64, chance: &mut Chance) {
        if !self.ended() {
            return;
        }
        while self.session.wants_input()
            && let Some(text) = self.held.pop_front()
        {
            self.receive(&text, now);
            self.handle(now, chance);
        }
        if self.held.is_empty() {
            self.session.finish();
        }
        self.handle(now, chance);
    }

    /// Takes what the session is done with.
    fn settle(&mut self) {
        while let Some(Receipt(done)) = self.session.poll_receipt() {
            assert!(self.receipts.remove(&done), "{done} is done with twice");
        }
    }

    /// Whether something can be done without waiting.
    fn has_work(&self) -> bool {
        let calls = if self.outstanding.is_none() { self.waiting } else { 0 };
        let sends = self.outgoing.len() < self.capacity && self.answers + self.sends + calls > 0;
        let handles = self.inbox > 0 && self.handled.is_none() && self.answers < self.config.inbox;
        let reads = self.ended() && self.session.wants_input() && !self.held.is_empty();
        (!self.ended() && sends) || handles || reads
    }

    fn next_event(&self) -> Option<u64> {
        let deadline = self.session.poll_deadline().map(Instant::as_millis);
        let plan = self.plan.last().map(|(at, _)| *at);
        let done = self.handled.as_ref().and_then(|(_, done)| *done);
        let stuck = self.stuck_since.filter(|_| !self.ended()).map(|since| since + PATIENCE);
        [deadline, plan, done, stuck].into_iter().flatten().min()
    }
}

fn at(milliseconds: u64) -> Instant {
    Instant::from_millis(milliseconds)
}

fn id_of(frame: &str) -> String {
    frame.split('"').nth(1).unwrap_or("").to_owned()
}

pub(crate) fn run(mut chance: Chance) {
    let mut sides = [Side::new(&mut chance, 1), Side::new(&mut chance, 5000)];
    let mut now = 0;
    loop {
        let mut disconnect = false;
        for index in 0..2 {
            let side = &mut sides[index];
            while let Some((_, step)) = side.plan.pop_if(|(at, _)| *at <= now) {
                disconnect |= matches!(step, Step::Disconnect);
                side.step(step, now, &mut chance);
            }
            let deadline = side.session.poll_deadline();
            if deadline.is_some_and(|deadline| deadline <= at(now)) {
                if let Some(token) = side.session.handle_timeout(at(now)) {
                    side.outstanding = None;
                    if let Some((number, _)) = side.calls.iter().find(|(_, of)| **of == token) {
                        let number = *number;
                        side.finish(number, None);
                    }
                }
                assert!(side.session.poll_deadline().is_none_or(|deadline| deadline > at(now)), "time stands still");
            }
            side.read_on(now, &mut chance);
            side.handle(now, &mut chance);
            side.transmit(now, &mut chance);
            side.settle();
            disconnect |= side.stuck_since.is_some_and(|since| since + PATIENCE <= now);
            // What has arrived is read as long as the other side reads.
            while sides[1 - index].session.wants_input()
                && let Some(arrived) = sides[index].outgoing.pop_front_if(|first| first.due <= now)
            {
                sides[1 - index].receive(&arrived.text, now);
                sides[1 - index].handle(now, &mut chance);
            }
            let nothing_arrived = sides[1 - index].outgoing.front().is_none_or(|first| first.due > now);
            disconnect |= sides[index].session.is_done() && nothing_arrived && !sides[index].ended();
        }
        if disconnect {
            for index in 0..2 {
                sides[index].end();
                // The rest is lost with the connection.
                let arrived = sides[1 - index].outgoing.iter().filter(|message| message.due <= now);
                let arrived = arrived.map(|message| message.text.clone()).collect();
                sides[index].held = if sides[index].lingers { arrived } else { VecDeque::new() };
            }
            sides.iter_mut().for_each(|side| side.outgoing.clear());
        }
        let due_now = |index: usize| {
            let (from, to): (&Side, &Side) = (&sides[index], &sides[1 - index]);
            let reads = to.session.wants_input() || to.ended();
            from.outgoing.front().filter(|_| reads).map(|first| first.due)
        };
        let events = [sides[0].next_event(), sides[1].next_event(), due_now(0), due_now(1)];
        // A step of one side may have made room for another one of the same moment.
        let goes_on = sides.iter().any(Side::has_work);
        match events.into_iter().flatten().min() {
            _ if goes_on => {}
            Some(next) => now = next.max(now),
            None => break,
        }
        assert!(now < 100 * HANDLER_TIMEOUT, "it never comes to rest");
    }
    for side in &mut sides {
        side.read_on(now, &mut chance);
        side.settle();
        assert!(side.calls.is_empty(), "a call of ours has no outcome: {:?}", side.calls);
        assert!(side.handled.as_ref().is_none_or(|(call, _)| !side.session.is_in_progress(call)), "a handler hangs");
        // However the connection ended.
        assert_eq!((side.inbox, side.taken), (0, side.begun), "a message that the session took was not handled");
        assert!(side.held.is_empty(), "what had come before the end was not handed in");
        assert!(side.receipts.is_empty(), "the session is not done with {:?}", side.receipts);
        assert!(!side.ended() || side.session.is_over());
        if !side.ended() {
            assert_eq!((side.waiting, side.sends, side.inbox, side.answers), (0, 0, 0, 0), "something is stuck");
            assert!(side.session.wants_input() && side.outgoing.is_empty());
        }
    }
}
