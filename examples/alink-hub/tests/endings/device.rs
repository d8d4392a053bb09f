//! A device that says much at once, and remembers what of it has to be there.

use std::collections::HashMap;
use std::time::Instant as Clock;

use onwire::Instant;
use onwire::mqtt::{Client, Limits, Link, Packet, QoS};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{in_time, login};

/// The device's time of its first value.
const FIRST: i64 = 1_767_225_600_000;

/// Messages that wait for their acknowledgement at once.
const IN_FLIGHT: usize = 40;

/// How a connection ends behind what was said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A DISCONNECT.
    Disconnect,
    /// TCP's own end.
    Fin,
    /// TCP's, by force: what the system had taken of it may be gone.
    Reset,
    /// Another connection of the same device.
    Replaced,
}

impl Ending {
    pub(crate) const ALL: [Self; 4] = [Self::Disconnect, Self::Fin, Self::Reset, Self::Replaced];
}

/// A value, different from all others of the device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said {
    pub(crate) number: u32,
    /// With the device's time: it is said again if it was not acknowledged.
    is_dated: bool,
    /// It has to be there.
    pub(crate) is_promised: bool,
    /// What ended its connection, for whoever has to find out why it is missing.
    ending: Option<(Ending, QoS)>,
}

impl Said {
    pub(crate) fn identifier(&self) -> &'static str {
        if self.is_dated { "Energy" } else { "Power" }
    }

    fn message(&self) -> String {
        let value = if self.is_dated {
            json!({"value": self.number, "time": FIRST + i64::from(self.number) * 1000})
        } else {
            json!(self.number)
        };
        json!({"id": self.number.to_string(), "version": "1.0", "params": {self.identifier(): value}}).to_string()
    }
}

/// A device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) name: String,
    secret: String,
    /// Everything, in order.
    pub(crate) said: Vec<Said>,
}

impl Device {
    pub(crate) fn new(name: String, secret: String) -> Self {
        Self { name, secret, said: Vec::new() }
    }

    async fn connect(&self, address: &str) -> Option<Line> {
        Line::connect(address, &login("socket", &self.name, &self.secret, "")).await
    }

    fn topic(&self) -> String {
        format!("/sys/socket/{}/thing/event/property/post", self.name)
    }

    /// Something new to say; what has no time of its own fits into a power of at most 4,000 W.
    fn next(&mut self) -> usize {
        let number = self.said.len().try_into().unwrap();
        let is_dated = number % 2 == 0 || number > 4000;
        self.said.push(Said { number, is_dated, is_promised: false, ending: None });
        self.said.len() - 1
    }

    /// Says up to 40 things at once and leaves.
    pub(crate) async fn burst(&mut self, address: &str, ending: Ending, mut chance: Chance) {
        self.say_again(address).await;
        let mut line = self.connect(address).await.expect("a hub");
        let first = self.said.len();
        let qos = if chance.below(2) == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        for _ in 0..=chance.below(40) {
            let place = self.next();
            self.said[place].ending = Some((ending, qos));
            line.publish(&self.topic(), &self.said[place], qos).await.expect("a connection");
        }
        match ending {
            Ending::Disconnect => {
                line.link.disconnect();
                line.write().await.expect("a connection");
            }
            Ending::Fin => line.stream.shutdown().await.unwrap(),
            Ending::Reset => {
                for _ in 0..chance.below(5) {
                    if qos == QoS::AtLeastOnce && !line.open.is_empty() {
                        let number = line.acknowledged().await.expect("an acknowledgement");
                        self.said[number as usize].is_promised = true;
                    }
                }
                line.stream.set_zero_linger().unwrap();
                return;
            }
            Ending::Replaced => drop(self.connect(address).await.expect("a hub")),
        }
        while line.read().await.is_some() {}
        // Acknowledged or not.
        self.said[first..].iter_mut().for_each(|said| said.is_promised = true);
    }

