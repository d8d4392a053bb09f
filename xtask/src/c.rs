//! The `c` stage: `examples/c-charge-point` is compiled against the header and the static library, and its sessions in
//! memory see what `expected.txt` says.
//!
//! Twice, with the hosted library and with the one for bare metal, whose memory the example supplies; where valgrind is
//! installed, it watches both for wrong accesses and leaks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::system::{ensure_system, output, probe, run};
use crate::workspace::Workspace;

const EXAMPLE: &str = "examples/c-charge-point";

/// What the hosted library needs of the system.
const HOSTED: [&str; 3] = ["-lpthread", "-ldl", "-lm"];

/// A host's `core` is compiled for unwinding and names the function that does it, which nothing calls here. On a
/// microcontroller nothing names it.
const BARE: [&str; 1] = ["-Wl,--defsym=rust_eh_personality=0"];

/// Runs the stage.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    if probe(Command::new("cc").arg("--version")).is_none() {
        ensure_system(&["gcc", "libc6-dev"], "compiling the example in C")?;
    }
    let folder = workspace.target_dir("c")?;
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;

    run(&mut workspace.cargo(["build", "--locked", "-p", "onwire-c"]))?;
    let hosted = folder.join("hosted");
    compile(workspace, &["main.c", "charge_point.c", "self_test.c"], "debug", &HOSTED, &hosted)?;
    play(workspace, &hosted)?;

    let build = ["build", "--locked", "-p", "onwire-c", "--no-default-features", "--profile", "firmware"];
    run(&mut workspace.cargo(build))?;
    let bare = folder.join("bare");
    compile(workspace, &["main.c", "charge_point.c", "self_test.c", "bare.c"], "firmware", &BARE, &bare)?;
    play(workspace, &bare)
}

fn compile(workspace: &Workspace, sources: &[&str], profile: &str, options: &[&str], program: &Path) -> Result<()> {
    let sources = sources.iter().map(|source| Path::new(EXAMPLE).join(source));
    let mut command = workspace.command("cc");
    command.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-I", "firmware/c/include"]);
    command.args(sources).arg(workspace.target_dir(profile)?.join("libonwire_c.a"));
    run(command.args(options).arg("-o").arg(program))
}

fn play(workspace: &Workspace, program: &PathBuf) -> Result<()> {
    let expected = workspace.path(EXAMPLE).join("expected.txt");
    let wanted = fs::read_to_string(&expected).with_context(|| format!("reading {}", expected.display()))?;
    let printed = output(workspace.command(program).arg("--self-test"))?;
    if printed != wanted {
        let actual = program.with_extension("txt");
        fs::write(&actual, printed).with_context(|| format!("writing {}", actual.display()))?;
        bail!("the sessions saw something else: compare {} with {}", actual.display(), expected.display());
    }
    if probe(Command::new("valgrind").arg("--version")).is_none() {
        println!("onwire: no valgrind here, so that nobody looks for leaks");
        return Ok(());
    }
    let mut valgrind = workspace.command("valgrind");
    valgrind.args(["--quiet", "--error-exitcode=1", "--leak-check=full"]);
    valgrind.args(["--show-leak-kinds=all", "--errors-for-leak-kinds=all"]);
    let watched = output(valgrind.arg(program).arg("--self-test"))?;
    ensure!(watched == wanted, "under valgrind the sessions saw something else");
    Ok(())
}
