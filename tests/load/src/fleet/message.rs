//! OCPP-J messages: CALLs that differ in their number only, and as much of the answers as is worth a look.

use super::frame;

/// Before the number in a message id: with it, an id of 34 characters and a Heartbeat of 55.
const ID_PREFIX: &str = "onwire-load-test-message";
const DIGITS: usize = 10;

/// A CALL as a client's frame, to be sent by every connection with numbers of its own.
pub(crate) struct Message {
    frame: Vec<u8>,
    number_at: usize,
}

impl Message {
    pub(crate) fn new(action: &str, payload: &str) -> Self {
        let head = format!("[2,\"{ID_PREFIX}");
        let text = format!("{head}{:0DIGITS$}\",\"{action}\",{payload}]", 0);
        let frame = frame::write(frame::TEXT, text.as_bytes());
        let number_at = frame.len() - text.len() + head.len();
        Self { frame, number_at }
    }

    /// The frame with this number in its id.
    pub(super) fn numbered(&mut self, number: u32) -> &[u8] {
        let digits = self.frame.iter_mut().skip(self.number_at).take(DIGITS).rev();
        let mut left = number;
        for digit in digits {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
        &self.frame
    }

    /// Without the frame around it.
    pub(crate) fn text_length(&self) -> usize {
        self.frame.len() - self.number_at + "[2,\"".len() + ID_PREFIX.len()
    }
}

/// A message of the server's.
#[derive(Debug, PartialEq)]
pub(super) enum Received<'a> {
    /// With its id, as it is written.
    Call(&'a [u8]),
    Result(u32),
    Error(u32),
    /// No message of OCPP-J, or an answer to no CALL of ours.
    Other,
}

pub(super) fn look_at(text: &[u8]) -> Received<'_> {
    let Some((kind, id)) = head(text) else { return Received::Other };
    if kind == b'2' {
        return Received::Call(id);
    }
    let digits = id.strip_prefix(ID_PREFIX.as_bytes()).and_then(|digits| str::from_utf8(digits).ok());
    match (kind, digits.and_then(|digits| digits.parse().ok())) {
        (b'3', Some(number)) => Received::Result(number),
        (b'4', Some(number)) => Received::Error(number),
        _ => Received::Other,
    }
}

/// The type of message, a digit, and the id.
fn head(text: &[u8]) -> Option<(u8, &[u8])> {
    let text = text.trim_ascii_start().strip_prefix(b"[")?.trim_ascii_start();
    let (kind, text) = text.split_first()?;
    let text = text.trim_ascii_start().strip_prefix(b",")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| *byte == b'"')?;
    Some((*kind, text.get(..end)?))
}

/// What a charge point that can do nothing answers, as a client's frame.
pub(super) fn refusal(id: &[u8]) -> Vec<u8> {
    let text = [b"[4,\"", id, b"\",\"NotImplemented\",\"\",{}]"].concat();
    frame::write(frame::TEXT, &text)
}

#[cfg(test)]
mod tests {
    use super::{Message, Received, look_at};

    #[test]
    fn messages_are_numbered() {
        let mut heartbeat = Message::new("Heartbeat", "{}");
        assert_eq!(heartbeat.text_length(), 55);
        let expected = br#"[2,"onwire-load-test-message0004294967","Heartbeat",{}]"#;
        assert!(heartbeat.numbered(4_294_967).ends_with(expected));
    }

    #[test]
    fn answers_are_told_apart() {
        let result = br#"[3,"onwire-load-test-message0000000012",{}]"#;
        assert_eq!(look_at(result), Received::Result(12));
        let spaced = br#" [ 4 , "onwire-load-test-message0000000012", "InternalError", "", {}]"#;
        assert_eq!(look_at(spaced), Received::Error(12));
        assert_eq!(look_at(br#"[2,"7","Reset",{"type":"Soft"}]"#), Received::Call(b"7"));
        for other in ["", "[3]", r#"[3,"12",{}]"#, r#"{"a":"b"}"#, r#"[3,"onwire-load-test-message"#] {
            assert_eq!(look_at(other.as_bytes()), Received::Other, "{other}");
        }
    }
}