    /// Says one thing after another until nobody is there any more.
    pub(crate) async fn say_on(&mut self, address: &str) {
        let Some(mut line) = self.connect(address).await else { return };
        loop {
            while line.link.has_room() {
                let place = self.next();
                if line.publish(&self.topic(), &self.said[place], QoS::AtLeastOnce).await.is_none() {
                    break;
                }
            }
            let Some(number) = line.acknowledged().await else { return };
            self.said[number as usize].is_promised = true;
        }
    }

    /// Says again what has a time and was not acknowledged, and waits until it is.
    pub(crate) async fn say_again(&mut self, address: &str) {
        let again: Vec<_> = self.said.iter().filter(|said| said.is_dated && !said.is_promised).copied().collect();
        if again.is_empty() {
            return;
        }
        let mut line = self.connect(address).await.expect("a hub");
        let mut again = again.into_iter();
        loop {
            while line.link.has_room() {
                let Some(said) = again.next() else { break };
                line.publish(&self.topic(), &said, QoS::AtLeastOnce).await.expect("a connection");
            }
            if line.open.is_empty() {
                break;
            }
            let number = line.acknowledged().await.expect("an acknowledgement");
            self.said[number as usize].is_promised = true;
        }
    }
}

struct Line {
    stream: TcpStream,
    link: Link<Client>,
    start: Clock,
    /// Which value has which number of a packet.
    open: HashMap<u16, u32>,
}

impl Line {
    async fn connect(address: &str, connect: &onwire::mqtt::Connect) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        // Else the system may still have what was said when the connection ends.
        stream.set_nodelay(true).unwrap();
        let mut limits = Limits::default();
        limits.in_flight = IN_FLIGHT;
        let mut line = Self { stream, link: Link::client(limits), start: Clock::now(), open: HashMap::new() };
        line.link.connect(connect, line.now()).unwrap();
        line.write().await?;
        loop {
            match line.read().await? {
                Packet::Accepted { .. } => return Some(line),
                Packet::Refused(refused) => panic!("{refused:?}"),
                _ => (),
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::from_millis(u64::try_from(self.start.elapsed().as_millis()).unwrap())
    }

    async fn write(&mut self) -> Option<()> {
        while let Some(bytes) = self.link.poll_transmit() {
            self.stream.write_all(&bytes).await.ok()?;
        }
        Some(())
    }

    async fn publish(&mut self, topic: &str, said: &Said, qos: QoS) -> Option<()> {
        let now = self.now();
        let id = self.link.publish(topic, said.message().as_bytes(), qos, now).unwrap();
        self.open.extend(id.map(|id| (id, said.number)));
        self.write().await
    }

    /// The next packet; `None` at the connection's end.
    async fn read(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.link.poll_packet() {
                return Some(packet);
            }
            let mut buffer = [0; 4096];
            let read = in_time(self.stream.read(&mut buffer)).await.unwrap_or(0);
            if read == 0 {
                return None;
            }
            let now = self.now();
            // After a DISCONNECT nobody listens any more, but the rest is waited for.
            self.link.receive(&buffer[..read], now).ok();
            self.write().await?;
        }
    }

    /// Waits for the next acknowledgement: of which value.
    async fn acknowledged(&mut self) -> Option<u32> {
        loop {
            if let Packet::Acknowledged { id } = self.read().await? {
                return self.open.remove(&id);
            }
        }
    }
}

/// Numbers by chance (xorshift): another sequence in each run, printed, and repeated by `CRASH_SEED`.
pub(crate) struct Chance(u64);

impl From<u64> for Chance {
    fn from(seed: u64) -> Self {
        Self(seed | 1)
    }
}

impl Chance {
    pub(crate) fn new() -> Self {
        let given = std::env::var("CRASH_SEED").ok().map(|seed| seed.parse().expect("a number"));
        let seed: u64 = given.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            now.as_micros().try_into().unwrap_or(1)
        });
        println!("CRASH_SEED={seed}");
        Self::from(seed)
    }

    pub(crate) fn any(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.any() % limit
    }

    pub(crate) fn one_of(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count.try_into().unwrap())).unwrap()
    }
}
