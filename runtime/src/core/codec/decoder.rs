//! The pull decoder: generated code asks for what its schema expects next.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::encoder::decimal_fault;
use super::fault::{Fault, Found, Reject};
use super::quirk::{Quirk, Quirks};
use super::scan::plain_prefix;
use crate::core::date_time::Form;
use crate::types::{CiString, DateTime, Decimal, RawJson, Text, Unrecognized};

/// How deep a value may be nested.
const MAX_DEPTH: u32 = 64;

/// The properties of an object type, in the schema's order.
#[derive(Debug)]
pub struct Fields<const N: usize> {
    keys: [Key; N],
    /// One bit for each required property.
    required: u64,
    /// One bit for each optional property that is no text, where `""` can only mean "absent".
    blank: u64,
    /// Whether the schema allows other properties.
    open: bool,
}

/// A property's name, and its first eight bytes, so that most comparisons are one of numbers.
#[derive(Debug, Clone, Copy)]
struct Key {
    name: &'static str,
    head: u64,
}

impl<const N: usize> Fields<N> {
    /// At most 64 names, as the masks have one bit for each.
    pub const fn new(names: [&'static str; N], required: u64, blank: u64, open: bool) -> Self {
        const { assert!(N <= 64, "an object type has at most 64 properties") };
        let mut keys = [Key { name: "", head: 0 }; N];
        let (mut rest, mut unfilled): (&[&str], &mut [Key]) = (&names, &mut keys);
        while let ([name, names @ ..], [key, more @ ..]) = (rest, unfilled) {
            *key = Key { name, head: head_of(name.as_bytes()) };
            (rest, unfilled) = (names, more);
        }
        Self { keys, required, blank, open }
    }
}

/// Up to eight bytes, the first one lowest.
const fn head_of(bytes: &[u8]) -> u64 {
    let (mut head, mut shift, mut rest) = (0, 0, bytes);
    while let [byte, more @ ..] = rest {
        if shift == 64 {
            break;
        }
        head |= (*byte as u64) << shift;
        (shift, rest) = (shift + 8, more);
    }
    head
}

/// An object that is being read.
#[derive(Debug)]
pub struct Object {
    keys: &'static [Key],
    required: u64,
    blank: u64,
    open: bool,
    start: usize,
    seen: u64,
    /// Where the next key is looked for first: after the last one, as most peers write in the schema's order.
    expected: usize,
    empty: bool,
}

/// An enumeration that the generator made.
pub trait Enumeration: Sized {
    /// The variant of a value on the wire.
    fn from_wire(value: &str) -> Option<Self>;
    /// The variant that keeps a value outside the enumeration.
    fn unrecognized(value: Unrecognized) -> Self;
}

/// Reads JSON text from front to back.
#[derive(Debug)]
pub struct Decoder<'a> {
    text: &'a str,
    at: usize,
    allowed: Quirks,
    noticed: Quirks,
    /// Objects of generated types that are open: a type may hold itself.
    depth: u32,
    found: Found,
}

impl<'a> Decoder<'a> {
    /// A decoder at the start of `text` that lets the quirks in `allowed` through.
    pub fn new(text: &'a str, allowed: Quirks) -> Self {
        Self { text, at: 0, allowed, noticed: Quirks::NONE, depth: 0, found: Found::UNSAID }
    }

    /// The quirks that were met so far.
    pub fn noticed(&self) -> Quirks {
        self.noticed
    }

