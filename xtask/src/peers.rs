//! The independent implementations that the interop tests talk to, installed under `target/peers`.
//!
//! Versions are pinned in `tests/peers`. What is installed there is kept until its list changes: a stamp beside it
//! holds the list it was installed from, written last, so that an interrupted installation starts over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::system::{ensure_system, output, probe, run};
use crate::workspace::Workspace;

/// Succeeds on a Python that can make the virtual environment; the version is the one requirements.txt names.
const PYTHON_PROBE: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";

/// Installs what is missing and returns the path of the Python that has the peers' packages.
pub(crate) fn set_up(workspace: &Workspace) -> Result<PathBuf> {
    let dir = workspace.target_dir("peers")?;
    set_up_node(workspace, &dir.join("node"))?;
    set_up_python(workspace, &dir.join("venv"))
}

/// Installs what is missing of the packages in JavaScript and returns the folder that has them in `node_modules`.
pub(crate) fn set_up_javascript(workspace: &Workspace) -> Result<PathBuf> {
    let dir = workspace.target_dir("peers")?.join("node");
    set_up_node(workspace, &dir)?;
    Ok(dir)
}

/// Where an installed Python package keeps its files.
pub(crate) fn package_folder(python: &Path, package: &str) -> Result<PathBuf> {
    let program = format!("import os, {package}; print(os.path.dirname({package}.__file__))");
    let folder = output(Command::new(python).args(["-c", &program]))?;
    Ok(PathBuf::from(folder.trim()))
}

fn set_up_python(workspace: &Workspace, venv: &Path) -> Result<PathBuf> {
    let requirements = workspace.path("tests/peers/requirements.txt");
    let wanted = read(&requirements)?;
    let python = venv.join("bin/python");
    let stamp = venv.join("requirements.stamp");
    // The Python behind a virtual environment may have been removed since, so it is asked and not only looked for.
    if is_stamped(&stamp, &wanted) && probe(workspace.command(&python).arg("--version")).is_some() {
        return Ok(python);
    }
    run(workspace.command(system_python(workspace)?).args(["-m", "venv", "--clear"]).arg(venv))?;
    let pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--requirement"];
    run(workspace.command(&python).args(pip).arg(&requirements))?;
    write(&stamp, &wanted)?;
    Ok(python)
}

/// The developer's own Python if it will do, else the system's.
fn system_python(workspace: &Workspace) -> Result<&'static str> {
    let find = || ["python3", "/usr/bin/python3"].into_iter().find(|python| suits(workspace.command(python)));
    if let Some(python) = find() {
        return Ok(python);
    }
    ensure_system(&["python3-venv", "python3-pip"], "running the peers")?;
    find().context("the peers need Python 3.11 or newer with venv and pip; no `python3` here is that")
}

fn suits(mut python: Command) -> bool {
    probe(python.args(["-c", PYTHON_PROBE])).is_some()
}

/// Peers written in JavaScript, if `tests/peers/package.json` lists any.
fn set_up_node(workspace: &Workspace, dir: &Path) -> Result<()> {
    let manifest = workspace.path("tests/peers/package.json");
    if !manifest.exists() {
        return Ok(());
    }
    let lock = workspace.path("tests/peers/package-lock.json");
    let locked = lock.exists();
    let mut wanted = read(&manifest)?;
    if locked {
        wanted.push_str(&read(&lock)?);
    }
    let stamp = dir.join("package.stamp");
    if is_stamped(&stamp, &wanted) {
        return Ok(());
    }
    if probe(Command::new("npm").arg("--version")).is_none() {
        ensure_system(&["nodejs", "npm"], "running the peers written in JavaScript")?;
    }
    // npm installs beside the manifest it reads; a copy keeps node_modules out of the sources.
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("removing {}", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    write(&dir.join("package.json"), &read(&manifest)?)?;
    if locked {
        write(&dir.join("package-lock.json"), &read(&lock)?)?;
    }
    let mut npm = workspace.command("npm");
    npm.arg(if locked { "ci" } else { "install" }).args(["--no-audit", "--no-fund"]).current_dir(dir);
    run(&mut npm)?;
    write(&stamp, &wanted)
}

fn is_stamped(stamp: &Path, wanted: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|installed| installed == wanted)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

fn write(path: &Path, content: &str) -> Result<()> {
    fs::write(path, content).with_context(|| format!("writing {}", path.display()))
}
