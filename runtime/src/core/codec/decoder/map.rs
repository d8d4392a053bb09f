//! Objects whose properties have names of their own, and values of one type.

use alloc::collections::BTreeMap;

use super::{Decoder, MAX_DEPTH};
use crate::codec::fault::{Fault, Reject};
use crate::codec::quirk::Quirk;
use crate::types::Text;

impl Decoder<'_> {
    /// A map of at most `max` entries, each value read over a blank one.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::TooManyItems`], [`Fault::Duplicate`], and those of the values.
    pub fn map<T>(
        &mut self,
        map: &mut BTreeMap<Text, T>,
        max: usize,
        blank: impl Fn() -> T,
        item: impl Fn(&mut Self, &mut T) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        let start = self.begin_map()?;
        while let Some((offset, name)) = self.next_entry(start, map.len(), max)? {
            let mut value = blank();
            self.peek();
            item(self, &mut value)?;
            if map.insert(name, value).is_some() {
                return Err(self.reject(offset, Fault::Duplicate));
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn begin_map(&mut self) -> Result<usize, Reject> {
        self.peek();
        let start = self.at;
        if !self.take(b'{') {
            return Err(self.wrong_type("an object"));
        }
        if self.depth == MAX_DEPTH {
            return Err(self.reject(start, Fault::TooDeep));
        }
        self.depth += 1;
        Ok(start)
    }

    /// Goes to the value of the entry after the `count` that were read; where its name stands, and the name.
    fn next_entry(&mut self, start: usize, count: usize, max: usize) -> Result<Option<(usize, Text)>, Reject> {
        if self.take(b'}') {
            return Ok(None);
        }
        if count > 0 && !self.take(b',') {
            return Err(self.syntax("expected `,` or `}`"));
        }
        if count >= max {
            return Err(self.reject(start, Fault::TooManyItems { max }));
        }
        self.peek();
        let offset = self.at;
        let name = self.key()?;
        Ok(Some((offset, name.as_ref().into())))
    }

    /// Takes `{}` where a list is meant as a whole message, which says that there is none.
    ///
    /// # Errors
    /// [`Fault::WrongType`] unless [`Quirk::NullPayload`] is let through.
    pub fn nothing(&mut self) -> Result<bool, Reject> {
        self.peek();
        let offset = self.at;
        if !self.take(b'{') {
            return Ok(false);
        }
        if !self.take(b'}') {
            self.at = offset;
            return Ok(false);
        }
        self.quirk(Quirk::NullPayload, offset, Fault::WrongType { expected: "a list" })?;
        Ok(true)
    }
}
