//! Whether a WebSocket's bytes so far end between two messages.

use std::io::Cursor;

use async_tungstenite::tungstenite::protocol::frame::FrameHeader;
use async_tungstenite::tungstenite::protocol::frame::coding::OpCode;

/// The longest header: two bytes, eight of length, four of mask.
const LONGEST_HEADER: usize = 14;

/// Follows the frames of a stream by their headers alone.
#[derive(Debug, Default)]
pub(super) struct Boundary {
    /// A header that has come in part.
    header: [u8; LONGEST_HEADER],
    header_length: usize,
    /// Bytes of the current frame's payload that are still to come.
    payload: u64,
    /// The last data frame was not the final one of its message.
    fragmented: bool,
    /// What came is no frame, so that nothing can be said any more.
    broken: bool,
}

impl Boundary {
    /// Goes past `bytes`.
    pub(super) fn walk(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.broken {
            if self.payload > 0 {
                let length = bytes.len().min(usize::try_from(self.payload).unwrap_or(usize::MAX));
                self.payload -= length as u64;
                bytes = bytes.get(length..).unwrap_or(&[]);
                continue;
            }
            let known = self.header_length;
            let (Some(room), mut source) = (self.header.get_mut(known..), bytes) else { return };
            let taken = room.len().min(source.len());
            source = source.get(..taken).unwrap_or(&[]);
            if let Some(room) = room.get_mut(..taken) {
                room.copy_from_slice(source);
            }
            let mut cursor = Cursor::new(self.header.get(..known + taken).unwrap_or(&[]));
            match FrameHeader::parse(&mut cursor) {
                Ok(Some((header, length))) => {
                    let end = usize::try_from(cursor.position()).unwrap_or(0);
                    bytes = bytes.get(end.saturating_sub(known)..).unwrap_or(&[]);
                    (self.header_length, self.payload) = (0, length);
                    if matches!(header.opcode, OpCode::Data(_)) {
                        self.fragmented = !header.is_final;
                    }
                }
                Ok(None) => {
                    self.header_length = known + taken;
                    bytes = &[];
                }
                Err(_) => self.broken = true,
            }
        }
    }

    /// Whether nothing of a message is outstanding.
    pub(super) fn is_between_messages(&self) -> bool {
        self.header_length == 0 && self.payload == 0 && !self.fragmented && !self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Final or not, opcode, masked payload of that length.
    fn frame(is_final: bool, opcode: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![u8::from(is_final) << 7 | opcode];
        match length {
            0..126 => bytes.push(0x80 | length as u8),
            126..65536 => {
                bytes.push(0x80 | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.resize(bytes.len() + length, 0);
        bytes
    }

    #[test]
    fn messages_end_where_their_last_frame_ends_however_the_bytes_are_cut() {
        let parts = [
            (frame(true, 1, 5), true),
            (frame(false, 1, 200), false),
            (frame(true, 9, 3), false),
            (frame(false, 0, 0), false),
            (frame(true, 0, 70_000), true),
            (frame(true, 8, 2), true),
        ];
        for step in [1, 2, 3, 7, 100, 1_000_000] {
            let mut boundary = Boundary::default();
            for (bytes, ends) in &parts {
                let chunks: Vec<_> = bytes.chunks(step).collect();
                for (index, chunk) in chunks.iter().enumerate() {
                    boundary.walk(chunk);
                    let expected = *ends && index + 1 == chunks.len();
                    assert_eq!(boundary.is_between_messages(), expected, "step {step}, chunk {index}");
                }
            }
            let all: Vec<u8> = parts.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            let mut boundary = Boundary::default();
            all.chunks(step).for_each(|chunk| boundary.walk(chunk));
            assert!(boundary.is_between_messages());
        }
    }

    #[test]
    fn nonsense_is_never_between_messages() {
        let mut boundary = Boundary::default();
        boundary.walk(&[0xff; 3]);
        boundary.walk(&frame(true, 1, 0));
        assert!(!boundary.is_between_messages());
    }
}
