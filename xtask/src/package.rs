//! The stage `package`: the published crates, packaged and built from the packages.
//!
//! Cargo verifies the crates against each other through a registry in the target directory, and unpacks what it takes
//! from there into its home, once for each version, and builds it once for each version. A crate that has changed since
//! without a new version would be verified against its old self, so that what was unpacked and built before goes first.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::system::run;
use crate::workspace::Workspace;

pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let published = workspace.published()?;
    forget_unpacked(&published)?;
    let target_dir = workspace.target_dir("packaged")?;
    if target_dir.exists() {
        fs::remove_dir_all(&target_dir).with_context(|| format!("removing {}", target_dir.display()))?;
    }
    let mut command = workspace.cargo(["package", "--locked", "--allow-dirty"]);
    command.env("CARGO_TARGET_DIR", target_dir);
    // Named together, the crates are packaged in order of dependency and verified against each other's packages, so
    // this works before any of them is on crates.io.
    for name in &published {
        command.args(["-p", name]);
    }
    run(&mut command)
}

/// Removes our crates from what cargo has unpacked of registries in target directories. Those have no host, so that
/// their folders' names begin with the dash that follows it.
fn forget_unpacked(published: &[String]) -> Result<()> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let Some(sources) = home.map(|home| home.join("registry/src")).filter(|sources| sources.exists()) else {
        return Ok(());
    };
    for registry in entries(&sources)?.into_iter().filter(|path| named(path).starts_with('-')) {
        for unpacked in entries(&registry)? {
            let crate_name = named(&unpacked);
            let is_ours = |name: &String| {
                let version = crate_name.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('-'));
                version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
            };
            if published.iter().any(is_ours) {
                fs::remove_dir_all(&unpacked).with_context(|| format!("removing {}", unpacked.display()))?;
            }
        }
    }
    Ok(())
}

fn entries(folder: &PathBuf) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

fn named(path: &std::path::Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
