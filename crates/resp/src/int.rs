//! Decimal integers: the strict reading and the fast writing that Redis applies everywhere.
//!
//! Reading accepts exactly the text that writing produces: an optional minus, no plus, no leading
//! zeros, no spaces, no "-0". That makes "is this string an integer" and "does it print back as
//! itself" one question, which the integer encodings of values rely on.
//!
//! Writing produces two digits per division from a table and never enters `core::fmt`.
//!
//! Tests: at the bottom, and `tests/properties.rs`.

/// The longest text of an `i64` or `u64`: "-9223372036854775808", "18446744073709551615".
pub const MAX_TEXT_LEN: usize = 20;

const PAIRS: [u8; 200] = {
    let mut table = [0; 200];
    let mut i = 0;
    while i < 100 {
        table[2 * i] = b'0' + (i / 10) as u8;
        table[2 * i + 1] = b'0' + (i % 10) as u8;
        i += 1;
    }
    table
};

/// Reads a whole text as a signed integer, or says that it is none.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', b'0', ..] => None,
        [b'-', magnitude @ ..] => {
            // Negating in two's complement reaches i64::MIN, whose magnitude no i64 holds.
            let magnitude = parse_u64(magnitude)?;
            (magnitude <= i64::MIN.unsigned_abs()).then(|| magnitude.wrapping_neg() as i64)
        }
        _ => i64::try_from(parse_u64(text)?).ok(),
    }
}

/// Reads a whole text as an unsigned integer: digits only, no leading zero.
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    let (&first, rest) = text.split_first()?;
    if first == b'0' {
        return rest.is_empty().then_some(0);
    }
    if text.len() > MAX_TEXT_LEN || !first.is_ascii_digit() {
        return None;
    }
    // 19 digits always fit; only the twentieth can overflow.
    let safe = text.len().min(MAX_TEXT_LEN - 1);
    let mut value = 0u64;
    for &byte in &text[..safe] {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    for &byte in &text[safe..] {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// Appends the decimal text of `value`.
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    let mut text = [0; MAX_TEXT_LEN];
    let start = format_i64(value, &mut text);
    out.extend_from_slice(&text[start..]);
}

/// Appends the decimal text of `value`.
pub fn write_u64(out: &mut Vec<u8>, value: u64) {
    let mut text = [0; MAX_TEXT_LEN];
    let start = format_u64(value, &mut text);
    out.extend_from_slice(&text[start..]);
}

/// Writes the text at the end of `text` and returns where it starts.
#[inline]
pub fn format_i64(value: i64, text: &mut [u8; MAX_TEXT_LEN]) -> usize {
    let start = format_u64(value.unsigned_abs(), text);
    if value >= 0 {
        return start;
    }
    // An i64 has at most 19 digits, so there is room for the sign.
    text[start - 1] = b'-';
    start - 1
}

/// Writes the text at the end of `text` and returns where it starts.
#[inline]
pub fn format_u64(mut value: u64, text: &mut [u8; MAX_TEXT_LEN]) -> usize {
    let mut start = MAX_TEXT_LEN;
    while value >= 100 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        start -= 2;
        text[start..start + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if value >= 10 {
        let pair = value as usize * 2;
        start -= 2;
        text[start..start + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        start -= 1;
        text[start] = b'0' + value as u8;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_canonical_texts() {
        let accepted = [
            "0",
            "1",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "100",
        ];
        for text in accepted {
            assert_eq!(parse_i64(text.as_bytes()), text.parse().ok(), "{text}");
        }
        let refused = [
            "",
            "-",
            "+1",
            "-0",
            "00",
            "01",
            "-01",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "0x10",
            "a",
            "--1",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "99999999999999999999",
            "111111111111111111111",
            "12345678901234567890x",
            "1\0",
        ];
        for text in refused {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"-1"), None);
    }

    #[test]
    fn writes_what_it_reads() {
        let mut edges = vec![i64::MIN, i64::MAX, 0];
        let mut power = 1i64;
        for _ in 0..18 {
            edges.extend([power - 1, power, power + 1, -power + 1, -power, -power - 1]);
            power *= 10;
        }
        for value in edges {
            let mut out = Vec::new();
            write_i64(&mut out, value);
            assert_eq!(out, value.to_string().into_bytes());
            assert_eq!(parse_i64(&out), Some(value));
        }
        let mut out = Vec::new();
        write_u64(&mut out, u64::MAX);
        assert_eq!(out, b"18446744073709551615");
    }
}
