//! Objects: their properties in the schema's order, and in any other.

use alloc::borrow::Cow;

use super::{Decoder, MAX_DEPTH, position};
use crate::codec::fault::{Fault, Reject};
use crate::codec::quirk::Quirk;
use crate::types::AdditionalProperties;

/// The properties of an object type, in the schema's order.
#[derive(Debug)]
pub struct Fields {
    names: &'static [&'static str],
    /// One bit for each required property.
    required: u64,
    /// One bit for each optional property that is no text, where `""` can only mean "absent".
    ///
    /// An optional property of any type has a bit in both masks: `null` is a value of it, and it may be absent.
    blank: u64,
    extra: Extra,
}

/// What happens to a property that the schema does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// It is a fault, or the quirk `UnknownProperty`.
    Forbidden,
    /// It is allowed, and of no use.
    Skipped,
    /// It is allowed, and kept: [`Decoder::next_field`] returns the number of listed properties for it.
    Kept,
}

impl Fields {
    /// At most 64 names, as the masks have one bit for each.
    pub const fn new<const N: usize>(
        names: &'static [&'static str; N],
        required: u64,
        blank: u64,
        extra: Extra,
    ) -> Self {
        const { assert!(N <= 64, "an object type has at most 64 properties") };
        Self { names, required, blank, extra }
    }

    /// One bit for each property that must be there and is not.
    fn missing(&self, seen: u64) -> u64 {
        self.required & !self.blank & !seen
    }
}

/// An object type that the generator made. As it is, one without properties.
pub trait Record {
    /// Reads the properties that come in the schema's order, as far as [`Decoder::in_order`] finds them.
    ///
    /// # Errors
    /// Those of the values.
    #[inline]
    fn in_order(&mut self, _decoder: &mut Decoder<'_>, _object: &mut Object) -> Result<(), Reject>
    where
        Self: Sized,
    {
        Ok(())
    }

    /// Reads the value of the property that [`Decoder::next_field`] has come to.
    ///
    /// # Errors
    /// Those of the value.
    fn field(&mut self, _decoder: &mut Decoder<'_>, _object: &Object, _index: usize) -> Result<(), Reject> {
        Ok(())
    }
}

/// An object that is being read.
#[derive(Debug)]
pub struct Object {
    fields: &'static Fields,
    start: usize,
    /// One bit for each property that was met.
    seen: u64,
    /// What the decoder stands on between properties, unless it is the end: `{` before the first one, and then `,`.
    separator: u8,
    /// Where the last key stands.
    key: usize,
}

impl<'a> Decoder<'a> {
    /// Reads an object over a blank one.
    ///
    /// # Errors
    /// [`Fault::WrongType`], and those of its properties.
    #[inline]
    pub fn object<R: Record>(&mut self, fields: &'static Fields, record: &mut R) -> Result<(), Reject> {
        // Where flash is dearer than time, one loop is enough for all types.
        if cfg!(not(target_pointer_width = "64")) {
            return self.object_in_any_order(fields, record);
        }
        let mut object = self.begin_object(fields)?;
        loop {
            record.in_order(self, &mut object)?;
            if self.at_end(&object) {
                return Ok(());
            }
            match self.next_field(&mut object)? {
                Some(index) => record.field(self, &object, index)?,
                None => return Ok(()),
            }
        }
    }

    fn object_in_any_order(&mut self, fields: &'static Fields, record: &mut dyn Record) -> Result<(), Reject> {
        let mut object = self.begin_object(fields)?;
        while let Some(index) = self.next_field(&mut object)? {
            record.field(self, &object, index)?;
        }
        Ok(())
    }

    /// Enters an object.
    ///
    /// # Errors
    /// [`Fault::WrongType`].
    #[inline]
    pub fn begin_object(&mut self, fields: &'static Fields) -> Result<Object, Reject> {
        if self.peek() != Some(b'{') {
            return Err(self.wrong_type("an object"));
        }
        let start = self.at;
        if self.depth == MAX_DEPTH {
            return Err(self.reject(start, Fault::TooDeep));
        }
        self.depth += 1;
        Ok(Object { fields, start, seen: 0, separator: b'{', key: start })
    }

