//! What the system has, and what processes take of it. Linux only: nearly all of it is read below `/proc`.

use std::fs;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// File descriptors that a process keeps for other things than connections.
const OTHER_FILES: usize = 100;

/// Raises the limit of open files as far as allowed, for this process and those it starts, and returns how many
/// connections a process may have with that.
pub fn raise_connections() -> usize {
    let most = read_number("/proc/sys/fs/nr_open").unwrap_or(1 << 20);
    let hard = getrlimit(Resource::Nofile).maximum;
    let set = |limit| setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).is_ok();
    // Raising the hard limit takes a privilege that not even root has everywhere.
    let raised = hard.is_some_and(|hard| hard < most) && set(Some(most));
    if !raised && !set(hard) {
        eprintln!("onwire-load: cannot raise the limit of open files");
    }
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(most);
    usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES)
}

/// Memory that is left for connections, in bytes, when a tenth of the machine's is kept free.
pub fn spare_memory() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
    let bytes = |name| kibibytes(&text, name).with_context(|| format!("no {name} in /proc/meminfo"));
    // Half of what can be reclaimed counts as available, sockets' inodes too, which cannot while they are open.
    let available = bytes("MemAvailable:")?.saturating_sub(bytes("SReclaimable:")?);
    Ok(available.saturating_sub(bytes("MemTotal:")? / 10))
}

/// What the kernel has taken for its objects, sockets among them, and for what is under way in TCP, in bytes: of the
/// whole machine, whoever caused it.
pub fn kernel_memory() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
    let objects = kibibytes(&text, "Slab:").context("no Slab in /proc/meminfo")?;
    let text = fs::read_to_string("/proc/net/sockstat").context("reading /proc/net/sockstat")?;
    Ok(objects + tcp_pages(&text).context("no TCP in /proc/net/sockstat")? * page_size() as u64)
}

/// One line about the machine, for the head of a table.
pub fn describe(connections: usize) -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = available_parallelism().map_or(0, usize::from);
    format!(
        "{cores} cores of {}, Linux {}, at most {connections} connections for each process",
        model.map_or("an unknown model", |(_, name)| name),
        kernel.trim(),
    )
}

/// Which cores the servers run on, and which ones the generator has for itself.
pub struct Cores {
    /// None if there are too few to keep them apart.
    apart: Option<(CpuSet, CpuSet)>,
}

impl Cores {
    /// A core for each of the server's threads and one for the generator; with several processes of both, half of the
    /// cores for each side.
    pub fn divide(threads: usize, processes: usize) -> Result<Self> {
        let allowed = sched_getaffinity(None).context("asking for the allowed cores")?;
        let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
        let (servers, generators) = if processes > 1 { (allowed.len() / 2, allowed.len() / 2) } else { (threads, 1) };
        if servers == 0 || allowed.len() < servers + generators {
            return Ok(Self { apart: None });
        }
        let (first, last) = allowed.split_at(allowed.len() - generators);
        let servers: Vec<usize> = first.iter().copied().take(servers).collect();
        Ok(Self { apart: Some((set(&servers), set(last))) })
    }

    /// Runs `start` on the servers' cores, where what it starts will stay, and returns to the generator's.
    pub fn for_server<T>(&self, start: impl FnOnce() -> T) -> Result<T> {
        let Some((servers, generators)) = &self.apart else { return Ok(start()) };
        sched_setaffinity(None, servers).context("choosing the servers' cores")?;
        let started = start();
        sched_setaffinity(None, generators).context("choosing the generator's cores")?;
        Ok(started)
    }

    /// For the head of a table.
    pub fn describe(&self) -> &'static str {
        match self.apart {
            Some(_) => "server and generator on cores of their own",
            None => "too few cores to keep server and generator apart",
        }
    }
}

fn set(cores: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    set
}

/// The processes of a server.
#[derive(Clone)]
pub struct Processes(pub Vec<i32>);

impl Processes {
    /// Their share of the memory that they use, in bytes.
    pub fn memory(&self) -> Result<u64> {
        self.0.iter().map(|process| memory(*process)).sum()
    }

    /// The CPU time that they have used, to 10 ms.
    pub fn cpu(&self) -> Result<Duration> {
        self.0.iter().map(|process| cpu(*process)).sum()
    }
}

/// Pages that several processes have are counted in parts; where the system does not tell that, they count in full.
fn memory(process: i32) -> Result<u64> {
    let shares = fs::read_to_string(format!("/proc/{process}/smaps_rollup"));
    if let Some(share) = shares.ok().and_then(|text| kibibytes(&text, "Pss:")) {
        return Ok(share);
    }
    let path = format!("/proc/{process}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    kibibytes(&text, "VmRSS:").with_context(|| format!("no VmRSS in {path}"))
}

fn cpu(process: i32) -> Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let ticks = ticks(&text).with_context(|| format!("no times in {path}"))?;
    Ok(Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64))
}

/// The sum of `utime` and `stime`, the 14th and 15th field. The second is the program's name in brackets, which may
/// hold blanks and brackets itself.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// The number on the line that begins with `name`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

fn tcp_pages(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_ascii_whitespace();
    words.find(|word| *word == "mem")?;
    words.next()?.parse().ok()
}

fn read_number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{kibibytes, tcp_pages, ticks};

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let stat = "42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 600 70 0 0 20 0 1 0 9 9 9";
        assert_eq!(ticks(stat), Some(670));
    }

    #[test]
    fn pages_of_tcp_are_not_those_of_udp() {
        let sockstat = "sockets: used 9\nTCP: inuse 1 orphan 0 tw 2 alloc 3 mem 157\nUDP: inuse 0 mem 5\n";
        assert_eq!(tcp_pages(sockstat), Some(157));
        assert_eq!(tcp_pages("UDP: inuse 0 mem 5\n"), None);
    }

    #[test]
    fn memory_is_found_by_its_whole_name() {
        assert_eq!(kibibytes("Rss: 9 kB\nPss_Dirty: 8 kB\nPss:   3 kB\n", "Pss:"), Some(3 * 1024));
        assert_eq!(kibibytes("Rss: 9 kB\n", "Pss:"), None);
    }
}
