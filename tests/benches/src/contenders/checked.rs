//! Contenders that are known to keep all that a document holds.

use std::error::Error;
use std::hint::black_box;
use std::rc::Rc;

use serde_json::Value;

use crate::comparison::Contender;

/// The payload that all contenders of a comparison decode and encode.
pub(super) struct Document {
    pub(super) text: Rc<str>,
    content: Value,
}

impl Document {
    pub(super) fn new(text: String) -> Result<Self, Box<dyn Error>> {
        Ok(Self { content: serde_json::from_str(&text)?, text: text.into() })
    }

    /// Panics if `text` does not hold what the document holds.
    pub(super) fn check(&self, name: &str, text: impl AsRef<[u8]>) -> Result<(), Box<dyn Error>> {
        assert_eq!(serde_json::from_slice::<Value>(text.as_ref())?, self.content, "{name}");
        Ok(())
    }

    /// Decodes `input`, which is the payload in the form that the contender starts from. `encode` is for the check
    /// only.
    pub(super) fn decoder<Input, Decoded, Text, DecodeError, EncodeError>(
        &self,
        name: impl Into<String>,
        input: Rc<Input>,
        decode: impl Fn(&Input) -> Result<Decoded, DecodeError> + 'static,
        encode: impl Fn(&Decoded) -> Result<Text, EncodeError>,
    ) -> Result<Contender, Box<dyn Error>>
    where
        Input: ?Sized + 'static,
        Text: AsRef<[u8]>,
        DecodeError: Error + 'static,
        EncodeError: Error + 'static,
    {
        let name = name.into();
        self.check(&name, encode(&decode(&input)?)?)?;
        Ok(Contender::new(name, move || {
            black_box(&decode(black_box(&input)));
        }))
    }

    /// Encodes `value` into one buffer, which has what was written before.
    pub(super) fn encoder<Decoded, Buffer, EncodeError>(
        &self,
        name: impl Into<String>,
        value: Decoded,
        encode: impl Fn(&Decoded, &mut Buffer) -> Result<(), EncodeError> + 'static,
    ) -> Result<Contender, Box<dyn Error>>
    where
        Decoded: 'static,
        Buffer: AsRef<[u8]> + Default + 'static,
        EncodeError: Error + 'static,
    {
        let name = name.into();
        let mut buffer = Buffer::default();
        for _ in 0..2 {
            encode(&value, &mut buffer)?;
            self.check(&name, &buffer)?;
        }
        Ok(Contender::new(name, move || {
            let _ = black_box(encode(black_box(&value), &mut buffer));
            black_box(&buffer);
        }))
    }
}
