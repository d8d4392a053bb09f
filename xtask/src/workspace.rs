//! Where the workspace is, and how cargo is started in it.
//!
//! Every inner cargo goes through [`Workspace::cargo`], because the variables that the outer `cargo run` leaves in
//! the environment describe this crate and this toolchain, and must not reach what is built next.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use crate::system;

/// The workspace the current directory belongs to.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Asks cargo rather than `env!("CARGO_MANIFEST_DIR")`: a path fixed at compile time is wrong once the checkout
    /// moves or a cached binary is reused.
    pub(crate) fn find() -> Result<Self> {
        let mut locate = Command::new(cargo_program());
        locate.args(["locate-project", "--workspace", "--message-format", "plain"]);
        let manifest = PathBuf::from(system::output(&mut locate)?.trim_end());
        let root = manifest.parent().context("cargo named a manifest that is in no directory")?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// A path inside the checkout.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// The running toolchain's cargo, at the root.
    pub(crate) fn cargo<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I) -> Command {
        let mut command = self.command(cargo_program());
        command.args(args);
        command
    }

    /// Any program, started at the root without what the outer cargo left in the environment.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(is_left_by_cargo) {
                command.env_remove(name);
            }
        }
        command
    }

    /// `cargo metadata` with `args`.
    pub(crate) fn metadata(&self, args: &[&str]) -> Result<Value> {
        let mut command = self.cargo(["metadata", "--format-version", "1"]);
        serde_json::from_str(&system::output(command.args(args))?).context("reading what `cargo metadata` printed")
    }

    /// A directory of cargo's target directory, wherever the developer has put that.
    pub(crate) fn target_dir(&self, name: &str) -> Result<PathBuf> {
        let metadata = self.metadata(&["--no-deps"])?;
        Ok(Path::new(text(&metadata, "target_directory")?).join(name))
    }

    /// Names of the members that are published: all whose `publish` is not `false`, which metadata shows as `[]`.
    pub(crate) fn published(&self) -> Result<Vec<String>> {
        let metadata = self.metadata(&["--no-deps"])?;
        let mut names = Vec::new();
        for package in list(&metadata, "packages")? {
            let withheld = package.get("publish").and_then(Value::as_array).is_some_and(Vec::is_empty);
            if !withheld {
                names.push(text(package, "name")?.to_owned());
            }
        }
        Ok(names)
    }
}

/// The text under `key` of a metadata object.
pub(crate) fn text<'a>(object: &'a Value, key: &str) -> Result<&'a str> {
    object.get(key).and_then(Value::as_str).ok_or_else(|| anyhow!("`cargo metadata` gave no text `{key}`"))
}

/// The array under `key` of a metadata object.
pub(crate) fn list<'a>(object: &'a Value, key: &str) -> Result<&'a [Value]> {
    let array = object.get(key).and_then(Value::as_array);
    array.map(Vec::as_slice).ok_or_else(|| anyhow!("`cargo metadata` gave no list `{key}`"))
}

/// The cargo that started this program; it keeps a `cargo +toolchain xtask` on that toolchain.
pub(crate) fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// What `cargo run` sets for the program it starts. A developer's own settings (`CARGO_HOME`, `CARGO_TARGET_DIR`,
/// `CARGO_NET_*`, `RUSTFLAGS`, ...) are none of these and stay.
fn is_left_by_cargo(name: &str) -> bool {
    // On Linux the library path begins with the outer toolchain's directories; inner cargos add their own.
    const NAMES: [&str; 6] = [
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_PRIMARY_PACKAGE",
        "LD_LIBRARY_PATH",
    ];
    name.starts_with("CARGO_PKG_") || NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::is_left_by_cargo;

    #[test]
    fn only_what_cargo_run_sets_is_removed() {
        assert!(is_left_by_cargo("CARGO_PKG_NAME"));
        assert!(is_left_by_cargo("CARGO_MANIFEST_DIR"));
        for kept in ["CARGO", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_TERM_COLOR", "RUSTFLAGS"] {
            assert!(!is_left_by_cargo(kept), "{kept}");
        }
    }
}
