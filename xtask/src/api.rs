//! The REST interface of `examples/csms` against its own OpenAPI document, by schemathesis.

use std::fs;
use std::process::{Child, Stdio};

use anyhow::{Context, Result};

use crate::browser::Csms;
use crate::peers;
use crate::system::run;
use crate::workspace::Workspace;

/// A run can be repeated with it.
const SEED: &str = "20260101";

/// For fuzzing and for walks from one request to the next, in seconds.
const TIME: &str = "120";

/// What an answer must be. Whether each request that the document allows succeeds is not among them: most of them need
/// something that is there, or a charge point that agrees.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,unsupported_method,ensure_resource_availability";

/// Requests that change who may do what would end the run, and events have no end.
const EXCLUDED: &str = "/(users|tokens|login|logout|events)";

/// A charge point that stays; it ends with this.
struct ChargePoint(Child);

impl Drop for ChargePoint {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tries everything, with a charge point that is connected.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let python = peers::set_up(workspace)?;
    run(&mut workspace.cargo(["build", "-p", "csms", "-p", "charge-point", "--locked"]))?;
    let folder = workspace.target_dir("api")?;
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    let data = folder.join("data");
    fs::create_dir_all(&data).with_context(|| format!("making {}", data.display()))?;
    let programs = workspace.target_dir("debug")?;
    let mut program = workspace.command(programs.join("csms"));
    program.args(["--id-tag", "TAG1"]);
    let csms = Csms::start(program, &data)?;
    let url = format!("{}/ocpp/CP1", csms.base.replacen("http", "ws", 1));
    // A session of its own first, so that there is a transaction.
    run(workspace.command(programs.join("charge-point")).args([&url, "--charge", "1"]))?;
    let mut charge_point = workspace.command(programs.join("charge-point"));
    charge_point.args([&url, "--obey"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _charge_point = ChargePoint(charge_point.spawn().context("starting a charge point")?);
    println!("seed {SEED}");
    let mut tries = workspace.command(python.with_file_name("schemathesis"));
    tries.env("SCHEMATHESIS_HOOKS", workspace.path("tests/peers/schemathesis_hooks.py"));
    tries.arg("--config-file").arg(workspace.path("tests/peers/schemathesis.toml"));
    tries.args(["run", &format!("{}/api/openapi.json", csms.base), "--seed", SEED, "--max-time", TIME]);
    tries.args(["--max-examples", "30", "--checks", CHECKS, "--exclude-path-regex", EXCLUDED]);
    // A refused raw command says 403 or what the charge point says; `raw` is tried as any other parameter.
    tries.args(["--continue-on-failure", "--no-color", "--request-timeout", "60"]).current_dir(&folder);
    run(&mut tries)
}
