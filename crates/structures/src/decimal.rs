//! Integers as text: the one canonical decimal form of an `i64`, read and written.
//!
//! Compact encodings store a text as a number only when the number prints back as the same bytes,
//! so the parser takes exactly the canonical form: no sign `+`, no leading zero, no `-0`, no spaces.
//! Tests: below.

/// Bytes of the longest `i64` (`-9223372036854775808`).
pub const I64_TEXT_MAX_BYTES: usize = 20;

/// Scratch space for printing one integer.
#[derive(Clone, Copy, Debug)]
pub struct IntBuf([u8; I64_TEXT_MAX_BYTES]);

impl Default for IntBuf {
    fn default() -> IntBuf {
        IntBuf::new()
    }
}

impl IntBuf {
    #[inline]
    pub const fn new() -> IntBuf {
        IntBuf([0; I64_TEXT_MAX_BYTES])
    }

    /// Prints `value` and returns its text, which lives in this buffer.
    #[inline]
    pub fn format(&mut self, value: i64) -> &[u8] {
        let mut at = I64_TEXT_MAX_BYTES;
        let mut rest = value.unsigned_abs();
        while rest >= 100 {
            at -= 2;
            self.put_pair(at, (rest % 100) as usize);
            rest /= 100;
        }
        if rest >= 10 {
            at -= 2;
            self.put_pair(at, rest as usize);
        } else {
            at -= 1;
            self.0[at] = b'0' + rest as u8;
        }
        if value < 0 {
            at -= 1;
            self.0[at] = b'-';
        }
        &self.0[at..]
    }

    #[inline]
    fn put_pair(&mut self, at: usize, pair: usize) {
        self.0[at] = DIGIT_PAIRS[pair * 2];
        self.0[at + 1] = DIGIT_PAIRS[pair * 2 + 1];
    }
}

/// "00" to "99", so that a division yields two digits.
const DIGIT_PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut number = 0;
    while number < 100 {
        pairs[number * 2] = b'0' + (number / 10) as u8;
        pairs[number * 2 + 1] = b'0' + (number % 10) as u8;
        number += 1;
    }
    pairs
};

/// The value of `text` if it is the canonical form of an `i64`.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (digits, negative) = match text {
        [b'-', digits @ ..] => (digits, true),
        digits => (digits, false),
    };
    match digits {
        [] => return None,
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    // 19 digits cannot overflow a u64, and 20 cannot be an i64.
    if digits.len() > 19 {
        return None;
    }
    let mut magnitude: u64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
    }
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_canonical_form_is_a_number() {
        for text in [
            "",
            "-",
            "+1",
            "-0",
            "00",
            "01",
            "-01",
            " 1",
            "1 ",
            "1a",
            "0x1",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "99999999999999999999",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
        for value in [0, 1, -1, 9, 10, 99, 100, -100, i64::MAX, i64::MIN] {
            assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
        }
    }

    proptest! {
        #[test]
        fn printing_agrees_with_the_standard_library(value: i64, shift in 0u32..64) {
            let value = value >> shift;
            let mut buf = IntBuf::new();
            let text = value.to_string();
            prop_assert_eq!(buf.format(value), text.as_bytes());
            prop_assert_eq!(parse_i64(text.as_bytes()), Some(value));
        }

        #[test]
        fn a_parsed_text_prints_back_unchanged(text in "[-+0-9 ]{0,21}") {
            if let Some(value) = parse_i64(text.as_bytes()) {
                prop_assert_eq!(value.to_string(), text);
            }
        }
    }
}
