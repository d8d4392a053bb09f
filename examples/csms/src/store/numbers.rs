//! What the writer has done, counted.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

/// Counters of commits; clones are handles of the same.
#[derive(Debug, Clone)]
pub struct Numbers {
    /// Commits that succeeded.
    pub commits: Counter,
    /// Commits that failed.
    pub failed_commits: Counter,
    /// How many writes shared a commit that succeeded.
    pub writes_per_commit: Histogram,
    /// Time of a commit and the writes in it.
    pub seconds: Histogram,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            commits: Counter::default(),
            failed_commits: Counter::default(),
            writes_per_commit: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
            seconds: Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0]),
        }
    }
}

impl Numbers {
    pub(super) fn count(&self, writes: usize, committed: bool, elapsed: Duration) {
        if committed {
            self.commits.inc();
            self.writes_per_commit.observe(f64::from(u32::try_from(writes).unwrap_or(u32::MAX)));
        } else {
            self.failed_commits.inc();
        }
        self.seconds.observe(elapsed.as_secs_f64());
    }
}
