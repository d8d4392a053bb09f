//! As many connections as the machine holds, with a Heartbeat of each now and then.

use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::{Comparison, bare, kibibytes, processes};
use crate::fleet::Latencies;
use crate::servers::Kind;
use onwire_load::machine::{kernel_memory, spare_memory};
use onwire_load::table::{Table, milliseconds, number, ratio};

/// Memory is looked at whenever so many more are connected to each server.
const STEP: usize = 1_000;

struct Figures {
    connections: usize,
    stopped_by: String,
    /// Of the servers, for each connection, in KiB.
    memory: f64,
    /// Of the kernel, likewise, for both ends.
    kernel: f64,
    cpu_share: f64,
    latencies: Latencies,
    lost: u64,
}

pub(super) fn compare(comparison: &Comparison<'_>) -> Result<()> {
    let interval = comparison.arguments.heartbeat_interval();
    let time = comparison.arguments.capacity_time();
    let measured = comparison.each("capacity", |kind| measure(comparison, kind, interval, time));
    let bare_memory = bare(&measured, |figures| figures.memory);
    let bare_cpu = bare(&measured, |figures| figures.cpu_share / figures.connections as f64);
    let head = [
        "server",
        "connections",
        "stopped by",
        "KiB/connection",
        "ratio",
        "kernel, KiB/connection",
        "Heartbeats/s",
        "CPU",
        "ratio by connection",
        "median ms",
        "99 % ms",
        "lost",
    ];
    let mut table = Table::new(1, head);
    for (kind, figures) in measured {
        table.row([
            kind.name().into(),
            figures.connections.to_string(),
            figures.stopped_by,
            number(figures.memory),
            ratio(figures.memory, bare_memory),
            number(figures.kernel),
            number(figures.latencies.count() as f64 / time.as_secs_f64()),
            format!("{} %", number(figures.cpu_share * 100.0)),
            ratio(figures.cpu_share / figures.connections as f64, bare_cpu),
            milliseconds(figures.latencies.quantile(0.5)),
            milliseconds(figures.latencies.quantile(0.99)),
            figures.lost.to_string(),
        ]);
    }
    table.print(&format!(
        "Capacity: as many connections as the machine holds, up to {}, in {} of servers, each with a Heartbeat every {} s, \
         over {} s. CPU is the servers' share of one core; less is better. The kernel's memory is the whole machine's, and \
         has both ends of a connection.",
        comparison.arguments.capacity_goal(),
        processes(comparison.arguments.processes()),
        interval.as_secs(),
        time.as_secs(),
    ));
    Ok(())
}

fn measure(comparison: &Comparison<'_>, kind: Kind, interval: Duration, time: Duration) -> Result<Figures> {
    let processes = comparison.arguments.processes();
    let goal = comparison.arguments.capacity_goal();
    let most = comparison.most.saturating_mul(processes);
    ensure!(goal > processes, "{goal} connections are too few for {processes} processes");
    let mut crowd = comparison.start_crowd(kind)?;
    let servers = crowd.processes();
    // What is made once, with a server's first connection, is none of a connection's cost.
    let mut opened = crowd.fleets.open(processes)?;
    let (base, kernel_base) = (servers.memory()?, kernel_memory()?);
    let mut wanted = processes;
    let stopped_by = loop {
        if let Some(failure) = opened.failure {
            break format!("the server: {failure}");
        }
        if wanted == goal {
            break "the goal".into();
        }
        if wanted == most {
            break "open files".into();
        }
        if spare_memory()? == 0 {
            break "memory".into();
        }
        wanted = (wanted + STEP * processes).min(goal).min(most);
        opened = crowd.fleets.open(wanted)?;
    };
    let connections = opened.ready;
    ensure!(connections > processes, "{stopped_by}");
    let cpu = servers.cpu()?;
    let paced = crowd.fleets.pace(interval, time)?;
    let cpu = servers.cpu()?.saturating_sub(cpu);
    if let Some(failure) = paced.failure {
        bail!("{failure}");
    }
    let per_connection = |now: u64, before| kibibytes(now.saturating_sub(before), connections - processes);
    Ok(Figures {
        connections,
        stopped_by,
        memory: per_connection(servers.memory()?, base),
        kernel: per_connection(kernel_memory()?, kernel_base),
        cpu_share: cpu.as_secs_f64() / time.as_secs_f64(),
        latencies: paced.latencies,
        lost: paced.lost - opened.lost,
    })
}
