//! WebSocket frames, as far as a generator of load needs them: no fragments are sent, and nothing is checked that
//! only a faulty server would get wrong.

use anyhow::{Result, bail};

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
/// Longer messages from a server are taken for an error.
const MOST: u64 = 1 << 20;

/// A frame of the server's.
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
}

/// Splits the first frame off; none if it is not there in full.
pub(crate) fn split(bytes: &[u8]) -> Result<Option<(Frame<'_>, &[u8])>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if second & MASKED != 0 {
        bail!("the server sent a masked frame");
    }
    let (length, rest) = match second {
        126 => {
            let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from_be_bytes(*length), rest)
        }
        short => (u64::from(*short), rest),
    };
    if length > MOST {
        bail!("the server sent a frame of {length} bytes");
    }
    let length = usize::try_from(length)?;
    Ok(rest.split_at_checked(length).map(|(payload, rest)| (Frame { opcode: first & 0x0f, payload }, rest)))
}

/// A client's frame. Clients have to mask; a key of zeroes leaves the payload as it is.
pub(crate) fn write(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    frame.push(FINAL | opcode);
    match payload.len() {
        length @ 0..126 => frame.push(MASKED | length as u8),
        length @ 126..65_536 => {
            frame.push(MASKED | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(MASKED | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::{TEXT, split, write};

    /// What a server would send.
    fn unmasked(payload: &[u8]) -> Vec<u8> {
        let mut frame = write(TEXT, payload);
        let key = frame.len() - payload.len() - 4;
        frame.drain(key..key + 4);
        frame[1] &= 0x7f;
        frame
    }

    #[test]
    fn frames_of_all_lengths_are_split_off_once_they_are_there() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut bytes = unmasked(&payload);
            assert!(split(&bytes[..bytes.len() - 1]).unwrap().is_none());
            bytes.push(b'y');
            let (frame, rest) = split(&bytes).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.payload, rest), (TEXT, payload.as_slice(), b"y".as_slice()));
        }
    }

    #[test]
    fn a_frame_too_long_is_refused_before_it_is_there() {
        assert!(split(&[0x81, 127, 0, 0, 0, 0, 1, 0, 0, 0]).is_err());
    }
}
