//! What fleets in other processes are told, and what they tell: a line of JSON each.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fleet::{BackOff, Fleet, Latencies};

/// What a fleet is to do.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum Order {
    /// Have so many charge points.
    Open { count: usize },
    /// Send a Heartbeat of each in every interval.
    Pace { interval: Duration, time: Duration },
    /// Lose the server, and come back to it.
    Reconnect { back_off: BackOff },
}

/// What becomes of it.
#[derive(Serialize, Deserialize)]
pub(super) enum Report {
    /// So many are connected and have booted; more is to come.
    Ready(usize),
    /// The order has been carried out, or could not be.
    Done(Box<State>),
}

/// Of one fleet, or of several together.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// How many are connected and have booted.
    pub(crate) ready: usize,
    /// Of the last order's answers.
    pub(crate) latencies: Latencies,
    /// How often somebody tried to reconnect in the last order.
    pub(crate) attempts: u64,
    pub(crate) lost: u64,
    pub(crate) last_loss: String,
    /// CALLs that were answered with CALLERROR, and messages that were not expected.
    pub(crate) not_answered: u64,
    /// Why the last order could not be carried out.
    pub(crate) failure: Option<String>,
}

impl State {
    pub(super) fn of(fleet: &Fleet) -> Self {
        let tally = fleet.tally();
        Self {
            ready: fleet.ready(),
            lost: tally.lost,
            last_loss: tally.last_loss.clone(),
            not_answered: tally.refused + tally.stray,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.ready += other.ready;
        self.latencies.add(&other.latencies);
        self.attempts += other.attempts;
        self.lost += other.lost;
        if !other.last_loss.is_empty() {
            self.last_loss = other.last_loss;
        }
        self.not_answered += other.not_answered;
        self.failure = self.failure.take().or(other.failure);
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn the_first_failure_is_told_and_the_last_loss() {
        let mut all = State { ready: 2, failure: Some("one".into()), last_loss: "a".into(), ..State::default() };
        all.add(State { ready: 3, lost: 1, failure: Some("two".into()), last_loss: "b".into(), ..State::default() });
        all.add(State { ready: 4, ..State::default() });
        assert_eq!((all.ready, all.lost, all.failure.as_deref(), all.last_loss.as_str()), (9, 1, Some("one"), "b"));
    }
}
