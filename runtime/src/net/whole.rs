//! The message that nearly all are: text in one frame, all of it there and nothing beside it.

use std::io::Cursor;
use std::str::Utf8Error;

use async_tungstenite::tungstenite::protocol::frame::FrameHeader;
use async_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// The text, if `bytes` are exactly one final, masked frame of at most `limit` bytes of text; it is unmasked where it
/// stands. Whatever else they are is left as it is, for tungstenite to judge: its context takes five allocations and a
/// third of the time that a Heartbeat needs.
pub(super) fn text(bytes: &mut [u8], limit: usize) -> Option<Result<&str, Utf8Error>> {
    let mut cursor = Cursor::new(&*bytes);
    let (header, length) = FrameHeader::parse(&mut cursor).ok()??;
    let start = usize::try_from(cursor.position()).ok()?;
    let FrameHeader { is_final: true, rsv1: false, rsv2: false, rsv3: false, opcode, mask: Some(mask) } = header else {
        return None;
    };
    let payload = bytes.get_mut(start..)?;
    if opcode != OpCode::Data(Data::Text) || payload.len() as u64 != length || payload.len() > limit {
        return None;
    }
    unmask(payload, mask);
    Some(str::from_utf8(payload))
}

/// RFC 6455 §5.3.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let mask = u32::from_ne_bytes(mask);
    let (words, tail) = payload.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ mask).to_ne_bytes();
    }
    for (byte, mask) in tail.iter_mut().zip(mask.to_ne_bytes()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use async_tungstenite::tungstenite::protocol::frame::Frame;
    use async_tungstenite::tungstenite::protocol::frame::coding::Control;

    use super::*;

    fn frame(text: &[u8], alter: impl FnOnce(&mut FrameHeader)) -> Vec<u8> {
        let mut frame = Frame::message(text.to_vec(), OpCode::Data(Data::Text), true);
        frame.header_mut().mask = Some([0x37, 0xfa, 0x21, 0x3d]);
        alter(frame.header_mut());
        let mut bytes = Vec::new();
        frame.format(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn texts_of_all_lengths_are_unmasked() {
        for length in (0..140).chain([65_535, 65_536, 70_001]) {
            let text = "onwire 充电桩 ".chars().cycle().take(length).collect::<String>();
            let mut bytes = frame(text.as_bytes(), |_| {});
            assert_eq!(super::text(&mut bytes, 1 << 20), Some(Ok(&*text)), "{length} characters");
        }
    }

    #[test]
    fn whatever_else_stays_untouched() {
        type Alter = fn(&mut FrameHeader);
        let alterations: [Alter; 6] = [
            |header| header.is_final = false,
            |header| header.rsv1 = true,
            |header| header.mask = None,
            |header| header.opcode = OpCode::Data(Data::Binary),
            |header| header.opcode = OpCode::Data(Data::Continue),
            |header| header.opcode = OpCode::Control(Control::Ping),
        ];
        let whole = frame(b"text", |_| {});
        let others = [&whole[..3], &whole[..whole.len() - 1], &[whole.as_slice(), b"\x81"].concat(), &[0xff; 9], b""];
        for bytes in alterations.map(|alter| frame(b"text", alter)).into_iter().chain(others.map(<[u8]>::to_vec)) {
            let mut seen = bytes.clone();
            assert_eq!(text(&mut seen, 100), None, "{bytes:?}");
            assert_eq!(seen, bytes);
        }
        assert_eq!(text(&mut whole.clone(), 3), None, "longer than the limit");
    }

    #[test]
    fn what_is_no_utf_8_is_told() {
        assert!(text(&mut frame(&[b'a', 0xff], |_| {}), 100).unwrap().is_err());
    }
}
