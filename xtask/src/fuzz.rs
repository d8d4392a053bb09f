//! `cargo xtask fuzz`: the targets of `tests/fuzz` under libFuzzer.
//!
//! cargo-fuzz is what builds them; without a sanitizer it takes any toolchain, and there is no unsafe code here for one to
//! watch. The programs are started by this one, so that inputs and findings are under `target/fuzz` and not among the sources.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::system::{ensure_system, output, probe, run as run_command};
use crate::workspace::Workspace;

const VERSION: &str = "0.13.2";

/// For each target, as a stage of `cargo xtask test`.
const GLANCE: u64 = 2;

/// The stage. It begins with the same chance each time, so that what it says of one state of the code it says again.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    fuzz(workspace, &[], &[format!("-max_total_time={GLANCE}"), "-seed=1".to_owned()])
}

/// Runs the named targets one after the other, all if none is named, each for so many seconds.
pub(crate) fn run(workspace: &Workspace, names: &[String], seconds: u64) -> Result<()> {
    fuzz(workspace, names, &[format!("-max_total_time={seconds}")])
}

fn fuzz(workspace: &Workspace, names: &[String], budget: &[String]) -> Result<()> {
    // No program of its own, as cargo-fuzz would take it for a target.
    let mut seeds =
        workspace.cargo(["run", "--quiet", "--locked", "-p", "onwire-fuzz", "--example", "onwire-fuzz-seeds"]);
    let known = output(&mut seeds)?;
    let known: Vec<&str> = known.lines().collect();
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("no target is called {name}; there are {}", known.join(", "));
    }
    let dir = workspace.target_dir("fuzz")?;
    let programs = build(workspace, &dir)?;
    let mut found = Vec::new();
    for name in known.into_iter().filter(|known| names.is_empty() || names.iter().any(|name| name == known)) {
        let (corpus, findings) = (dir.join("corpus").join(name), dir.join("findings").join(name));
        fs::create_dir_all(&findings).with_context(|| format!("making {}", findings.display()))?;
        let mut seeds = workspace.cargo([
            "run",
            "--quiet",
            "--locked",
            "-p",
            "onwire-fuzz",
            "--example",
            "onwire-fuzz-seeds",
            "--",
        ]);
        run_command(seeds.arg(name).arg(&corpus))?;
        let mut program = workspace.command(programs.join(name));
        program.arg(&corpus).arg(format!("-artifact_prefix={}/", findings.display()));
        program.args(budget).args([
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-max_len=16384",
            "-print_final_stats=1",
            "-verbosity=0",
            "-detect_leaks=0",
        ]);
        if run_command(&mut program).is_err() {
            found.push(format!("{name} (the input is in {})", findings.display()));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    bail!("found something: {}", found.join(", "))
}

/// Builds all targets; the folder that they are in.
fn build(workspace: &Workspace, dir: &Path) -> Result<PathBuf> {
    let tools = install(workspace)?;
    if probe(workspace.command("c++").arg("--version")).is_none() {
        ensure_system(&["g++"], "building libFuzzer")?;
    }
    let mut command = workspace.cargo(["fuzz", "build", "--sanitizer", "none", "--features", "libfuzzer"]);
    command.args(["--fuzz-dir", "tests/fuzz", "--target-dir"]).arg(dir);
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([tools].into_iter().chain(env::split_paths(&path))).context("extending PATH")?;
    run_command(command.env("PATH", path))?;
    let version = output(workspace.command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("`rustc -vV` names no host")?;
    Ok(dir.join(host).join("release"))
}

/// cargo-fuzz, under the target directory if the developer has none; the folder that it is in.
fn install(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.target_dir("tools")?;
    let folder = root.join("bin");
    let is_there = |program: PathBuf| {
        let version = probe(workspace.command(program).arg("--version"));
        version.is_some_and(|version| version.trim().ends_with(VERSION))
    };
    if !is_there("cargo-fuzz".into()) && !is_there(folder.join("cargo-fuzz")) {
        let mut command = workspace.cargo(["install", "cargo-fuzz", "--locked", "--version", VERSION, "--root"]);
        run_command(command.arg(&root).env("CARGO_TARGET_DIR", root.join("build")))?;
    }
    Ok(folder)
}
