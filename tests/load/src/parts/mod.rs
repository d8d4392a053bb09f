//! The comparison of servers, a part for each question.

mod capacity;
mod idle;
mod recovery;
mod throughput;

use std::cell::Cell;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::arguments::{Arguments, Part};
use crate::fleet::{Fleet, Target};
use crate::fleets::{Fleets, State};
use crate::servers::{Kind, Server};
use onwire_load::machine::{self, Cores, Processes};

pub(crate) use self::recovery::Milestones;

/// What all parts need.
struct Comparison<'a> {
    arguments: &'a Arguments,
    kinds: Vec<Kind>,
    cores: Cores,
    /// How many connections a process may have.
    most: usize,
    failed: Cell<bool>,
}

/// Runs the chosen parts, each to its table.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut kinds = arguments.servers();
    let mut failed = false;
    kinds.retain(|kind| {
        let missing = kind.missing();
        if let Some(why) = &missing {
            eprintln!("onwire-load: {} is not measured: {why}", kind.name());
            failed = true;
        }
        missing.is_none()
    });
    let comparison = Comparison {
        arguments,
        kinds,
        most: machine::raise_connections(),
        cores: Cores::divide(arguments.threads, arguments.processes())?,
        failed: Cell::new(failed),
    };
    println!("{}; {}.", machine::describe(comparison.most), comparison.cores.describe());
    println!("{}.", flavour(arguments.threads));
    for (part, measure) in PARTS {
        if arguments.has(part) {
            measure(&comparison)?;
        }
    }
    Ok(if comparison.failed.get() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

type Measure = fn(&Comparison<'_>) -> Result<()>;

const PARTS: [(Part, Measure); 4] = [
    (Part::Throughput, throughput::compare),
    (Part::Idle, idle::compare),
    (Part::Capacity, capacity::compare),
    (Part::Recovery, recovery::compare),
];

fn flavour(threads: usize) -> String {
    match threads {
        1 => "Servers have one thread: tokio's current_thread, and Python".into(),
        threads => format!("Servers have {threads} threads of tokio's multi_thread; Python has one"),
    }
}

impl Comparison<'_> {
    /// Measures one server after the other. One that fails is missing in the table, and the run fails at its end.
    fn each<T>(&self, what: &str, mut measure: impl FnMut(Kind) -> Result<T>) -> Vec<(Kind, T)> {
        let mut measured = Vec::new();
        for kind in &self.kinds {
            eprintln!("onwire-load: {what}: {}", kind.name());
            match measure(*kind) {
                Ok(figures) => measured.push((*kind, figures)),
                Err(error) => {
                    eprintln!("onwire-load: {what}: {} failed: {error:#}", kind.name());
                    self.failed.set(true);
                }
            }
        }
        measured
    }

    fn start(&self, kind: Kind) -> Result<Trial> {
        let (server, url) = Server::start(kind, self.arguments.threads, &self.cores)?;
        let Arguments { identity, headers, sources, .. } = self.arguments;
        let fleet = Fleet::new(Target::new(&url, identity, headers, sources)?)?;
        let processes = server.processes();
        Ok(Trial { server, fleet, processes })
    }

    /// Starts as many processes as the command line asks for, of servers and of charge points.
    fn start_crowd(&self, kind: Kind) -> Result<Crowd> {
        let started: Result<Vec<_>> =
            (0..self.arguments.processes()).map(|_| Server::start(kind, self.arguments.threads, &self.cores)).collect();
        let (servers, urls): (Vec<_>, Vec<_>) = started?.into_iter().unzip();
        let fleets = Fleets::start(urls.iter().map(String::as_str), self.most, self.arguments)?;
        Ok(Crowd { servers, fleets, urls })
    }

    /// `wanted`, or as many as are possible with one server and one fleet.
    fn possible(&self, wanted: usize) -> usize {
        self.possible_in(1, wanted)
    }

    /// `wanted`, or as many as are possible with so many servers and fleets.
    fn possible_in(&self, processes: usize, wanted: usize) -> usize {
        let most = self.most.saturating_mul(processes);
        if wanted > most {
            eprintln!("onwire-load: {most} connections instead of {wanted}: the limit of open files");
        }
        wanted.min(most)
    }
}

/// A server and its charge points. The server goes first, since it should not learn how they end.
struct Trial {
    #[expect(dead_code, reason = "it ends with the trial")]
    server: Server,
    fleet: Fleet,
    processes: Processes,
}

impl Trial {
    /// Fails if the server did not do all of the work.
    fn check(&self) -> Result<()> {
        let tally = self.fleet.tally();
        if tally.refused > 0 {
            bail!("{} CALLs were refused, the last with {}", tally.refused, tally.last_refusal);
        }
        if tally.stray > 0 {
            bail!("{} messages were not expected", tally.stray);
        }
        if tally.lost > 0 {
            bail!("{} connections were lost, the last because: {}", tally.lost, tally.last_loss);
        }
        Ok(())
    }
}

/// Several servers of one kind, each with charge points in a process of their own. The servers go first here too.
struct Crowd {
    servers: Vec<Server>,
    fleets: Fleets,
    /// Of the servers, in their order.
    urls: Vec<String>,
}

impl Crowd {
    /// The servers'.
    fn processes(&self) -> Processes {
        Processes(self.servers.iter().flat_map(|server| server.processes().0).collect())
    }
}

/// Fails if servers did not do all of the work.
fn check(state: &State) -> Result<()> {
    if let Some(failure) = &state.failure {
        bail!("{failure}");
    }
    if state.not_answered > 0 {
        bail!("{} CALLs were refused, or messages not expected", state.not_answered);
    }
    if state.lost > 0 {
        bail!("{} connections were lost, the last because: {}", state.lost, state.last_loss);
    }
    Ok(())
}

/// The bare echo's figure, which the others are compared to.
fn bare<T>(measured: &[(Kind, T)], figure: impl Fn(&T) -> f64) -> Option<f64> {
    measured.iter().find(|(kind, _)| *kind == Kind::Bare).map(|(_, figures)| figure(figures))
}

fn processes(count: usize) -> String {
    match count {
        1 => "1 process".into(),
        count => format!("{count} processes"),
    }
}

fn kibibytes(bytes: u64, connections: usize) -> f64 {
    bytes as f64 / 1024.0 / connections as f64
}
