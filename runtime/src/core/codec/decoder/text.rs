//! Strings, and what is written as one: enumerations and time-stamps.

use alloc::borrow::Cow;
use alloc::string::String;

use compact_str::CompactString;

use super::{Decoder, Enumeration, position};
use crate::codec::fault::{Fault, Reject};
use crate::codec::quirk::Quirk;
use crate::codec::scan::{plain_prefix, until_quote};
use crate::core::date_time::Form;
use crate::core::text::over_long;
use crate::types::{CiString, DateTime, Text, Unrecognized};

impl<'a> Decoder<'a> {
    /// Text of at most `N` characters.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::TooLong`].
    #[inline]
    pub fn text<const N: usize>(&mut self, place: &mut Text<N>) -> Result<(), Reject> {
        self.bounded(place.as_compact(), N)
    }

    /// Case-insensitive text of at most `N` characters.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::TooLong`].
    #[inline]
    pub fn ci_string<const N: usize>(&mut self, place: &mut CiString<N>) -> Result<(), Reject> {
        self.bounded(place.as_compact(), N)
    }

    #[inline]
    fn bounded(&mut self, place: &mut CompactString, max: usize) -> Result<(), Reject> {
        // Where flash is dearer than time, one way to read text is enough.
        if cfg!(target_pointer_width = "64")
            && let Some((end, plain)) = self.plain()
            && plain.len() <= max
        {
            self.at = end;
            *place = CompactString::new(plain);
            return Ok(());
        }
        self.other_text(place, max)
    }

    /// What is no plain text of at most `max` bytes.
    #[cold]
    #[inline(never)]
    fn other_text(&mut self, place: &mut CompactString, max: usize) -> Result<(), Reject> {
        let (offset, text) = self.text_value()?;
        if over_long(&text, max).is_some() {
            self.quirk(Quirk::OverlongText, offset, Fault::TooLong { max })?;
        }
        *place = CompactString::new(text);
        Ok(())
    }

    fn text_value(&mut self) -> Result<(usize, Cow<'a, str>), Reject> {
        let first = self.peek();
        let offset = self.at;
        match first {
            Some(b'"') => Ok((offset, self.quoted()?)),
            Some(b'-' | b'0'..=b'9') if self.allowed.contains(Quirk::NumberForText) => {
                self.skip_number()?;
                self.noticed = self.noticed.with(Quirk::NumberForText);
                Ok((offset, Cow::Borrowed(self.text.get(offset..self.at).unwrap_or(""))))
            }
            Some(b't' | b'f') if self.allowed.contains(Quirk::BooleanForText) => {
                let word = if self.boolean()? { "true" } else { "false" };
                self.noticed = self.noticed.with(Quirk::BooleanForText);
                Ok((offset, Cow::Borrowed(word)))
            }
            _ => Err(self.wrong_type("a string")),
        }
    }

    /// The common case: a string without escapes, right here; and where it ends.
    #[inline]
    fn plain(&self) -> Option<(usize, &'a str)> {
        let (b'"', rest) = self.text.as_bytes().get(self.at..)?.split_first()? else { return None };
        let length = plain_prefix(rest);
        if *rest.get(length)? != b'"' {
            return None;
        }
        let start = self.at + 1;
        Some((start + length + 1, self.text.get(start..start + length)?))
    }

    /// What stands between the quote right here and the next one, and where that one ends. Only a value that equals a
    /// known one is known to be a whole string then.
    #[inline]
    pub(super) fn up_to_quote(&self) -> Option<(usize, &'a [u8])> {
        let (b'"', rest) = self.text.as_bytes().get(self.at..)?.split_first()? else { return None };
        let length = until_quote(rest);
        Some((self.at + length + 2, rest.get(..length)?))
    }

