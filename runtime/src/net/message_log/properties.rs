//! Values of properties, found by their names.
//!
//! The text need not be JSON, and may be cut short: it is searched for quotation marks and not parsed.

use std::borrow::Cow;
use std::ops::Range;

use super::MASK;
use super::edits::Edits;

/// Whether the text contains the name, in any case.
pub(super) fn has_name(text: &str, name: &str) -> bool {
    let (text, name) = (text.as_bytes(), name.as_bytes());
    let Some(first) = name.first() else { return false };
    // It is asked of every message, for every name: most bytes are passed over by their first look.
    let (small, large) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    text.iter().enumerate().any(|(at, byte)| {
        (*byte == small || *byte == large)
            && text.get(at..at + name.len()).is_some_and(|part| part.eq_ignore_ascii_case(name))
    })
}

/// Masks the values of the properties of these names; `null` stays.
pub(super) fn mask<'t>(text: &'t str, names: &[&str]) -> Cow<'t, str> {
    let mut edits = Edits::of(text);
    let mut from = 0;
    while let Some(quote) = find_quote(text, from).filter(|_| !names.is_empty()) {
        from = quote + 1;
        let masked = Property::at(text, quote, names).and_then(|property| property.mask(text));
        if let Some((value, mask)) = masked {
            from = value.end;
            edits.replace(value, &mask);
        }
    }
    edits.finish()
}

/// A property of one of the names, with a value behind its name.
struct Property {
    /// How many strings it is in, each written into the next with its quotation marks escaped.
    depth: u32,
    /// Where its value begins; of a text, behind the quotation mark.
    start: usize,
    is_text: bool,
}

impl Property {
    /// The property whose name begins behind the quotation mark at `quote`.
    fn at(text: &str, quote: usize, names: &[&str]) -> Option<Self> {
        let escapes = backslashes(text, quote);
        let end = find_quote(text, quote + 1)?;
        let name = text.get(quote + 1..end.checked_sub(escapes)?)?;
        if !names.contains(&name) || backslashes(text, end) != escapes {
            return None;
        }
        let value = text.get(end + 1..)?.trim_start().strip_prefix(':')?.trim_start();
        let start = text.len() - value.len();
        let is_quote = text.as_bytes().get(start + escapes) == Some(&b'"');
        let is_text = is_quote && backslashes(text, start + escapes) == escapes;
        // One escape more for each string around: 0, 1, 3, 7 backslashes.
        let depth = escapes.count_ones();
        Some(Self { depth, start: if is_text { start + escapes + 1 } else { start }, is_text })
    }

    /// Where in the text its value stands, and what takes its place; `None` if there is none.
    fn mask(&self, text: &str) -> Option<(Range<usize>, Cow<'static, str>)> {
        let value = text.get(self.start..).unwrap_or("");
        if self.is_text {
            return Some((self.start..self.start + text_length(value, self.depth), Cow::Borrowed(MASK)));
        }
        let length = match value.starts_with(['{', '[']) {
            true => nested_length(value, self.depth),
            false => value.find([',', '}', ']', '"', '\\', ' ', '\n', '\r', '\t']).unwrap_or(value.len()),
        };
        if matches!(value.get(..length), Some("" | "null")) {
            return None;
        }
        let escapes = "\\".repeat((1 << self.depth) - 1);
        Some((self.start..self.start + length, Cow::Owned(format!("{escapes}\"{MASK}{escapes}\""))))
    }
}

fn find_quote(text: &str, from: usize) -> Option<usize> {
    Some(from + text.get(from..)?.find('"')?)
}

/// How many backslashes stand before that place.
fn backslashes(text: &str, place: usize) -> usize {
    text.as_bytes().iter().take(place).rev().take_while(|byte| **byte == b'\\').count()
}

/// The length of a string at that depth, up to the escapes of its closing quotation mark.
fn text_length(text: &str, depth: u32) -> usize {
    let mut from = 0;
    while let Some(quote) = find_quote(text, from) {
        let escapes = backslashes(text, quote);
        match closes(escapes, depth) {
            Closes::Nothing => from = quote + 1,
            Closes::This => return quote - ((1 << depth) - 1),
            Closes::Outer => return quote - escapes,
        }
    }
    text.len()
}

/// The length of an object or a list at that depth.
fn nested_length(text: &str, depth: u32) -> usize {
    let (mut open, mut in_text) = (0_usize, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => match closes(backslashes(text, index), depth) {
                Closes::Nothing => {}
                Closes::This => in_text = !in_text,
                Closes::Outer => return index - backslashes(text, index),
            },
            b'{' | b'[' if !in_text => open += 1,
            b'}' | b']' if !in_text => {
                open -= 1;
                if open == 0 {
                    return index + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// What a quotation mark ends.
enum Closes {
    /// It is part of the string, or of one within.
    Nothing,
    /// The string at that depth.
    This,
    /// A string around it: the one at that depth is cut short.
    Outer,
}

/// What a quotation mark with so many backslashes before it ends, in a string that is written within `depth` others.
fn closes(mut backslashes: usize, depth: u32) -> Closes {
    for _ in 0..depth {
        if backslashes.is_multiple_of(2) {
            return Closes::Outer;
        }
        // Each level doubles backslashes, and adds the one of the quotation mark.
        backslashes /= 2;
    }
    if backslashes.is_multiple_of(2) { Closes::This } else { Closes::Nothing }
}
