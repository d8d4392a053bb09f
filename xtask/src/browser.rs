//! The web pages of `examples/csms` and `examples/alink-hub`, driven in a real browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::peers;
use crate::serving::Serving;
use crate::system::{ensure_system, probe, run};
use crate::workspace::Workspace;

/// The driver speaks to Debian's browser; npm would fetch one of its own from elsewhere.
const CHROMIUM: &str = "/usr/bin/chromium";

/// Fonts that have Chinese: without them the screenshots show boxes.
const PACKAGES: [&str; 2] = ["chromium", "fonts-noto-cjk"];

/// Succeeds on a Node.js that the driver runs with.
const NODE_PROBE: &str = "process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)";

/// Drives the page of each program; screenshots are in `target/browser`.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    ensure_system(&PACKAGES, "driving the web pages")?;
    let node = peers::set_up_javascript(workspace)?;
    if probe(Command::new("node").args(["-e", NODE_PROBE])).is_none() {
        bail!("driving the web pages needs Node.js 18 or newer; `node` here is older");
    }
    run(&mut workspace.cargo(["build", "-p", "csms", "-p", "alink-hub", "-p", "alink-device", "--locked"]))?;
    let shots = shots(workspace, "csms")?;
    let csms = Serving::csms(workspace, &shots.join("data"), &[])?;
    drive(workspace, &node, "csms", &csms, &shots)?;
    drop(csms);
    let shots = self::shots(workspace, "alink-hub")?;
    let hub = Serving::alink_hub(workspace, &shots.join("data"))?;
    drive(workspace, &node, "alink-hub", &hub, &shots)
}

/// An empty folder for screenshots, with one for data in it.
fn shots(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let shots = workspace.target_dir("browser")?.join(name);
    if shots.exists() {
        fs::remove_dir_all(&shots).with_context(|| format!("removing {}", shots.display()))?;
    }
    let data = shots.join("data");
    fs::create_dir_all(&data).with_context(|| format!("making {}", data.display()))?;
    Ok(shots)
}

fn drive(workspace: &Workspace, node: &Path, name: &str, serving: &Serving, shots: &Path) -> Result<()> {
    let mut script = workspace.command("node");
    script.arg(workspace.path("tests/browser/run.mjs")).arg("--scenarios");
    script.arg(workspace.path(format!("examples/{name}/tests/browser/scenarios.mjs")));
    script.args(["--base", &serving.base, "--devices", &serving.devices, "--chromium", CHROMIUM]);
    script.arg("--programs").arg(workspace.target_dir("debug")?);
    script.arg("--peers").arg(node).arg("--shots").arg(shots);
    run(&mut script)
}
