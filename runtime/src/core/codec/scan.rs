//! Finding the end of the plain part of a JSON string, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The index of the first byte that is `"`, `\` or a control character; the length if there is none.
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return length + (found.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length + tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(tail.len())
}

/// The high bit of every special byte; bits above the lowest set one may be wrong.
fn special(word: u64) -> u64 {
    let below_space = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (below_space | quote | backslash) & !word & HIGH
}

#[cfg(test)]
mod tests {
    use super::plain_prefix;

    #[test]
    fn every_byte_at_every_place_is_judged_as_the_plain_definition_does() {
        for byte in 0..=255u8 {
            for at in 0..20 {
                for filler in [b'a', 0x7f, 0x80, 0xff, b'!', b'#'] {
                    let mut bytes = [filler; 20];
                    bytes[at] = byte;
                    let special = matches!(byte, b'"' | b'\\') || byte < 0x20;
                    assert_eq!(plain_prefix(&bytes), if special { at } else { 20 }, "{byte:#x} at {at}");
                }
            }
        }
    }
}
