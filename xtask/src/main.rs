//! The workspace's task runner, started as `cargo xtask`.
//!
//! Everything continuous integration checks is a stage of `cargo xtask test`, so that a contributor can run exactly
//! the same checks before pushing. This file holds the command line only; each task lives in a module of its own.

mod api;
mod bench;
mod browser;
mod c;
mod flash;
mod fuzz;
mod load;
mod msrv;
mod no_std;
mod package;
mod peers;
mod postgres;
mod proxy;
mod runner;
mod serving;
mod stages;
mod system;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

use crate::workspace::Workspace;

/// Tasks of the onwire workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run everything continuous integration checks, stage by stage
    Test(TestArgs),
    /// Install the programs the interop tests talk to, under target/peers
    Peers,
    /// Run the benchmarks of tests/benches, or time a clean build
    Bench(BenchArgs),
    /// Weigh the codec of OCPP 1.6 in firmware images, against the goal for a device's flash
    Flash(FlashArgs),
    /// Let libFuzzer look for bytes that break what reads them: the targets of tests/fuzz
    Fuzz(FuzzArgs),
    /// Put load on OCPP servers, ours and others or one of your own (docs/LOAD.md); `load --help` says how
    #[command(disable_help_flag = true)]
    Load(LoadArgs),
    /// Compare platforms for devices that speak Alink: ours, `alink-hub` and mosquitto; `load-alink --help` says how
    #[command(disable_help_flag = true)]
    LoadAlink(LoadArgs),
}

#[derive(Args)]
struct TestArgs {
    /// Run only this stage (may be repeated)
    #[arg(long = "stage", value_name = "NAME", value_parser = PossibleValuesParser::new(stages::names()))]
    stages: Vec<String>,
    /// Run the remaining stages after one has failed
    #[arg(long)]
    keep_going: bool,
    /// List the stages and stop
    #[arg(long)]
    list: bool,
}

#[derive(Args)]
struct BenchArgs {
    /// Time a release build of the minimal central system from nothing instead
    #[arg(long, conflicts_with = "args")]
    clean_build: bool,
    /// Passed on to `cargo bench`
    #[arg(last = true)]
    args: Vec<OsString>,
}

#[derive(Args)]
struct FlashArgs {
    /// Leave out the table of actions, which takes two images for each
    #[arg(long)]
    totals: bool,
    /// How many of the largest symbols to list
    #[arg(long, value_name = "NUMBER", default_value_t = 25)]
    symbols: usize,
}

#[derive(Args)]
struct FuzzArgs {
    /// Which of the targets; all if none is named
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// For how long, each
    #[arg(long, value_name = "NUMBER", default_value_t = 60)]
    seconds: u64,
}

#[derive(Args)]
struct LoadArgs {
    /// Passed on to the tool
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("onwire: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(task: Task) -> Result<ExitCode> {
    match task {
        Task::Test(args) if args.list => {
            stages::list();
            Ok(ExitCode::SUCCESS)
        }
        Task::Test(args) => {
            let workspace = Workspace::find()?;
            Ok(runner::run(&stages::select(&args.stages), &workspace, args.keep_going))
        }
        Task::Peers => {
            let python = peers::set_up(&Workspace::find()?)?;
            println!("onwire: the peers run with {}", python.display());
            Ok(ExitCode::SUCCESS)
        }
        Task::Bench(args) => {
            let workspace = Workspace::find()?;
            if args.clean_build {
                bench::clean_build(&workspace)?;
            } else {
                bench::run(&workspace, &args.args)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::Flash(args) => {
            flash::run(&Workspace::find()?, args.totals, args.symbols)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Fuzz(args) => {
            fuzz::run(&Workspace::find()?, &args.targets, args.seconds)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Load(args) => {
            load::run(&Workspace::find()?, &args.args)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::LoadAlink(args) => {
            load::run_alink(&Workspace::find()?, &args.args)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
