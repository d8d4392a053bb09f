//! Time-stamps: liberal in what is read, RFC 3339 in UTC with at most milliseconds in what is written.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

/// A point in time in UTC, to the millisecond (JSON Schema `date-time`, RFC 3339).
///
/// Offsets are converted, fractions beyond milliseconds cut, and a time-stamp without a zone is taken as UTC.
///
/// ```
/// use onwire::types::DateTime;
/// let at = DateTime::parse("2025-08-14T09:23:49.5+08:00").unwrap();
/// assert_eq!(at.to_string(), "2025-08-14T01:23:49.500Z");
/// assert_eq!(at.unix_millis(), 1_755_134_629_500);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(i64);

/// How a time-stamp was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As RFC 3339 says.
    Rfc3339,
    /// Without a zone.
    Zoneless,
    /// With a space for the `T`, or an offset such as `+08` or `+0800`.
    Loose,
}

const MILLIS_PER_DAY: i64 = 86_400_000;
/// 0000-01-01 and 9999-12-31T23:59:59.999: what four digits of year can say.
const EARLIEST: i64 = -62_167_219_200_000;
const LATEST: i64 = 253_402_300_799_999;

impl DateTime {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(0);

    /// The point `millis` after 1970-01-01T00:00:00Z, held within the years 0000 to 9999.
    pub const fn from_unix_millis(millis: i64) -> Self {
        if millis < EARLIEST {
            Self(EARLIEST)
        } else if millis > LATEST {
            Self(LATEST)
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// The system's clock.
    #[cfg(feature = "std")]
    pub fn now() -> Self {
        std::time::SystemTime::now().into()
    }

    /// Reads RFC 3339 and what the field makes of it (no zone, a space for the `T`, `+0800`).
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_form(text).map(|(at, _)| at)
    }

    /// How long `self` lies after `earlier`; zero if it does not.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    pub(crate) fn parse_form(text: &str) -> Option<(Self, Form)> {
        let mut reader = Reader(text.as_bytes());
        let mut form = Form::Rfc3339;
        let year = reader.digits(4)?;
        reader.literal(b'-')?;
        let month = reader.digits(2)?;
        reader.literal(b'-')?;
        let day = reader.digits(2)?;
        match reader.next()? {
            b'T' | b't' => {}
            b' ' => form = Form::Loose,
            _ => return None,
        }
        let hour = reader.digits(2)?;
        reader.literal(b':')?;
        let minute = reader.digits(2)?;
        reader.literal(b':')?;
        let second = reader.digits(2)?;
        let millis = if reader.peek() == Some(b'.') { reader.fraction()? } else { 0 };
        // A leap second (RFC 3339 §5.6) counts as the first second of the next minute.
        if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let offset_minutes = match reader.next() {
            None => {
                form = Form::Zoneless;
                0
            }
            Some(b'Z' | b'z') => 0,
            Some(sign @ (b'+' | b'-')) => {
                let hours = reader.digits(2)?;
                let minutes = match reader.peek() {
                    Some(b':') => {
                        reader.next();
                        reader.digits(2)?
                    }
                    Some(_) => {
                        form = Form::Loose;
                        reader.digits(2)?
                    }
                    None => {
                        form = Form::Loose;
                        0
                    }
                };
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let minutes = hours * 60 + minutes;
                if sign == b'-' { -minutes } else { minutes }
            }
            Some(_) => return None,
        };
        if !reader.0.is_empty() {
            return None;
        }
        let of_day = (hour * 60 + minute - offset_minutes) * 60 + second;
        let seconds = i64::from(days_from_civil(year, month, day)) * 86_400 + i64::from(of_day);
        Some((Self::from_unix_millis(seconds * 1000 + i64::from(millis)), form))
    }

