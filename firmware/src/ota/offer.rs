//! What the platform offers: `/ota/device/upgrade/{pk}/{dn}`, and the answer to `thing.ota.firmware.get`.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use onwire::codec::{Decoder, Extra, Fields, Quirks};
use onwire::types::{RawJson, Text};

use super::Digest;

/// An image, as it will be in the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Which module it is for; `default` where the platform does not say.
    pub module: String,
    /// The version that the module has with it.
    pub version: String,
    /// Its length in bytes, 1 or more.
    pub size: u32,
    /// What its bytes must come to.
    pub digest: Digest,
    /// `isDiff`: it is to be applied to the version that runs. The updater knows how, or refuses it.
    pub difference: bool,
}

/// Where the bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// `url`: HTTP or HTTPS. Platforms sign such URLs for a time (Aliyun: 24 h).
    Url(String),
    /// Over MQTT, by `thing.file.download`.
    Stream {
        /// `streamId`.
        stream: u64,
        /// `streamFileId`.
        file: u64,
    },
}

/// An image and where to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What it is.
    pub image: Image,
    /// Where it is.
    pub source: Source,
}

/// Why a message offers nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// It is not what such messages are.
    #[error("not an upgrade message")]
    Malformed,
    /// There is no update: the usual answer to a query.
    #[error("no update")]
    Nothing,
    /// The platform answered with this code.
    #[error("code {0}")]
    Refused(u32),
    /// A field is missing, or is not what it must be.
    #[error("{0} is missing or wrong")]
    Field(&'static str),
    /// More than one file; such an update is not supported.
    #[error("more than one file")]
    SeveralFiles,
}

/// Where the platform names none.
const DEFAULT_MODULE: &str = "default";

const NAMES: [&str; 18] = [
    "code",
    "data",
    "params",
    "module",
    "version",
    "size",
    "url",
    "md5",
    "sign",
    "signMethod",
    "isDiff",
    "streamId",
    "streamFileId",
    "files",
    "fileSize",
    "fileUrl",
    "fileMd5",
    "fileSign",
];
static FIELDS: Fields = Fields::new(&NAMES, 0, 0, Extra::Skipped);

/// The members of one object, as they stand.
struct Members([Option<RawJson>; NAMES.len()]);

impl Members {
    fn read(text: &str) -> Option<Self> {
        let mut members = [const { None }; NAMES.len()];
        let mut decoder = Decoder::new(text, Quirks::ALL);
        let mut object = decoder.begin_object(&FIELDS).ok()?;
        while let Some(index) = decoder.next_field(&mut object).ok()? {
            let value = decoder.any().ok()?;
            if let Some(member) = members.get_mut(index) {
                *member = Some(value);
            }
        }
        decoder.finish().ok()?;
        Some(Self(members))
    }

    /// As JSON; nothing stands for `null`.
    fn json(&self, name: &str) -> Option<&str> {
        let index = NAMES.iter().position(|known| *known == name)?;
        self.0.get(index)?.as_ref().map(RawJson::as_str).filter(|json| *json != "null")
    }

    /// Numbers come as numbers and as text.
    fn number(&self, name: &str) -> Option<u64> {
        self.json(name)?.trim_matches('"').parse().ok()
    }

    fn text(&self, name: &str) -> Option<String> {
        let mut text = Text::<2048>::default();
        Decoder::new(self.json(name)?, Quirks::ALL).text(&mut text).ok()?;
        let text = text.as_str();
        (!text.is_empty() && text.len() <= 2048).then(|| text.to_owned())
    }
}

