//! The process, as Linux sees it; elsewhere only when it was started.

use std::fs;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::time;

/// Numbers of this process.
#[derive(Debug, Clone)]
pub(super) struct Process {
    resident: Gauge,
    open_files: Gauge,
    threads: Gauge,
}

impl Process {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("process");
        let started = Gauge::<f64, AtomicU64>::default();
        started.set(std::time::Duration::from_millis(u64::try_from(time::now()).unwrap_or(0)).as_secs_f64());
        let process = Self { resident: Gauge::default(), open_files: Gauge::default(), threads: Gauge::default() };
        registry.register("start_time_seconds", "When it started, in seconds since 1970", started);
        registry.register("resident_memory_bytes", "Memory in use", process.resident.clone());
        registry.register("open_fds", "Open files and sockets", process.open_files.clone());
        registry.register("threads", "Threads", process.threads.clone());
        process
    }

    /// Looks again.
    pub(super) fn look(&self) {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let number = |name: &str| -> Option<i64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        self.resident.set(number("VmRSS:").unwrap_or(0).saturating_mul(1024));
        self.threads.set(number("Threads:").unwrap_or(0));
        // Without the one that counts.
        let open = fs::read_dir("/proc/self/fd").map_or(0, |files| files.count().saturating_sub(1));
        self.open_files.set(i64::try_from(open).unwrap_or(i64::MAX));
    }
}
