//! Transactions, in memory.
//!
//! A charge point that saw no answer repeats its StartTransaction, also after a restart; the repetition gets the same
//! number. What was stopped is remembered for a while, so that a late repetition is no new transaction.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use onwire::ocpp::v16::IdToken;
use onwire::types::DateTime;

/// How many transactions are remembered; the oldest stopped one goes first.
const REMEMBERED: usize = 10_000;

/// What makes a StartTransaction the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) identity: String,
    pub(crate) connector: i64,
    pub(crate) id_tag: IdToken,
    pub(crate) timestamp: DateTime,
    pub(crate) meter_wh: i64,
}

#[derive(Debug)]
struct Transaction {
    id: i64,
    start: Start,
    meter_stop_wh: Option<i64>,
}

#[derive(Debug, Default)]
struct Transactions {
    last_id: i64,
    /// By age.
    known: VecDeque<Transaction>,
}

#[derive(Debug, Default)]
pub(crate) struct State(Mutex<Transactions>);

impl State {
    /// The number of a new transaction, or of the same one reported before (`true`).
    pub(crate) fn start(&self, start: Start) -> (i64, bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = state.known.iter().rev().find(|known| known.start == start) {
            return (same.id, true);
        }
        if state.known.len() >= REMEMBERED {
            let oldest_stopped = state.known.iter().position(|known| known.meter_stop_wh.is_some()).unwrap_or(0);
            state.known.remove(oldest_stopped);
        }
        state.last_id += 1;
        let id = state.last_id;
        state.known.push_back(Transaction { id, start, meter_stop_wh: None });
        (id, false)
    }

    /// Ends a transaction of that charge point and says what was taken, in Wh; `None` if it is unknown.
    pub(crate) fn stop(&self, identity: &str, id: i64, meter_wh: i64) -> Option<i64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = state.known.iter_mut().rev().find(|known| known.id == id && known.start.identity == identity)?;
        let meter_stop_wh = *found.meter_stop_wh.get_or_insert(meter_wh);
        Some(meter_stop_wh.saturating_sub(found.start.meter_wh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(identity: &str, meter_wh: i64) -> Start {
        Start {
            identity: identity.to_owned(),
            connector: 1,
            id_tag: "TAG1".into(),
            timestamp: DateTime::UNIX_EPOCH,
            meter_wh,
        }
    }

    #[test]
    fn a_repeated_start_gets_the_same_number() {
        let state = State::default();
        assert_eq!(state.start(start("CP1", 0)), (1, false));
        assert_eq!(state.start(start("CP2", 0)), (2, false));
        assert_eq!(state.start(start("CP1", 0)), (1, true));
        assert_eq!(state.stop("CP1", 1, 500), Some(500));
        assert_eq!(state.start(start("CP1", 0)), (1, true));
        assert_eq!(state.start(start("CP1", 500)), (3, false));
    }

    #[test]
    fn a_stop_counts_once_and_only_for_its_charge_point() {
        let state = State::default();
        state.start(start("CP1", 100));
        assert_eq!(state.stop("CP2", 1, 500), None);
        assert_eq!(state.stop("CP1", 1, 500), Some(400));
        assert_eq!(state.stop("CP1", 1, 900), Some(400));
        assert_eq!(state.stop("CP1", -1, 900), None);
    }

    #[test]
    fn memory_is_bounded_and_open_transactions_stay_longest() {
        let state = State::default();
        state.start(start("open", 0));
        for meter in 0..i64::try_from(REMEMBERED).unwrap() + 10 {
            let (id, _) = state.start(start("CP1", meter));
            state.stop("CP1", id, meter);
        }
        assert_eq!(state.0.lock().unwrap().known.len(), REMEMBERED);
        assert_eq!(state.start(start("open", 0)), (1, true));
    }
}
