//! Values of any kind: what the schema leaves open, and what it does not know.

use super::{Decoder, MAX_DEPTH};
use crate::codec::fault::{Fault, Reject};
use crate::types::{Decimal, RawJson};

impl Decoder<'_> {
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

    pub(super) fn skip_number(&mut self) -> Result<(), Reject> {
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
