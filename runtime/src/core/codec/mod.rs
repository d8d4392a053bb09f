//! The codec that generated code calls: a pull decoder, an encoder, and the faults of both.
//!
//! Generated types implement [`Message`]; [`decode`] and [`encode`] are the way in for everyone else. Decoding is
//! liberal or strict by a set of [`Quirks`]; a fault is found at a byte offset and turned into a JSON pointer only when
//! it is reported, so that the good path pays nothing for it.

mod decoder;
mod encoder;
mod fault;
mod pointer;
mod quirk;
mod scan;

use alloc::string::String;

use fault::Found;
use pointer::pointer_at;

pub use decoder::{Decoder, Enumeration, Extra, Fields, Object, Record, Timed};
pub use encoder::Encoder;
pub(crate) use encoder::write_escaped;
pub use fault::{DecodeError, EncodeError, Fault, Reject};
pub use quirk::{Quirk, Quirks};

/// A type that the generator made from a schema.
pub trait Message: Sized {
    /// A value to be read over, without an allocation if possible.
    fn blank() -> Self;

    /// Reads one value at the decoder's position. `self` is a blank one, and after an error of no use.
    ///
    /// Where it is to stay at last, as moving values around takes a device's flash.
    ///
    /// # Errors
    /// [`Reject`] with the fault and its place.
    fn read(&mut self, decoder: &mut Decoder<'_>) -> Result<(), Reject>;

    /// Reads one value at the decoder's position.
    ///
    /// # Errors
    /// [`Reject`] with the fault and its place.
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Reject> {
        let mut value = Self::blank();
        value.read(decoder).map(|()| value)
    }

    /// Appends the value.
    ///
    /// # Errors
    /// [`Reject`] if the value is not what the schema allows to be sent.
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Reject>;
}

/// Reads a whole document; `allowed` says which quirks of the field are let through.
///
/// ```
/// use onwire::codec::{Quirks, decode};
/// use onwire::ocpp::v16::AuthorizeRequest;
///
/// let error = decode::<AuthorizeRequest>(r#"{"idTag":7}"#, Quirks::NONE).unwrap_err();
/// assert_eq!(error.to_string(), "/idTag: not a string");
/// ```
///
/// # Errors
/// [`DecodeError`] with the fault and a JSON pointer to it.
pub fn decode<T: Message>(text: &str, allowed: Quirks) -> Result<T, DecodeError> {
    let mut value = T::blank();
    read_document(text, allowed, &mut value).map(|_| value)
}

/// [`Message`], in part and as an object: what is done once for each document is not compiled once for each type.
trait Document {
    fn read_from(&mut self, decoder: &mut Decoder<'_>) -> Result<(), Reject>;
}

impl<T: Message> Document for T {
    fn read_from(&mut self, decoder: &mut Decoder<'_>) -> Result<(), Reject> {
        self.read(decoder)
    }
}

fn read_document(text: &str, allowed: Quirks, value: &mut dyn Document) -> Result<Quirks, DecodeError> {
    decode_with(text, allowed, |decoder| value.read_from(decoder).map(|()| decoder.noticed()))
}

pub(crate) fn decode_with<T>(
    text: &str,
    allowed: Quirks,
    read: impl FnOnce(&mut Decoder<'_>) -> Result<T, Reject>,
) -> Result<T, DecodeError> {
    let mut decoder = Decoder::new(text, allowed);
    match read(&mut decoder).and_then(|value| decoder.finish().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(Reject(())) => Err(refused(text, decoder.found())),
    }
}

#[cold]
#[inline(never)]
fn refused(text: &str, found: Found) -> DecodeError {
    let pointer = pointer_at(text, found);
    let fault = match found.fault {
        Fault::WrongType { expected: "an object" } if pointer.is_empty() => Fault::NotAnObject,
        fault => fault,
    };
    DecodeError { fault, pointer }
}

/// Reads the payload of a frame, where `null` or nothing may stand for `{}`, and says which quirks were met.
pub(crate) fn decode_payload<T: Message>(text: &str, allowed: Quirks) -> Result<(T, Quirks), DecodeError> {
    let mut noticed = Quirks::NONE;
    let absent = matches!(text.trim_ascii(), "" | "null") && allowed.contains(Quirk::NullPayload);
    if absent {
        noticed = noticed.with(Quirk::NullPayload);
    }
    let mut value = T::blank();
    let met = read_document(if absent { "{}" } else { text }, allowed, &mut value)?;
    Ok((value, noticed.union(met)))
}

/// Appends `value` as JSON to `out`; on an error `out` is as it was.
///
/// # Errors
/// [`EncodeError`] with the fault and a JSON pointer to it.
pub fn encode<T: Message>(value: &T, out: &mut String) -> Result<(), EncodeError> {
    write_document(value, out)
}

/// [`Message`], in part and as an object, as [`Document`] is; no one trait, as a device may only read a message, or only
/// write it.
trait Writable {
    fn write_to(&self, encoder: &mut Encoder<'_>) -> Result<(), Reject>;
}

impl<T: Message> Writable for T {
    fn write_to(&self, encoder: &mut Encoder<'_>) -> Result<(), Reject> {
        self.encode(encoder)
    }
}

fn write_document(value: &dyn Writable, out: &mut String) -> Result<(), EncodeError> {
    let start = out.len();
    let mut encoder = Encoder::new(out);
    match value.write_to(&mut encoder) {
        Ok(()) => Ok(()),
        Err(Reject(())) => {
            let Found { fault, .. } = encoder.found();
            let written = out.get(start..).unwrap_or("");
            let pointer = pointer_at(written, Found { fault, offset: written.len() });
            out.truncate(start);
            Err(EncodeError { fault, pointer })
        }
    }
}
