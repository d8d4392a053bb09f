//! The `no-std` stage: the core builds for microcontrollers, shown by the package `onwire-no-std-check` and by the static
//! library for C.
//!
//! Host builds cannot show this: a dependency that needs the standard library compiles there in any case. The
//! targets are one Arm with atomics and one RISC-V without.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::system::{ensure_system, output, run};
use crate::workspace::Workspace;

const TARGETS: [&str; 2] = ["thumbv7em-none-eabihf", "riscv32imc-unknown-none-elf"];

/// Debian's second Rust, which follows the current release and brings its sources.
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// Runs the stage.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    // A directory of its own, so that neither another toolchain nor `-Zbuild-std` invalidates everyday builds.
    let target_dir = workspace.target_dir("no-std")?;
    for target in TARGETS {
        let mut command = cargo_build(workspace, target)?;
        command.args(["--release", "--locked", "-p", "onwire-no-std-check", "-p", "onwire-c", "--no-default-features"]);
        run(command.env("CARGO_TARGET_DIR", &target_dir))?;
    }
    Ok(())
}

/// `cargo build` for a microcontroller, by whichever toolchain here can do that.
pub(crate) fn cargo_build(workspace: &Workspace, target: &str) -> Result<Command> {
    let mut command = if has_target(workspace, target)? {
        workspace.cargo(["build"])
    } else {
        let mut command = debian_cargo(workspace, target)?;
        command.args(["build", "-Zbuild-std=core,alloc"]);
        command
    };
    command.args(["--target", target]);
    Ok(command)
}

/// Whether the running toolchain has the target's libraries. Asked of rustc and not of rustup, which need not be
/// where the toolchain comes from; rustc names the directory whether or not it exists.
fn has_target(workspace: &Workspace, target: &str) -> Result<bool> {
    let libraries = output(workspace.command("rustc").args(["--print", "target-libdir", "--target", target]))?;
    Ok(Path::new(libraries.trim_end()).is_dir())
}

/// Where rustup's servers cannot be reached, Debian's toolchain builds `core` and `alloc` from its own sources.
fn debian_cargo(workspace: &Workspace, target: &str) -> Result<Command> {
    ensure_system(&DEBIAN_PACKAGES, "building for a microcontroller")
        .with_context(|| format!("the target {target} is not installed: run `rustup target add {target}`, or else"))?;
    let mut path = OsString::from("/usr/bin");
    if let Some(inherited) = env::var_os("PATH") {
        path.push(":");
        path.push(inherited);
    }
    let mut command = workspace.command("/usr/bin/cargo");
    for name in ["CARGO", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    // RUSTC_BOOTSTRAP: `-Zbuild-std` is accepted by nightlies only, and this is a release.
    command.env("PATH", path).env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    Ok(command)
}
