//! The stages of `cargo xtask test`: the one list of what continuous integration checks, and the stages that are
//! plain cargo invocations. Those that need more have their own modules.

use anyhow::Result;

use crate::system::{ensure_system, run};
use crate::workspace::Workspace;
use crate::{api, browser, c, fuzz, msrv, no_std, package, peers, postgres, proxy};

/// See [`net_features`].
const NET_FEATURES: &str = "onwire/client,onwire/server,onwire/alink-https,onwire/rustls,onwire/openssl,onwire-codegen/cli,onwire-firmware/alink";

/// What the crate `openssl` is built against.
const OPENSSL_PACKAGES: [&str; 2] = ["libssl-dev", "pkg-config"];

/// Everything `onwire` has on tokio, for builds of the whole workspace, once what it needs of the system is installed. Not
/// `--all-features`, which would also turn on `onwire-tests/interop` and with it tests that need the peers.
pub(crate) fn net_features() -> Result<&'static str> {
    ensure_openssl()?;
    Ok(NET_FEATURES)
}

fn ensure_openssl() -> Result<()> {
    ensure_system(&OPENSSL_PACKAGES, "the feature `openssl`")
}

/// One named check.
pub(crate) struct Stage {
    /// What `--stage` takes.
    pub(crate) name: &'static str,
    /// One line for `--list` and for the log.
    pub(crate) about: &'static str,
    /// The check itself.
    pub(crate) run: fn(&Workspace) -> Result<()>,
}

/// In the order they run: what is quick to fail and quick to fix comes first.
const STAGES: &[Stage] = &[
    Stage { name: "fmt", about: "all code is formatted by rustfmt", run: fmt },
    Stage { name: "clippy", about: "no warnings from rustc or clippy", run: clippy },
    Stage {
        name: "features",
        about: "onwire and csms compile without warnings with each supported set of features",
        run: features,
    },
    Stage { name: "test", about: "unit tests, integration tests and doc tests", run: test },
    Stage { name: "doc", about: "the documentation builds without warnings", run: doc },
    Stage { name: "msrv", about: "the published crates compile with the rust-version they declare", run: msrv::check },
    Stage { name: "package", about: "the published crates build from what would be uploaded", run: package::check },
    Stage { name: "no-std", about: "the core builds for microcontrollers", run: no_std::check },
    Stage {
        name: "fuzz",
        about: "a fuzzer finds nothing at a glance in what reads the bytes of others",
        run: fuzz::check,
    },
    Stage {
        name: "c",
        about: "a charge point in C over the static library, in memory and at central systems",
        run: c::check,
    },
    Stage { name: "postgres", about: "csms and alink-hub keep their data in PostgreSQL as well", run: postgres::check },
    Stage { name: "proxy", about: "the central system behind nginx, configured as its README says", run: proxy::check },
    Stage { name: "interop", about: "onwire talks to independent implementations", run: interop },
    Stage { name: "api", about: "the REST interfaces keep to their own OpenAPI documents", run: api::check },
    Stage { name: "browser", about: "the web pages do what they should in Chromium", run: browser::check },
];

/// The names, for the command line.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    STAGES.iter().map(|stage| stage.name)
}

/// The named stages, each once and in the order of the list; all if none is named.
pub(crate) fn select(names: &[String]) -> Vec<&'static Stage> {
    STAGES.iter().filter(|stage| names.is_empty() || names.iter().any(|name| name == stage.name)).collect()
}

/// Prints one line for each stage.
pub(crate) fn list() {
    for stage in STAGES {
        println!("{:<10}{}", stage.name, stage.about);
    }
}

fn fmt(workspace: &Workspace) -> Result<()> {
    run(&mut workspace.cargo(["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace) -> Result<()> {
    // Of the tests that need the peers, those that compile without them.
    let features = format!("{},onwire-tests/interop", net_features()?);
    let mut command = workspace.cargo(["clippy", "--workspace", "--all-targets", "--locked", "--features", &features]);
    run(command.args(["--", "-D", "warnings"]))
}

fn features(workspace: &Workspace) -> Result<()> {
    const SETS: [&[&str]; 14] = [
        &["--no-default-features"],
        &["--no-default-features", "--features", "arbitrary"],
        &["--no-default-features", "--features", "ocpp16"],
        &["--no-default-features", "--features", "std,ocpp16"],
        &["--no-default-features", "--features", "mqtt"],
        &["--no-default-features", "--features", "alink"],
        &["--features", "client,server,alink"],
        &["--features", "client,alink"],
        &["--features", "client,rustls,alink-https"],
        &["--features", "client"],
        &["--features", "server"],
        &["--features", "client,rustls"],
        &["--features", "server,rustls"],
        &["--features", "openssl"],
    ];
    ensure_openssl()?;
    // One package at a time: in a build of the whole workspace other members would turn features on.
    SETS.iter().try_for_each(|set| {
        run(workspace.cargo(["clippy", "--locked", "-p", "onwire"]).args(*set).args(["--", "-D", "warnings"]))
    })?;
    run(&mut workspace.cargo(["clippy", "--locked", "-p", "csms", "--features", "openssl", "--", "-D", "warnings"]))
}

fn test(workspace: &Workspace) -> Result<()> {
    let features = net_features()?;
    run(&mut workspace.cargo(["test", "--workspace", "--locked", "--features", features]))?;
    // What the program does with the other library. Of the same features otherwise, so that little is built again.
    let features = format!("{features},csms/openssl");
    run(&mut workspace.cargo(["test", "--workspace", "--locked", "--features", &features, "--test", "tls_rsa"]))
}

fn doc(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.cargo(["doc", "--workspace", "--no-deps", "--locked", "--features", net_features()?]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))
}

fn interop(workspace: &Workspace) -> Result<()> {
    ensure_system(&["mosquitto"], "a broker that devices meet at")?;
    let (python, node) = (peers::set_up(workspace)?, peers::set_up_javascript(workspace)?);
    // The programs of `examples/` that the tests start; a test cannot name another package's program.
    let programs = ["csms", "charge-point", "alink-hub", "alink-device", "alink-pile"];
    run(workspace.cargo(["build", "--locked"]).args(programs.iter().flat_map(|program| ["-p", program])))?;
    let features = "onwire-tests/interop,onwire-dialects/interop";
    let test = ["test", "--locked", "-p", "onwire-tests", "-p", "onwire-dialects", "--features", features];
    let mut command = workspace.cargo(test);
    command.args([
        "--test",
        "alink_broker",
        "--test",
        "alink_examples",
        "--test",
        "alink_hub",
        "--test",
        "alink_plain_broker",
        "--test",
        "interop",
        "--test",
        "fleet",
        "--test",
        "every_action",
        "--test",
        "equivalence",
        "--test",
        "oracle",
        "--test",
        "versions",
    ]);
    command.env("ONWIRE_OCPP_SCHEMAS", peers::package_folder(&python, "ocpp")?);
    command.env("ONWIRE_PEERS_PYTHON", python).env("ONWIRE_PEERS_NODE", node);
    run(command.env("ONWIRE_PROGRAMS", workspace.target_dir("debug")?))
}

#[cfg(test)]
mod tests {
    use super::{names, select};

    fn selected(wanted: &[&str]) -> Vec<&'static str> {
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        select(&wanted).iter().map(|stage| stage.name).collect()
    }

    #[test]
    fn stages_run_once_and_in_order() {
        assert_eq!(selected(&["doc", "fmt", "doc"]), ["fmt", "doc"]);
    }

    #[test]
    fn no_name_selects_all() {
        assert_eq!(selected(&[]), names().collect::<Vec<_>>());
    }
}
