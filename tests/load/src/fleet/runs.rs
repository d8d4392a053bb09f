//! What a fleet can be told to do.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::{Fleet, Happening, Latencies, Message};

/// Handshakes at a time, and large messages: some servers accept no more connections than a hundred at once.
const AT_ONCE: usize = 64;
/// The longest turn, so that whoever waits for something else than the server is asked.
const TURN: Duration = Duration::from_millis(20);
/// How many connections may fail before opening them is given up.
const FAILURES: u64 = 100;

impl Fleet {
    /// Connects further charge points, until there are `count`.
    pub(crate) fn open(&mut self, count: usize) -> Result<()> {
        let mut again = Vec::new();
        let mut failures = 0;
        while self.ready < count {
            while self.opening < AT_ONCE {
                let new = Some(self.len()).filter(|new| *new < count);
                let Some(index) = again.pop().or(new) else { break };
                self.connect(index);
            }
            self.turn(TURN, |_, happening| {
                if let Happening::Lost(index) = happening {
                    failures += 1;
                    again.push(index);
                }
            })?;
            if failures > FAILURES {
                bail!("{} of {count} are connected; the last failure: {}", self.ready, self.tally.last_loss);
            }
        }
        Ok(())
    }

    /// Lets each charge point send this message once, a few at a time, and waits for all answers.
    pub(crate) fn each_once(&mut self, message: &mut Message) -> Result<()> {
        let mut waiting = 0_usize;
        let mut next = 0;
        while next < self.len() || waiting > 0 {
            while waiting < AT_ONCE && next < self.len() {
                self.call(next, message);
                waiting += usize::from(self.awaits(next));
                next += 1;
            }
            self.turn(TURN, |_, happening| match happening {
                Happening::Answered(..) | Happening::Lost(_) => waiting = waiting.saturating_sub(1),
                Happening::Ready(_) => {}
            })?;
        }
        Ok(())
    }

    /// Lets each charge point send this message, for [`keep_going`](Self::keep_going).
    pub(crate) fn begin(&mut self, message: &mut Message) {
        (0..self.len()).for_each(|index| self.call(index, message));
    }

    /// Lets each charge point send this message again whenever it is answered.
    pub(crate) fn keep_going(&mut self, message: &mut Message, time: Duration) -> Result<Latencies> {
        let mut latencies = Latencies::new();
        let start = Instant::now();
        while start.elapsed() < time {
            self.turn(TURN, |fleet, happening| {
                if let Happening::Answered(index, latency) = happening {
                    latencies.record(latency);
                    fleet.call(index, message);
                }
            })?;
            self.ensure_some()?;
        }
        Ok(latencies)
    }

    /// Lets each charge point send this message once in each `interval`, spread evenly over it.
    pub(crate) fn pace(&mut self, message: &mut Message, interval: Duration, time: Duration) -> Result<Latencies> {
        let mut latencies = Latencies::new();
        let spacing = interval.as_secs_f64() / self.len() as f64;
        let start = Instant::now();
        let mut calls = 0_usize;
        while start.elapsed() < time {
            let due = (start.elapsed().as_secs_f64() / spacing) as usize;
            for call in calls..due {
                self.call(call % self.len(), message);
            }
            calls = due;
            let next = Duration::from_secs_f64((calls + 1) as f64 * spacing).min(time);
            self.turn(next.saturating_sub(start.elapsed()), |_, happening| {
                if let Happening::Answered(_, latency) = happening {
                    latencies.record(latency);
                }
            })?;
            self.ensure_some()?;
        }
        Ok(latencies)
    }

    /// Lets charge points that lose their connection make a new one, until `done` says so.
    pub(crate) fn reconnect(
        &mut self,
        reconnector: &mut Reconnector,
        mut done: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<()> {
        while !done(self)? {
            let now = Instant::now();
            while let Some(index) = reconnector.due(now) {
                self.connect(index);
            }
            self.turn(reconnector.wait(now).min(TURN), |_, happening| match happening {
                Happening::Lost(index) => reconnector.lost(index),
                Happening::Ready(index) => reconnector.ready(index),
                Happening::Answered(..) => {}
            })?;
        }
        Ok(())
    }

    fn awaits(&self, index: usize) -> bool {
        self.connections.get(index).is_some_and(|connection| connection.awaiting)
    }

    fn ensure_some(&self) -> Result<()> {
        if self.ready == 0 {
            bail!("all connections have ended; the last because: {}", self.tally.last_loss);
        }
        Ok(())
    }
}

/// How long a charge point waits before it connects again: a random time up to `base`, which doubles with each
/// attempt, up to `cap`. The randomness is over the whole time, since anything less makes charge points that lost
/// the same server come back together.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct BackOff {
    pub(crate) base: Duration,
    pub(crate) cap: Duration,
}

/// Who connects again, and when.
pub(crate) struct Reconnector {
    back_off: BackOff,
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Of each charge point, since it was last ready.
    attempts: Vec<u8>,
    /// Of all.
    pub(crate) total_attempts: u64,
}

impl Reconnector {
    pub(crate) fn new(back_off: BackOff) -> Self {
        Self { back_off, due: BinaryHeap::new(), attempts: Vec::new(), total_attempts: 0 }
    }

    fn lost(&mut self, index: usize) {
        if index >= self.attempts.len() {
            self.attempts.resize(index + 1, 0);
        }
        let Some(attempts) = self.attempts.get_mut(index) else { return };
        let most = self.back_off.base.saturating_mul(1 << (*attempts).min(16)).min(self.back_off.cap);
        *attempts = attempts.saturating_add(1);
        self.due.push(Reverse((Instant::now() + most.mul_f64(fastrand::f64()), index)));
    }

    fn ready(&mut self, index: usize) {
        if let Some(attempts) = self.attempts.get_mut(index) {
            *attempts = 0;
        }
    }

    fn due(&mut self, now: Instant) -> Option<usize> {
        let Reverse((when, index)) = *self.due.peek()?;
        if when > now {
            return None;
        }
        self.due.pop();
        self.total_attempts += 1;
        Some(index)
    }

    fn wait(&self, now: Instant) -> Duration {
        self.due.peek().map_or(Duration::MAX, |Reverse((when, _))| when.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{BackOff, Reconnector};

    #[test]
    fn waits_double_up_to_the_cap_until_ready() {
        let back_off = BackOff { base: Duration::from_secs(1), cap: Duration::from_secs(3) };
        let mut reconnector = Reconnector::new(back_off);
        for most in [1, 2, 3, 3] {
            let start = Instant::now();
            (0..100).for_each(|index| reconnector.lost(index));
            assert_eq!(reconnector.due(start), None);
            let end = Instant::now() + Duration::from_secs(most);
            let half = start + Duration::from_secs(most) / 2;
            let early = (0..100).filter(|_| reconnector.due(half).is_some()).count();
            assert!((20..80).contains(&early), "{early} of 100 in the first half of {most} s");
            assert_eq!((early..200).filter(|_| reconnector.due(end).is_some()).count(), 100 - early);
        }
        reconnector.ready(7);
        let end = Instant::now() + Duration::from_secs(1);
        reconnector.lost(7);
        assert!(reconnector.due(end + Duration::from_millis(100)).is_some());
    }
}