    /// Whether the property of that index comes next, as peers write it that keep to the schema's order and use no white
    /// space; if so, the decoder goes to its value. `key` is the name with its quotes and colon, and `blank` says whether
    /// `""` means that it is absent.
    ///
    /// This is speed alone: [`next_field`](Self::next_field) reads whatever this leaves. Where flash is dearer, on a
    /// machine of less than 64 bits, nobody asks.
    // Inlined, so that the key is compared as a few words of known length.
    #[inline(always)]
    pub fn in_order(&mut self, object: &mut Object, index: u32, key: &'static str, blank: bool) -> bool {
        let Some((separator, rest)) = self.text.as_bytes().get(self.at..).and_then(<[u8]>::split_first) else {
            return false;
        };
        let Some((found, value)) = rest.split_at_checked(key.len()) else { return false };
        let bit = 1 << index;
        if *separator != object.separator || found != key.as_bytes() || object.seen & bit != 0 {
            return false;
        }
        // `null`, and `""` for what is no text, may stand for an absent property.
        match value {
            [] | [b'n' | b' ' | b'\t' | b'\n' | b'\r', ..] => return false,
            [b'"', b'"', ..] if blank => return false,
            _ => {}
        }
        object.seen |= bit;
        object.separator = b',';
        self.at += 1 + key.len();
        true
    }

    /// Whether the object ends here with everything that it must have; if so, the decoder leaves it.
    #[inline(always)]
    fn at_end(&mut self, object: &Object) -> bool {
        let ends = self.byte() == Some(b'}') && object.separator == b',' && object.fields.missing(object.seen) == 0;
        if ends {
            self.at += 1;
            self.depth -= 1;
        }
        ends
    }

    /// Goes to the value of the next property to be read and returns the property's index; `None` at the end.
    ///
    /// # Errors
    /// Syntax, unknown and duplicate properties, and at the end the first missing one.
    pub fn next_field(&mut self, object: &mut Object) -> Result<Option<usize>, Reject> {
        loop {
            // The brace is still to be gone past if nothing has been read.
            let first = object.separator == b'{';
            self.at += usize::from(first);
            object.separator = b',';
            match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    return self.end_object(object).map(|()| None);
                }
                Some(b',') if !first => {
                    self.at += 1;
                    self.peek();
                }
                Some(b'"') if first => {}
                _ => return Err(self.syntax("expected `,` or `}`")),
            }
            object.key = self.at;
            let Some(index) = self.known_key(object)? else {
                match object.fields.extra {
                    Extra::Forbidden => self.quirk(Quirk::UnknownProperty, object.key, Fault::UnknownProperty)?,
                    Extra::Skipped => {}
                    Extra::Kept => return Ok(Some(object.fields.names.len())),
                }
                self.skip()?;
                continue;
            };
            let bit = 1u64 << index;
            if object.seen & bit != 0 {
                return Err(self.reject(object.key, Fault::Duplicate));
            }
            object.seen |= bit;
            if object.fields.required & bit == 0 && self.is_absent(object.fields.blank & bit != 0)? {
                continue;
            }
            return Ok(Some(index));
        }
    }

    /// Keeps the property that [`next_field`](Self::next_field) has come to, whose value is still to be read.
    ///
    /// # Errors
    /// Syntax, and [`Fault::Duplicate`].
    pub fn keep(&mut self, object: &Object, properties: &mut AdditionalProperties) -> Result<(), Reject> {
        let value = self.any()?;
        // The key once more: in the common case of an object without such properties nothing had to remember it.
        let name = Self::new(self.text.get(object.key..).unwrap_or(""), self.allowed).quoted()?;
        if properties.insert(name.as_ref().into(), value).is_some() {
            return Err(self.reject(object.key, Fault::Duplicate));
        }
        Ok(())
    }

    /// Goes past a key, and says which it is.
    #[inline]
    fn known_key(&mut self, object: &Object) -> Result<Option<usize>, Reject> {
        // The common case: no escape, no white space.
        if cfg!(target_pointer_width = "64")
            && let Some((end, key)) = self.up_to_quote()
            && self.text.as_bytes().get(end) == Some(&b':')
            && let Some(index) = position(object.fields.names, key)
        {
            self.at = end + 1;
            return Ok(Some(index));
        }
        let key = self.key()?;
        Ok(position(object.fields.names, key.as_bytes()))
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

    fn end_object(&mut self, object: &Object) -> Result<(), Reject> {
        self.depth -= 1;
        let missing = object.fields.missing(object.seen);
        if missing == 0 {
            return Ok(());
        }
        let property = object.fields.names.get(missing.trailing_zeros() as usize).copied().unwrap_or("");
        Err(self.reject(object.start, Fault::Missing { property }))
    }

    /// A key and its colon.
    pub(super) fn key(&mut self) -> Result<Cow<'a, str>, Reject> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("expected a property name"));
        }
        let key = self.quoted()?;
        if !self.take(b':') {
            return Err(self.syntax("expected `:`"));
        }
        Ok(key)
    }
}
