//! Messages for each second of the server's CPU time, in a closed loop: each charge point sends its next CALL when
//! the last one is answered.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use onwire_load::documents;

use super::{Comparison, bare};
use crate::fleet::Message;
use crate::servers::Kind;
use onwire_load::table::{Table, milliseconds, number, ratio};

/// Before each measurement, for buffers to grow and cores to clock up.
const WARM_UP: Duration = Duration::from_millis(500);

#[derive(Clone, Copy)]
struct Figures {
    messages_per_second: f64,
    messages_per_cpu_second: f64,
    median: Duration,
    late: Duration,
}

pub(super) fn compare(comparison: &Comparison<'_>) -> Result<()> {
    let connections = comparison.possible(comparison.arguments.throughput_connections());
    let rounds = comparison.arguments.rounds();
    let head = ["message", "server", "messages/s", "CPU µs/message", "messages/CPU s", "ratio", "median ms", "99 % ms"];
    let mut table = Table::new(2, head);
    for (name, action, payload) in
        [("Heartbeat", "Heartbeat", "{}".to_owned()), ("MeterValues", "MeterValues", documents::meter_values())]
    {
        let mut samples: Vec<(Kind, Figures)> = Vec::new();
        for round in 1..=rounds {
            let what = format!("throughput, {name}, round {round} of {rounds}");
            samples.extend(comparison.each(&what, |kind| {
                let mut message = Message::new(action, &payload);
                measure(comparison, kind, connections, &mut message)
            }));
        }
        let medians: Vec<(Kind, Figures)> =
            comparison.kinds.iter().filter_map(|kind| Some((*kind, median(&samples, *kind)?))).collect();
        let bare = bare(&medians, |figures| figures.messages_per_cpu_second);
        let length = Message::new(action, &payload).text_length();
        for (kind, figures) in medians {
            table.row([
                format!("{name}, {length} B"),
                kind.name().into(),
                format!("{:.0}", figures.messages_per_second),
                number(1e6 / figures.messages_per_cpu_second),
                format!("{:.0}", figures.messages_per_cpu_second),
                ratio(figures.messages_per_cpu_second, bare),
                milliseconds(figures.median),
                milliseconds(figures.late),
            ]);
        }
    }
    table.print(&format!(
        "Throughput: {connections} connections, one CALL of each outstanding, {} s, median of {rounds}. Ratio of messages \
         for each second of the server's CPU time; more is better.",
        comparison.arguments.throughput_time().as_secs(),
    ));
    Ok(())
}

fn measure(comparison: &Comparison<'_>, kind: Kind, connections: usize, message: &mut Message) -> Result<Figures> {
    let mut trial = comparison.start(kind)?;
    trial.fleet.open(connections)?;
    trial.fleet.begin(message);
    trial.fleet.keep_going(message, WARM_UP)?;
    let (start, cpu) = (Instant::now(), trial.processes.cpu()?);
    let latencies = trial.fleet.keep_going(message, comparison.arguments.throughput_time())?;
    let (time, cpu) = (start.elapsed(), trial.processes.cpu()?.saturating_sub(cpu));
    trial.check()?;
    ensure!(latencies.count() > 0 && !cpu.is_zero(), "too little was answered to measure it");
    Ok(Figures {
        messages_per_second: latencies.count() as f64 / time.as_secs_f64(),
        messages_per_cpu_second: latencies.count() as f64 / cpu.as_secs_f64(),
        median: latencies.quantile(0.5),
        late: latencies.quantile(0.99),
    })
}

/// The sample in the middle by CPU time.
fn median(samples: &[(Kind, Figures)], kind: Kind) -> Option<Figures> {
    let mut samples: Vec<Figures> = samples.iter().filter(|(of, _)| *of == kind).map(|(_, figures)| *figures).collect();
    samples.sort_by(|a, b| a.messages_per_cpu_second.total_cmp(&b.messages_per_cpu_second));
    samples.get(samples.len() / 2).copied()
}
