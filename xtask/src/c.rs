//! The `c` stage: `examples/c-charge-point` is compiled against the header and the static library, its sessions in memory
//! see what `expected.txt` says, and it charges on a WebSocket at central systems, ours and others.
//!
//! Twice, with the hosted library and with the one for bare metal, whose memory the example supplies; where valgrind is
//! installed, it watches for wrong accesses and leaks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::peers;
use crate::system::{ensure_system, output, probe, run};
use crate::workspace::Workspace;

const EXAMPLE: &str = "examples/c-charge-point";

const SOURCES: [&str; 8] =
    ["main.c", "charge_point.c", "configuration.c", "json.c", "board.c", "lines.c", "websocket.c", "self_test.c"];

/// What the hosted library needs of the system, and the example.
const HOSTED: [&str; 4] = ["-lwebsockets", "-lpthread", "-ldl", "-lm"];

/// A host's `core` is compiled for unwinding and names the function that does it, which nothing calls here. On a
/// microcontroller nothing names it.
const BARE: [&str; 2] = ["-lwebsockets", "-Wl,--defsym=rust_eh_personality=0"];

const VALGRIND: &str = "valgrind";

/// Runs the stage.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    if probe(Command::new("cc").arg("--version")).is_none() {
        ensure_system(&["gcc", "libc6-dev"], "compiling the example in C")?;
    }
    // Its header includes OpenSSL's.
    ensure_system(&["libwebsockets-dev", "libssl-dev"], "the WebSocket of the example in C")?;
    let watched = probe(Command::new(VALGRIND).arg("--version")).is_some();
    if !watched {
        println!("onwire: no valgrind here, so that nobody looks for leaks");
    }
    let folder = workspace.target_dir("c")?;
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;

    run(&mut workspace.cargo(["build", "--locked", "-p", "onwire-c"]))?;
    let hosted = folder.join("hosted");
    compile(workspace, &SOURCES, "debug", &HOSTED, &hosted)?;
    play(workspace, &hosted, watched)?;

    let build = ["build", "--locked", "-p", "onwire-c", "--no-default-features", "--profile", "firmware"];
    run(&mut workspace.cargo(build))?;
    let bare = folder.join("bare");
    compile(workspace, &[&SOURCES[..], &["bare.c"]].concat(), "firmware", &BARE, &bare)?;
    play(workspace, &bare, watched)?;

    let python = peers::set_up(workspace)?;
    run(&mut workspace.cargo(["build", "--locked", "-p", "csms"]))?;
    connect(workspace, &python, &hosted, watched)?;
    // Under valgrind it would say nothing new.
    connect(workspace, &python, &bare, false)
}

fn compile(workspace: &Workspace, sources: &[&str], profile: &str, options: &[&str], program: &Path) -> Result<()> {
    let sources = sources.iter().map(|source| Path::new(EXAMPLE).join(source));
    let mut command = workspace.command("cc");
    command.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-I", "firmware/c/include"]);
    command.args(sources).arg(workspace.target_dir(profile)?.join("libonwire_c.a"));
    run(command.args(options).arg("-o").arg(program))
}

/// Its sessions in memory.
fn play(workspace: &Workspace, program: &PathBuf, watched: bool) -> Result<()> {
    let expected = workspace.path(EXAMPLE).join("expected.txt");
    let wanted = fs::read_to_string(&expected).with_context(|| format!("reading {}", expected.display()))?;
    let printed = output(workspace.command(program).arg("--self-test"))?;
    if printed != wanted {
        let actual = program.with_extension("txt");
        fs::write(&actual, printed).with_context(|| format!("writing {}", actual.display()))?;
        bail!("the sessions saw something else: compare {} with {}", actual.display(), expected.display());
    }
    if !watched {
        return Ok(());
    }
    let mut valgrind = workspace.command(VALGRIND);
    valgrind.args(["--quiet", "--error-exitcode=1", "--leak-check=full"]);
    valgrind.args(["--show-leak-kinds=all", "--errors-for-leak-kinds=all"]);
    let seen = output(valgrind.arg(program).arg("--self-test"))?;
    ensure!(seen == wanted, "under valgrind the sessions saw something else");
    Ok(())
}

/// Its sessions with central systems.
fn connect(workspace: &Workspace, python: &Path, program: &Path, watched: bool) -> Result<()> {
    let test = ["test", "--locked", "-p", "onwire-tests", "--features", "onwire-tests/interop"];
    let mut command = workspace.cargo(test);
    command.args(["--test", "c_charge_point"]);
    command.env("ONWIRE_PEERS_PYTHON", python).env("ONWIRE_PROGRAMS", workspace.target_dir("debug")?);
    command.env("ONWIRE_C_PROGRAM", program);
    if watched {
        command.env("ONWIRE_VALGRIND", VALGRIND);
    } else {
        command.env_remove("ONWIRE_VALGRIND");
    }
    run(&mut command)
}
