//! Numbers and booleans.

use super::Decoder;
use crate::codec::encoder::decimal_fault;
use crate::codec::fault::{Fault, Reject};
use crate::codec::quirk::Quirk;
use crate::types::Decimal;

impl Decoder<'_> {
    /// A number, or text that holds one; `None` if it has too many digits.
    pub(super) fn number(&mut self, expected: &'static str) -> Result<(usize, Option<Decimal>), Reject> {
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
        let Some(number) = number else { return Err(self.reject(offset, Fault::OutOfRange)) };
        let written = self.text.get(offset..self.at).unwrap_or("");
        if written.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
            self.fraction(offset, number)?;
        }
        Ok(number.whole())
    }

    /// Lets a number pass that is written with a fraction where an integer is meant.
    #[cold]
    fn fraction(&mut self, offset: usize, number: Decimal) -> Result<(), Reject> {
        let fault = Fault::WrongType { expected: "an integer" };
        let quirk = match number.is_multiple_of(Decimal::from(1)) {
            true => Quirk::IntegerWithFraction,
            false if self.measures(offset) => Quirk::FractionForInteger,
            false => return Err(self.reject(offset, fault)),
        };
        self.quirk(quirk, offset, fault)
    }

    /// Whether the number at `offset` belongs to a property that names nothing: its key does not end in `id`.
    fn measures(&self, offset: usize) -> bool {
        let before = self.text.as_bytes().get(..offset).unwrap_or(&[]).trim_ascii_end();
        match before.strip_suffix(b":").map(<[u8]>::trim_ascii_end) {
            Some([.., i, d, b'"']) => !(i.eq_ignore_ascii_case(&b'i') && d.eq_ignore_ascii_case(&b'd')),
            _ => false,
        }
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

    /// An integer within `min..=max` that is a multiple of `step`, which is above 0.
    ///
    /// # Errors
    /// [`Fault::WrongType`], [`Fault::OutOfRange`], [`Fault::NotAMultiple`].
    pub fn integer_step(&mut self, step: i64, min: i64, max: i64) -> Result<i64, Reject> {
        self.peek();
        let offset = self.at;
        let value = self.integer_in(min, max)?;
        if value.checked_rem(step) != Some(0) {
            self.quirk(Quirk::NotAMultiple, offset, Fault::NotAMultiple { step: Decimal::from(step) })?;
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
            _ => self.loose_boolean(),
        }
    }

    /// What some peers write for a boolean.
    #[cold]
    fn loose_boolean(&mut self) -> Result<bool, Reject> {
        if self.allowed.contains(Quirk::LooseBoolean) {
            let rest = self.rest();
            let known = [
                ("1", true),
                ("0", false),
                ("\"true\"", true),
                ("\"false\"", false),
                ("\"1\"", true),
                ("\"0\"", false),
            ];
            let found = known.into_iter().find(|(written, _)| {
                rest.get(..written.len()).is_some_and(|start| start.eq_ignore_ascii_case(written))
                        // `1` is not the beginning of 12 or 1.5.
                        && !matches!(rest.as_bytes().get(written.len()), Some(b'0'..=b'9' | b'.' | b'e' | b'E'))
            });
            if let Some((written, value)) = found {
                self.at += written.len();
                self.noticed = self.noticed.with(Quirk::LooseBoolean);
                return Ok(value);
            }
        }
        Err(self.wrong_type("a boolean"))
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
}