    /// Where the decoder stands, in bytes.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Checks that nothing but white space is left.
    ///
    /// # Errors
    /// [`Fault::Syntax`].
    pub fn finish(&mut self) -> Result<(), Reject> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.syntax("more than one value")),
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space; the decoder stands on it.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other,
            }
        }
    }

    /// Takes `byte` if it comes next.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Says why the value that starts at `offset` is refused.
    #[cold]
    pub fn reject(&mut self, offset: usize, fault: Fault) -> Reject {
        self.found = Found { fault, offset };
        Reject(())
    }

    pub(super) fn found(&self) -> Found {
        self.found
    }

    #[cold]
    fn syntax(&mut self, what: &'static str) -> Reject {
        self.reject(self.at, Fault::Syntax(what))
    }

    /// A value of another type starts at the decoder's position, or no value at all.
    #[cold]
    fn wrong_type(&mut self, expected: &'static str) -> Reject {
        let offset = self.at;
        match self.skip() {
            Ok(()) => self.reject(offset, Fault::WrongType { expected }),
            Err(broken) => broken,
        }
    }

    /// Lets `quirk` pass if it is allowed.
    fn quirk(&mut self, quirk: Quirk, offset: usize, fault: Fault) -> Result<(), Reject> {
        if !self.allowed.contains(quirk) {
            return Err(self.reject(offset, fault));
        }
        self.noticed = self.noticed.with(quirk);
        Ok(())
    }

    // ---- objects

    /// Enters an object.
    ///
    /// # Errors
    /// [`Fault::WrongType`].
    pub fn object<const N: usize>(&mut self, fields: &'static Fields<N>) -> Result<Object, Reject> {
        self.peek();
        let start = self.at;
        if !self.take(b'{') {
            return Err(self.wrong_type("an object"));
        }
        if self.depth == MAX_DEPTH {
            return Err(self.reject(start, Fault::TooDeep));
        }
        self.depth += 1;
        let Fields { keys, required, blank, open } = fields;
        Ok(Object { keys, required: *required, blank: *blank, open: *open, start, seen: 0, expected: 0, empty: true })
    }

    /// Goes to the value of the next known property and returns the property's index; `None` at the end.
    ///
    /// # Errors
    /// Syntax, unknown and duplicate properties, and at the end the first missing one.
    #[inline]
    pub fn next_field(&mut self, object: &mut Object) -> Result<Option<usize>, Reject> {
        match self.expected_field(object) {
            Some(index) => Ok(Some(index)),
            None => self.any_field(object),
        }
    }

    /// The common case: one of the next properties in the schema's order, written without escapes or white space. If it
    /// is anything else, nothing has changed.
    fn expected_field(&mut self, object: &mut Object) -> Option<usize> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let (before, rest) = match rest {
            [b',', rest @ ..] if !object.empty => (1, rest),
            rest if object.empty => (0, rest),
            _ => return None,
        };
        let ([b'"', word @ ..], _) = rest.split_first_chunk::<9>()? else { return None };
        let here = u64::from_le_bytes(*word);
        for (key, index) in object.keys.get(object.expected..)?.iter().zip(object.expected..) {
            let length = key.name.len();
            let mask = if length < 8 { (1 << (length * 8)) - 1 } else { u64::MAX };
            if here & mask != key.head {
                continue;
            }
            let [b'"', b':', value @ ..] = rest.get(1 + length..)? else { continue };
            if length > 8 && rest.get(9..1 + length) != key.name.as_bytes().get(8..) {
                continue;
            }
            // `null`, and `""` for what is no text, may stand for an absent property.
            let bit = 1u64 << index;
            let absent = match value {
                [b'n' | b' ' | b'\t' | b'\n' | b'\r', ..] => true,
                [b'"', b'"', ..] => object.blank & bit != 0,
                _ => false,
            };
            if absent || object.seen & bit != 0 {
                return None;
            }
            (object.seen, object.expected, object.empty) = (object.seen | bit, index + 1, false);
            self.at += before + length + 3;
            return Some(index);
        }
        None
    }

    /// Any property, and the end of the object.
    fn any_field(&mut self, object: &mut Object) -> Result<Option<usize>, Reject> {
        loop {
            match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    return self.end_object(object).map(|()| None);
                }
                Some(b',') if !object.empty => {
                    self.at += 1;
                    self.peek();
                }
                Some(b'"') if object.empty => {}
                _ => return Err(self.syntax("expected `,` or `}`")),
            }
            object.empty = false;
            let key_at = self.at;
            let Some(index) = self.known_key(object)? else { continue };
            let bit = 1u64 << index;
            if object.seen & bit != 0 {
                return Err(self.reject(key_at, Fault::Duplicate));
            }
            (object.seen, object.expected) = (object.seen | bit, index + 1);
            if object.required & bit == 0 && self.is_absent(object.blank & bit != 0)? {
                continue;
            }
            return Ok(Some(index));
        }
    }

    /// Takes what some peers write for an optional property that is absent.
    fn is_absent(&mut self, blank: bool) -> Result<bool, Reject> {
        match self.peek() {
            Some(b'n') => {
                let offset = self.at;
                self.literal("null")?;
                self.quirk(Quirk::NullForAbsent, offset, Fault::WrongType { expected: "a value" })?;
                Ok(true)
            }
            Some(b'"') if blank && self.rest().starts_with("\"\"") => {
                self.quirk(Quirk::EmptyForAbsent, self.at, Fault::UnrecognizedValue)?;
                self.at += 2;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// A key, wherever it stands in the schema; the value of an unknown one is skipped, and `None` returned.
    fn known_key(&mut self, object: &Object) -> Result<Option<usize>, Reject> {
        let key_at = self.at;
        let key = self.key()?;
        let index = object.keys.iter().position(|known| known.name == key);
        if index.is_none() {
            if !object.open {
                self.quirk(Quirk::UnknownProperty, key_at, Fault::UnknownProperty)?;
            }
            self.skip()?;
        }
        Ok(index)
    }

    fn end_object(&mut self, object: &Object) -> Result<(), Reject> {
        self.depth -= 1;
        let missing = object.required & !object.seen;
        if missing == 0 {
            return Ok(());
        }
        let property = object.keys.get(missing.trailing_zeros() as usize).map_or("", |key| key.name);
        Err(self.reject(object.start, Fault::Missing { property }))
    }

    /// Unwraps a required property; [`Decoder::next_field`] has made sure that it is there.
    ///
    /// # Errors
    /// [`Fault::Missing`].
    pub fn require<T>(&mut self, value: Option<T>) -> Result<T, Reject> {
        match value {
            Some(value) => Ok(value),
            None => Err(self.syntax("an incomplete object")),
        }
    }

    /// A key and its colon.
    fn key(&mut self) -> Result<Cow<'a, str>, Reject> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("expected a property name"));
        }
        let key = self.quoted()?;
        if !self.take(b':') {
            return Err(self.syntax("expected `:`"));
        }
        Ok(key)
    }

    // ---- lists

    /// A list of `min..=max` items.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::TooFewItems`], [`Fault::TooManyItems`], and those of the items.
    pub fn list<T>(
        &mut self,
        min: usize,
        max: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, Reject>,
    ) -> Result<Vec<T>, Reject> {
        self.peek();
        let start = self.at;
        if !self.take(b'[') {
            return Err(self.wrong_type("a list"));
        }
        let mut items = Vec::new();
        if !self.take(b']') {
            loop {
                if items.len() >= max {
                    return Err(self.reject(start, Fault::TooManyItems { max }));
                }
                items.push(item(self)?);
                if self.take(b']') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.syntax("expected `,` or `]`"));
                }
            }
        }
        if items.len() < min {
            self.quirk(Quirk::TooFewItems, start, Fault::TooFewItems { min })?;
        }
        Ok(items)
    }

    // ---- text

    /// Text of at most `N` characters.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::TooLong`].
    pub fn text<const N: usize>(&mut self) -> Result<Text<N>, Reject> {
        let offset = self.at;
        if let Some(plain) = self.plain()
            && plain.len() <= N
        {
            return Ok(Text::from(plain));
        }
        self.at = offset;
        let (offset, text) = self.text_value()?;
        let text = Text::from(text.as_ref());
        if text.over_long().is_some() {
            self.quirk(Quirk::OverlongText, offset, Fault::TooLong { max: N })?;
        }
        Ok(text)
    }

    /// Case-insensitive text of at most `N` characters.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::TooLong`].
    pub fn ci_string<const N: usize>(&mut self) -> Result<CiString<N>, Reject> {
        let offset = self.at;
        if let Some(plain) = self.plain()
            && plain.len() <= N
        {
            return Ok(CiString::from(plain));
        }
        self.at = offset;
        let (offset, text) = self.text_value()?;
        let text = CiString::from(text.as_ref());
        if text.over_long().is_some() {
            self.quirk(Quirk::OverlongText, offset, Fault::TooLong { max: N })?;
        }
        Ok(text)
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
            _ => Err(self.wrong_type("a string")),
        }
    }

    /// The common case: a string without escapes, right here. The decoder stays where it is otherwise.
    #[inline]
    fn plain(&mut self) -> Option<&'a str> {
        let rest = self.text.as_bytes().get(self.at..)?;
        if *rest.first()? != b'"' {
            return None;
        }
        let length = plain_prefix(rest.get(1..)?);
        if *rest.get(1 + length)? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let plain = self.text.get(start..start + length)?;
        self.at = start + length + 1;
        Some(plain)
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
        let offset = self.at;
        if let Some(known) = self.plain().and_then(T::from_wire) {
            return Ok(known);
        }
        self.at = offset;
        self.peek();
        let offset = self.at;
        if self.byte() != Some(b'"') {
            return Err(self.wrong_type("a string"));
        }
        let value = self.quoted()?;
        self.enumerated(&value, offset)
    }

    /// The value of an enumeration whose values are numbers.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::UnrecognizedValue`].
    pub fn numbered<T: Enumeration>(&mut self) -> Result<T, Reject> {
        let (offset, number) = self.number("an integer")?;
        let mut buffer = itoa::Buffer::new();
        let value = match number {
            Some(number) if number.scale() == 0 => buffer.format(number.mantissa()),
            _ => return Err(self.reject(offset, Fault::WrongType { expected: "an integer" })),
        };
        self.enumerated(value, offset)
    }

    fn enumerated<T: Enumeration>(&mut self, value: &str, offset: usize) -> Result<T, Reject> {
        match T::from_wire(value) {
            Some(known) => Ok(known),
            None => {
                self.quirk(Quirk::UnrecognizedValue, offset, Fault::UnrecognizedValue)?;
                Ok(T::unrecognized(Unrecognized::new(value)))
            }
        }
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

    // ---- numbers and the rest

    /// A number, or text that holds one; `None` if it has too many digits.
    fn number(&mut self, expected: &'static str) -> Result<(usize, Option<Decimal>), Reject> {
        let first = self.peek();
        let offset = self.at;
        match first {
            Some(b'-' | b'0'..=b'9') => match Decimal::scan(self.rest().as_bytes()) {
                Some(Ok((value, length))) => {
                    self.at += length;
                    Ok((offset, Some(value)))
                }
                Some(Err(length)) => {
                    self.at += length;
                    Ok((offset, None))
                }
                None => Err(self.syntax("a broken number")),
            },
            Some(b'"') if self.allowed.contains(Quirk::TextForNumber) => {
                let text = self.quoted()?;
                let number = match Decimal::scan(text.as_bytes()) {
                    Some(Ok((number, length))) if length == text.len() => Some(number),
                    Some(Err(length)) if length == text.len() => None,
                    _ => return Err(self.reject(offset, Fault::WrongType { expected })),
                };
                self.noticed = self.noticed.with(Quirk::TextForNumber);
                Ok((offset, number))
            }
            _ => Err(self.wrong_type(expected)),
        }
    }

    /// An integer without limits but those of `i64`.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::OutOfRange`].
    pub fn integer(&mut self) -> Result<i64, Reject> {
        if let Some(value) = self.short_integer() {
            return Ok(value);
        }
        let (offset, number) = self.number("an integer")?;
        let written = self.text.get(offset..self.at).unwrap_or("").trim_matches('"');
        // 19 digits are too many for a decimal, and may be few enough for an integer.
        if let Ok(value) = written.parse() {
            return Ok(value);
        }
        let Some(number) = number else { return Err(self.reject(offset, Fault::OutOfRange)) };
        if written.contains(['.', 'e', 'E']) {
            let whole = number.is_multiple_of(Decimal::from(1));
            if !whole {
                return Err(self.reject(offset, Fault::WrongType { expected: "an integer" }));
            }
            self.quirk(Quirk::IntegerWithFraction, offset, Fault::WrongType { expected: "an integer" })?;
        }
        Ok(number.whole())
    }

    /// The common case: up to 18 digits that end at a comma or a brace.
    #[inline]
    fn short_integer(&mut self) -> Option<i64> {
        self.peek();
        let mut value = 0i64;
        let mut length = 0;
        for byte in self.rest().bytes() {
            match byte {
                b'0'..=b'9' if length < 18 => value = value * 10 + i64::from(byte - b'0'),
                b',' | b'}' | b']' if length > 0 => break,
                _ => return None,
            }
            length += 1;
        }
        if length > 1 && self.byte() == Some(b'0') {
            return None;
        }
        self.at += length;
        Some(value).filter(|_| length > 0)
    }

    /// An integer within `min..=max`.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::OutOfRange`].
    pub fn integer_in(&mut self, min: i64, max: i64) -> Result<i64, Reject> {
        self.peek();
        let offset = self.at;
        let value = self.integer()?;
        if value < min || value > max {
            return Err(self.reject(offset, Fault::OutOfRange));
        }
        Ok(value)
    }

    /// A decimal number; `None` is no limit.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::OutOfRange`], [`Fault::NotAMultiple`].
    pub fn decimal(
        &mut self,
        step: Option<Decimal>,
        min: Option<Decimal>,
        max: Option<Decimal>,
    ) -> Result<Decimal, Reject> {
        let (offset, number) = self.number("a number")?;
        let Some(value) = number else { return Err(self.reject(offset, Fault::OutOfRange)) };
        match decimal_fault(value, step, min, max) {
            Some(fault @ Fault::NotAMultiple { .. }) => self.quirk(Quirk::NotAMultiple, offset, fault)?,
            Some(fault) => return Err(self.reject(offset, fault)),
            None => {}
        }
        Ok(value)
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// [`Fault::WrongType`].
    pub fn boolean(&mut self) -> Result<bool, Reject> {
        match self.peek() {
            Some(b't') => self.literal("true").map(|()| true),
            Some(b'f') => self.literal("false").map(|()| false),
            _ => Err(self.wrong_type("a boolean")),
        }
    }

    /// `1` or `0`, the boolean of thing models; `true` and `false` are read too.
    ///
    /// # Errors
    /// [`Fault::WrongType`].
    pub fn bit(&mut self) -> Result<bool, Reject> {
        if matches!(self.peek(), Some(b't' | b'f')) {
            return self.boolean();
        }
        self.integer_in(0, 1).map(|bit| bit == 1)
    }

    /// Any JSON value.
    ///
    /// # Errors
    /// [`Fault::Syntax`], [`Fault::TooDeep`].
    pub fn any(&mut self) -> Result<RawJson, Reject> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(RawJson::from_checked(self.text.get(start..self.at).unwrap_or("null")))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn literal(&mut self, literal: &'static str) -> Result<(), Reject> {
        if !self.rest().starts_with(literal) {
            return Err(self.syntax("expected a value"));
        }
        self.at += literal.len();
        Ok(())
    }

    fn skip_number(&mut self) -> Result<(), Reject> {
        match Decimal::scan(self.rest().as_bytes()) {
            Some(Ok((_, length)) | Err(length)) => {
                self.at += length;
                Ok(())
            }
            None => Err(self.syntax("a broken number")),
        }
    }

    /// Goes past one value of any kind, checking its syntax.
    pub(crate) fn skip(&mut self) -> Result<(), Reject> {
        // One bit for each open container: 1 is an object. No recursion, so the stack of a device is safe.
        let (mut objects, mut depth) = (0u64, 0u32);
        loop {
            let opens = match self.peek() {
                Some(b'{') => Some(true),
                Some(b'[') => Some(false),
                Some(b'"') => self.quoted().map(|_| None)?,
                Some(b't') => self.literal("true").map(|()| None)?,
                Some(b'f') => self.literal("false").map(|()| None)?,
                Some(b'n') => self.literal("null").map(|()| None)?,
                Some(b'-' | b'0'..=b'9') => self.skip_number().map(|()| None)?,
                _ => return Err(self.syntax("expected a value")),
            };
            if let Some(object) = opens {
                if depth == MAX_DEPTH {
                    return Err(self.reject(self.at, Fault::TooDeep));
                }
                self.at += 1;
                if !self.take(if object { b'}' } else { b']' }) {
                    (objects, depth) = (objects << 1 | u64::from(object), depth + 1);
                    if object {
                        self.key()?;
                    }
                    continue;
                }
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let object = objects & 1 == 1;
                if self.take(b',') {
                    if object {
                        self.key()?;
                    }
                    break;
                }
                if !self.take(if object { b'}' } else { b']' }) {
                    return Err(self.syntax("expected `,` or the end of an object or list"));
                }
                (objects, depth) = (objects >> 1, depth - 1);
            }
        }
    }
}
