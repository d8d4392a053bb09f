//! Nanoseconds per message, and the ratio to rust-ocpp with serde_json.
//!
//! All contenders of a comparison take turns, a few milliseconds each, for many rounds: what disturbs the machine hits
//! all of them alike. Times are medians, and ratios are medians of the ratios within each round.
//!
//! Where `ONWIRE_PEERS_PYTHON` names a Python that has the package `ocpp`, as `cargo xtask bench` sets it, that package
//! is measured too.

use std::error::Error;
use std::path::Path;
use std::{env, io};

use onwire_benches::comparison::{Comparison, Contender};
use onwire_benches::{contenders, table};

const ROUNDS: usize = 151;
/// How long one contender's turn is, in nanoseconds.
const TURN: f64 = 2e6;

fn main() -> Result<(), Box<dyn Error>> {
    let python = env::var_os("ONWIRE_PEERS_PYTHON");
    let mut rows = Vec::new();
    for comparison in &mut contenders::all(python.as_deref().map(Path::new))? {
        rows.extend(measure(comparison)?);
    }
    table::print(["Message", "Operation", "Contender", "ns/message", "ratio"], &rows);
    println!("Ratio: to the time of rust-ocpp with serde_json in the first line; 0.50 is twice as fast.");
    Ok(())
}

fn measure(comparison: &mut Comparison) -> io::Result<Vec<table::Row>> {
    let repetitions: Vec<u32> = comparison.contenders.iter_mut().map(repetitions).collect::<io::Result<_>>()?;
    let mut times = vec![Vec::with_capacity(ROUNDS); repetitions.len()];
    for _ in 0..ROUNDS {
        for ((contender, repetitions), times) in comparison.contenders.iter_mut().zip(&repetitions).zip(&mut times) {
            times.push(contender.time(*repetitions)?);
        }
    }
    let baseline = times.first().cloned().unwrap_or_default();
    let row = |(contender, times): (&Contender, Vec<f64>)| {
        let ratio = median(times.iter().zip(&baseline).map(|(time, baseline)| time / baseline).collect());
        [
            comparison.message.clone(),
            comparison.operation.into(),
            contender.name.clone(),
            format!("{:.0}", median(times)),
            format!("{ratio:.2}"),
        ]
    };
    Ok(comparison.contenders.iter().zip(times).map(row).collect())
}

/// How many messages fill a turn; finding out warms up caches and buffers.
fn repetitions(contender: &mut Contender) -> io::Result<u32> {
    let mut repetitions = 1;
    while contender.time(repetitions)? * f64::from(repetitions) < TURN {
        repetitions *= 2;
    }
    Ok(repetitions)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
