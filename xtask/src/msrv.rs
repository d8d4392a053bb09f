//! The `msrv` stage: the `rust-version` in Cargo.toml is a promise to users, so it is compiled with, and no
//! dependency of a published crate may ask for more.

use std::collections::{HashMap, HashSet};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::stages::net_features;
use crate::system::{output, probe, run};
use crate::workspace::{Workspace, list, text};

type Version = (u32, u32, u32);

/// Runs the stage.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let published = workspace.published()?;
    let metadata = workspace.metadata(&["--locked", "--all-features"])?;
    let declared = declared(&metadata, &published)?;
    check_dependencies(&metadata, &published, declared)?;
    compile(workspace, &published, declared)
}

/// The one version all published crates declare.
fn declared(metadata: &Value, published: &[String]) -> Result<Version> {
    let mut versions = HashSet::new();
    for package in members(metadata, published)? {
        let name = text(package, "name")?;
        let version = text(package, "rust_version").with_context(|| format!("{name} declares no rust-version"))?;
        versions.insert(parse(version)?);
    }
    let mut versions = versions.into_iter();
    match (versions.next(), versions.next()) {
        (Some(version), None) => Ok(version),
        _ => bail!("the published crates do not declare one common rust-version"),
    }
}

/// Follows normal and build dependencies only: what tests and benchmarks need does not reach users.
fn check_dependencies(metadata: &Value, published: &[String], declared: Version) -> Result<()> {
    let mut packages = HashMap::new();
    for package in list(metadata, "packages")? {
        packages.insert(text(package, "id")?, package);
    }
    let resolve = metadata.get("resolve").context("`cargo metadata` resolved nothing")?;
    let mut nodes = HashMap::new();
    for node in list(resolve, "nodes")? {
        nodes.insert(text(node, "id")?, node);
    }

    let mut seen = HashSet::new();
    let mut open = Vec::new();
    for package in members(metadata, published)? {
        open.push(text(package, "id")?);
    }
    let mut too_new = Vec::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let package = packages.get(id).with_context(|| format!("`cargo metadata` does not describe {id}"))?;
        if let Some(version) = package.get("rust_version").and_then(Value::as_str)
            && parse(version)? > declared
        {
            too_new.push(format!("{} {} needs {version}", text(package, "name")?, text(package, "version")?));
        }
        let node = nodes.get(id).with_context(|| format!("`cargo metadata` does not resolve {id}"))?;
        for dependency in list(node, "deps")? {
            let reaches_users = |kind: &Value| kind.get("kind").and_then(Value::as_str) != Some("dev");
            if list(dependency, "dep_kinds")?.iter().any(reaches_users) {
                open.push(text(dependency, "pkg")?);
            }
        }
    }
    if !too_new.is_empty() {
        too_new.sort_unstable();
        bail!("dependencies ask for a newer Rust than {}: {}", minor(declared), too_new.join(", "));
    }
    println!("none of {} packages asks for a newer Rust than {}", seen.len(), minor(declared));
    Ok(())
}

fn compile(workspace: &Workspace, published: &[String], declared: Version) -> Result<()> {
    let minor = minor(declared);
    let running = output(workspace.command("rustc").arg("--version"))?;
    if is_toolchain(running.split_whitespace().nth(1).unwrap_or_default(), &minor) {
        println!("the running {} is that version: the other stages compile with it", running.trim_end());
        return Ok(());
    }
    let toolchains = probe(Command::new("rustup").args(["toolchain", "list"])).unwrap_or_default();
    let mut names = toolchains.lines().filter_map(|line| line.split_whitespace().next());
    let toolchain = names.find(|name| is_toolchain(name, &minor)).with_context(|| {
        format!(
            "the running {} is not {minor}; install that with: rustup toolchain install {minor}",
            running.trim_end()
        )
    })?;
    // Not `cargo +{toolchain}`: the cargo that started us is the toolchain's own, which does not know `+`.
    let mut command = workspace.command("rustup");
    command.args(["run", toolchain, "cargo", "check", "--locked", "--features", net_features()?]);
    for name in published {
        command.args(["-p", name]);
    }
    run(command.env_remove("RUSTC").env_remove("RUSTDOC"))
}

/// Published members as metadata describes them.
fn members<'a>(metadata: &'a Value, published: &[String]) -> Result<Vec<&'a Value>> {
    let local = |package: &&Value| package.get("source").is_some_and(Value::is_null);
    let named = |package: &&Value| text(package, "name").is_ok_and(|name| published.iter().any(|p| p == name));
    Ok(list(metadata, "packages")?.iter().filter(local).filter(named).collect())
}

/// `1.95` and `1.95.0` mean the same.
fn parse(version: &str) -> Result<Version> {
    let mut parts = version.split('.').map(str::parse);
    let mut part = || parts.next().unwrap_or(Ok(0)).map_err(|_| anyhow!("`{version}` is not a rust-version"));
    Ok((part()?, part()?, part()?))
}

fn minor((major, minor, _): Version) -> String {
    format!("{major}.{minor}")
}

/// Whether a toolchain's name or version (`1.95.0-x86_64-unknown-linux-gnu`, `1.95.1`) is of the release `minor`.
/// Betas and nightlies of that number are not it: the promise is about the release.
fn is_toolchain(name: &str, minor: &str) -> bool {
    let Some(rest) = name.strip_prefix(minor) else { return false };
    let patch_or_host = rest.is_empty() || rest.starts_with(['.', '-']);
    patch_or_host && !rest.contains("-beta") && !rest.contains("-nightly")
}

#[cfg(test)]
mod tests {
    use super::{check_dependencies, is_toolchain, parse};
    use serde_json::{Value, json};

    #[test]
    fn versions() {
        assert_eq!(parse("1.95").unwrap(), parse("1.95.0").unwrap());
        assert!(parse("1.100").unwrap() > parse("1.95.1").unwrap());
        assert!(parse("new").is_err());
    }

    #[test]
    fn toolchains() {
        for name in ["1.95", "1.95.0", "1.95.1-x86_64-unknown-linux-gnu", "1.95-x86_64-unknown-linux-gnu"] {
            assert!(is_toolchain(name, "1.95"), "{name}");
        }
        for name in ["1.9", "1.950", "stable", "1.96.0", "1.95.0-nightly", "1.95.0-beta.3", ""] {
            assert!(!is_toolchain(name, "1.95"), "{name}");
        }
    }

    /// `ours` depends on `theirs`, which wants Rust 1.96, in the given way.
    fn metadata(kind: Value) -> Value {
        json!({
            "packages": [
                { "id": "a", "name": "ours", "version": "0.1.0", "source": null, "rust_version": "1.95" },
                { "id": "b", "name": "theirs", "version": "2.0.0", "source": "registry", "rust_version": "1.96" },
            ],
            "resolve": { "nodes": [
                { "id": "a", "deps": [{ "pkg": "b", "dep_kinds": [{ "kind": kind }] }] },
                { "id": "b", "deps": [] },
            ] },
        })
    }

    #[test]
    fn a_dependency_that_reaches_users_counts() {
        for kind in [Value::Null, json!("build")] {
            let error = check_dependencies(&metadata(kind), &["ours".to_owned()], (1, 95, 0)).unwrap_err();
            assert!(error.to_string().ends_with("than 1.95: theirs 2.0.0 needs 1.96"), "{error}");
        }
        check_dependencies(&metadata(json!("dev")), &["ours".to_owned()], (1, 95, 0)).unwrap();
    }
}
