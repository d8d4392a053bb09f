//! The `postgres` stage: the tests of the programs that have a database, on a PostgreSQL of our own instead of files
//! (`examples/support/database.rs`).
//!
//! The server is Debian's. It listens on a Unix socket, in a folder of the system's temporary one: the path of a socket is
//! short, and PostgreSQL, which refuses to run as root, has to reach it when the checkout is in root's home. It listens on a
//! port of loopback, too, where it demands TLS.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::system::{ensure_system, is_root, output, run};
use crate::workspace::Workspace;

/// Whom Debian's package makes for it.
const USER: &str = "postgres";

/// Whom it lets in: whoever reaches the socket, and over TCP only with TLS.
const ACCESS: &str = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";

/// Runs the stage.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    ensure_system(&["postgresql"], "the tests on PostgreSQL")?;
    let tests = ["test", "--locked", "-p", "csms", "-p", "alink-hub", "--tests"];
    // With them csms is built, which makes the server's certificate.
    run(workspace.cargo(tests).arg("--no-run"))?;
    let server = Server::start(workspace)?;
    // What concerns files only says so to itself.
    let mut tests = workspace.cargo(tests);
    tests.env("ONWIRE_TEST_DATABASE", server.url());
    tests.env("ONWIRE_TEST_DATABASE_TLS", format!("postgres://{USER}@127.0.0.1:{}", server.port));
    tests.env("ONWIRE_TEST_DATABASE_CA", server.folder.join("tls/ca.pem"));
    run(tests.arg("--no-fail-fast"))
}

/// A running server; stopped and removed in the end.
struct Server {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
}

impl Server {
    fn start(workspace: &Workspace) -> Result<Self> {
        let programs = programs(workspace)?;
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr());
        let port = free.context("finding a free port")?.port();
        let folder = std::env::temp_dir().join(format!("onwire-postgres-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        let server = Self { folder, programs, port };
        let csms = workspace.target_dir("debug")?.join("csms");
        run(Command::new(csms).arg("make-ca").arg(server.folder.join("tls")).args(["--name", "127.0.0.1"]))?;
        if is_root() {
            run(Command::new("chown").args(["-R", USER]).arg(&server.folder))?;
        }
        let data = server.folder.join("data");
        let mut init = server.command("initdb");
        init.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", USER]);
        run(init.arg("--pgdata").arg(&data))?;
        fs::write(data.join("pg_hba.conf"), ACCESS).context("writing pg_hba.conf")?;
        // Nobody cuts its power here.
        let folder = server.folder.display();
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='{folder}' -c fsync=off \
             -c max_connections=500 -c ssl=on -c ssl_cert_file='{folder}/tls/server.pem' \
             -c ssl_key_file='{folder}/tls/server.key'"
        );
        run(server
            .control("start")
            .args(["--wait", "--log"])
            .arg(server.folder.join("log"))
            .args(["--options", &options]))?;
        Ok(server)
    }

    /// Of the database that is there from the start.
    fn url(&self) -> String {
        let socket = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{USER}@{socket}:{}/{USER}", self.port)
    }

    fn control(&self, action: &str) -> Command {
        let mut command = self.command("pg_ctl");
        command.args([action, "--silent", "--pgdata"]).arg(self.folder.join("data"));
        command
    }

    /// One of its programs, as somebody who is not root.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", USER, "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        // Its own: the checkout may be closed to it.
        command.current_dir(&self.folder);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = run(self.control("stop").args(["--mode", "immediate"])) {
            println!("onwire: PostgreSQL was not stopped: {error:#}");
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            println!("onwire: {} is left: {error}", self.folder.display());
        }
    }
}

/// Where the newest version keeps them: not in the search path, because there may be several.
fn programs(workspace: &Workspace) -> Result<PathBuf> {
    let list = output(workspace.command("dpkg-query").args(["--listfiles", &package(workspace)?]))?;
    let initdb = list.lines().find(|line| line.ends_with("/bin/initdb")).context("the package has no initdb")?;
    let folder = Path::new(initdb).parent().context("initdb is in no folder")?;
    Ok(folder.to_path_buf())
}

/// `postgresql` is empty and depends on the one with the server, whose name has the version.
fn package(workspace: &Workspace) -> Result<String> {
    let depends = output(workspace.command("dpkg-query").args(["-W", "-f=${Depends}", "postgresql"]))?;
    let name = depends.split([',', ' ', '|']).find(|name| name.starts_with("postgresql-"));
    let name = name.context("the package postgresql depends on no server")?;
    ensure!(name.rsplit('-').next().is_some_and(|version| version.parse::<u32>().is_ok()), "what is {name}?");
    Ok(name.to_owned())
}
