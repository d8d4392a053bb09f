//! Many charge points at once, and chance.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use tokio::sync::Notify;

use crate::point::Point;

/// How many charge points.
pub(crate) const POINTS: usize = 12;

/// For tests that need the machine's time for themselves, one after the other.
pub(crate) static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// How often a test repeats itself: `CRASH_ROUNDS`, or so often.
pub(crate) fn rounds(unless_told: u32) -> u32 {
    std::env::var("CRASH_ROUNDS").map_or(unless_told, |rounds| rounds.parse().expect("a number"))
}

/// All charge points of a test.
pub(crate) struct Field {
    pub(crate) points: Vec<Point>,
}

impl Field {
    pub(crate) fn new() -> Self {
        Self { points: (0..POINTS).map(Point::new).collect() }
    }

    /// All of them charge until the server is gone; `enough` is told after so many answers.
    pub(crate) async fn charge(&mut self, url: &str, answers: u64, enough: &Notify) {
        let left = AtomicU64::new(answers);
        let answered = || {
            if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                enough.notify_one();
            }
        };
        join_all(self.points.iter_mut().map(|point| point.charge(url, answered))).await;
    }

    /// All of them are answered what they were not answered yet.
    pub(crate) async fn complete(&mut self, url: &str) {
        join_all(self.points.iter_mut().map(|point| point.complete(url))).await;
    }
}

/// Numbers by chance (xorshift): another sequence in each run, printed, and repeated by `CRASH_SEED`.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new() -> Self {
        let given = std::env::var("CRASH_SEED").ok().map(|seed| seed.parse().expect("a number"));
        let seed = given.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            now.as_micros().try_into().unwrap_or(1)
        });
        println!("CRASH_SEED={seed}");
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    pub(crate) fn one_of(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count.try_into().unwrap())).unwrap()
    }
}
