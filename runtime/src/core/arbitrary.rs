//! Random values of the leaf types, for fuzzing and property tests.
//!
//! They are what users can build and peers can send, with a taste for what breaks codecs: quotes, control characters,
//! emoji, text at its limit and one in sixteen beyond it, dates at the ends of what can be said. All are cheap in random
//! bytes, and small where the bytes have run out.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use arbitrary::{Arbitrary, Error, Result, Unstructured};

use crate::alink::Times;
use crate::codec::write_escaped;
use crate::types::{CiString, DateTime, Decimal, RawJson, Text, Unrecognized};

/// How long text without a bound gets.
const LONG: usize = 600;
/// A bound beyond this is never reached.
const LONGEST: usize = 20_000;
/// How deep lists and objects are nested, but for a chain of lists that may hang below.
const NESTED: u8 = 4;

/// Text, at times as long as it may be, and one in sixteen longer than its bound.
impl<'a, const N: usize> Arbitrary<'a> for Text<N> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        text(u, N).map(Self::from)
    }
}

/// Text, at times as long as it may be, and one in sixteen longer than its bound.
impl<'a, const N: usize> Arbitrary<'a> for CiString<N> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        text(u, N).map(Self::from)
    }
}

/// Any text; it may be one that the enumeration knows.
impl<'a> Arbitrary<'a> for Unrecognized {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        text(u, LONG).map(|value| Self::new(&value))
    }
}

/// Of properties that no model need have.
impl<'a> Arbitrary<'a> for Times {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut times = Self::default();
        for _ in 0..u.int_in_range(0..=3)? {
            times.set(&text(u, LONG)?, u.arbitrary()?);
        }
        Ok(times)
    }
}

/// Mostly what a meter says, with at most one digit after the point; also every other value that can be built.
impl<'a> Arbitrary<'a> for Decimal {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        const EDGES: [i64; 9] = [
            i64::MIN,
            i64::MIN + 1,
            i64::MAX,
            1_000_000_000_000_000_000,
            999_999_999_999_999_999,
            (1 << 53) + 1,
            -1,
            10,
            0,
        ];
        Ok(match u.int_in_range(0..=7u8)? {
            0..=3 => Self::new(i64::from(u.arbitrary::<i16>()?), u.int_in_range(0..=1)?),
            4 => Self::new(i64::from(u.arbitrary::<i32>()?), u.int_in_range(0..=6)?),
            // 15 to 19 digits: about as many as a float keeps.
            5 | 6 => Self::new(u.arbitrary::<i64>()? >> u.int_in_range(0..=15u8)?, u.int_in_range(0..=18)?),
            _ => Self::new(*u.choose(&EDGES)?, u.int_in_range(0..=18)?),
        })
    }
}

/// Mostly between 1970 and 2106; also from the first to the last millisecond that the type can hold.
impl<'a> Arbitrary<'a> for DateTime {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (first, last) = (Self::from_unix_millis(i64::MIN), Self::from_unix_millis(i64::MAX));
        Ok(match u.int_in_range(0..=7u8)? {
            0..=3 => Self::from_unix_millis(i64::from(u.arbitrary::<u32>()?) * 1000),
            4 | 5 => Self::from_unix_millis(i64::from(u.arbitrary::<u32>()?) * 1000 + u.int_in_range(0..=999)?),
            6 => Self::from_unix_millis(u.int_in_range(first.unix_millis()..=last.unix_millis())?),
            _ => *u.choose(&[first, last, Self::UNIX_EPOCH, Self::from_unix_millis(-1)])?,
        })
    }
}

/// Any JSON that [`RawJson::new`] takes: white space, escapes, keys that stand twice, numbers beyond every machine type.
impl<'a> Arbitrary<'a> for RawJson {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut json = String::new();
        write_value(u, &mut json, NESTED)?;
        Self::new(&json).map_err(|_| Error::IncorrectFormat)
    }
}

