//! What devices said just now: a message that comes again is answered again, and kept once.
//!
//! A device sends a message again if its answer was lost: within seconds, with the same id and word for word; on the same
//! connection, or on a new one. But many programs use one id, such as `"123"`, for everything, and say the same again because
//! it is so again. Such a message is a new one. A repeat is therefore one
//!
//! - that comes within [`WINDOW`],
//! - on the same connection, or with the same time of the device's own in it: a device that counts its ids from one after each
//!   start says other things with them on another connection,
//! - of a device whose ids mean something. Two different messages with one id on one connection within the window show that they
//!   do not. From then on nothing is a repeat, also on later connections, until [`ORDERLY`] messages in a row have had new ids.
//!
//! Beyond that the history keeps what has the same time and value once, whenever it comes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ring::digest;
use serde_json::Value;
use tokio::time::Instant;

use super::envelope::{Reply, whole};

/// How long after a message the same one is a repeat.
const WINDOW: Duration = Duration::from_secs(10);

/// How many messages of each device are remembered.
const REMEMBERED: usize = 32;

/// How many messages in a row with ids that were not used just before show that ids mean something again.
const ORDERLY: u32 = 16;

/// A message as it is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    id: [u8; 16],
    /// Of path, id and parameters.
    whole: [u8; 16],
    /// Whether it says when something was so.
    is_dated: bool,
}

impl Fingerprint {
    /// `None` without an id: then nothing tells a repeat from something new.
    pub(crate) fn of(path: &str, id: &str, params: &str, value: &Value) -> Option<Self> {
        if matches!(id, "" | "\"\"" | "null") {
            return None;
        }
        Some(Self { id: hash([id]), whole: hash([path, id, params]), is_dated: is_dated(value) })
    }
}

fn hash<const N: usize>(parts: [&str; N]) -> [u8; 16] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref().first_chunk().copied().unwrap_or_default()
}

/// Whether there is a `{"value":..,"time":..}` in it, or a line of a log with its `utcTime`.
fn is_dated(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(is_dated),
        Value::Object(members) => {
            let has_time =
                members.get("time").is_some_and(|time| whole(time).is_some()) && members.contains_key("value");
            has_time || members.contains_key("utcTime") || members.values().any(is_dated)
        }
        _ => false,
    }
}

/// What was said, and what it was answered.
#[derive(Debug, Default)]
pub(crate) struct Repeated(Mutex<Devices>);

#[derive(Debug)]
struct Devices {
    known: HashMap<i64, Device>,
    swept: Instant,
}

impl Default for Devices {
    fn default() -> Self {
        Self { known: HashMap::new(), swept: Instant::now() }
    }
}

#[derive(Debug, Default)]
struct Device {
    /// Which of its connections it is on, by their number.
    connection: u64,
    /// The latest last.
    said: VecDeque<Said>,
    /// Its ids mean nothing.
    reuses_ids: bool,
    /// How many messages in a row had new ids.
    orderly: u32,
    /// The id of the last one, however long ago that was.
    last_id: Option<[u8; 16]>,
}

#[derive(Debug)]
struct Said {
    what: Fingerprint,
    connection: u64,
    at: Instant,
    /// `None` as long as it is not answered, or if it is to be said again.
    reply: Option<Reply>,
}

impl Repeated {
    fn with<T>(&self, access: impl FnOnce(&mut Devices) -> T) -> T {
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A device says something. What it was answered before, if it is a repeat.
    pub(crate) fn heard(&self, device: i64, what: Fingerprint) -> Option<Reply> {
        self.with(|devices| {
            devices.sweep();
            devices.known.entry(device).or_default().heard(what)
        })
    }

    /// What it is answered, for when it comes again.
    pub(crate) fn answered(&self, device: i64, what: Fingerprint, reply: Reply) {
        self.with(|devices| {
            let Some(device) = devices.known.get_mut(&device) else { return };
            if let Some(said) = device.said.iter_mut().rev().find(|said| said.what == what) {
                said.reply = Some(reply);
            }
        });
    }

    /// The device has connected anew.
    pub(crate) fn began(&self, device: i64) {
        self.with(|devices| {
            if let Some(device) = devices.known.get_mut(&device) {
                device.connection += 1;
            }
        });
    }
}

impl Devices {
    /// Forgets those that have said nothing lately.
    fn sweep(&mut self) {
        if self.swept.elapsed() < WINDOW {
            return;
        }
        self.swept = Instant::now();
        self.known.retain(|_, device| {
            device.forget_old();
            device.reuses_ids || !device.said.is_empty()
        });
    }
}

impl Device {
    fn heard(&mut self, what: Fingerprint) -> Option<Reply> {
        self.forget_old();
        let here = self.connection;
        let of_id = self.said.iter().filter(|said| said.what.id == what.id);
        let (mut is_new, mut contradicts) = (self.last_id.replace(what.id) != Some(what.id), false);
        for said in of_id {
            is_new = false;
            contradicts |= said.connection == here && said.what.whole != what.whole;
        }
        self.orderly = if is_new { self.orderly.saturating_add(1) } else { 0 };
        self.reuses_ids = contradicts || (self.reuses_ids && self.orderly < ORDERLY);
        let is_repeated = |said: &&Said| said.what == what && (said.connection == here || what.is_dated);
        let repeated = self.said.iter().rev().filter(|_| !self.reuses_ids).find(is_repeated);
        if let Some(reply) = repeated.and_then(|said| said.reply.clone()) {
            return Some(reply);
        }
        if self.said.len() >= REMEMBERED {
            self.said.pop_front();
        }
        self.said.push_back(Said { what, connection: here, at: Instant::now(), reply: None });
        None
    }

