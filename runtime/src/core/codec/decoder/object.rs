//! Objects: their properties in the schema's order, and in any other.

use alloc::borrow::Cow;

use super::{Decoder, MAX_DEPTH, position};
use crate::codec::fault::{Fault, Reject};
use crate::codec::quirk::Quirk;
use crate::types::AdditionalProperties;

/// The properties of an object type, in the schema's order, with masks of `N` words: one bit for each property.
///
/// One word is enough for every message that people have grouped; thing models list hundreds of properties in one object.
#[derive(Debug)]
pub struct Fields<const N: usize = 1> {
    names: &'static [&'static str],
    /// One bit for each required property.
    required: [u64; N],
    /// One bit for each optional property that is no text, where `""` can only mean "absent".
    ///
    /// An optional property of any type has a bit in both masks: `null` is a value of it, and it may be absent.
    blank: [u64; N],
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
    pub const fn new<const NAMES: usize>(
        names: &'static [&'static str; NAMES],
        required: u64,
        blank: u64,
        extra: Extra,
    ) -> Self {
        Self::wide(names, [required], [blank], extra)
    }
}

impl<const N: usize> Fields<N> {
    /// At most 64 names for each word of a mask.
    pub const fn wide<const NAMES: usize>(
        names: &'static [&'static str; NAMES],
        required: [u64; N],
        blank: [u64; N],
        extra: Extra,
    ) -> Self {
        const { assert!(NAMES <= 64 * N, "the masks have one bit for each property") };
        Self { names, required, blank, extra }
    }

    /// One bit for each property that must be there and is not, a word at a time.
    #[inline]
    fn missing(&self, seen: &[u64; N]) -> impl Iterator<Item = u64> {
        let masks = self.required.iter().zip(&self.blank).zip(seen);
        masks.map(|((required, blank), seen)| required & !blank & !seen)
    }
}

/// Whether the bit of that index is set.
#[inline(always)]
fn has<const N: usize>(mask: &[u64; N], index: usize) -> bool {
    mask.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
}

/// Sets the bit of that index, and says whether it was set before.
#[inline(always)]
fn set<const N: usize>(mask: &mut [u64; N], index: usize) -> bool {
    let Some(word) = mask.get_mut(index / 64) else { return true };
    let bit = 1 << (index % 64);
    let was_set = *word & bit != 0;
    *word |= bit;
    was_set
}

/// An object type that the generator made. As it is, one without properties.
pub trait Record<const N: usize = 1> {
    /// Reads the properties that come in the schema's order, as far as [`Decoder::in_order`] finds them.
    ///
    /// # Errors
    /// Those of the values.
    #[inline]
    fn in_order(&mut self, _decoder: &mut Decoder<'_>, _object: &mut Object<N>) -> Result<(), Reject>
    where
        Self: Sized,
    {
        Ok(())
    }

    /// Reads the value of the property that [`Decoder::next_field`] has come to.
    ///
    /// # Errors
    /// Those of the value.
    fn field(&mut self, _decoder: &mut Decoder<'_>, _object: &Object<N>, _index: usize) -> Result<(), Reject> {
        Ok(())
    }
}

/// An object that is being read.
#[derive(Debug)]
pub struct Object<const N: usize = 1> {
    fields: &'static Fields<N>,
    start: usize,
    /// One bit for each property that was met.
    seen: [u64; N],
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
    pub fn object<const N: usize, R: Record<N>>(
        &mut self,
        fields: &'static Fields<N>,
        record: &mut R,
    ) -> Result<(), Reject> {
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

    fn object_in_any_order<const N: usize>(
        &mut self,
        fields: &'static Fields<N>,
        record: &mut dyn Record<N>,
    ) -> Result<(), Reject> {
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
    pub fn begin_object<const N: usize>(&mut self, fields: &'static Fields<N>) -> Result<Object<N>, Reject> {
        if self.peek() != Some(b'{') {
            return Err(self.wrong_type("an object"));
        }
        let start = self.at;
        if self.depth == MAX_DEPTH {
            return Err(self.reject(start, Fault::TooDeep));
        }
        self.depth += 1;
        Ok(Object { fields, start, seen: [0; N], separator: b'{', key: start })
    }

    /// Whether the property of that index comes next, as peers write it that keep to the schema's order and use no white
    /// space; if so, the decoder goes to its value. `key` is the name with its quotes and colon, and `blank` says whether
    /// `""` means that it is absent.
    ///
    /// This is speed alone: [`next_field`](Self::next_field) reads whatever this leaves. Where flash is dearer, on a
    /// machine of less than 64 bits, nobody asks.
    // Inlined, so that the key is compared as a few words of known length.
    #[inline(always)]
    pub fn in_order<const N: usize>(
        &mut self,
        object: &mut Object<N>,
        index: usize,
        key: &'static str,
        blank: bool,
    ) -> bool {
        let Some((separator, rest)) = self.text.as_bytes().get(self.at..).and_then(<[u8]>::split_first) else {
            return false;
        };
        let Some((found, value)) = rest.split_at_checked(key.len()) else { return false };
        if *separator != object.separator || found != key.as_bytes() || has(&object.seen, index) {
            return false;
        }
        // `null`, and `""` for what is no text, may stand for an absent property.
        match value {
            [] | [b'n' | b' ' | b'\t' | b'\n' | b'\r', ..] => return false,
            [b'"', b'"', ..] if blank => return false,
            _ => {}
        }
        set(&mut object.seen, index);
        object.separator = b',';
        self.at += 1 + key.len();
        true
    }

    /// Whether the object ends here with everything that it must have; if so, the decoder leaves it.
    #[inline(always)]
    fn at_end<const N: usize>(&mut self, object: &Object<N>) -> bool {
        let ends = self.byte() == Some(b'}')
            && object.separator == b','
            && object.fields.missing(&object.seen).all(|missing| missing == 0);
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
    pub fn next_field<const N: usize>(&mut self, object: &mut Object<N>) -> Result<Option<usize>, Reject> {
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
            if set(&mut object.seen, index) {
                return Err(self.reject(object.key, Fault::Duplicate));
            }
            if !has(&object.fields.required, index) && self.is_absent(has(&object.fields.blank, index))? {
                continue;
            }
            return Ok(Some(index));
        }
    }

    /// Keeps the property that [`next_field`](Self::next_field) has come to, whose value is still to be read.
    ///
    /// # Errors
    /// Syntax, and [`Fault::Duplicate`].
    pub fn keep<const N: usize>(
        &mut self,
        object: &Object<N>,
        properties: &mut AdditionalProperties,
    ) -> Result<(), Reject> {
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
    fn known_key<const N: usize>(&mut self, object: &Object<N>) -> Result<Option<usize>, Reject> {
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

    fn end_object<const N: usize>(&mut self, object: &Object<N>) -> Result<(), Reject> {
        self.depth -= 1;
        let mut words = object.fields.missing(&object.seen).enumerate();
        let Some((word, missing)) = words.find(|(_, missing)| *missing != 0) else { return Ok(()) };
        let index = 64 * word + missing.trailing_zeros() as usize;
        let property = object.fields.names.get(index).copied().unwrap_or("");
        if property == "readonly" && missing.is_power_of_two() && words.all(|(_, missing)| missing == 0) {
            return self.quirk(Quirk::MissingReadonly, object.start, Fault::Missing { property });
        }
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
