//! Finding the end of the plain part of a JSON string, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The index of the first byte that is `"`, `\` or a control character; the length if there is none.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    if cfg!(target_pointer_width = "64") {
        return first(bytes, special);
    }
    // Where words of eight bytes are taken in two halves, they save little time and cost much flash.
    bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(bytes.len())
}

/// The high bit of every special byte; bits above the lowest set one may be wrong, and so may those of bytes that are
/// not ASCII.
fn special(word: u64) -> u64 {
    // `wrapping_sub` sets the high bit of a byte that was less than what is subtracted.
    let below_space = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    below_space | quote | backslash
}

/// The index of the first `"`; the length if there is none.
#[inline(always)]
pub(super) fn until_quote(bytes: &[u8]) -> usize {
    first(bytes, |word| (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES))
}

/// The index of the first byte whose high bit is set by `find` and not in itself; the length if there is none.
/// Bits above the lowest set one may be wrong.
#[inline(always)]
fn first(bytes: &[u8], find: impl Fn(u64) -> u64) -> usize {
    let look = |word: u64| find(word) & !word & HIGH;
    // Two words at once: most strings end within them, and the branch that says so is foreseen.
    let look_twice = |pair: [u8; 16]| {
        let pair = u128::from_le_bytes(pair);
        let (low, high) = (look(pair as u64), look((pair >> 64) as u64));
        let (word, before) = if low == 0 { (high, 8) } else { (low, 0) };
        (low | high != 0).then_some(before + (word.trailing_zeros() / 8) as usize)
    };
    let mut rest = bytes;
    let mut length = 0;
    while let Some((pair, more)) = rest.split_first_chunk::<16>() {
        if let Some(index) = look_twice(*pair) {
            return length + index;
        }
        (rest, length) = (more, length + 16);
    }
    length + first_of_tail(rest, look)
}

/// The same for less than 16 bytes.
#[cold]
fn first_of_tail(bytes: &[u8], look: impl Fn(u64) -> u64) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let found = look(u64::from_le_bytes(*word));
        if found != 0 {
            return length + (found.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    // Nothing is found in bytes of all ones.
    let mut word = u64::MAX;
    for byte in tail.iter().rev() {
        word = word << 8 | u64::from(*byte);
    }
    length + ((look(word).trailing_zeros() / 8) as usize).min(tail.len())
}

/// Whether no byte is `"`, `\` or a control character.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    if cfg!(not(target_pointer_width = "64")) {
        return plain_prefix(bytes) == bytes.len();
    }
    // Two words that may overlap hold 8 to 16 bytes, and two halves 4 to 8: the numbers and names of most messages.
    let special = if let (8..=16, Some(first), Some(last)) = (bytes.len(), bytes.first_chunk(), bytes.last_chunk()) {
        let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
        special(first) & !first | special(last) & !last
    } else if let (4..8, Some(first), Some(last)) = (bytes.len(), bytes.first_chunk(), bytes.last_chunk()) {
        let word = u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
        special(word) & !word
    } else {
        return plain_prefix(bytes) == bytes.len();
    };
    special & HIGH == 0
}

#[cfg(test)]
mod tests {
    use super::{is_plain, plain_prefix, until_quote};

    #[test]
    fn every_byte_at_every_place_is_judged_as_the_plain_definition_does() {
        let mut buffer = [0; 40];
        for byte in 0..=255u8 {
            for length in 1..buffer.len() {
                let bytes = &mut buffer[..length];
                for at in 0..length {
                    for filler in [b'a', 0x7f, 0x80, 0xff, b'!', b'#'] {
                        bytes.fill(filler);
                        bytes[at] = byte;
                        let special = matches!(byte, b'"' | b'\\') || byte < 0x20;
                        assert_eq!(
                            plain_prefix(bytes),
                            if special { at } else { length },
                            "{byte:#x} at {at}/{length}"
                        );
                        assert_eq!(is_plain(bytes), !special, "{byte:#x} at {at}/{length}");
                        assert_eq!(
                            until_quote(bytes),
                            if byte == b'"' { at } else { length },
                            "{byte:#x} at {at}/{length}"
                        );
                    }
                }
            }
        }
    }
}
