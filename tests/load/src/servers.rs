//! The servers that are compared, each a process of its own on a free port.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use onwire_load::machine::{Cores, Processes};

/// The environment variable that names a Python with the peers' packages; `cargo xtask load` sets it.
const PYTHON_VARIABLE: &str = "ONWIRE_PEERS_PYTHON";
const PYTHON_SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python_server.py");

/// A server by its implementation; the first is what the others are compared to.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// async-tungstenite with small buffers, no JSON
    Bare,
    /// This project's
    Onwire,
    /// This project's with TLS by rustls
    OnwireRustls,
    /// This project's with TLS by OpenSSL
    #[value(name = "onwire-openssl")]
    OnwireOpenSsl,
    /// The crate ocpp-kit
    OcppKit,
    /// Python's ocpp and websockets
    Python,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare echo",
            Self::Onwire => "onwire",
            Self::OnwireRustls => "onwire, rustls",
            Self::OnwireOpenSsl => "onwire, OpenSSL",
            Self::OcppKit => "ocpp-kit",
            Self::Python => "Python ocpp",
        }
    }

    /// Why it cannot be started here, if it cannot.
    pub(crate) fn missing(self) -> Option<String> {
        match self {
            Self::Python if python().is_none() => {
                Some(format!("{PYTHON_VARIABLE} names no Python with the package; see above"))
            }
            Self::OnwireOpenSsl if !cfg!(feature = "openssl") => {
                Some("OpenSSL's headers or pkg-config were missing when it was built".into())
            }
            _ => None,
        }
    }

    /// Whose TLS it speaks, if any's.
    fn tls(self) -> Option<&'static str> {
        match self {
            Self::OnwireRustls => Some("rustls"),
            Self::OnwireOpenSsl => Some("openssl"),
            Self::Bare | Self::Onwire | Self::OcppKit | Self::Python => None,
        }
    }

    fn command(self, listen: &str, threads: usize) -> Result<Command> {
        let program = match self {
            Self::Bare => beside_this("bare_echo")?,
            Self::Onwire | Self::OnwireRustls | Self::OnwireOpenSsl => beside_this("onwire_server")?,
            Self::OcppKit => beside_this("ocpp_kit_server")?,
            Self::Python => {
                let mut command = Command::new(python().context("no Python")?);
                command.args([PYTHON_SERVER, listen]);
                return Ok(command);
            }
        };
        let mut command = Command::new(program);
        command.args([listen, &threads.to_string()]);
        command.args(self.tls());
        Ok(command)
    }
}

fn python() -> Option<OsString> {
    env::var_os(PYTHON_VARIABLE)
}

fn beside_this(name: &str) -> Result<PathBuf> {
    let this = env::current_exe().context("asking for this program's path")?;
    Ok(this.parent().unwrap_or(Path::new(".")).join(name))
}

/// A running server; it is killed when this is dropped, and ends by itself should this process be killed.
pub(crate) struct Server {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts a server on a free port and waits until it tells its address.
    pub(crate) fn start(kind: Kind, threads: usize, cores: &Cores) -> Result<(Self, String)> {
        let mut server = Self::spawn(kind, "127.0.0.1:0", threads, cores)?;
        let mut address = String::new();
        if let Some(output) = &mut server.output {
            output.read_line(&mut address).context("reading the server's address")?;
        }
        if !address.starts_with("ws://") && !address.starts_with("wss://") {
            bail!("the server did not print its address");
        }
        Ok((server, address.trim_end().to_owned()))
    }

    /// Starts a server on the address of one that has ended, and does not wait.
    pub(crate) fn spawn(kind: Kind, listen: &str, threads: usize, cores: &Cores) -> Result<Self> {
        let mut command = kind.command(listen, threads)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let spawned = cores.for_server(|| command.spawn())?;
        let mut child = spawned.with_context(|| format!("starting {}", command.get_program().display()))?;
        let output = child.stdout.take().map(BufReader::new);
        Ok(Self { child, output })
    }

    pub(crate) fn processes(&self) -> Processes {
        Processes(vec![self.child.id().cast_signed()])
    }

    /// Whether it has ended on its own.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
