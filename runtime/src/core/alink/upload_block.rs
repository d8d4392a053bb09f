//! The frame in which a block of a file goes up over MQTT.

use alloc::string::String;
use alloc::vec::Vec;

use super::FRAMING;
use super::file_block::{NoFileBlock, block, frame, head_and_rest};
use super::framing::with_method;
use crate::alink::system::FileUploadSendRequest;
use crate::codec::{EncodeError, Quirks, decode, encode};
use crate::core::frame::{Defect, Frame};

/// That of the message in the head.
const METHOD: &str = "thing.file.upload.mqtt.send";

/// A block of a file that a device uploads, on `/sys/{pk}/{dn}/thing/file/upload/mqtt/send`: the length of its head in two bytes,
/// high byte first; the head, which is an ordinary call, with its method or without; the bytes; and their checksum (CRC-16/ARC)
/// in two bytes, low byte first. The answer is an ordinary one.
///
/// The form is that which SDKs of the vendor's write; it is not verified against the cloud.
///
/// ```
/// use onwire::alink::UploadBlockFrame;
/// use onwire::alink::system::FileUploadSendRequest;
///
/// let about = FileUploadSendRequest::new("u1", 0, 3);
/// let bytes = UploadBlockFrame { id: "\"7\"", about, block: b"abc" }.to_bytes()?;
/// let read = UploadBlockFrame::parse(&bytes)?;
/// assert_eq!((read.id, read.block, read.about.upload_id.as_str()), ("\"7\"", b"abc".as_slice(), "u1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadBlockFrame<'a> {
    /// The id of the request, as JSON: quotes included where it is a string.
    pub id: &'a str,
    /// Which part of which upload this is.
    pub about: FileUploadSendRequest,
    /// The bytes.
    pub block: &'a [u8],
}

impl<'a> UploadBlockFrame<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    /// [`NoFileBlock`]; never [`NoFileBlock::Refused`].
    pub fn parse(frame: &'a [u8]) -> Result<Self, NoFileBlock> {
        let (head, rest) = head_and_rest(frame)?;
        let (id, about) = match (FRAMING.split)(head) {
            Ok(Frame::Call { id, payload, .. } | Frame::Send { id, payload, .. }) => (id, payload),
            // Its method is added behind the rest, so that the places of the rest stay.
            Err(bad) if bad.defect == Defect::Call => {
                let whole = with_method(head, METHOD).ok_or(NoFileBlock::Head)?;
                match (FRAMING.split)(&whole) {
                    Ok(Frame::Call { id, payload, .. } | Frame::Send { id, payload, .. }) => (id, payload),
                    _ => return Err(NoFileBlock::Head),
                }
            }
            _ => return Err(NoFileBlock::Head),
        };
        // Each block is answered by its id.
        let id = head.get(id).filter(|id| !id.is_empty()).ok_or(NoFileBlock::Head)?;
        let about: FileUploadSendRequest = decode(head.get(about).unwrap_or(""), Quirks::ALL)?;
        Ok(Self { id, block: block(rest, about.b_size)?, about })
    }

    /// Writes the frame. Its head says the number of bytes that are there, whatever
    /// [`FileUploadSendRequest::b_size`] is.
    ///
    /// # Errors
    /// [`EncodeError`], also for more than 131,072 bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let b_size = i64::try_from(self.block.len()).unwrap_or(i64::MAX);
        let mut head = String::from("{\"id\":");
        head.push_str(self.id);
        head.push_str(",\"version\":\"1.0\",\"params\":");
        encode(&FileUploadSendRequest { b_size, ..self.about.clone() }, &mut head)?;
        (FRAMING.close_call)(&mut head, METHOD);
        frame(&head, self.block, "/uploadId")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_with_its_method_and_without() {
        let head = br#"{"id":"5","params":{"uploadId":"u","offset":0,"bSize":9,"isComplete":true}}"#;
        let bytes = [&[0, head.len() as u8], head.as_slice(), b"123456789\x3d\xbb"].concat();
        let read = UploadBlockFrame::parse(&bytes).unwrap();
        assert_eq!((read.id, read.about.is_complete, read.block), ("\"5\"", Some(true), b"123456789".as_slice()));
        let written = read.to_bytes().unwrap();
        assert_eq!(UploadBlockFrame::parse(&written), Ok(read));
    }

    #[test]
    fn what_is_cut_or_changed_or_no_call_is_refused() {
        let about = FileUploadSendRequest::new("u", 0, 0);
        let bytes = UploadBlockFrame { id: "5", about, block: b"123456789" }.to_bytes().unwrap();
        for length in 0..bytes.len() {
            assert!(UploadBlockFrame::parse(&bytes[..length]).is_err(), "{length}");
        }
        let mut changed = bytes.clone();
        let last = changed.len() - 3;
        changed[last] ^= 1;
        assert_eq!(UploadBlockFrame::parse(&changed), Err(NoFileBlock::Checksum));
        for head in [br#"{"id":"5","code":200,"data":{}}"#.as_slice(), b"[]", br#"{"params":{}}"#] {
            let bytes = [&[0, head.len() as u8], head, &[0, 0]].concat();
            assert_eq!(UploadBlockFrame::parse(&bytes), Err(NoFileBlock::Head));
        }
        let about = FileUploadSendRequest::new("u", 0, 0);
        assert!(UploadBlockFrame { id: "5", about, block: &[0; 131_073] }.to_bytes().is_err());
    }
}
