//! Memory of the server for each connection that does nothing.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use onwire_load::documents;

use super::{Comparison, bare, kibibytes};
use crate::fleet::Message;
use crate::servers::Kind;
use onwire_load::table::{Table, number, ratio};

/// For what a server does after its last answer.
const SETTLE: Duration = Duration::from_millis(300);

struct Figures {
    /// What the server took to let one in.
    connecting_seconds: f64,
    idle: f64,
    after_large: f64,
}

pub(super) fn compare(comparison: &Comparison<'_>) -> Result<()> {
    let head = [
        "connections",
        "server",
        "KiB/connection",
        "ratio",
        "after one MeterValues on each, KiB/connection",
        "ratio",
        "CPU µs to connect",
        "ratio",
    ];
    let mut table = Table::new(2, head);
    for connections in comparison.arguments.idle_connections() {
        let connections = comparison.possible(connections);
        let what = format!("idle, {connections} connections");
        let measured = comparison.each(&what, |kind| measure(comparison, kind, connections));
        let bare_idle = bare(&measured, |figures| figures.idle);
        let bare_after = bare(&measured, |figures| figures.after_large);
        let bare_connecting = bare(&measured, |figures| figures.connecting_seconds);
        for (kind, figures) in measured {
            table.row([
                connections.to_string(),
                kind.name().into(),
                number(figures.idle),
                ratio(figures.idle, bare_idle),
                number(figures.after_large),
                ratio(figures.after_large, bare_after),
                number(figures.connecting_seconds * 1e6),
                ratio(figures.connecting_seconds, bare_connecting),
            ]);
        }
    }
    table.print(
        "Memory of the server's process for each idle connection, sockets in the kernel not counted: after a \
         BootNotification, and after a MeterValues of 13.6 KB too; and the server's CPU time for a connection: TCP, TLS \
         if there is any, WebSocket, BootNotification. Less is better.",
    );
    Ok(())
}

fn measure(comparison: &Comparison<'_>, kind: Kind, connections: usize) -> Result<Figures> {
    let mut trial = comparison.start(kind)?;
    // What is made once, with the first connection, is none of a connection's cost.
    trial.fleet.open(1)?;
    sleep(SETTLE);
    let base = trial.processes.memory()?;
    let grown = |trial: &super::Trial| -> Result<f64> {
        sleep(SETTLE);
        Ok(kibibytes(trial.processes.memory()?.saturating_sub(base), connections - 1))
    };
    let cpu = trial.processes.cpu()?;
    trial.fleet.open(connections)?;
    let cpu = trial.processes.cpu()?.saturating_sub(cpu);
    let idle = grown(&trial)?;
    trial.fleet.each_once(&mut Message::new("MeterValues", &documents::meter_values()))?;
    let after_large = grown(&trial)?;
    trial.check()?;
    Ok(Figures { connecting_seconds: cpu.as_secs_f64() / (connections - 1) as f64, idle, after_large })
}
