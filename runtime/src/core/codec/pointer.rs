//! From a byte offset to a JSON pointer, once something is wrong.
//!
//! The decoder and the encoder remember an offset only; this walks the text again up to it. For the encoder the text
//! is what was written before the fault, which ends after the key of the offending value.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::decoder::Decoder;
use super::fault::{Fault, Found};
use super::quirk::Quirks;
use crate::core::decimal::write_integer;

enum Level<'a> {
    Object(Option<Cow<'a, str>>),
    Array(usize),
}

/// The pointer (RFC 6901) to the value or key that starts at the fault's offset, or that comes next there.
pub(super) fn pointer_at(text: &str, found: Found) -> String {
    let mut levels: Vec<Level<'_>> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut awaiting_key = false;
    while let Some(&byte) = bytes.get(at) {
        let is_key = byte == b'"' && awaiting_key;
        if at > found.offset || (at == found.offset && !is_key) {
            break;
        }
        match byte {
            b'{' => {
                levels.push(Level::Object(None));
                awaiting_key = true;
            }
            b'[' => {
                levels.push(Level::Array(0));
                awaiting_key = false;
            }
            b'}' | b']' => {
                levels.pop();
                awaiting_key = false;
            }
            b',' => match levels.last_mut() {
                Some(Level::Array(index)) => *index += 1,
                Some(Level::Object(key)) => {
                    *key = None;
                    awaiting_key = true;
                }
                None => {}
            },
            b'"' => {
                let end = string_end(bytes, at);
                if is_key {
                    if let Some(Level::Object(key)) = levels.last_mut() {
                        let read = |quoted| Decoder::new(quoted, Quirks::NONE).quoted().ok();
                        let raw = text.get(at + 1..end).map(Cow::Borrowed);
                        *key = text.get(at..=end).and_then(read).or(raw);
                    }
                    awaiting_key = false;
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    let mut pointer = String::new();
    for level in &levels {
        match level {
            Level::Object(Some(key)) => push_segment(&mut pointer, key),
            Level::Object(None) => {}
            // Not `write!`, which would be all that takes `core::fmt` to a device.
            Level::Array(index) => {
                pointer.push('/');
                write_integer(&mut pointer, i64::try_from(*index).unwrap_or(i64::MAX));
            }
        }
    }
    if let Fault::Missing { property } = found.fault {
        push_segment(&mut pointer, property);
    }
    pointer
}

/// The index of the quote that ends the string whose opening quote stands at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') | None => return at,
            Some(_) => at += 1,
        }
    }
}

fn push_segment(pointer: &mut String, key: &str) {
    pointer.push('/');
    for character in key.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, marker: &str) -> String {
        pointer_at(text, Found { fault: Fault::Duplicate, offset: text.find(marker).unwrap() })
    }

    #[test]
    fn offsets_become_pointers() {
        let text = r#"{"a/b":1, "c": [ {"d":"x,{"}, {"e~":[ ], "f":7, "g":{}} ], "h": null}"#;
        assert_eq!(at(text, "1,"), "/a~1b");
        assert_eq!(at(text, "\"a/b"), "/a~1b");
        assert_eq!(at(text, "[ {"), "/c");
        assert_eq!(at(text, "{\"d\""), "/c/0");
        assert_eq!(at(text, "\"x,"), "/c/0/d");
        assert_eq!(at(text, "{\"e~"), "/c/1");
        assert_eq!(at(text, "[ ]"), "/c/1/e~0");
        assert_eq!(at(text, "7"), "/c/1/f");
        assert_eq!(at(text, "{}"), "/c/1/g");
        assert_eq!(at(text, "null"), "/h");
        assert_eq!(at(text, "{\"a"), "");
        assert_eq!(at(r#"{"id\u0054ag":7}"#, "7"), "/idTag");
    }

    #[test]
    fn a_prefix_that_ends_after_a_key_names_that_key() {
        let prefix = r#"{"meterValue":[{},{"timestamp":"#;
        assert_eq!(
            pointer_at(prefix, Found { fault: Fault::Duplicate, offset: prefix.len() }),
            "/meterValue/1/timestamp"
        );
        assert_eq!(pointer_at("{\"a", Found { fault: Fault::Duplicate, offset: 99 }), "/a");
    }
}
