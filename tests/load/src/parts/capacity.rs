//! As many connections as the machine holds, with a Heartbeat of each now and then.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Comparison, bare, kibibytes};
use crate::fleet::{Latencies, Message};
use crate::machine::spare_memory;
use crate::servers::Kind;
use crate::table::{Table, milliseconds, number, ratio};

/// Memory is looked at whenever so many more are connected.
const STEP: usize = 1_000;

struct Figures {
    connections: usize,
    stopped_by: String,
    memory: f64,
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
            number(figures.latencies.count() as f64 / time.as_secs_f64()),
            format!("{} %", number(figures.cpu_share * 100.0)),
            ratio(figures.cpu_share / figures.connections as f64, bare_cpu),
            milliseconds(figures.latencies.quantile(0.5)),
            milliseconds(figures.latencies.quantile(0.99)),
            figures.lost.to_string(),
        ]);
    }
    table.print(&format!(
        "Capacity: as many connections as the machine holds, up to {}, each with a Heartbeat every {} s, over {} s. CPU is \
         the server's share of one core; less is better.",
        comparison.arguments.capacity_goal(),
        interval.as_secs(),
        time.as_secs(),
    ));
    Ok(())
}

fn measure(comparison: &Comparison<'_>, kind: Kind, interval: Duration, time: Duration) -> Result<Figures> {
    let goal = comparison.arguments.capacity_goal();
    let mut trial = comparison.start(kind)?;
    trial.fleet.open(1)?;
    let base = trial.processes.memory()?;
    let stopped_by = loop {
        let next = (trial.fleet.len() + STEP).min(goal).min(comparison.most);
        if let Err(error) = trial.fleet.open(next) {
            break format!("the server: {error:#}");
        }
        if next == goal {
            break "the goal".into();
        }
        if next == comparison.most {
            break "open files".into();
        }
        if spare_memory()? == 0 {
            break "memory".into();
        }
    };
    let connections = trial.fleet.ready();
    ensure!(connections > 1, "{stopped_by}");
    let lost = trial.fleet.tally().lost;
    let cpu = trial.processes.cpu()?;
    let latencies = trial.fleet.pace(&mut Message::new("Heartbeat", "{}"), interval, time)?;
    let cpu = trial.processes.cpu()?.saturating_sub(cpu);
    Ok(Figures {
        connections,
        stopped_by,
        memory: kibibytes(trial.processes.memory()?.saturating_sub(base), connections - 1),
        cpu_share: cpu.as_secs_f64() / time.as_secs_f64(),
        latencies,
        lost: trial.fleet.tally().lost - lost,
    })
}
