//! The pull decoder: generated code asks for what its schema expects next.

mod map;
mod number;
mod object;
mod skip;
mod text;
mod timed;

use alloc::vec::Vec;

use super::Message;
use super::fault::{Fault, Found, Reject};
use super::quirk::{Quirk, Quirks};
use super::scan::until_quote;
use crate::types::Unrecognized;

pub use object::{Extra, Fields, Object, Record};
pub use timed::Timed;

/// How deep a value may be nested.
const MAX_DEPTH: u32 = 64;

/// An enumeration that the generator made.
pub trait Enumeration: Sized {
    /// The values on the wire, and then their other spellings.
    const VALUES: &'static [&'static str];
    /// The variant of the value at `index`.
    fn nth(index: usize) -> Self;
    /// The variant of a value on the wire.
    fn from_wire(value: &[u8]) -> Option<Self> {
        position(Self::VALUES, value).map(Self::nth)
    }
    /// The variant whose value `text` begins with, and the length of its value, if the value ends there with a quote.
    ///
    /// Speed alone: what it leaves is left to [`from_wire`](Self::from_wire).
    #[inline]
    fn starting(text: &[u8]) -> Option<(Self, usize)> {
        let length = until_quote(text);
        Some((Self::from_wire(text.get(..length)?)?, length))
    }
    /// The variant that keeps a value outside the enumeration.
    fn unrecognized(value: Unrecognized) -> Self;
}

// Inlined, so that in a crate of generated code, too, known names are compared as words of known length. Where flash is dearer
// than time, this and its like are not.
#[cfg_attr(target_pointer_width = "64", inline)]
fn position(names: &[&str], wanted: &[u8]) -> Option<usize> {
    names.iter().position(|name| name.as_bytes() == wanted)
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

    /// A list of `min..=max` items, each read over a blank one.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::TooFewItems`], [`Fault::TooManyItems`], and those of the items.
    pub fn list<T>(
        &mut self,
        items: &mut Vec<T>,
        min: usize,
        max: usize,
        blank: impl Fn() -> T,
        item: impl Fn(&mut Self, &mut T) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        let start = self.begin_list()?;
        while self.next_item(start, items.len(), max)? {
            let item_start = self.at;
            let mut value = blank();
            item(self, &mut value)?;
            if items.is_empty() {
                // One allocation for most lists, and none larger than what the text may still hold.
                let alike = (self.text.len() - self.at) / (self.at - item_start).max(1);
                items.reserve_exact(1 + alike.min(15));
            }
            items.push(value);
        }
        self.end_list(start, items.len(), min)
    }

    // What is done once for each list is not compiled once for each type of item.

    fn begin_list(&mut self) -> Result<usize, Reject> {
        self.peek();
        let start = self.at;
        if !self.take(b'[') {
            self.item_for_list()?;
        }
        Ok(start)
    }

    /// Lets the only item of a list pass for the list; the decoder stands on it.
    #[cold]
    fn item_for_list(&mut self) -> Result<(), Reject> {
        match self.byte() {
            Some(b'{' | b'"') if self.allowed.contains(Quirk::ItemForList) => {
                self.noticed = self.noticed.with(Quirk::ItemForList);
                Ok(())
            }
            _ => Err(self.wrong_type("a list")),
        }
    }

    /// Whether another item comes after the `count` that were read.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn next_item(&mut self, start: usize, count: usize, max: usize) -> Result<bool, Reject> {
        // The only item may stand for the list, without brackets.
        if self.text.as_bytes().get(start) != Some(&b'[') {
            return Ok(count == 0);
        }
        if self.take(b']') {
            return Ok(false);
        }
        if count > 0 && !self.take(b',') {
            return Err(self.syntax("expected `,` or `]`"));
        }
        if count >= max {
            return Err(self.reject(start, Fault::TooManyItems { max }));
        }
        Ok(true)
    }

    fn end_list(&mut self, start: usize, count: usize, min: usize) -> Result<(), Reject> {
        if count < min {
            self.quirk(Quirk::TooFewItems, start, Fault::TooFewItems { min })?;
        }
        Ok(())
    }

    /// A value of a generated type.
    ///
    /// # Errors
    /// Those of the value.
    pub fn message<T: Message>(&mut self, place: &mut T) -> Result<(), Reject> {
        place.read(self)
    }
}
