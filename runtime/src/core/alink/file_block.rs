//! The frame in which a block of a file travels over MQTT.

use alloc::string::String;
use alloc::vec::Vec;
use core::str;

use crc::{CRC_16_ARC, Crc};

use super::{FRAMING, spell};
use crate::alink::system::FileDownloadResponse;
use crate::codec::{DecodeError, EncodeError, Fault, Quirks, decode, encode};
use crate::core::error::CallError;
use crate::core::frame::Frame;

/// What the vendor's SDK calls CRC-16/IBM.
const CHECKSUM: Crc<u16> = Crc::<u16>::new(&CRC_16_ARC);

/// A block of a file, the answer to `FileDownload` on `/sys/{pk}/{dn}/thing/file/download_reply`: the length of its head in two
/// bytes, high byte first; the head, which is an ordinary answer; the bytes; and their checksum (CRC-16/ARC) in two bytes, low byte first.
///
/// The form is that which an SDK of the vendor's reads; it is not verified against the cloud.
///
/// ```
/// use onwire::alink::FileBlockFrame;
/// use onwire::alink::system::FileDownloadResponse;
///
/// let mut about = FileDownloadResponse::new(3, 0);
/// about.file_length = Some(9);
/// let bytes = FileBlockFrame { id: "\"7\"", about, block: b"abc" }.to_bytes()?;
/// let read = FileBlockFrame::parse(&bytes)?;
/// assert_eq!((read.id, read.block, read.about.b_offset), ("\"7\"", b"abc".as_slice(), 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileBlockFrame<'a> {
    /// The id of the request, as JSON: quotes included where it is a string.
    pub id: &'a str,
    /// Which part of which file this is.
    pub about: FileDownloadResponse,
    /// The bytes.
    pub block: &'a [u8],
}

/// Why bytes are no block of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoFileBlock {
    /// Something is missing, or more than the head says follows it.
    #[error("the frame is not as long as it says")]
    Length,
    /// The head is no answer.
    #[error("the head is no answer")]
    Head,
    /// The platform refuses.
    #[error("refused: {0}")]
    Refused(CallError),
    /// The head does not say which block it is.
    #[error(transparent)]
    About(#[from] DecodeError),
    /// The bytes have changed on the way.
    #[error("the checksum is another")]
    Checksum,
}

