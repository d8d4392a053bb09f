//! Puts load on OCPP-J servers: on those of this package, to compare them, or on one that runs already.
//!
//! - [`arguments`] is the command line.
//! - [`fleet`] is the generator: very many charge points in one thread.
//! - [`fleets`] has several generators, each in a process of its own.
//! - [`servers`] starts the servers; [`machine`] says what the system has and what a process takes of it.
//! - [`parts`] compares the servers, a part for each question; [`own`] asks a server that runs already.
//! - [`table`] prints.

mod arguments;
mod fleet;
mod fleets;

mod own;
mod parts;
mod servers;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match (&arguments.url, arguments.worker) {
        (Some(url), Some(first)) => fleets::worker::run(url, first, &arguments),
        (Some(url), None) => own::run(url, &arguments),
        (None, _) => parts::run(&arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("onwire-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}
