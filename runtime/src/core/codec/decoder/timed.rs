//! Values of thing models with the time at which they were so: `{"value":v,"time":ms}`.
//!
//! Devices leave the time out, or the wrapping altogether.

use super::object::{Extra, Fields};
use super::{Decoder, Message};
use crate::alink::Times;
use crate::codec::fault::{Fault, Reject};
use crate::codec::quirk::Quirks;
use crate::types::DateTime;

static VALUE_AND_TIME: Fields = Fields::new(&["value", "time"], 0, 0, Extra::Kept);

/// A value that is being read, with its time if it has one.
#[derive(Debug)]
pub struct Timed {
    time: Option<DateTime>,
    /// Where its wrapping ends, if it is wrapped.
    end: Option<usize>,
}

/// What a wrapping is made of, in bytes from its start.
struct Wrapping {
    value: usize,
    time: Option<usize>,
    end: usize,
}

impl Decoder<'_> {
    /// Goes to a property's value, past its wrapping if it has one. `is_object`: the property's own values are objects.
    ///
    /// # Errors
    /// Those of the time.
    #[inline]
    pub fn begin_timed(&mut self, is_object: bool) -> Result<Timed, Reject> {
        if self.peek() != Some(b'{') {
            return Ok(Timed { time: None, end: None });
        }
        self.enter(is_object)
    }

    fn enter(&mut self, is_object: bool) -> Result<Timed, Reject> {
        let Some(Wrapping { value, time, end }) = self.wrapping(is_object) else {
            return Ok(Timed { time: None, end: None });
        };
        let start = self.at;
        let time = match time {
            Some(time) => {
                self.at = start + time;
                Some(self.millis()?)
            }
            None => None,
        };
        self.at = start + value;
        Ok(Timed { time, end: Some(start + end) })
    }

    /// Whether the object that comes next is a wrapping: it has a value, and nothing but a time besides. A struct that
    /// looks like one is told from it by what its `value` is.
    fn wrapping(&self, is_object: bool) -> Option<Wrapping> {
        let mut reader = Decoder::new(self.rest(), Quirks::ALL);
        let mut object = reader.begin_object(&VALUE_AND_TIME).ok()?;
        let mut found = [None; 2];
        while let Some(index) = reader.next_field(&mut object).ok()? {
            reader.peek();
            let start = reader.at;
            // What else there is has no place, and means that this is no wrapping.
            *found.get_mut(index)? = Some(start);
            reader.skip().ok()?;
        }
        let [value, time] = found;
        let value = value?;
        if is_object && reader.text.as_bytes().get(value) != Some(&b'{') {
            return None;
        }
        Some(Wrapping { value, time, end: reader.at })
    }

    /// Leaves a property's value, and its wrapping.
    #[inline]
    pub fn end_timed(&mut self, timed: Timed, identifier: &'static str, times: &mut Times) {
        if let Some(time) = timed.time {
            times.push(identifier, time);
        }
        // The wrapping was read to its end before.
        self.at = timed.end.unwrap_or(self.at);
    }

    /// What an event tells, as it is or in its wrapping.
    ///
    /// # Errors
    /// Those of the value, and of the time.
    pub fn event<T: Message>(&mut self, value: &mut T, time: &mut Option<DateTime>) -> Result<(), Reject> {
        self.peek();
        let timed = self.enter(true)?;
        value.read(self)?;
        *time = timed.time;
        self.at = timed.end.unwrap_or(self.at);
        Ok(())
    }

    /// Milliseconds since 1970, as a number or as text that holds one.
    fn millis(&mut self) -> Result<DateTime, Reject> {
        self.peek();
        if self.byte() == Some(b'"') {
            return self.unix_millis();
        }
        let (offset, number) = self.number("milliseconds since 1970")?;
        match number {
            Some(number) => Ok(DateTime::from_unix_millis(number.whole())),
            None => Err(self.reject(offset, Fault::NotADateTime)),
        }
    }
}
