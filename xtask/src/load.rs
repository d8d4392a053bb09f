//! `cargo xtask load`: builds the load tool and the servers that it compares, a workspace of their own like the
//! benchmarks, and runs it.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

use crate::peers;
use crate::system::{probe, run as run_command};
use crate::workspace::Workspace;

/// Runs the tool in `tests/load`; `args` are its own.
pub(crate) fn run(workspace: &Workspace, args: &[OsString]) -> Result<()> {
    let target = workspace.target_dir("load")?;
    let mut build = workspace.cargo(["build", "--release", "--manifest-path", "tests/load/Cargo.toml"]);
    if has_openssl() {
        build.args(["--features", "openssl"]);
    }
    run_command(build.env("CARGO_TARGET_DIR", &target))?;
    let mut command = workspace.command(target.join("release/onwire-load"));
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