impl Offer {
    /// Reads a push, or the answer to a query: the whole message, of which `code` is 1000 or 200, as number or text.
    ///
    /// `sign` with `signMethod` goes before `md5`. An unknown `signMethod` is an error and not a reason to check nothing.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn from_message(json: &str) -> Result<Self, OfferError> {
        let envelope = Members::read(json).ok_or(OfferError::Malformed)?;
        let code = envelope.number("code");
        let answers = code.is_some();
        match code {
            Some(200 | 1000) | None => {}
            Some(code) => return Err(OfferError::Refused(u32::try_from(code).unwrap_or(u32::MAX))),
        }
        // Some write it as any other message.
        let data = envelope.json("data").or_else(|| envelope.json("params"));
        let data = data.ok_or(if answers { OfferError::Nothing } else { OfferError::Malformed })?;
        let data = Members::read(data).ok_or(OfferError::Malformed)?;
        let Some(version) = data.text("version") else {
            let empty = data.0.iter().all(Option::is_none);
            return Err(if empty { OfferError::Nothing } else { OfferError::Field("version") });
        };
        let file = data.json("files").map(only).transpose()?;
        let (size, url, md5, sign) = match &file {
            Some(file) => (file.number("fileSize"), file.text("fileUrl"), file.text("fileMd5"), file.text("fileSign")),
            None => (data.number("size"), data.text("url"), data.text("md5"), data.text("sign")),
        };
        let digest = match (data.text("signMethod"), sign, md5) {
            (Some(method), Some(sign), _) => Digest::parse(&method, &sign).ok_or(OfferError::Field("sign"))?,
            (_, _, Some(md5)) => Digest::parse("md5", &md5).ok_or(OfferError::Field("md5"))?,
            _ => return Err(OfferError::Field("sign")),
        };
        let source = match (data.number("streamId"), data.number("streamFileId"), url) {
            (Some(stream), Some(file), _) => Source::Stream { stream, file },
            (_, _, Some(url)) => Source::Url(url),
            _ => return Err(OfferError::Field("url")),
        };
        let size = size.and_then(|size| u32::try_from(size).ok()).filter(|size| *size > 0);
        let image = Image {
            module: data.text("module").unwrap_or_else(|| DEFAULT_MODULE.to_owned()),
            version,
            size: size.ok_or(OfferError::Field("size"))?,
            digest,
            difference: data.number("isDiff") == Some(1),
        };
        Ok(Self { image, source })
    }

    /// The module that a message is for, whatever else is wrong with it.
    pub(super) fn module_of(json: &str) -> String {
        let data = Members::read(json).and_then(|envelope| {
            let data = envelope.json("data").or_else(|| envelope.json("params"))?;
            Members::read(data)?.text("module")
        });
        data.unwrap_or_else(|| DEFAULT_MODULE.to_owned())
    }

    /// For durable memory: read back by [`from_bytes`](Offer::from_bytes), of this and of later versions of the crate.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let Image { module, version, size, digest, difference } = &self.image;
        out.push(1);
        out.push(u8::from(*difference));
        out.extend_from_slice(&size.to_le_bytes());
        put(&mut out, digest.as_bytes());
        put(&mut out, module.as_bytes());
        put(&mut out, version.as_bytes());
        match &self.source {
            Source::Url(url) => put(&mut out, url.as_bytes()),
            Source::Stream { stream, file } => {
                put(&mut out, &[]);
                out.extend_from_slice(&stream.to_le_bytes());
                out.extend_from_slice(&file.to_le_bytes());
            }
        }
        out
    }

    /// What [`to_bytes`](Offer::to_bytes) wrote; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let ([1, difference], rest) = bytes.split_first_chunk::<2>()? else { return None };
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let (digest, rest) = take(rest)?;
        let digest = match digest.len() {
            16 => Digest::Md5(digest.try_into().ok()?),
            _ => Digest::Sha256(digest.try_into().ok()?),
        };
        let (module, rest) = take(rest)?;
        let (version, rest) = take(rest)?;
        let (url, rest) = take(rest)?;
        let text = |bytes: &[u8]| core::str::from_utf8(bytes).ok().map(ToOwned::to_owned);
        let source = match url.is_empty() {
            false => Source::Url(text(url)?),
            true => {
                let (stream, rest) = rest.split_first_chunk()?;
                let (file, _) = rest.split_first_chunk()?;
                Source::Stream { stream: u64::from_le_bytes(*stream), file: u64::from_le_bytes(*file) }
            }
        };
        let size = u32::from_le_bytes(*size);
        let image =
            Image { module: text(module)?, version: text(version)?, size, digest, difference: *difference == 1 };
        Some(Self { image, source })
    }
}

/// The one file of a list of files.
fn only(files: &str) -> Result<Members, OfferError> {
    let mut items = Vec::new();
    let mut decoder = Decoder::new(files, Quirks::ALL);
    let read = decoder.list(&mut items, 0, usize::MAX, RawJson::null, |decoder, item| {
        *item = decoder.any()?;
        Ok(())
    });
    match (read, items.as_slice()) {
        (Ok(()), [file]) => Members::read(file.as_str()).ok_or(OfferError::Field("files")),
        (Ok(()), [_, _, ..]) => Err(OfferError::SeveralFiles),
        _ => Err(OfferError::Field("files")),
    }
}

/// No field is longer than 2048 bytes, where it comes from a message; what is longer is cut and will not be found.
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes.get(..usize::from(length)).unwrap_or(bytes));
}

fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "9e107d9d372bb6826bd81d3542a419d6";
    const SHA256: &str = "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592";

    fn data(members: &str) -> Result<Offer, OfferError> {
        Offer::from_message(&alloc::format!(
            r#"{{"code":"1000","data":{{{members}}},"id":1507707025,"message":"success"}}"#
        ))
    }

    #[test]
    fn a_push_says_what_and_where() {
        let url = "https://firmware.example/a?x=1&y=%20";
        let push = alloc::format!(
            r#""size":70000,"version":"2.0.0","isDiff":0,"url":"{url}","md5":"{MD5}","sign":"{SHA256}","signMethod":"SHA256","module":"app""#
        );
        let offer = data(&push).unwrap();
        let digest = Digest::parse("SHA256", SHA256).unwrap();
        let image = Image { module: "app".into(), version: "2.0.0".into(), size: 70_000, digest, difference: false };
        assert_eq!(offer, Offer { image, source: Source::Url(url.into()) });
        assert_eq!(Offer::from_bytes(&offer.to_bytes()).as_ref(), Some(&offer));
        let framed = alloc::format!(r#"{{"id":"7","params":{{{push}}},"method":"ota.device.upgrade"}}"#);
        assert_eq!(Offer::from_message(&framed), Ok(offer), "as a session frames it");
    }

    #[test]
    fn a_push_over_mqtt_names_a_stream() {
        let push = alloc::format!(
            r#""size":"5","version":"2","isDiff":1,"dProtocol":"mqtt","streamId":1397345,"streamFileId":1,"md5":"{MD5}""#
        );
        let offer = data(&push).unwrap();
        assert_eq!(offer.source, Source::Stream { stream: 1_397_345, file: 1 });
        assert_eq!((offer.image.module.as_str(), offer.image.difference), ("default", true));
        assert_eq!(Offer::from_bytes(&offer.to_bytes()), Some(offer));
    }

    #[test]
    fn one_file_in_a_list_is_one_file() {
        let file = alloc::format!(
            r#"{{"fileSize":5,"fileName":"f","fileUrl":"http://f","fileMd5":"{MD5}","fileSign":"{MD5}"}}"#
        );
        let one = data(&alloc::format!(r#""version":"2","signMethod":"Md5","files":[{file}]"#)).unwrap();
        assert_eq!((one.image.size, one.source), (5, Source::Url("http://f".into())));
        let two = alloc::format!(r#""version":"2","signMethod":"Md5","files":[{file},{file}]"#);
        assert_eq!(data(&two), Err(OfferError::SeveralFiles));
        assert_eq!(data(r#""version":"2","files":[]"#), Err(OfferError::Field("files")));
    }

    #[test]
    fn what_offers_nothing_says_why() {
        assert_eq!(data(""), Err(OfferError::Nothing));
        assert_eq!(Offer::from_message(r#"{"id":"1","code":404,"data":{}}"#), Err(OfferError::Refused(404)));
        assert_eq!(Offer::from_message(r#"{"id":"1","code":200}"#), Err(OfferError::Nothing));
        for message in ["", "[]", "{", r#"{"id":"1"}"#, r#"{"code":200,"data":[]}"#, r#"{"code":200,"data":{}} x"#] {
            assert_eq!(Offer::from_message(message), Err(OfferError::Malformed), "{message}");
        }
        for (members, field) in [
            (r#""size":1"#.into(), "version"),
            (r#""version":"2","size":1,"url":"http://f""#.into(), "sign"),
            (
                alloc::format!(
                    r#""version":"2","size":1,"url":"http://f","sign":"{MD5}","signMethod":"SHA1","md5":"{MD5}""#
                ),
                "sign",
            ),
            (alloc::format!(r#""version":"2","size":1,"url":"http://f","md5":"{SHA256}""#), "md5"),
            (alloc::format!(r#""version":"2","size":1,"md5":"{MD5}""#), "url"),
            (alloc::format!(r#""version":"2","url":"http://f","md5":"{MD5}""#), "size"),
            (alloc::format!(r#""version":"2","size":0,"url":"http://f","md5":"{MD5}""#), "size"),
            (alloc::format!(r#""version":"2","size":-1,"url":"http://f","md5":"{MD5}""#), "size"),
            (alloc::format!(r#""version":"2","size":4294967296,"url":"http://f","md5":"{MD5}""#), "size"),
            (alloc::format!(r#""version":"2","size":1,"url":"{}","md5":"{MD5}""#, "x".repeat(2049)), "url"),
        ] {
            let members: String = members;
            assert_eq!(data(&members), Err(OfferError::Field(field)), "{members}");
        }
    }

    #[test]
    fn bytes_of_something_else_are_no_offer() {
        let offer = Offer {
            image: Image {
                module: "m".into(),
                version: "v".into(),
                size: 7,
                digest: Digest::parse("md5", MD5).unwrap(),
                difference: false,
            },
            source: Source::Stream { stream: 1, file: 2 },
        };
        let bytes = offer.to_bytes();
        for length in 0..bytes.len() {
            assert_eq!(Offer::from_bytes(&bytes[..length]), None, "{length}");
        }
        assert_eq!(Offer::from_bytes(&[2; 200]), None);
    }
}
