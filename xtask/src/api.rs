//! The REST interfaces of `examples/csms` and `examples/alink-hub` against their own OpenAPI documents, by schemathesis.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::peers;
use crate::serving::{Running, Serving};
use crate::system::run;
use crate::workspace::Workspace;

/// A run can be repeated with it.
const SEED: &str = "20260101";

/// What an answer must be. Whether each request that the document allows succeeds is not among them: most of them need
/// something that is there, or a charge point that agrees.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,unsupported_method,ensure_resource_availability";

/// A program that is tried.
struct Tried {
    name: &'static str,
    /// For fuzzing and for walks from one request to the next, in seconds.
    time: &'static str,
    /// Paths that are left out.
    excluded: &'static str,
}

/// Requests that change who may do what would end the run, and events have no end.
const CSMS: Tried = Tried { name: "csms", time: "120", excluded: "/(users|tokens|login|logout|events)" };

/// Smaller, and tried for as long as that takes.
const ALINK_HUB: Tried = Tried { name: "alink-hub", time: "45", excluded: "/events" };

/// Tries everything, each time with somebody who is connected.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let python = peers::set_up(workspace)?;
    let programs = ["csms", "charge-point", "alink-hub", "alink-device"];
    run(workspace.cargo(["build", "--locked"]).args(programs.iter().flat_map(|program| ["-p", program])))?;
    csms(workspace, &python)?;
    alink_hub(workspace, &python)
}

/// With a charge point that stays.
fn csms(workspace: &Workspace, python: &Path) -> Result<()> {
    let folder = folder(workspace, &CSMS)?;
    let csms = Serving::csms(workspace, &folder.join("data"), &["--id-tag", "TAG1"])?;
    let url = csms.devices.replace("{identity}", "CP1");
    let program = workspace.target_dir("debug")?.join("charge-point");
    // A session of its own first, so that there is a transaction.
    run(workspace.command(&program).args([&url, "--charge", "1"]))?;
    let mut charge_point = workspace.command(program);
    charge_point.args([&url, "--obey"]);
    let _charge_point = Running::start(charge_point)?;
    try_all(workspace, python, &CSMS, &csms.base, &folder)
}

/// With a tracker that stays, and one that never comes.
fn alink_hub(workspace: &Workspace, python: &Path) -> Result<()> {
    let folder = folder(workspace, &ALINK_HUB)?;
    let hub = Serving::alink_hub(workspace, &folder.join("data"))?;
    for name in ["T1", "T2"] {
        let device = format!(r#"{{"productKey":"tracker","deviceName":"{name}","deviceSecret":"secret of {name}"}}"#);
        hub.post("/api/v1/devices", &device)?;
    }
    let mut device = workspace.command(workspace.target_dir("debug")?.join("alink-device"));
    device.args([&hub.devices, "--device-name", "T1", "--device-secret", "secret of T1"]);
    device.arg("--data").arg(folder.join("device")).env("RUST_LOG", "error");
    let mut device = Running::start(device)?;
    device.until(|line| line.starts_with("posted").then_some(()))?;
    try_all(workspace, python, &ALINK_HUB, &hub.base, &folder)
}

/// An empty folder for that run, with one for data in it.
fn folder(workspace: &Workspace, tried: &Tried) -> Result<PathBuf> {
    let folder = workspace.target_dir("api")?.join(tried.name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    let data = folder.join("data");
    fs::create_dir_all(&data).with_context(|| format!("making {}", data.display()))?;
    Ok(folder)
}

fn try_all(workspace: &Workspace, python: &Path, tried: &Tried, base: &str, folder: &Path) -> Result<()> {
    println!("{}: seed {SEED}", tried.name);
    let peers = workspace.path("tests/peers/schemathesis");
    let mut tries = workspace.command(python.with_file_name("schemathesis"));
    tries.env("SCHEMATHESIS_HOOKS", peers.join(format!("{}.py", tried.name.replace('-', "_"))));
    tries.arg("--config-file").arg(peers.join(format!("{}.toml", tried.name)));
    tries.args(["run", &format!("{base}/api/openapi.json"), "--seed", SEED, "--max-time", tried.time]);
    tries.args(["--max-examples", "30", "--checks", CHECKS, "--exclude-path-regex", tried.excluded]);
    tries.args(["--continue-on-failure", "--no-color", "--request-timeout", "60"]).current_dir(folder);
    run(&mut tries)
}
