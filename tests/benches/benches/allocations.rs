//! Allocations per message; a buffer that is reused has grown before.

use std::alloc::System;
use std::error::Error;
use std::io;

use onwire_benches::comparison::{Comparison, Contender};
use onwire_benches::{contenders, table};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<(), Box<dyn Error>> {
    let mut rows = Vec::new();
    // What another process allocates is not counted here.
    for comparison in &mut contenders::all(None)? {
        rows.extend(count(comparison)?);
    }
    table::print(["Message", "Operation", "Contender", "allocations", "bytes allocated"], &rows);
    Ok(())
}

fn count(Comparison { message, operation, contenders }: &mut Comparison) -> io::Result<Vec<table::Row>> {
    let count = |contender: &mut Contender| {
        contender.time(1)?;
        let region = Region::new(GLOBAL);
        contender.time(1)?;
        let used = region.change();
        let allocations = used.allocations + used.reallocations;
        let name = contender.name.clone();
        Ok([message.clone(), (*operation).into(), name, allocations.to_string(), used.bytes_allocated.to_string()])
    };
    contenders.iter_mut().map(count).collect()
}
