//! The `proxy` stage: csms behind nginx, with the configuration of its README.
//!
//! Debian's nginx; each test starts one of its own, which listens on a free port of 127.0.0.1.

use anyhow::Result;

use crate::system::{ensure_system, run};
use crate::workspace::Workspace;

/// Runs the stage.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    ensure_system(&["nginx", "curl"], "csms behind a proxy")?;
    let test = ["test", "--locked", "-p", "csms", "--test", "security", "proxy::", "--", "--ignored"];
    run(&mut workspace.cargo(test))
}