    /// Appends the RFC 3339 form; milliseconds are written only if there are any.
    pub(crate) fn write(self, out: &mut String) {
        // Both fit: the years have four digits. A device divides 32 bits in one instruction, and 64 bits in a hundred.
        let days = self.0.div_euclid(MILLIS_PER_DAY);
        let of_day = (self.0 - days * MILLIS_PER_DAY) as i32;
        let (year, month, day) = civil_from_days(days as i32);
        let (seconds, millis) = (of_day / 1000, of_day % 1000);
        let mut date = (year * 100 + month) * 100 + day;
        let mut time = ((seconds / 3600 * 100 + seconds / 60 % 60) * 100 + seconds % 60) * 1000 + millis;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (at, byte) in text.iter_mut().enumerate().rev().filter(|(_, byte)| **byte == b'0') {
            let digits = if at > DATE { &mut time } else { &mut date };
            *byte = b'0' + (*digits % 10) as u8;
            *digits /= 10;
        }
        let length = if millis == 0 { SECONDS } else { text.len() - 1 };
        // Digits, and what stood there: a device has the code for single characters already.
        if cfg!(target_pointer_width = "64") {
            out.push_str(str::from_utf8(text.get(..length).unwrap_or(&[])).unwrap_or_default());
        } else {
            text.iter().take(length).for_each(|byte| out.push(char::from(*byte)));
        }
        out.push('Z');
    }
}

/// The length of the date.
const DATE: usize = 10;

/// The length of the form up to the seconds.
const SECONDS: usize = 19;

impl core::ops::Add<Duration> for DateTime {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self::from_unix_millis(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

#[cfg(feature = "std")]
impl From<std::time::SystemTime> for DateTime {
    fn from(time: std::time::SystemTime) -> Self {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_millis(match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => millis(after),
            Err(before) => -millis(before.duration()),
        })
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(24);
        self.write(&mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for DateTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for DateTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 date-time"))
    }
}

/// The bytes not read yet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn literal(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn digits(&mut self, count: usize) -> Option<i32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.next()?;
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + i32::from(byte - b'0');
        }
        Some(value)
    }

    /// `.` and at least one digit: milliseconds, the rest is cut.
    fn fraction(&mut self) -> Option<i32> {
        self.literal(b'.')?;
        let (mut millis, mut scale) = (self.digits(1)? * 100, 10);
        while let Some(byte @ b'0'..=b'9') = self.peek() {
            self.next();
            millis += i32::from(byte - b'0') * scale;
            scale /= 10;
        }
        Some(millis)
    }
}

fn days_in(year: i32, month: i32) -> i32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date (H. Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i32) -> (i32, i32, i32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i32::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_day_of_a_thousand_years_survives_the_round_trip() {
        for day in -200_000..200_000 {
            let at = DateTime::from_unix_millis(day * MILLIS_PER_DAY + 1);
            assert_eq!(DateTime::parse(&at.to_string()), Some(at), "{at}");
        }
    }

    #[test]
    fn forms_of_the_field_are_told_apart() {
        let form = |text| DateTime::parse_form(text).map(|(at, form)| (at.to_string(), form));
        let at = |text: &str, form| Some((String::from(text), form));
        assert_eq!(form("2025-08-14T01:23:00.731Z"), at("2025-08-14T01:23:00.731Z", Form::Rfc3339));
        assert_eq!(form("2024-02-29T23:59:60Z"), at("2024-03-01T00:00:00Z", Form::Rfc3339));
        assert_eq!(form("2024-01-01T00:30:00+01:00"), at("2023-12-31T23:30:00Z", Form::Rfc3339));
        assert_eq!(form("2024-03-22T13:57:11.000000"), at("2024-03-22T13:57:11Z", Form::Zoneless));
        assert_eq!(form("2024-03-22 13:57:11.1239Z"), at("2024-03-22T13:57:11.123Z", Form::Loose));
        assert_eq!(form("2024-03-22T13:57:11+0800"), at("2024-03-22T05:57:11Z", Form::Loose));
        assert_eq!(form("2024-03-22T13:57:11-08"), at("2024-03-22T21:57:11Z", Form::Loose));
    }

    #[test]
    fn nonsense_is_no_time() {
        for text in [
            "",
            "2024",
            "2024-03-22",
            "2024-03-22T13:57",
            "2023-02-29T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+1:00",
            "2024-01-01T00:00:00ZZ",
            "2024-01-01T00:00:00+25:00",
            "٢٠٢٤-01-01T00:00:00Z",
            "+024-01-01T00:00:00Z",
        ] {
            assert_eq!(DateTime::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_years_that_four_digits_cannot_say_are_held_at_the_edge() {
        assert_eq!(DateTime::from_unix_millis(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(DateTime::from_unix_millis(i64::MIN).to_string(), "0000-01-01T00:00:00Z");
    }
}