impl<'a> FileBlockFrame<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    /// [`NoFileBlock`]; the block may be asked for once more.
    pub fn parse(frame: &'a [u8]) -> Result<Self, NoFileBlock> {
        let (head, rest) = head_and_rest(frame)?;
        let (id, about) = match (FRAMING.split)(head).map_err(|_| NoFileBlock::Head)? {
            Frame::CallResult { id, payload } => (id, payload),
            Frame::CallError { error, .. } => return Err(NoFileBlock::Refused(error)),
            _ => return Err(NoFileBlock::Head),
        };
        let about: FileDownloadResponse = decode(head.get(about).unwrap_or(""), Quirks::ALL)?;
        let block = block(rest, about.b_size)?;
        Ok(Self { id: head.get(id).unwrap_or(""), about, block })
    }

    /// Writes the frame. Its head says the number of bytes that are there, whatever [`FileDownloadResponse::b_size`] is.
    ///
    /// # Errors
    /// [`EncodeError`], also if the file's token makes the head longer than its length can say.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let b_size = i64::try_from(self.block.len()).unwrap_or(i64::MAX);
        let mut head = String::new();
        (FRAMING.open_result)(&mut head, self.id);
        encode(&FileDownloadResponse { b_size, ..self.about.clone() }, &mut head)?;
        (FRAMING.close_result)(&mut head);
        frame(&head, self.block, "/fileToken")
    }

    /// The answer to a request that brings no block: a head alone, which [`FileBlockFrame::parse`] reads as
    /// [`NoFileBlock::Refused`]. `id` is that of the request, as JSON. What the cloud sends there is not verified.
    pub fn refused(id: &str, error: &CallError) -> Vec<u8> {
        let mut head = String::new();
        (FRAMING.error)(&mut head, id, spell(&error.code), error);
        let mut out = Vec::with_capacity(head.len() + 2);
        // An id that long is not answered with more than it says.
        out.extend(u16::try_from(head.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(head.as_bytes());
        out
    }
}

/// The head of a frame, and what follows it.
pub(super) fn head_and_rest(frame: &[u8]) -> Result<(&str, &[u8]), NoFileBlock> {
    let (length, rest) = frame.split_first_chunk().ok_or(NoFileBlock::Length)?;
    let (head, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(NoFileBlock::Length)?;
    Ok((str::from_utf8(head).map_err(|_| NoFileBlock::Head)?, rest))
}

/// The bytes that follow the head, which says how many they are, without their checksum.
pub(super) fn block(rest: &[u8], size: i64) -> Result<&[u8], NoFileBlock> {
    let (block, checksum) = rest.split_last_chunk().ok_or(NoFileBlock::Length)?;
    if usize::try_from(size) != Ok(block.len()) {
        return Err(NoFileBlock::Length);
    }
    if u16::from_le_bytes(*checksum) != CHECKSUM.checksum(block) {
        return Err(NoFileBlock::Checksum);
    }
    Ok(block)
}

/// A frame; `longest` is the field that makes a head too long.
pub(super) fn frame(head: &str, block: &[u8], longest: &str) -> Result<Vec<u8>, EncodeError> {
    let max = usize::from(u16::MAX);
    let too_long = |_| EncodeError { fault: Fault::TooLong { max }, pointer: longest.into() };
    let length = u16::try_from(head.len()).map_err(too_long)?;
    let mut out = Vec::with_capacity(head.len() + block.len() + 4);
    out.extend(length.to_be_bytes());
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(block);
    out.extend(CHECKSUM.checksum(block).to_le_bytes());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::error::ErrorCode;

    fn frame() -> Vec<u8> {
        FileBlockFrame { id: "5", about: FileDownloadResponse::new(9, 10), block: b"123456789" }.to_bytes().unwrap()
    }

    #[test]
    fn a_block_is_written_and_read() {
        let bytes = frame();
        let head = br#"{"id":5,"code":200,"data":{"bSize":9,"bOffset":10},"message":"success"}"#;
        assert_eq!(bytes[..2], [0, head.len() as u8]);
        assert_eq!(&bytes[2..2 + head.len()], head);
        // The check value that catalogues give for CRC-16/ARC.
        assert_eq!(&bytes[2 + head.len()..], b"123456789\x3d\xbb");
        let read = FileBlockFrame::parse(&bytes).unwrap();
        assert_eq!((read.id, read.block, read.about.b_offset), ("5", b"123456789".as_slice(), 10));
    }

    #[test]
    fn what_is_cut_changed_or_longer_is_refused() {
        let bytes = frame();
        for length in 0..bytes.len() {
            assert!(FileBlockFrame::parse(&bytes[..length]).is_err(), "{length}");
        }
        let mut changed = bytes.clone();
        let last = changed.len() - 3;
        changed[last] ^= 1;
        assert_eq!(FileBlockFrame::parse(&changed), Err(NoFileBlock::Checksum));
        let longer = [bytes.as_slice(), b"x"].concat();
        assert_eq!(FileBlockFrame::parse(&longer), Err(NoFileBlock::Length));
    }

    #[test]
    fn a_head_that_is_too_long_is_not_sent() {
        let mut about = FileDownloadResponse::new(0, 0);
        about.file_token = Some("x".repeat(70_000).as_str().into());
        let refused = FileBlockFrame { id: "5", about, block: b"" }.to_bytes().unwrap_err();
        assert_eq!(refused.fault, Fault::TooLong { max: 65_535 });
    }

    #[test]
    fn a_refusal_is_told() {
        let head = br#"{"id":"5","code":460,"message":"no such stream","data":{}}"#;
        let bytes = [&[0, head.len() as u8], head.as_slice()].concat();
        let refusal = CallError::new(ErrorCode::Other("460".into()), "no such stream");
        assert_eq!(FileBlockFrame::refused("\"5\"", &refusal), bytes);
        let Err(NoFileBlock::Refused(error)) = FileBlockFrame::parse(&bytes) else { panic!() };
        assert_eq!((error.code, error.description.as_ref()), (ErrorCode::Other("460".into()), "no such stream"));
        let head = br#"{"id":"5","method":"thing.file.download"}"#;
        let bytes = [&[0, head.len() as u8], head.as_slice()].concat();
        assert_eq!(FileBlockFrame::parse(&bytes), Err(NoFileBlock::Head));
    }
}