    fn forget_old(&mut self) {
        while self.said.front().is_some_and(|said| said.at.elapsed() >= WINDOW) {
            self.said.pop_front();
        }
        if self.said.is_empty() {
            self.said.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::advance;

    use super::*;

    const PATH: &str = "event/property/post";

    fn said(id: u32, params: Value) -> Fingerprint {
        Fingerprint::of(PATH, &id.to_string(), &params.to_string(), &params).unwrap()
    }

    fn power(id: u32, power: i64) -> Fingerprint {
        said(id, json!({"Power": power}))
    }

    fn dated(id: u32, power: i64) -> Fingerprint {
        said(id, json!({"Power": {"value": power, "time": "1700000000000"}}))
    }

    /// Whether it is taken for a new message; it is answered then.
    fn is_new(repeated: &Repeated, what: Fingerprint) -> bool {
        let is_new = repeated.heard(1, what).is_none();
        if is_new {
            repeated.answered(1, what, Reply::ok(json!({})));
        }
        is_new
    }

    #[tokio::test(start_paused = true)]
    async fn a_repeat_is_one_of_the_same_connection_or_of_the_same_time_and_within_seconds() {
        let repeated = Repeated::default();
        for what in [power(1, 30), dated(2, 30)] {
            assert!(is_new(&repeated, what) && !is_new(&repeated, what));
        }
        assert!(repeated.heard(2, power(1, 30)).is_none(), "another device");
        repeated.began(1);
        // It counts its ids from one again, and says other things with them.
        assert!(
            !is_new(&repeated, dated(2, 30)) && is_new(&repeated, power(1, 30)) && !is_new(&repeated, power(1, 30))
        );
        advance(WINDOW - Duration::from_millis(1)).await;
        assert!(!is_new(&repeated, dated(2, 30)) && !is_new(&repeated, power(1, 30)));
        advance(Duration::from_millis(1)).await;
        assert!(is_new(&repeated, dated(2, 30)) && is_new(&repeated, power(1, 30)));
        // Asked only, or failed: there is no answer to repeat.
        assert!(repeated.heard(1, power(3, 1)).is_none() && repeated.heard(1, power(3, 1)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_device_whose_ids_mean_nothing_nothing_is_a_repeat() {
        let repeated = Repeated::default();
        assert!(is_new(&repeated, power(123, 30)) && !is_new(&repeated, power(123, 30)));
        for value in [31, 30, 30, 31] {
            assert!(is_new(&repeated, power(123, value)), "{value}");
        }
        assert!(is_new(&repeated, dated(123, 30)) && is_new(&repeated, dated(123, 30)));
        // It stays so, on later connections and after a while.
        repeated.began(1);
        for _ in 0..2 * ORDERLY {
            advance(6 * WINDOW).await;
            assert!(is_new(&repeated, power(123, 30)) && is_new(&repeated, power(123, 30)));
        }
        // On another path, too, and where nothing is kept.
        let asked = Fingerprint::of("property/desired/get", "7", "[]", &json!([])).unwrap();
        assert!(repeated.heard(2, asked).is_none() && repeated.heard(2, power(7, 1)).is_none());
        repeated.answered(2, power(7, 1), Reply::ok(json!({})));
        assert!(repeated.heard(2, power(7, 1)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn ids_that_count_on_mean_something_again() {
        let repeated = Repeated::default();
        assert!(is_new(&repeated, power(0, 30)) && is_new(&repeated, power(0, 31)));
        for id in 1..ORDERLY {
            assert!(is_new(&repeated, power(id, 30)));
        }
        assert!(is_new(&repeated, power(ORDERLY - 1, 30)), "one too few");
        for id in 100..=100 + ORDERLY {
            assert!(is_new(&repeated, power(id, 30)));
        }
        assert!(!is_new(&repeated, power(100 + ORDERLY, 30)));
    }

    #[tokio::test(start_paused = true)]
    async fn ids_of_two_connections_contradict_nothing() {
        let repeated = Repeated::default();
        assert!(is_new(&repeated, power(1, 30)));
        repeated.began(1);
        assert!(is_new(&repeated, power(1, 31)) && !is_new(&repeated, power(1, 31)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded_in_number_and_time() {
        let repeated = Repeated::default();
        for id in 0..1000 {
            repeated.heard(1, power(id, 0));
            repeated.heard(i64::from(id), power(0, 0));
        }
        let known = |repeated: &Repeated| repeated.with(|devices| devices.known.len());
        assert_eq!((known(&repeated), repeated.with(|devices| devices.known[&1].said.len())), (1000, REMEMBERED));
        advance(WINDOW).await;
        repeated.heard(7, power(0, 0));
        assert_eq!(known(&repeated), 1);
    }

    #[test]
    fn what_has_a_time_says_when() {
        let log = json!([{"utcTime": "2024-01-01T00:00:00.000+0800", "logContent": "x"}]);
        let event = json!({"value": {}, "time": 1});
        let batch = json!({"properties": {"Power": [{"value": 1, "time": "1700000000000"}]}});
        for params in [log, event, batch] {
            assert!(is_dated(&params), "{params}");
        }
        for params in [json!({"time": 1}), json!({"value": 1}), json!({"value": {"time": 1}}), json!([1, "time"])] {
            assert!(!is_dated(&params), "{params}");
        }
        for id in ["", "\"\"", "null"] {
            assert_eq!(Fingerprint::of(PATH, id, "{}", &json!({})), None);
        }
    }
}
