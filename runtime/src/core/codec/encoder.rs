//! The encoder: appends to one `String`, checks every limit on the way.

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::Message;
use super::fault::{Fault, Found, Reject};
use super::scan::{is_plain, plain_prefix};
use crate::core::decimal::write_integer;
use crate::core::text::over_long;
use crate::types::{AdditionalProperties, CiString, DateTime, Decimal, RawJson, Text};

/// Writes JSON to the end of a string.
///
/// Generated code calls it; a fault leaves the string cut short, and [`encode`](super::encode) cleans up.
#[derive(Debug)]
pub struct Encoder<'a> {
    out: &'a mut String,
    spellings: &'static [(&'static str, &'static str)],
    found: Found,
}

impl<'a> Encoder<'a> {
    /// An encoder that appends to `out`.
    pub fn new(out: &'a mut String) -> Self {
        Self { out, spellings: &[], found: Found::UNSAID }
    }

    /// From here on, writes the first value of each pair as the second: one enumeration, spelled differently by the
    /// schemas of two messages.
    pub fn spell(&mut self, spellings: &'static [(&'static str, &'static str)]) {
        self.spellings = spellings;
    }

    /// Says why the value that comes next may not be written.
    #[cold]
    pub fn reject(&mut self, fault: Fault) -> Reject {
        self.found = Found { fault, offset: self.out.len() };
        Reject(())
    }

    pub(super) fn found(&self) -> Found {
        self.found
    }

    /// `{`
    #[inline]
    pub fn begin_object(&mut self) {
        self.out.push('{');
    }

    /// `}`
    #[inline]
    pub fn end_object(&mut self) {
        self.out.push('}');
    }

