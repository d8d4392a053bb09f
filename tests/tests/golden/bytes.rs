//! A TCP stream of packets or frames, and hexadecimal notation.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Reads one packet or frame and returns its length and its line, or `None` if it is incomplete.
pub(crate) type Read = fn(&[u8]) -> Option<(usize, String)>;

/// A TCP stream whose packets or frames are lines of a trace.
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
    /// Bytes held back for the next write.
    held: Vec<u8>,
    has_ended: bool,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, received: Vec::new(), held: Vec::new(), has_ended: false }
    }

    /// Writes the bytes, or holds them back for the next write.
    pub(crate) async fn send(&mut self, bytes: &[u8], more: bool) {
        self.held.extend_from_slice(bytes);
        if !more {
            // Writing fails after the other side has closed, which the trace shows as `END`.
            let _ = self.stream.write_all(&std::mem::take(&mut self.held)).await;
        }
    }

    /// Closes the sending direction.
    pub(crate) async fn end(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Returns the line of the next packet; `END` once, at the end of the stream.
    pub(crate) async fn next(&mut self, read: Read, patience: Duration) -> Option<String> {
        let next = async {
            loop {
                if let Some((length, line)) = read(&self.received) {
                    self.received.drain(..length);
                    return Some(line);
                }
                if self.has_ended {
                    return None;
                }
                let mut bytes = [0; 4096];
                match self.stream.read(&mut bytes).await {
                    Ok(0) | Err(_) => {
                        assert_eq!(hex(&self.received), "", "the stream ends within a packet");
                        self.has_ended = true;
                        return Some("END".to_owned());
                    }
                    Ok(length) => self.received.extend_from_slice(&bytes[..length]),
                }
            }
        };
        tokio::time::timeout(patience, next).await.ok().flatten()
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).expect("a hexadecimal digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
