//! MQTT 3.1.1 packets as lines.
//!
//! | line | packet |
//! |---|---|
//! | `CONNECT CLIENT KEEP-ALIVE [USER PASSWORD]` | a clean session; the words have no spaces |
//! | `CONNACK PRESENT CODE` | |
//! | `PUBLISH q0 TOPIC PAYLOAD`, `PUBLISH q1 ID TOPIC PAYLOAD`, `PUBLISH dup ID TOPIC PAYLOAD` | a payload that is not one line of text is `hex:…` |
//! | `PUBACK ID` | |
//! | `SUBSCRIBE ID QOS:FILTER..`, `SUBACK ID CODE..` | |
//! | `UNSUBSCRIBE ID FILTER..`, `UNSUBACK ID` | |
//! | `PINGREQ`, `PINGRESP`, `DISCONNECT` | |
//! | `BYTES hex` | any other packet, or one with another encoding |
//!
//! The codec is the test's own, so that the library's is not compared with itself.

use crate::bytes::{hex, unhex};

/// The bytes of a line.
pub(crate) fn written(line: &str) -> Vec<u8> {
    packet(line).unwrap_or_else(|| panic!("not a packet: {line}"))
}

fn packet(line: &str) -> Option<Vec<u8>> {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let words: Vec<&str> = rest.split(' ').filter(|word| !word.is_empty()).collect();
    let number = |index: usize| words.get(index).and_then(|word| word.parse::<u16>().ok());
    let code = |index: usize| words.get(index).and_then(|word| word.parse::<u8>().ok());
    let mut body = Vec::new();
    let first = match kind {
        "BYTES" => return Some(unhex(rest)),
        "CONNECT" => {
            text(&mut body, "MQTT");
            body.extend([4, if words.len() == 4 { 0xc2 } else { 2 }]);
            body.extend(number(1)?.to_be_bytes());
            text(&mut body, words.first()?);
            words.get(2..).unwrap_or_default().iter().for_each(|word| text(&mut body, word));
            0x10
        }
        "CONNACK" => {
            body.extend([code(0)?, code(1)?]);
            0x20
        }
        "PUBLISH" => {
            let mut parts = rest.splitn(if words.first() == Some(&"q0") { 3 } else { 4 }, ' ');
            let quality = parts.next()?;
            let id = if quality == "q0" { None } else { Some(parts.next()?.parse::<u16>().ok()?) };
            text(&mut body, parts.next()?);
            body.extend(id.into_iter().flat_map(u16::to_be_bytes));
            match parts.next().unwrap_or("") {
                payload if payload.starts_with("hex:") => body.extend(unhex(&payload[4..])),
                payload => body.extend(payload.as_bytes()),
            }
            match quality {
                "q0" => 0x30,
                "q1" => 0x32,
                "dup" => 0x3a,
                _ => return None,
            }
        }
        "PUBACK" | "UNSUBACK" => {
            body.extend(number(0)?.to_be_bytes());
            if kind == "PUBACK" { 0x40 } else { 0xb0 }
        }
        "SUBSCRIBE" => {
            body.extend(number(0)?.to_be_bytes());
            for word in words.get(1..)? {
                let (quality, filter) = word.split_once(':')?;
                text(&mut body, filter);
                body.push(quality.parse().ok()?);
            }
            0x82
        }
        "SUBACK" => {
            body.extend(number(0)?.to_be_bytes());
            body.extend((1..words.len()).map(code).collect::<Option<Vec<u8>>>()?);
            0x90
        }
        "UNSUBSCRIBE" => {
            body.extend(number(0)?.to_be_bytes());
            words.get(1..)?.iter().for_each(|word| text(&mut body, word));
            0xa2
        }
        "PINGREQ" => 0xc0,
        "PINGRESP" => 0xd0,
        "DISCONNECT" => 0xe0,
        _ => return None,
    };
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let more = if length >= 128 { 0x80 } else { 0 };
        bytes.push(more | (length % 128) as u8);
        length /= 128;
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    Some(bytes)
}

fn text(body: &mut Vec<u8>, text: &str) {
    body.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    body.extend(text.as_bytes());
}

/// The next packet's length and line.
pub(crate) fn read(bytes: &[u8]) -> Option<(usize, String)> {
    let (mut length, mut at) = (0, 1);
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let whole = bytes.get(..at + length)?;
    let line = line(whole[0], &whole[at..]);
    // The readable form has to be lossless.
    let is_canonical = line.as_deref().and_then(packet).is_some_and(|packet| packet == whole);
    Some((whole.len(), line.filter(|_| is_canonical).unwrap_or_else(|| format!("BYTES {}", hex(whole)))))
}

/// The readable form of a packet, if it has one.
fn line(first: u8, body: &[u8]) -> Option<String> {
    let mut body = Body(body);
    Some(match (first >> 4, first & 0xf) {
        (1, 0) => {
            body.take(8)?;
            let keep_alive = body.number()?;
            let client = body.text()?;
            let rest: Vec<_> = std::iter::from_fn(|| body.text()).collect();
            let words = [vec!["CONNECT".to_owned(), client, keep_alive.to_string()], rest].concat();
            words.join(" ")
        }
        (2, 0) => format!("CONNACK {} {}", body.byte()?, body.byte()?),
        (3, flags @ (0 | 2 | 10)) => {
            let topic = body.text()?;
            let quality = match flags {
                0 => "q0".to_owned(),
                2 => format!("q1 {}", body.number()?),
                _ => format!("dup {}", body.number()?),
            };
            let payload = match std::str::from_utf8(body.0) {
                Ok(text) if !text.contains(char::is_control) && !text.starts_with("hex:") => text.to_owned(),
                _ => format!("hex:{}", hex(body.0)),
            };
            format!("PUBLISH {quality} {topic} {payload}").trim_end().to_owned()
        }
        (4, 0) => format!("PUBACK {}", body.number()?),
        (8, 2) => {
            let mut words = vec!["SUBSCRIBE".to_owned(), body.number()?.to_string()];
            while let Some(filter) = body.text() {
                words.push(format!("{}:{filter}", body.byte()?));
            }
            words.join(" ")
        }
        (9, 0) => {
            let mut words = vec!["SUBACK".to_owned(), body.number()?.to_string()];
            words.extend(body.0.iter().map(u8::to_string));
            words.join(" ")
        }
        (10, 2) => {
            let mut words = vec!["UNSUBSCRIBE".to_owned(), body.number()?.to_string()];
            words.extend(std::iter::from_fn(|| body.text()));
            words.join(" ")
        }
        (11, 0) => format!("UNSUBACK {}", body.number()?),
        (12, 0) => "PINGREQ".to_owned(),
        (13, 0) => "PINGRESP".to_owned(),
        (14, 0) => "DISCONNECT".to_owned(),
        _ => return None,
    })
}

/// The unread part of a packet.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn text(&mut self) -> Option<String> {
        let length = self.number()?;
        String::from_utf8(self.take(length.into())?.to_vec()).ok()
    }
}
