//! Load on a server that runs already.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use onwire_load::documents;

use crate::arguments::{Arguments, Profile};
use crate::fleet::{Fleet, Latencies, Message, Reconnector, Target};
use crate::parts::Milestones;
use onwire_load::machine::{self, Processes};
use onwire_load::table::{Table, milliseconds, number, seconds};

/// Unless the user wants another number.
const CONNECTIONS: usize = 100;

/// A run, and the figures it has found so far.
struct Run {
    fleet: Fleet,
    connections: usize,
    /// None if it was not said which those are.
    processes: Option<Processes>,
    memory_before: u64,
    table: Table,
}

pub(crate) fn run(url: &str, arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { identity, headers, sources, pids, .. } = arguments;
    let connections = arguments.connections.unwrap_or(CONNECTIONS);
    let most = machine::raise_connections();
    ensure!(
        (1..=most).contains(&connections),
        "{connections} connections: at least 1, and at most {most} with this limit of open files (`ulimit -Hn`)"
    );
    let processes = (!pids.is_empty()).then(|| Processes(pids.clone()));
    let mut run = Run {
        fleet: Fleet::new(Target::new(url, identity, headers, sources)?)?,
        connections,
        memory_before: processes.as_ref().map_or(Ok(0), Processes::memory)?,
        processes,
        table: Table::new(1, ["what", "figure"]),
    };
    run.open()?;
    match arguments.profile {
        Profile::Heartbeats => run.loop_closed("Heartbeat", "{}", arguments.throughput_time())?,
        Profile::Metervalues => {
            run.loop_closed("MeterValues", &documents::meter_values(), arguments.throughput_time())?;
        }
        Profile::Idle => run.idle(arguments.heartbeat_interval(), arguments.capacity_time())?,
        Profile::Reconnect => run.reconnect(arguments)?,
    }
    run.trouble();
    run.table.print(&format!("{connections} connections to {url}"));
    Ok(ExitCode::SUCCESS)
}

impl Run {
    fn figure(&mut self, what: &str, figure: String) {
        self.table.row([what.into(), figure]);
    }

    fn open(&mut self) -> Result<()> {
        let start = Instant::now();
        self.fleet.open(self.connections)?;
        self.figure("all connected and booted, s", seconds(start.elapsed()));
        self.memory("memory, KiB/connection")
    }

    fn memory(&mut self, what: &str) -> Result<()> {
        if let Some(processes) = &self.processes {
            let grown = processes.memory()?.saturating_sub(self.memory_before);
            self.figure(what, number(grown as f64 / 1024.0 / self.connections as f64));
        }
        Ok(())
    }

    fn cpu(&self) -> Result<Option<Duration>> {
        self.processes.as_ref().map(Processes::cpu).transpose()
    }

    fn loop_closed(&mut self, action: &str, payload: &str, time: Duration) -> Result<()> {
        let mut message = Message::new(action, payload);
        self.fleet.begin(&mut message);
        let (start, cpu) = (Instant::now(), self.cpu()?);
        let latencies = self.fleet.keep_going(&mut message, time)?;
        self.answers(action, &latencies, start.elapsed(), cpu)?;
        self.memory("memory after that, KiB/connection")
    }

    fn idle(&mut self, interval: Duration, time: Duration) -> Result<()> {
        let (start, cpu) = (Instant::now(), self.cpu()?);
        let latencies = self.fleet.pace(&mut Message::new("Heartbeat", "{}"), interval, time)?;
        self.answers("Heartbeat", &latencies, start.elapsed(), cpu)?;
        self.memory("memory after that, KiB/connection")?;
        self.fleet.each_once(&mut Message::new("MeterValues", &documents::meter_values()))?;
        self.memory("memory after one MeterValues on each, KiB/connection")
    }

    fn answers(&mut self, action: &str, latencies: &Latencies, time: Duration, cpu: Option<Duration>) -> Result<()> {
        let count = latencies.count() as f64;
        self.figure(&format!("{action}, messages/s"), number(count / time.as_secs_f64()));
        for (name, share) in [("median", 0.5), ("99 %", 0.99), ("99.9 %", 0.999)] {
            self.figure(&format!("{action}, latency, {name}, ms"), milliseconds(latencies.quantile(share)));
        }
        if let (Some(before), Some(now)) = (cpu, self.cpu()?) {
            let cpu = now.saturating_sub(before).as_secs_f64();
            self.figure("CPU, % of one core", number(cpu * 100.0 / time.as_secs_f64()));
            self.figure(&format!("{action}, CPU µs/message"), number(cpu * 1e6 / count));
        }
        Ok(())
    }

    fn reconnect(&mut self, arguments: &Arguments) -> Result<()> {
        let mut reconnector = Reconnector::new(arguments.back_off());
        let all = self.connections;
        eprintln!("onwire-load: all are connected; restart the server now");
        self.fleet.reconnect(&mut reconnector, |fleet| Ok(fleet.ready() < all))?;
        eprintln!("onwire-load: the first connection is lost");
        let mut milestones = Milestones::new(all);
        // While the first half is being lost the count says nothing about who is back.
        let mut down = false;
        self.fleet.reconnect(&mut reconnector, |fleet| {
            down |= fleet.ready() < all / 2;
            Ok((down || fleet.ready() == all) && milestones.reached(fleet.ready())?)
        })?;
        for (what, time) in ["half", "99 %", "all"].iter().zip(milestones.shown()) {
            self.figure(&format!("{what} back after the first was lost, s"), time);
        }
        self.figure("attempts/connection", number(reconnector.total_attempts as f64 / all as f64));
        Ok(())
    }

    /// What did not go as it should, if anything.
    fn trouble(&mut self) {
        let tally = self.fleet.tally();
        let figures = [
            ("connections lost", tally.lost, tally.last_loss.clone()),
            ("CALLs refused", tally.refused, tally.last_refusal.clone()),
            ("messages not expected", tally.stray, String::new()),
        ];
        for (what, count, last) in figures {
            if count > 0 {
                let last = if last.is_empty() { last } else { format!(", the last: {last}") };
                self.figure(what, format!("{count}{last}"));
            }
        }
    }
}
