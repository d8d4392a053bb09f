//! A program of `examples/` that serves a page and a REST interface, for the stages that try these.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::Workspace;

/// A process that ends with this.
pub(crate) struct Running {
    child: Child,
    /// Kept open: a program whose output has nobody left to go to fails when it prints.
    output: BufReader<ChildStdout>,
}

impl Running {
    /// Starts it.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
        let output = BufReader::new(child.stdout.take().context("it has no output")?);
        Ok(Self { child, output })
    }

    /// Reads what it prints until `wanted` finds something in a line.
    pub(crate) fn until<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> Result<T> {
        let mut line = String::new();
        while self.output.read_line(&mut line).context("reading what it printed")? > 0 {
            if let Some(found) = wanted(line.trim_end()) {
                return Ok(found);
            }
            line.clear();
        }
        bail!("it ended before it printed what was waited for");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program under test.
pub(crate) struct Serving {
    /// Where the page is, without a slash at the end.
    pub(crate) base: String,
    /// Where devices or charge points connect.
    pub(crate) devices: String,
    _running: Running,
}

impl Serving {
    /// csms on free ports, with its data in that folder.
    pub(crate) fn csms(workspace: &Workspace, data: &Path, flags: &[&str]) -> Result<Self> {
        let mut command = workspace.command(workspace.target_dir("debug")?.join("csms"));
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(data).args(flags);
        Self::start(command, "CSMS_", "charge points connect to ")
    }

    /// alink-hub on free ports, with its data in that folder, and the models of the project.
    pub(crate) fn alink_hub(workspace: &Workspace, data: &Path) -> Result<Self> {
        let mut command = workspace.command(workspace.target_dir("debug")?.join("alink-hub"));
        command.args(["--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"]).arg(data);
        command.arg("--models").arg(workspace.path("schemas/thing"));
        Self::start(command, "HUB_", "devices connect to ")
    }

    /// Waits until it says where it is.
    fn start(mut command: Command, prefix: &str, before: &str) -> Result<Self> {
        command.env("RUST_LOG", "error");
        // A developer's own settings are not what is tested.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
        let mut running = Running::start(command)?;
        let devices = running.until(|line| line.strip_prefix(before).map(str::to_owned))?;
        let base = running.until(base_of)?;
        Ok(Self { base, devices, _running: running })
    }

    /// Sends JSON to the REST interface; the answer is good, or this fails.
    pub(crate) fn post(&self, path: &str, body: &str) -> Result<()> {
        let address = self.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
        write!(stream, "{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "POST {path}: {answer}");
        Ok(())
    }
}

/// The HTTP address, out of the line for people.
fn base_of(line: &str) -> Option<String> {
    let rest = line.strip_prefix("the page is at http://")?;
    let authority = rest.split('/').next()?;
    Some(format!("http://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::base_of;

    #[test]
    fn the_address_is_where_the_page_is() {
        let line = "the page is at http://127.0.0.1:4711/web/";
        assert_eq!(base_of(line).as_deref(), Some("http://127.0.0.1:4711"));
        assert_eq!(base_of("stopped"), None);
    }
}