    /// A string; the decoder stands on its opening quote.
    pub(crate) fn quoted(&mut self) -> Result<Cow<'a, str>, Reject> {
        let start = self.at + 1;
        let end = start + plain_prefix(self.text.as_bytes().get(start..).unwrap_or(&[]));
        let plain = self.text.get(start..end).unwrap_or("");
        self.at = end;
        match self.byte() {
            Some(b'"') => {
                self.at += 1;
                Ok(Cow::Borrowed(plain))
            }
            Some(b'\\') => self.escaped(plain).map(Cow::Owned),
            _ => Err(self.syntax("a string that does not end, or holds a control character")),
        }
    }

    /// The rest of a string from its first escape on.
    #[cold]
    fn escaped(&mut self, before: &str) -> Result<String, Reject> {
        let mut text = String::from(before);
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    let escape = self.text.as_bytes().get(self.at + 1).copied();
                    self.at += 2;
                    text.push(match escape {
                        Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
                        Some(b'b') => '\u{8}',
                        Some(b'f') => '\u{c}',
                        Some(b'n') => '\n',
                        Some(b'r') => '\r',
                        Some(b't') => '\t',
                        Some(b'u') => self.unicode_escape()?,
                        _ => return Err(self.syntax("an unknown escape")),
                    });
                }
                Some(0x20..) => {
                    let length = plain_prefix(self.rest().as_bytes());
                    text.push_str(self.rest().get(..length).unwrap_or(""));
                    self.at += length;
                }
                _ => return Err(self.syntax("a string that does not end, or holds a control character")),
            }
        }
    }

    /// The four digits after `\u`, and the second half of a surrogate pair.
    fn unicode_escape(&mut self) -> Result<char, Reject> {
        let first = self.hex4()?;
        let code = match first {
            0xd800..0xdc00 if self.rest().starts_with("\\u") => {
                self.at += 2;
                let second = self.hex4()?;
                if !(0xdc00..0xe000).contains(&second) {
                    return Err(self.syntax("half of a surrogate pair"));
                }
                0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            other => other,
        };
        match char::from_u32(code) {
            Some(character) => Ok(character),
            None => Err(self.syntax("half of a surrogate pair")),
        }
    }

    fn hex4(&mut self) -> Result<u32, Reject> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).unwrap_or(&[]);
        let mut value = 0;
        for digit in digits {
            match char::from(*digit).to_digit(16) {
                Some(digit) => value = value << 4 | digit,
                None => return Err(self.syntax("an unknown escape")),
            }
        }
        if digits.len() < 4 {
            return Err(self.syntax("an unknown escape"));
        }
        self.at += 4;
        Ok(value)
    }

    /// The value of an enumeration whose values are text.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::UnrecognizedValue`].
    pub fn enumeration<T: Enumeration>(&mut self) -> Result<T, Reject> {
        // Where flash is dearer, one way to find a value is enough.
        if cfg!(target_pointer_width = "64")
            && let Some([b'"', text @ ..]) = self.text.as_bytes().get(self.at..)
            && let Some((known, length)) = T::starting(text)
        {
            self.at += length + 2;
            return Ok(known);
        }
        self.text_of(T::VALUES).map(variant)
    }

    /// One of `values`, or what stands there instead.
    #[cold]
    #[inline(never)]
    fn text_of(&mut self, values: &[&str]) -> Result<Result<usize, Unrecognized>, Reject> {
        self.peek();
        let offset = self.at;
        if self.byte() != Some(b'"') {
            return Err(self.wrong_type("a string"));
        }
        let value = self.quoted()?;
        self.one_of(values, &value, offset)
    }

    /// The value of an enumeration whose values are numbers.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::UnrecognizedValue`].
    pub fn numbered<T: Enumeration>(&mut self) -> Result<T, Reject> {
        self.number_of(T::VALUES).map(variant)
    }

    fn number_of(&mut self, values: &[&str]) -> Result<Result<usize, Unrecognized>, Reject> {
        let (offset, number) = self.number("an integer")?;
        let mut buffer = itoa::Buffer::new();
        let value = match number {
            Some(number) if number.scale() == 0 => buffer.format(number.mantissa()),
            _ => return Err(self.reject(offset, Fault::WrongType { expected: "an integer" })),
        };
        self.one_of(values, value, offset)
    }

    fn one_of(&mut self, values: &[&str], value: &str, offset: usize) -> Result<Result<usize, Unrecognized>, Reject> {
        if let Some(index) = position(values, value.as_bytes()) {
            return Ok(Ok(index));
        }
        self.quirk(Quirk::UnrecognizedValue, offset, Fault::UnrecognizedValue)?;
        Ok(Err(Unrecognized::new(value)))
    }

    /// A time-stamp.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::NotADateTime`].
    pub fn date_time(&mut self) -> Result<DateTime, Reject> {
        self.peek();
        let offset = self.at;
        if self.byte() != Some(b'"') {
            return Err(self.wrong_type("a string"));
        }
        let text = self.quoted()?;
        let Some((at, form)) = DateTime::parse_form(&text) else {
            return Err(self.reject(offset, Fault::NotADateTime));
        };
        match form {
            Form::Rfc3339 => {}
            Form::Zoneless => self.quirk(Quirk::ZonelessDateTime, offset, Fault::NotADateTime)?,
            Form::Loose => self.quirk(Quirk::LooseDateTime, offset, Fault::NotADateTime)?,
        }
        Ok(at)
    }

    /// A time-stamp as text that holds milliseconds since 1970, as thing models write it.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::NotADateTime`].
    pub fn unix_millis(&mut self) -> Result<DateTime, Reject> {
        let (offset, text) = self.text_value()?;
        match text.parse() {
            Ok(millis) => Ok(DateTime::from_unix_millis(millis)),
            Err(_) => Err(self.reject(offset, Fault::NotADateTime)),
        }
    }
}

fn variant<T: Enumeration>(found: Result<usize, Unrecognized>) -> T {
    match found {
        Ok(index) => T::nth(index),
        Err(value) => T::unrecognized(value),
    }
}
