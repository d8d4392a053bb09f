//! How long answers took, in a fixed amount of memory.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Each power of two of nanoseconds is divided into this many buckets, so that an answer is off by 3 % at most.
const DIVISIONS: u32 = 16;
const BUCKETS: usize = 64 * DIVISIONS as usize;

/// A histogram.
#[derive(Serialize, Deserialize)]
pub(crate) struct Latencies {
    buckets: Vec<u64>,
    count: u64,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0 }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Takes in those of another.
    pub(crate) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(bucket, other)| *bucket += other);
    }

    pub(super) fn record(&mut self, latency: Duration) {
        self.count += 1;
        if let Some(bucket) = self.buckets.get_mut(bucket(latency)) {
            *bucket += 1;
        }
    }

    /// What this share of the answers took at most.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank && seen > 0 {
                return middle(index);
            }
        }
        Duration::ZERO
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

fn bucket(latency: Duration) -> usize {
    let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(u64::from(DIVISIONS));
    let power = nanoseconds.ilog2();
    // The four bits behind the highest one.
    let division = (nanoseconds >> (power - DIVISIONS.ilog2())) as u32 - DIVISIONS;
    (power * DIVISIONS + division) as usize
}

fn middle(bucket: usize) -> Duration {
    let (power, division) = (bucket as u32 / DIVISIONS, bucket as u32 % DIVISIONS);
    let width = (1_u64 << power) as f64 / f64::from(DIVISIONS);
    Duration::from_nanos(((f64::from(DIVISIONS + division) + 0.5) * width) as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Latencies;

    #[test]
    fn halves_make_the_whole() {
        let (mut odd, mut even) = (Latencies::new(), Latencies::new());
        (1..=500).for_each(|half| odd.record(Duration::from_micros(2 * half - 1)));
        (1..=500).for_each(|half| even.record(Duration::from_micros(2 * half)));
        odd.add(&even);
        assert_eq!(odd.count(), 1_000);
        let median = odd.quantile(0.5).as_secs_f64() * 1e6;
        assert!((median / 500.0 - 1.0).abs() < 0.04, "{median}");
    }

    #[test]
    fn quantiles_are_close() {
        let mut latencies = Latencies::new();
        assert_eq!(latencies.quantile(0.5), Duration::ZERO);
        (1..=1_000).for_each(|micros| latencies.record(Duration::from_micros(micros)));
        for (share, exact) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let micros = latencies.quantile(share).as_secs_f64() * 1e6;
            assert!((micros / exact - 1.0).abs() < 0.04, "{share}: {micros}");
        }
    }
}
