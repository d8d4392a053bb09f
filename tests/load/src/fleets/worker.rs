//! The process of one fleet.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::orders::{Order, Report, State};
use crate::arguments::Arguments;
use crate::fleet::{BackOff, Fleet, Message, Reconnector, Target};

/// How often the number of those who are ready is told, at most.
const PROGRESS: Duration = Duration::from_millis(10);

/// Carries out what the standard input says, until it ends or the process that started this one does. The first charge
/// point has the index `first`.
pub(crate) fn run(url: &str, first: usize, arguments: &Arguments) -> Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let Arguments { identity, headers, sources, .. } = arguments;
    let mut fleet = Fleet::new(Target::new(url, identity, headers, sources)?.starting_at(first))?;
    for line in io::stdin().lines() {
        let order = serde_json::from_str(&line?).context("reading an order")?;
        let mut state = State::default();
        let outcome = carry_out(order, &mut fleet, &mut state);
        state.add(State::of(&fleet));
        state.failure = outcome.err().map(|error| format!("{error:#}"));
        tell(&Report::Done(Box::new(state)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn carry_out(order: Order, fleet: &mut Fleet, state: &mut State) -> Result<()> {
    match order {
        Order::Open { count } => fleet.open(count)?,
        Order::Pace { interval, time } => {
            state.latencies = fleet.pace(&mut Message::new("Heartbeat", "{}"), interval, time)?;
        }
        Order::Reconnect { back_off } => state.attempts = reconnect(fleet, back_off)?,
    }
    Ok(())
}

/// Ends when all are back after more than half were gone.
fn reconnect(fleet: &mut Fleet, back_off: BackOff) -> Result<u64> {
    let mut reconnector = Reconnector::new(back_off);
    let all = fleet.len();
    let (mut told, mut when) = (all, Instant::now());
    let mut down = false;
    fleet.reconnect(&mut reconnector, |fleet| {
        let ready = fleet.ready();
        if ready != told && (ready == all || when.elapsed() >= PROGRESS) {
            tell(&Report::Ready(ready))?;
            (told, when) = (ready, Instant::now());
        }
        down |= ready <= all / 2;
        Ok(down && ready == all)
    })?;
    Ok(reconnector.total_attempts)
}

fn tell(report: &Report) -> Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&line)?;
    output.flush().context("reporting")
}
