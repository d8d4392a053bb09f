//! What devices said lately: a message that comes again is answered again, and kept once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ring::digest;

use super::envelope::Reply;

/// How many messages of each device are remembered.
const REMEMBERED: usize = 32;

/// Which message: path, id and parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    hash: [u8; 16],
    /// Whether it says when something happened. One that does not may come again, word for word, from a device that counts
    /// its ids from one after each start, and mean something new.
    is_dated: bool,
}

impl Fingerprint {
    pub(crate) fn of(path: &str, id: &str, params: &str) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [path, id, params] {
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut hash = [0; 16];
        for (byte, of) in hash.iter_mut().zip(context.finish().as_ref()) {
            *byte = *of;
        }
        Self { hash, is_dated: params.contains("\"time\"") }
    }
}

/// What was said, and what it was answered.
#[derive(Debug, Default)]
pub(crate) struct Repeated(Mutex<HashMap<i64, VecDeque<(Fingerprint, Reply)>>>);

impl Repeated {
    fn devices(&self) -> MutexGuard<'_, HashMap<i64, VecDeque<(Fingerprint, Reply)>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this message was answered, if it was said before.
    pub(crate) fn find(&self, device: i64, fingerprint: Fingerprint) -> Option<Reply> {
        let devices = self.devices();
        let known = devices.get(&device)?.iter().find(|(known, _)| *known == fingerprint);
        known.map(|(_, reply)| reply.clone())
    }

    pub(crate) fn remember(&self, device: i64, fingerprint: Fingerprint, reply: Reply) {
        let mut devices = self.devices();
        let known = devices.entry(device).or_default();
        if known.len() >= REMEMBERED {
            known.pop_front();
        }
        known.push_back((fingerprint, reply));
    }

    /// The device has connected anew.
    pub(crate) fn began(&self, device: i64) {
        let mut devices = self.devices();
        if let Some(known) = devices.get_mut(&device) {
            known.retain(|(fingerprint, _)| fingerprint.is_dated);
            if known.is_empty() {
                devices.remove(&device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_known_again_and_after_a_restart_only_if_it_is_dated() {
        let repeated = Repeated::default();
        let plain = Fingerprint::of("event/x/post", "1", r#"{"value":{}}"#);
        let dated = Fingerprint::of("event/x/post", "1", r#"{"value":{},"time":1}"#);
        for fingerprint in [plain, dated] {
            assert_eq!(repeated.find(1, fingerprint), None);
            repeated.remember(1, fingerprint, Reply::ok(json!({})));
            assert!(repeated.find(1, fingerprint).is_some());
        }
        assert_eq!(repeated.find(2, plain), None);
        assert_eq!(repeated.find(1, Fingerprint::of("event/x/post", "2", r#"{"value":{}}"#)), None);
        repeated.began(1);
        assert_eq!(repeated.find(1, plain), None);
        assert!(repeated.find(1, dated).is_some());
        for number in 0..REMEMBERED {
            repeated.remember(1, Fingerprint::of("t", &number.to_string(), ""), Reply::ok(json!({})));
        }
        assert_eq!(repeated.find(1, dated), None, "the oldest goes");
    }
}
