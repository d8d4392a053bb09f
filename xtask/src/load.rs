//! `cargo xtask load`: builds the load tool and the servers that it compares, a workspace of their own like the
//! benchmarks, and runs it.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

use crate::peers;
use crate::system::{ensure_system, probe, run as run_command};
use crate::workspace::Workspace;

/// Runs the tool in `tests/load`; `args` are its own.
pub(crate) fn run(workspace: &Workspace, args: &[OsString]) -> Result<()> {
    let mut command = tool(workspace, "onwire-load")?;
    command.args(args);
    if compares(args) {
        // One server of many: without it the others are still worth measuring.
        match peers::set_up(workspace) {
            Ok(python) => {
                command.env("ONWIRE_PEERS_PYTHON", python);
            }
            Err(error) => eprintln!("onwire: Python's ocpp is not measured: {error:#}"),
        }
    }
    run_command(&mut command)
}

/// Runs the tool that compares platforms for devices that speak Alink.
pub(crate) fn run_alink(workspace: &Workspace, args: &[OsString]) -> Result<()> {
    ensure_system(&["mosquitto"], "what platforms are compared with")?;
    run_command(&mut workspace.cargo(["build", "--release", "-p", "alink-hub"]))?;
    let mut command = tool(workspace, "alink_load")?;
    command.arg("--hub").arg(workspace.target_dir("release")?.join("alink-hub")).arg(workspace.path("schemas/thing"));
    run_command(command.args(args))
}

/// Builds the package and gives the command of one of its programs.
fn tool(workspace: &Workspace, name: &str) -> Result<Command> {
    let target = workspace.target_dir("load")?;
    let mut build = workspace.cargo(["build", "--release", "--manifest-path", "tests/load/Cargo.toml"]);
    if has_openssl() {
        build.args(["--features", "openssl"]);
    }
    run_command(build.env("CARGO_TARGET_DIR", &target))?;
    Ok(workspace.command(target.join("release").join(name)))
}

/// Whether a program can be built against OpenSSL; without it one server of many is not measured.
fn has_openssl() -> bool {
    probe(Command::new("pkg-config").args(["--exists", "openssl"])).is_some()
}

/// Whether other servers are needed, rather than one of the user's or none at all.
fn compares(args: &[OsString]) -> bool {
    !args.iter().filter_map(|arg| arg.to_str()).any(|arg| arg.starts_with("--url") || arg == "--help" || arg == "-h")
}

#[cfg(test)]
mod tests {
    use super::compares;

    #[test]
    fn a_server_of_the_users_needs_no_others() {
        assert!(compares(&["--quick".into(), "idle".into()]));
        assert!(!compares(&["--connections".into(), "9".into(), "--url=ws://127.0.0.1:8080/ocpp/".into()]));
        assert!(!compares(&["--help".into()]));
    }
}
