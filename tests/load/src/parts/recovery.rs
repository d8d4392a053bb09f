//! The server is killed under its charge points and started again on the same address: the time until all are back.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{Comparison, Crowd, bare, check, processes};
use crate::servers::{Kind, Server};
use onwire_load::table::{Table, number, ratio, seconds};

/// How long nothing is heard before servers are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// When a server is given up that does not get its charge points back.
const PATIENCE: Duration = Duration::from_secs(600);

struct Figures {
    milestones: Milestones,
    attempts: f64,
    cpu: Duration,
}

/// How long it took until so many were back.
pub(crate) struct Milestones {
    start: Instant,
    all: usize,
    pub(crate) half: Option<Duration>,
    pub(crate) nearly: Option<Duration>,
    pub(crate) last: Option<Duration>,
}

impl Milestones {
    pub(crate) fn new(all: usize) -> Self {
        Self { start: Instant::now(), all, half: None, nearly: None, last: None }
    }

    /// Whether all are back.
    pub(crate) fn reached(&mut self, ready: usize) -> Result<bool> {
        let time = self.start.elapsed();
        let milestones =
            [(self.all / 2, &mut self.half), (self.all - self.all / 100, &mut self.nearly), (self.all, &mut self.last)];
        for (count, milestone) in milestones {
            if ready >= count {
                milestone.get_or_insert(time);
            }
        }
        if time > PATIENCE {
            bail!("after {} s only {ready} of {} are back", PATIENCE.as_secs(), self.all);
        }
        Ok(ready >= self.all)
    }

    pub(crate) fn shown(&self) -> [String; 3] {
        [self.half, self.nearly, self.last].map(|time| time.map_or("-".into(), seconds))
    }
}

pub(super) fn compare(comparison: &Comparison<'_>) -> Result<()> {
    let count = comparison.arguments.processes();
    let connections = comparison.possible_in(count, comparison.arguments.recovery_connections());
    let back_off = comparison.arguments.back_off();
    let measured = comparison.each("recovery", |kind| measure(comparison, kind, connections));
    let bare = bare(&measured, |figures| figures.cpu.as_secs_f64());
    let head =
        ["server", "half back, s", "99 % back, s", "all back, s", "attempts/connection", "CPU µs/connection", "ratio"];
    let mut table = Table::new(1, head);
    for (kind, figures) in measured {
        let [half, nearly, last] = figures.milestones.shown();
        table.row([
            kind.name().into(),
            half,
            nearly,
            last,
            number(figures.attempts),
            number(figures.cpu.as_secs_f64() * 1e6 / connections as f64),
            ratio(figures.cpu.as_secs_f64(), bare),
        ]);
    }
    table.print(&format!(
        "Recovery: {connections} connections in {} of servers, killed and started again {} s later; times are from then on. \
         Each charge point waits a random time up to {} s before an attempt, twice that before the next, up to {} s. CPU is \
         what the new servers took until all were back; less is better.",
        processes(count),
        comparison.arguments.down().as_secs(),
        back_off.base.as_secs(),
        back_off.cap.as_secs(),
    ));
    Ok(())
}

fn measure(comparison: &Comparison<'_>, kind: Kind, connections: usize) -> Result<Figures> {
    let Crowd { servers, mut fleets, urls } = comparison.start_crowd(kind)?;
    check(&fleets.open(connections)?)?;
    fleets.reconnect(comparison.arguments.back_off())?;
    drop(servers);
    let restart = Instant::now() + comparison.arguments.down();
    loop {
        let left = restart.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        fleets.ready(left)?;
    }
    let start = |url| Server::spawn(kind, authority(url), comparison.arguments.threads, &comparison.cores);
    let mut servers: Vec<Server> = urls.iter().map(|url| start(url)).collect::<Result<_>>()?;
    let mut milestones = Milestones::new(connections);
    while !milestones.reached(fleets.ready(LOOK)?)? {
        if servers.iter_mut().any(Server::has_ended) {
            bail!("a server that was started again has ended");
        }
    }
    let cpu = servers.iter().map(|server| server.processes().cpu()).sum::<Result<_>>()?;
    let state = fleets.wait()?;
    if let Some(failure) = state.failure {
        bail!("{failure}");
    }
    // Before the charge points go.
    drop(servers);
    Ok(Figures { milestones, attempts: state.attempts as f64 / connections as f64, cpu })
}

/// `HOST:PORT` of a server's address.
fn authority(url: &str) -> &str {
    let behind_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    behind_scheme.split_once('/').map_or(behind_scheme, |(authority, _)| authority)
}

#[cfg(test)]
mod tests {
    use super::authority;

    #[test]
    fn a_server_is_started_again_on_its_address() {
        for url in ["ws://127.0.0.1:80/ocpp/", "wss://127.0.0.1:80/ocpp/", "wss://127.0.0.1:80"] {
            assert_eq!(authority(url), "127.0.0.1:80");
        }
    }
}
