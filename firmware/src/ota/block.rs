//! Blocks over MQTT: `thing.file.download`.
//!
//! As the vendor's C SDK reads and writes them; not verified against the cloud.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use onwire::codec::{Decoder, Extra, Fields, Quirks};
use onwire::types::RawJson;

use super::{Fetch, Source};

/// The payload of `/sys/{pk}/{dn}/thing/file/download_reply`: the length of a JSON header (two bytes, high byte first), the header,
/// the bytes of the file, and their CRC-16/ARC (low byte first).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// Where in the file it begins.
    pub offset: u32,
    /// The whole file's length.
    pub file_length: u32,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Why a reply carries no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadBlock {
    /// Its lengths or its header are not what they must be.
    #[error("not a block")]
    Malformed,
    /// The platform answered with this code.
    #[error("code {0}")]
    Refused(u32),
    /// The bytes have another checksum.
    #[error("a wrong checksum")]
    Checksum,
}

const NAMES: [&str; 5] = ["code", "data", "bSize", "bOffset", "fileLength"];
static FIELDS: Fields = Fields::new(&NAMES, 0, 0, Extra::Skipped);

impl<'a> Block<'a> {
    /// Reads a reply.
    ///
    /// # Errors
    /// [`BadBlock`].
    pub fn read(payload: &'a [u8]) -> Result<Self, BadBlock> {
        let (length, rest) = payload.split_first_chunk::<2>().ok_or(BadBlock::Malformed)?;
        let (header, rest) =
            rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(BadBlock::Malformed)?;
        let header = core::str::from_utf8(header).ok().and_then(members).ok_or(BadBlock::Malformed)?;
        let [code, data, ..] = header;
        match code.as_ref().and_then(number) {
            Some(200) => {}
            Some(code) => return Err(BadBlock::Refused(code)),
            None => return Err(BadBlock::Malformed),
        }
        let data = data.as_ref().and_then(|data| members(data.as_str())).ok_or(BadBlock::Malformed)?;
        let [_, _, size, offset, file_length] = data.map(|value| value.as_ref().and_then(number));
        let (bytes, crc) = rest.split_last_chunk::<2>().ok_or(BadBlock::Malformed)?;
        let (Some(size), Some(offset), Some(file_length)) = (size, offset, file_length) else {
            return Err(BadBlock::Malformed);
        };
        if u32::try_from(bytes.len()) != Ok(size) {
            return Err(BadBlock::Malformed);
        }
        if u16::from_le_bytes(*crc) != crc16(bytes) {
            return Err(BadBlock::Checksum);
        }
        Ok(Self { offset, file_length, bytes })
    }

    /// Writes a reply, for a platform. `id_token` is the request's id as it stands in its JSON, with its quotes if it has some.
    pub fn write(&self, id_token: &str) -> Vec<u8> {
        let (size, offset, file) = (self.bytes.len(), self.offset, self.file_length);
        let header = format!(
            r#"{{"id":{id_token},"code":200,"data":{{"bSize":{size},"bOffset":{offset},"fileLength":{file}}},"message":"success"}}"#
        );
        let mut payload = Vec::with_capacity(header.len() + size + 4);
        payload.extend_from_slice(&u16::try_from(header.len()).unwrap_or(u16::MAX).to_be_bytes());
        payload.extend_from_slice(header.as_bytes());
        payload.extend_from_slice(self.bytes);
        payload.extend_from_slice(&crc16(self.bytes).to_le_bytes());
        payload
    }
}

impl Fetch {
    /// The `params` of `thing.file.download` that ask for it; `None` if it does not come over MQTT.
    pub fn block_params(&self) -> Option<String> {
        let Source::Stream { stream, file } = self.source else { return None };
        let (length, offset) = (self.length, self.offset);
        Some(format!(
            r#"{{"fileInfo":{{"streamId":{stream},"fileId":{file}}},"fileBlock":{{"size":{length},"offset":{offset}}}}}"#
        ))
    }
}

fn members(text: &str) -> Option<[Option<RawJson>; NAMES.len()]> {
    let mut members = [const { None }; NAMES.len()];
    let mut decoder = Decoder::new(text, Quirks::ALL);
    let mut object = decoder.begin_object(&FIELDS).ok()?;
    while let Some(index) = decoder.next_field(&mut object).ok()? {
        *members.get_mut(index)? = Some(decoder.any().ok()?);
    }
    decoder.finish().ok()?;
    Some(members)
}

/// Numbers come as numbers and as text.
fn number(json: &RawJson) -> Option<u32> {
    json.as_str().trim_matches('"').parse().ok()
}

/// CRC-16/ARC, which is CRC-16/IBM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xa001 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        assert_eq!(crc16(b"123456789"), 0xbb3d);
    }

    #[test]
    fn a_block_is_read_as_it_was_written_and_not_if_anything_of_it_changed() {
        let block = Block { offset: 4096, file_length: 10_000, bytes: b"bytes" };
        let payload = block.write("\"7\"");
        assert_eq!(Block::read(&payload), Ok(block));
        for length in 0..payload.len() {
            assert!(Block::read(&payload[..length]).is_err(), "{length}");
        }
        let bytes = payload.len() - 7;
        for at in bytes..payload.len() {
            let mut payload = payload.clone();
            payload[at] ^= 4;
            assert_eq!(Block::read(&payload), Err(BadBlock::Checksum), "{at}");
        }
        let refusal = br#"{"id":"7","code":404,"data":{}}"#;
        let refusal = [&u16::try_from(refusal.len()).unwrap().to_be_bytes()[..], refusal].concat();
        assert_eq!(Block::read(&refusal), Err(BadBlock::Refused(404)));
    }
}
