//! OCPP over WebSocket bytes: the library's server, and a client of the test's own.
//!
//! | line | bytes |
//! |---|---|
//! | `HTTP "…"` | the head of a request or response, as a JSON string |
//! | `TEXT …`, `BINARY hex`, `PING hex`, `PONG hex`, `CLOSE [code [reason]]` | one frame |
//! | `PART …`, `LAST …` | the first and the last fragment of a text |
//! | `BYTES hex` | anything else |
//! | `END` | the end of the stream |

use std::net::SocketAddr;
use std::time::Duration;

use onwire::net::{Peers, Server};
use onwire::ocpp::v16::ACTIONS;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::bytes::{Wire, hex, unhex};
use crate::ocpp::{Central, call, outcome};
use crate::trace::{Input, World};

/// The masking key of every client frame.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The server, with one charge point.
pub(crate) struct WebSocketWorld {
    wire: Wire,
    peers: Peers,
    seen: UnboundedReceiver<String>,
    saw: UnboundedSender<String>,
}

impl WebSocketWorld {
    pub(crate) async fn new() -> Self {
        let (saw, seen) = mpsc::unbounded_channel();
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let (address, peers) = (server.local_addr().unwrap(), server.peers());
        tokio::spawn(server.serve(Central::new(saw.clone())));
        Self { wire: Wire::new(TcpStream::connect(address).await.unwrap()), peers, seen, saw }
    }
}

impl World for WebSocketWorld {
    async fn act(&mut self, input: Input, more: bool) {
        match input {
            Input::Sent(line) if line == "END" => self.wire.end().await,
            Input::Sent(line) => self.wire.send(&written(&line), more).await,
            Input::Done(what) => {
                let (action, call) = call(&self.peers.get("CP1").expect("it is connected"), ACTIONS, &what);
                let saw = self.saw.clone();
                tokio::spawn(async move {
                    let outcome = outcome(call.await, |answer| format!("answered {answer}"));
                    let _ = saw.send(format!("{action} {outcome}"));
                });
            }
            Input::At(_) => panic!("this trace has no clock of its own"),
        }
    }

    async fn sent(&mut self, patience: Duration) -> Option<String> {
        self.wire.next(read, patience).await
    }

    async fn seen(&mut self, patience: Duration) -> Option<String> {
        tokio::time::timeout(patience, self.seen.recv()).await.ok().flatten()
    }
}

/// The masked bytes of a line.
fn written(line: &str) -> Vec<u8> {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    match kind {
        "HTTP" => serde_json::from_str::<String>(rest).unwrap().into_bytes(),
        "BYTES" => unhex(rest),
        "PART" => masked(TEXT, rest.as_bytes()),
        "LAST" => masked(FIN | CONTINUATION, rest.as_bytes()),
        _ => {
            let (head, payload) = frame(kind, rest).unwrap_or_else(|| panic!("not a frame: {line}"));
            masked(head, &payload)
        }
    }
}

fn masked(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    put_length(&mut bytes, payload.len(), 0x80);
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Appends the length in the shortest form.
fn put_length(bytes: &mut Vec<u8>, length: usize, is_masked: u8) {
    match length {
        0..126 => bytes.push(is_masked | length as u8),
        126..65536 => {
            bytes.push(is_masked | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(is_masked | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
}

/// The first byte and the payload of a frame.
fn frame(kind: &str, rest: &str) -> Option<(u8, Vec<u8>)> {
    Some(match kind {
        "TEXT" => (FIN | TEXT, rest.into()),
        "BINARY" => (FIN | BINARY, unhex(rest)),
        "PING" => (FIN | PING, unhex(rest)),
        "PONG" => (FIN | PONG, unhex(rest)),
        "CLOSE" if rest.is_empty() => (FIN | CLOSE, Vec::new()),
        "CLOSE" => {
            let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
            let code: u16 = code.parse().unwrap();
            (FIN | CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
        }
        _ => return None,
    })
}

/// The server's next head or frame.
fn read(bytes: &[u8]) -> Option<(usize, String)> {
    if bytes.starts_with(b"HTTP") {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        return Some((end, head(std::str::from_utf8(&bytes[..end]).unwrap())));
    }
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (at, length) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap()) as usize),
        length => (2, usize::from(length)),
    };
    let payload = bytes.get(at..at + length)?;
    let text = String::from_utf8_lossy(payload);
    let line = match first & 0xf {
        TEXT => format!("TEXT {text}"),
        BINARY => format!("BINARY {}", hex(payload)),
        PING => format!("PING {}", hex(payload)),
        PONG => format!("PONG {}", hex(payload)),
        CLOSE if payload.len() >= 2 => {
            let reason = String::from_utf8_lossy(&payload[2..]);
            format!("CLOSE {} {reason}", u16::from_be_bytes([payload[0], payload[1]]))
        }
        CLOSE => "CLOSE".to_owned(),
        _ => String::new(),
    };
    let line = line.trim_end().to_owned();
    // The readable form has to be lossless.
    let (kind, rest) = line.split_once(' ').unwrap_or((&line, ""));
    let is_canonical = frame(kind, rest).is_some_and(|(head, payload)| {
        let mut written = vec![head];
        put_length(&mut written, payload.len(), 0);
        [written, payload].concat() == bytes[..at + length]
    });
    Some((at + length, if is_canonical { line } else { format!("BYTES {}", hex(&bytes[..at + length])) }))
}

/// The head of a response, without the date.
fn head(text: &str) -> String {
    let lines = text.split("\r\n").map(|line| match line.split_once(": ") {
        Some((name, _)) if name.eq_ignore_ascii_case("date") => format!("{name}: $date"),
        _ => line.to_owned(),
    });
    format!("HTTP {}", serde_json::to_string(&lines.collect::<Vec<_>>().join("\r\n")).unwrap())
}
