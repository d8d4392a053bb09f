//! A private mosquitto.

#![allow(missing_docs, reason = "the names say it")]

use std::io::Write;
use std::net::TcpListener;

use tokio::process::Command;

use crate::program::Program;

/// A broker on a port of its own, killed when the test ends.
pub struct Broker {
    pub port: u16,
    _program: Program,
}

impl Broker {
    /// Starts one that lets everybody in; returns when it listens.
    pub async fn start() -> Self {
        // Another program may take the port before mosquitto does, which then ends at once.
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let settings =
                format!("listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest stderr\npersistence false\n");
            // Removed when it is read, or the test fails before that.
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(settings.as_bytes()).unwrap();
            // Its standard output would come in blocks, and only its end.
            let mut command = Command::new("sh");
            command.args(["-c", "exec mosquitto -c \"$0\" 2>&1"]).arg(file.path());
            let mut program = Program::start(command);
            let mut listens = false;
            while let Some(line) = program.line().await {
                if line.ends_with(" running") {
                    listens = true;
                    break;
                }
            }
            if listens {
                return Self { port, _program: program };
            }
        }
        panic!("mosquitto does not start");
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}
