//! `cargo xtask bench`: the benchmarks, which are a workspace of their own because their dependencies are heavy,
//! and the time a user waits for a first build.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::peers;
use crate::system::run as run_command;
use crate::workspace::Workspace;

/// Runs `cargo bench` in `tests/benches`; `args` may hold a `--` of their own and arguments for the harness after it.
pub(crate) fn run(workspace: &Workspace, args: &[OsString]) -> Result<()> {
    let mut command = workspace.cargo(["bench", "--manifest-path", "tests/benches/Cargo.toml"]);
    command.args(args).env("CARGO_TARGET_DIR", workspace.target_dir("benches")?);
    // One contender of many: without it the others are still worth measuring.
    match peers::set_up(workspace) {
        Ok(python) => {
            command.env("ONWIRE_PEERS_PYTHON", python);
        }
        Err(error) => eprintln!("onwire: Python's ocpp is not measured: {error:#}"),
    }
    run_command(&mut command)?;
    // Without link-time optimization, as most programs are built, which would hide what is not inlined.
    run_command(&mut workspace.cargo(["bench", "--locked", "-p", "onwire-outside"]))
}

/// Prints how long a release build of the minimal central system takes with no earlier build to start from.
pub(crate) fn clean_build(workspace: &Workspace) -> Result<()> {
    let target_dir = workspace.target_dir("clean-build")?;
    // Downloads are no part of what is measured.
    run_command(&mut workspace.cargo(["fetch", "--locked"]))?;
    remove(&target_dir)?;
    let build = ["build", "--release", "--locked", "-p", "first-steps", "--bin", "central_system"];
    let mut command = workspace.cargo(build);
    command.env("CARGO_TARGET_DIR", &target_dir);
    let start = Instant::now();
    let result = run_command(&mut command);
    let took = start.elapsed();
    remove(&target_dir)?;
    result?;
    println!("onwire: clean release build of central_system: {:.1} seconds", took.as_secs_f64());
    Ok(())
}

fn remove(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("removing {}", dir.display()))?;
    }
    Ok(())
}
