//! A private mosquitto.

#![allow(missing_docs, reason = "the names say it")]

use std::io::Write;
use std::net::TcpListener;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
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

    /// Publishes a message that the broker keeps for whoever subscribes.
    pub async fn publish_retained(&self, topic: &str, payload: &str) {
        self.publish_as(0x33, topic, payload).await;
    }

    /// Publishes a message; returns when the broker has acknowledged it.
    pub async fn publish(&self, topic: &str, payload: &str) {
        self.publish_as(0x32, topic, payload).await;
    }

    async fn publish_as(&self, first: u8, topic: &str, payload: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let mut packets = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01p".to_vec();
        let length = 2 + topic.len() + 2 + payload.len();
        packets.extend([first, (length % 128) as u8 | 0x80, u8::try_from(length / 128).unwrap()]);
        packets.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
        packets.extend([topic.as_bytes(), &[0, 1], payload.as_bytes()].concat());
        stream.write_all(&packets).await.unwrap();
        let mut answers = [0; 8];
        stream.read_exact(&mut answers).await.unwrap();
        assert_eq!(answers, [0x20, 2, 0, 0, 0x40, 2, 0, 1]);
    }
}
