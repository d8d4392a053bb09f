//! The web page of `examples/csms`, driven in a real browser.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::peers;
use crate::system::{ensure_system, probe, run};
use crate::workspace::Workspace;

/// The driver speaks to Debian's browser; npm would fetch one of its own from elsewhere.
const CHROMIUM: &str = "/usr/bin/chromium";

/// Fonts that have Chinese: without them the screenshots show boxes.
const PACKAGES: [&str; 2] = ["chromium", "fonts-noto-cjk"];

/// Succeeds on a Node.js that the driver runs with.
const NODE_PROBE: &str = "process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)";

/// Drives the page of a csms of its own; screenshots are in `target/browser`.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    ensure_system(&PACKAGES, "driving the web page")?;
    let node = peers::set_up_javascript(workspace)?;
    if probe(Command::new("node").args(["-e", NODE_PROBE])).is_none() {
        bail!("driving the web page needs Node.js 18 or newer; `node` here is older");
    }
    run(&mut workspace.cargo(["build", "-p", "csms", "--locked"]))?;
    let shots = workspace.target_dir("browser")?;
    if shots.exists() {
        fs::remove_dir_all(&shots).with_context(|| format!("removing {}", shots.display()))?;
    }
    let data = shots.join("data");
    fs::create_dir_all(&data).with_context(|| format!("making {}", data.display()))?;
    let csms = Csms::start(workspace.command(workspace.target_dir("debug")?.join("csms")), &data)?;
    let mut script = workspace.command("node");
    script.arg(workspace.path("examples/csms/tests/browser/run.mjs"));
    script.args(["--base", &csms.base, "--chromium", CHROMIUM]);
    script.arg("--peers").arg(node).arg("--shots").arg(&shots);
    run(&mut script)
}

/// The program under test; it ends with this.
pub(crate) struct Csms {
    child: Child,
    /// Where it is, without a slash at the end.
    pub(crate) base: String,
    /// Kept open: a program whose output has nobody left to go to fails when it prints.
    output: BufReader<ChildStdout>,
}

impl Csms {
    /// Starts it on a free port and waits until it says which.
    pub(crate) fn start(mut command: Command, data: &Path) -> Result<Self> {
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(data).env("RUST_LOG", "error");
        // A developer's own settings are not what is tested.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CSMS_")) {
            command.env_remove(name);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("starting csms")?;
        let output = BufReader::new(child.stdout.take().context("csms has no output")?);
        let mut csms = Self { child, base: String::new(), output };
        csms.base = csms.listening()?;
        Ok(csms)
    }

    fn listening(&mut self) -> Result<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line).context("reading what csms printed")? > 0 {
            if let Some(base) = base_of(&line) {
                return Ok(base);
            }
            line.clear();
        }
        bail!("csms ended before it listened");
    }
}

impl Drop for Csms {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The HTTP address, out of the line for charge points.
fn base_of(line: &str) -> Option<String> {
    let (authority, _) = line.strip_prefix("charge points connect to ws://")?.split_once('/')?;
    Some(format!("http://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::base_of;

    #[test]
    fn the_address_is_where_charge_points_connect() {
        let line = "charge points connect to ws://127.0.0.1:4711/ocpp/{identity}";
        assert_eq!(base_of(line).as_deref(), Some("http://127.0.0.1:4711"));
        assert_eq!(base_of("stopped"), None);
    }
}