    /// `key` is written as it is, quotes and colon included, after a comma where one is due.
    // Inlined, so that each key is a copy of known length; but not where flash is dearer than time.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn key(&mut self, key: &'static str) {
        if self.out.as_bytes().last() != Some(&b'{') {
            self.out.push(',');
        }
        self.out.push_str(key);
    }

    /// A string.
    #[inline]
    pub fn string(&mut self, text: &str) {
        // Room for the text and its quotes at once.
        self.out.reserve(text.len() + 2);
        self.out.push('"');
        if is_plain(text.as_bytes()) {
            self.out.push_str(text);
        } else {
            write_escaped(self.out, text);
        }
        self.out.push('"');
    }

    /// A string that is known to need no escape.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn plain(&mut self, text: &str) {
        self.out.reserve(text.len() + 2);
        self.out.push('"');
        self.out.push_str(text);
        self.out.push('"');
    }

    /// Bounded text.
    ///
    /// # Errors
    /// [`Fault::TooLong`].
    #[inline]
    pub fn text<const N: usize>(&mut self, text: &Text<N>) -> Result<(), Reject> {
        self.bounded(text, N)
    }

    /// Bounded case-insensitive text.
    ///
    /// # Errors
    /// [`Fault::TooLong`].
    #[inline]
    pub fn ci_string<const N: usize>(&mut self, text: &CiString<N>) -> Result<(), Reject> {
        self.bounded(text, N)
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn bounded(&mut self, text: &str, max: usize) -> Result<(), Reject> {
        if over_long(text, max).is_some() {
            return Err(self.reject(Fault::TooLong { max }));
        }
        self.string(text);
        Ok(())
    }

    /// The value of an enumeration whose values are text; `None` is one that this build does not know.
    ///
    /// # Errors
    /// [`Fault::UnrecognizedValue`] for `None`.
    pub fn enumeration(&mut self, value: Option<&'static str>) -> Result<(), Reject> {
        let Some(value) = value else { return Err(self.reject(Fault::UnrecognizedValue)) };
        let value = self.spellings.iter().find(|(from, _)| *from == value).map_or(value, |(_, to)| to);
        self.plain(value);
        Ok(())
    }

    /// JSON that is known while the program is compiled.
    // Inlined, so that it is a copy of known length; but not where flash is dearer than time.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn json(&mut self, json: &'static str) {
        self.out.push_str(json);
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, value: bool) {
        self.out.push_str(if value { "true" } else { "false" });
    }

    /// `1` or `0`: the boolean of thing models.
    pub fn bit(&mut self, value: bool) {
        self.out.push(if value { '1' } else { '0' });
    }

    /// An integer without limits.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn integer(&mut self, value: i64) {
        write_integer(self.out, value);
    }

    /// An integer within `min..=max`.
    ///
    /// # Errors
    /// [`Fault::OutOfRange`].
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn integer_in(&mut self, value: i64, min: i64, max: i64) -> Result<(), Reject> {
        if value < min || value > max {
            return Err(self.reject(Fault::OutOfRange));
        }
        self.integer(value);
        Ok(())
    }

    /// An integer within `min..=max` that is a multiple of `step`, which is above 0.
    ///
    /// # Errors
    /// [`Fault::OutOfRange`], [`Fault::NotAMultiple`].
    pub fn integer_step(&mut self, value: i64, step: i64, min: i64, max: i64) -> Result<(), Reject> {
        if value.checked_rem(step) != Some(0) {
            return Err(self.reject(Fault::NotAMultiple { step: Decimal::from(step) }));
        }
        self.integer_in(value, min, max)
    }

    /// A decimal number.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn decimal(&mut self, value: Decimal) {
        value.write(self.out);
    }

    /// A decimal number with at least one digit after the point: `10.0` and never `10`, as thing models ask.
    pub fn float(&mut self, value: Decimal) {
        value.write(self.out);
        if value.scale() == 0 {
            self.out.push_str(".0");
        }
    }

    /// Checks a decimal number against limits; `None` is no limit. To be called before the number is written.
    ///
    /// # Errors
    /// [`Fault::NotAMultiple`], [`Fault::OutOfRange`].
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn check_decimal(
        &mut self,
        value: Decimal,
        step: Option<Decimal>,
        min: Option<Decimal>,
        max: Option<Decimal>,
    ) -> Result<(), Reject> {
        match decimal_fault(value, step, min, max) {
            Some(fault) => Err(self.reject(fault)),
            None => Ok(()),
        }
    }

    /// A time-stamp.
    pub fn date_time(&mut self, at: DateTime) {
        self.out.push('"');
        at.write(self.out);
        self.out.push('"');
    }

    /// A time-stamp as text that holds milliseconds since 1970, as thing models write it.
    pub fn unix_millis(&mut self, at: DateTime) {
        self.out.push('"');
        self.integer(at.unix_millis());
        self.out.push('"');
    }

    /// Opens the wrapping of a property's value if it has a time, to be handed to [`Encoder::end_timed`].
    pub fn begin_timed(&mut self, time: Option<DateTime>) -> Option<DateTime> {
        if time.is_some() {
            self.json("{\"value\":");
        }
        time
    }

    /// Closes the wrapping of a property's value.
    pub fn end_timed(&mut self, time: Option<DateTime>) {
        if let Some(time) = time {
            self.json(",\"time\":");
            self.integer(time.unix_millis());
            self.out.push('}');
        }
    }

    /// What an event tells, and when it happened.
    ///
    /// # Errors
    /// Those of the value.
    pub fn event<T: Message>(&mut self, value: &T, time: Option<DateTime>) -> Result<(), Reject> {
        self.json("{\"value\":");
        value.encode(self)?;
        match time {
            Some(_) => self.end_timed(time),
            None => self.out.push('}'),
        }
        Ok(())
    }

    /// Properties beyond those that the schema names, which are `known`.
    ///
    /// # Errors
    /// [`Fault::Duplicate`] for one that the schema names.
    pub fn additional_properties(&mut self, properties: &AdditionalProperties, known: &[&str]) -> Result<(), Reject> {
        for (name, value) in properties {
            if known.contains(&name.as_str()) {
                return Err(self.reject(Fault::Duplicate));
            }
            self.key("");
            self.string(name);
            self.out.push(':');
            self.any(value);
        }
        Ok(())
    }

    /// JSON that the schema leaves open.
    pub fn any(&mut self, value: &RawJson) {
        self.out.push_str(value.as_str());
    }

    /// A value of a generated type.
    ///
    /// # Errors
    /// Those of the value.
    pub fn message<T: Message>(&mut self, value: &T) -> Result<(), Reject> {
        value.encode(self)
    }

    /// A list of `min..=max` items.
    ///
    /// # Errors
    /// [`Fault::TooFewItems`], [`Fault::TooManyItems`], and those of the items.
    pub fn list<T>(
        &mut self,
        items: &[T],
        min: usize,
        max: usize,
        mut write: impl FnMut(&mut Self, &T) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        if items.len() < min {
            return Err(self.reject(Fault::TooFewItems { min }));
        }
        if items.len() > max {
            return Err(self.reject(Fault::TooManyItems { max }));
        }
        self.out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            write(self, item)?;
        }
        self.out.push(']');
        Ok(())
    }

    /// A map of at most `max` entries.
    ///
    /// # Errors
    /// [`Fault::TooManyItems`], and those of the values.
    pub fn map<T>(
        &mut self,
        map: &BTreeMap<Text, T>,
        max: usize,
        mut write: impl FnMut(&mut Self, &T) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        if map.len() > max {
            return Err(self.reject(Fault::TooManyItems { max }));
        }
        self.out.push('{');
        for (index, (name, value)) in map.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.string(name);
            self.out.push(':');
            write(self, value)?;
        }
        self.out.push('}');
        Ok(())
    }
}

/// What a number breaks of its limits, if anything.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(super) fn decimal_fault(
    value: Decimal,
    step: Option<Decimal>,
    min: Option<Decimal>,
    max: Option<Decimal>,
) -> Option<Fault> {
    if min.is_some_and(|min| value < min) || max.is_some_and(|max| value > max) {
        return Some(Fault::OutOfRange);
    }
    step.filter(|step| !value.is_multiple_of(*step)).map(|step| Fault::NotAMultiple { step })
}

/// The content of a JSON string.
#[cold]
pub(crate) fn write_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    loop {
        let plain = plain_prefix(rest.as_bytes());
        out.push_str(rest.get(..plain).unwrap_or(""));
        let Some(special) = rest.as_bytes().get(plain) else { return };
        match special {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                out.push_str("\\u00");
                out.push(char::from(b'0' + (control >> 4)));
                out.push(char::from(b"0123456789abcdef".get(usize::from(control & 15)).copied().unwrap_or(b'0')));
            }
        }
        rest = rest.get(plain + 1..).unwrap_or("");
    }
}