/// At most `max` characters; one in sixteen has more, if there is a bound.
fn text(u: &mut Unstructured<'_>, max: usize) -> Result<String> {
    let max = if max == usize::MAX { LONG } else { max.min(LONGEST) };
    let length = match u.int_in_range(0..=15u8)? {
        0..=12 => u.int_in_range(0..=max.min(24))?,
        13 => u.int_in_range(0..=max)?,
        14 => max,
        _ => max + u.int_in_range(1..=3)?,
    };
    // A short pattern again and again, as every character costs random bytes.
    let mut pattern = Vec::new();
    for _ in 0..u.int_in_range(1..=8u8)? {
        pattern.push(character(u)?);
    }
    Ok(pattern.iter().cycle().take(length).collect())
}

fn character(u: &mut Unstructured<'_>) -> Result<char> {
    /// What JSON, Unicode or the codec's own shortcuts treat in a way of its own.
    const SPECIAL: [char; 16] = [
        '"',
        '\\',
        '/',
        '{',
        '}',
        ',',
        ':',
        '\u{7f}',
        '\u{80}',
        '\u{85}',
        '\u{2028}',
        '\u{2029}',
        '\u{fdd0}',
        '\u{feff}',
        '\u{ffff}',
        '\u{10ffff}',
    ];
    let within = |u: &mut Unstructured<'_>, first: u32, last: u32| -> Result<char> {
        char::from_u32(u.int_in_range(first..=last)?).ok_or(Error::IncorrectFormat)
    };
    match u.int_in_range(0..=15u8)? {
        0..=5 => within(u, 0x20, 0x7e),
        6 | 7 => u.choose(&SPECIAL).copied(),
        8 => within(u, 0, 0x1f),
        9 => within(u, 0x80, 0x7ff),
        10 | 11 => within(u, 0x4e00, 0x9fff),
        12 | 13 => within(u, 0x1_f300, 0x1_faff),
        _ => u.arbitrary(),
    }
}

/// Writes a JSON value; lists and objects only if `depth` is not 0.
fn write_value(u: &mut Unstructured<'_>, out: &mut String, depth: u8) -> Result<()> {
    const NUMBERS: [&str; 8] =
        ["-0", "0.0", "-0.0e0", "1e5", "1E-7", "1e400", "-1.5e+300", "123456789012345678901234567890"];
    match u.int_in_range(0..=if depth == 0 { 7 } else { 12u8 })? {
        0 => out.push_str("null"),
        1 => out.push_str("true"),
        2 => out.push_str("false"),
        3 => write(out, u.arbitrary::<i64>()?)?,
        4 => write(out, u.arbitrary::<Decimal>()?)?,
        5 => out.push_str(u.choose(&NUMBERS)?),
        6 | 7 => write_string(u, out)?,
        8 | 9 => write_items(u, out, '[', ']', |u, out| write_value(u, out, depth - 1))?,
        10 | 11 => write_items(u, out, '{', '}', |u, out| {
            write_string(u, out)?;
            out.push(':');
            write_value(u, out, depth - 1)
        })?,
        _ => {
            let levels = u.int_in_range(1..=50usize)?;
            out.extend(core::iter::repeat_n('[', levels));
            out.extend(core::iter::repeat_n(']', levels));
        }
    }
    Ok(())
}

fn write(out: &mut String, value: impl core::fmt::Display) -> Result<()> {
    write!(out, "{value}").map_err(|_| Error::IncorrectFormat)
}

fn write_string(u: &mut Unstructured<'_>, out: &mut String) -> Result<()> {
    const ESCAPES: [&str; 6] = ["\\u0041", "\\ud83d\\udd0c", "\\/", "\\b\\f", "\\u0000", "\\uFFFF"];
    out.push('"');
    write_escaped(out, &text(u, 12)?);
    if u.ratio(1, 8)? {
        out.push_str(u.choose(&ESCAPES)?);
    }
    out.push('"');
    Ok(())
}

fn write_items<'a>(
    u: &mut Unstructured<'a>,
    out: &mut String,
    open: char,
    close: char,
    mut item: impl FnMut(&mut Unstructured<'a>, &mut String) -> Result<()>,
) -> Result<()> {
    const SPACES: [&str; 6] = ["", "", "", " ", "\n", "\t\r "];
    out.push(open);
    for index in 0..u.int_in_range(0..=3u8)? {
        if index > 0 {
            out.push(',');
        }
        out.push_str(u.choose(&SPACES)?);
        item(u, out)?;
        out.push_str(u.choose(&SPACES)?);
    }
    out.push(close);
    Ok(())
}
