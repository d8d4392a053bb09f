//! The command line, and what it leaves open.

use std::net::IpAddr;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::fleet::BackOff;
use crate::servers::Kind;

/// Puts load on OCPP 1.6-J servers and says what they make of it.
///
/// Without --url, servers of this package are started and compared: a bare WebSocket echo, onwire, ocpp-kit and
/// Python's ocpp. docs/LOAD.md says what is measured and how.
#[derive(Parser)]
#[command(bin_name = "cargo xtask load")]
pub(crate) struct Arguments {
    /// What to compare the servers by; everything if none is named
    #[arg(value_enum, value_name = "PART", conflicts_with = "url")]
    parts: Vec<Part>,
    /// Compare this server (may be repeated); all if none is named
    #[arg(long = "server", value_enum, value_name = "NAME", conflicts_with = "url")]
    servers: Vec<Kind>,
    /// Seconds instead of minutes: fewer connections, shorter and fewer measurements
    #[arg(long, conflicts_with = "url")]
    quick: bool,
    /// Threads of tokio for each server's connections; with 1 there is no other thread
    #[arg(long, value_name = "NUMBER", default_value_t = 1, conflicts_with = "url")]
    pub(crate) threads: usize,
    /// Processes of each server, and as many of charge points, in the parts `capacity` and `recovery`: one of them may
    /// have no more connections than open files
    #[arg(long, value_name = "NUMBER", default_value_t = 1, conflicts_with = "url")]
    processes: usize,
    /// How often throughput is measured, servers taking turns; the median counts
    #[arg(long, value_name = "NUMBER", conflicts_with = "url")]
    rounds: Option<usize>,
    /// How long a server is down in the part `recovery`
    #[arg(long, value_name = "SECONDS", conflicts_with = "url")]
    down: Option<u64>,

    /// A server of your own that runs already: charge points connect to this address with their identity behind it
    #[arg(long, value_name = "ws://HOST:PORT/PATH/")]
    pub(crate) url: Option<String>,
    /// Be one of several processes of charge points, the first of which has this index
    #[arg(long, hide = true, requires = "url")]
    pub(crate) worker: Option<usize>,
    /// What the charge points do to that server
    #[arg(long, value_enum, value_name = "NAME", default_value = "heartbeats", requires = "url")]
    pub(crate) profile: Profile,
    /// A process of that server, to measure its memory and CPU time (may be repeated)
    #[arg(long = "pid", value_name = "PID", requires = "url")]
    pub(crate) pids: Vec<i32>,
    /// Identities are this and a number from 1 upward
    #[arg(long, value_name = "TEXT", default_value = "LOAD")]
    pub(crate) identity: String,
    /// Sent with each handshake, for example "Authorization: Basic .." (may be repeated)
    #[arg(long = "header", value_name = "NAME: VALUE", requires = "url")]
    pub(crate) headers: Vec<String>,
    /// Connect from this address (may be repeated); each has room for 14,000 connections. Without any, a server on
    /// this machine is connected to from 127.0.0.2, 127.0.0.3, ..
    #[arg(long = "source", value_name = "ADDRESS")]
    pub(crate) sources: Vec<IpAddr>,

    /// How many charge points
    #[arg(long, value_name = "NUMBER")]
    pub(crate) connections: Option<usize>,
    /// How long each measurement takes
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Time between two Heartbeats of one charge point, where they are not sent as fast as possible
    #[arg(long, value_name = "SECONDS")]
    heartbeat_interval: Option<u64>,
    /// The longest that a charge point waits before it connects again; it waits a random part of 1 s, 2 s, 4 s, ..
    #[arg(long, value_name = "SECONDS")]
    back_off_cap: Option<u64>,
}

/// What servers are compared by.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Messages for each second of the server's CPU time
    Throughput,
    /// Memory for each connection that does nothing, before and after a large message
    Idle,
    /// As many connections as the machine holds, with a Heartbeat now and then
    Capacity,
    /// The server is killed and started again: the time until all are back
    Recovery,
}

/// What charge points do to a server of the user's.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Profile {
    /// Heartbeats as fast as they are answered
    Heartbeats,
    /// MeterValues of 13.6 KB as fast as they are answered
    Metervalues,
    /// A Heartbeat now and then, and one MeterValues at the end
    Idle,
    /// Wait for you to restart the server, and connect again
    Reconnect,
}

impl Arguments {
    pub(crate) fn has(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    pub(crate) fn servers(&self) -> Vec<Kind> {
        let chosen = |kind: &Kind| self.servers.is_empty() || self.servers.contains(kind);
        Kind::value_variants().iter().copied().filter(chosen).collect()
    }

    pub(crate) fn processes(&self) -> usize {
        self.processes.max(1)
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(self.full_or_quick(3, 1)).max(1)
    }

    pub(crate) fn throughput_time(&self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(self.full_or_quick(10, 2)))
    }

    pub(crate) fn throughput_connections(&self) -> usize {
        self.connections.unwrap_or(500)
    }

    pub(crate) fn idle_connections(&self) -> Vec<usize> {
        match self.connections {
            Some(connections) => vec![connections],
            None => self.full_or_quick(vec![2_000, 10_000], vec![2_000]),
        }
    }

    pub(crate) fn capacity_goal(&self) -> usize {
        self.connections.unwrap_or(self.full_or_quick(100_000, 5_000))
    }

    /// Each charge point sends one Heartbeat in that time, unless it is told.
    pub(crate) fn capacity_time(&self) -> Duration {
        self.seconds.map_or(self.heartbeat_interval(), Duration::from_secs)
    }

    pub(crate) fn recovery_connections(&self) -> usize {
        self.connections.unwrap_or(self.full_or_quick(10_000, 2_000))
    }

    pub(crate) fn heartbeat_interval(&self) -> Duration {
        Duration::from_secs(self.heartbeat_interval.unwrap_or(self.full_or_quick(300, 10)).max(1))
    }

    pub(crate) fn down(&self) -> Duration {
        Duration::from_secs(self.down.unwrap_or(self.full_or_quick(10, 2)))
    }

    pub(crate) fn back_off(&self) -> BackOff {
        let cap = self.back_off_cap.unwrap_or(self.full_or_quick(30, 5));
        BackOff { base: Duration::from_secs(1), cap: Duration::from_secs(cap) }
    }

    fn full_or_quick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}
