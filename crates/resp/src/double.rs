//! Doubles as text: how Redis since 7.2 prints them, and which texts it takes for one.
//!
//! Whole numbers up to 2^62 print as integers. Everything else prints the shortest digits that read
//! back as the same double, found by the crate `ryu`; of its text only the digits and their power of
//! ten are used. The point moves as in "0.0001", "123.5", "1e+30", "1.5e-10".
//!
//! Redis 7.4 finds its digits by an algorithm that is not always shortest: about 0.04 % of random
//! doubles print one digit shorter here (`docs/decisions/0003-shortest-doubles.md`).
//!
//! Tests: at the bottom, with texts observed from the reference, and `tests/properties.rs`.

use crate::int::{self, parse_i64};
use crate::literal::{Binary, Magnitude, parse_literal};

/// Enough for every text of a double.
pub const MAX_TEXT_LEN: usize = 32;

/// Up to here whole doubles print as integers.
const INTEGER_MAX: f64 = (1u64 << 62) as f64;

const FRACTION_BITS: i32 = 52;
const HIDDEN_BIT: u64 = 1 << FRACTION_BITS;
/// The exponent of an integer significand, for the stored exponent 0.
const EXPONENT_MIN: i32 = -1074;

/// Appends the text of a double, as in replies and for scores of sorted sets.
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    let mut text = [0; MAX_TEXT_LEN];
    let len = format_double(value, &mut text);
    out.extend_from_slice(&text[..len]);
}

/// Writes the text of a double at the start of `text` and returns its length.
pub fn format_double(value: f64, text: &mut [u8; MAX_TEXT_LEN]) -> usize {
    let mut cursor = Cursor { text, len: 0 };
    if value.is_nan() {
        cursor.put(b"nan");
    } else if value.is_infinite() {
        cursor.put(if value > 0.0 { b"inf" } else { b"-inf" });
    } else if value == 0.0 {
        cursor.put(if value.is_sign_negative() {
            b"-0"
        } else {
            b"0"
        });
    } else if value.abs() <= INTEGER_MAX && value.trunc() == value {
        let mut digits = [0; int::MAX_TEXT_LEN];
        let start = int::format_i64(value as i64, &mut digits);
        cursor.put(&digits[start..]);
    } else {
        if value < 0.0 {
            cursor.put(b"-");
        }
        let mut digits = [0; DIGITS_MAX];
        let (count, exponent) = shortest_digits(value.abs(), &mut digits);
        place_point(&digits[..count], exponent, &mut cursor);
    }
    cursor.len
}

/// Reads a whole text as a double by the rules of Redis: what `strtod` takes, hexadecimal and
/// infinity included, but no NaN, no blanks, nothing that overflows or vanishes.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    // Most scores are short integers, which are exact.
    if text.len() <= 15
        && let Some(integer) = parse_i64(text)
    {
        return Some(integer as f64);
    }
    let literal = parse_literal(text)?;
    let magnitude = match &literal.magnitude {
        Magnitude::Infinity => f64::INFINITY,
        Magnitude::Hexadecimal(digits) => match Binary::from_hexadecimal(digits) {
            None => 0.0,
            Some(binary) => in_range(binary_to_double(binary))?,
        },
        Magnitude::Decimal(digits) => {
            let unsigned = text
                .strip_prefix(b"-")
                .or(text.strip_prefix(b"+"))
                .unwrap_or(text);
            // The literal's grammar is ASCII and part of what Rust reads.
            let value = std::str::from_utf8(unsigned).ok()?.parse().ok()?;
            let mut all = digits.whole.iter().chain(digits.fraction);
            if all.all(|&digit| digit == b'0') {
                0.0
            } else {
                in_range(value)?
            }
        }
    };
    Some(if literal.negative {
        -magnitude
    } else {
        magnitude
    })
}

fn in_range(value: f64) -> Option<f64> {
    (value.is_finite() && value != 0.0).then_some(value)
}

fn binary_to_double(binary: Binary) -> f64 {
    let (significand, exponent) = binary.round(FRACTION_BITS as u32 + 1, i64::from(EXPONENT_MIN));
    let stored = exponent - i64::from(EXPONENT_MIN) + 1;
    if stored > 2046 {
        return f64::INFINITY;
    }
    if significand < HIDDEN_BIT {
        return f64::from_bits(significand);
    }
    f64::from_bits((significand - HIDDEN_BIT) | (stored as u64) << FRACTION_BITS)
}

struct Cursor<'a> {
    text: &'a mut [u8; MAX_TEXT_LEN],
    len: usize,
}

impl Cursor<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.text[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn put_zeros(&mut self, count: usize) {
        self.text[self.len..self.len + count].fill(b'0');
        self.len += count;
    }
}

/// Spells `digits · 10^exponent`, plainly where that stays short.
fn place_point(digits: &[u8], exponent: i32, cursor: &mut Cursor<'_>) {
    let count = digits.len() as i32;
    // The power of ten of the first digit.
    let leading = exponent + count - 1;
    if exponent >= 0 && leading.abs() < count + 7 {
        cursor.put(digits);
        cursor.put_zeros(exponent as usize);
    } else if exponent < 0 && (exponent > -7 || leading.abs() < 4) {
        let whole = count + exponent;
        if whole > 0 {
            let (whole, fraction) = digits.split_at(whole as usize);
            cursor.put(whole);
            cursor.put(b".");
            cursor.put(fraction);
        } else {
            cursor.put(b"0.");
            cursor.put_zeros(whole.unsigned_abs() as usize);
            cursor.put(digits);
        }
    } else {
        let (first, rest) = digits.split_at(1);
        cursor.put(first);
        if !rest.is_empty() {
            cursor.put(b".");
            cursor.put(rest);
        }
        cursor.put(if leading < 0 { b"e-" } else { b"e+" });
        let mut text = [0; int::MAX_TEXT_LEN];
        let start = int::format_u64(u64::from(leading.unsigned_abs()), &mut text);
        cursor.put(&text[start..]);
    }
}

/// A double has at most 17 significant digits; `ryu` writes some zeros beside them.
const DIGITS_MAX: usize = 24;

/// The shortest digits of a positive finite double, without zeros at either end. Returns their
/// count and the power of ten of the last.
fn shortest_digits(value: f64, digits: &mut [u8; DIGITS_MAX]) -> (usize, i32) {
    let mut buffer = ryu::Buffer::new();
    let mut text = buffer.format_finite(value).bytes();
    let (mut count, mut exponent, mut in_fraction) = (0, 0, false);
    for byte in text.by_ref() {
        match byte {
            b'.' => in_fraction = true,
            b'e' => break,
            // A zero in front of all other digits says nothing, but moves the point.
            b'0' if count == 0 => exponent -= i32::from(in_fraction),
            digit => {
                digits[count] = digit;
                count += 1;
                exponent -= i32::from(in_fraction);
            }
        }
    }
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
        exponent += 1;
    }
    (count, exponent + signed(text))
}

/// What follows the "e": an integer, or nothing.
fn signed(text: impl Iterator<Item = u8>) -> i32 {
    let (mut magnitude, mut negative) = (0, false);
    for byte in text {
        match byte {
            b'-' => negative = true,
            digit => magnitude = magnitude * 10 + i32::from(digit - b'0'),
        }
    }
    if negative { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        write_double(&mut out, value);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn whole_numbers_print_as_integers() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-17.0, "-17"),
            (1e15, "1000000000000000"),
            (4611686018427387904.0, "4611686018427387904"),
            (9223372036854775808.0, "9223372036854776000"),
            (1e20, "1e+20"),
            (1e21, "1e+21"),
            (-1e300, "-1e+300"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn fractions_print_short_and_extremes_with_an_exponent() {
        let cases = [
            (0.1, "0.1"),
            (-12.345678901234, "-12.345678901234"),
            (1e-6, "0.000001"),
            (1.5e-6, "1.5e-6"),
            (1e-7, "1e-7"),
            (1.5e-10, "1.5e-10"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(value), expected);
        }
    }

    /// Observed: here the reference prints another digit (0.32538694060919793,
    /// 0.8128335831060161, 0.033469323404473617) that reads back as the same double.
    #[test]
    fn digits_are_shortest_also_where_those_of_the_reference_are_not() {
        assert_eq!(text(0.3253869406091979), "0.3253869406091979");
        assert_eq!(text(0.812833583106016), "0.812833583106016");
        assert_eq!(text(0.03346932340447362), "0.03346932340447362");
    }

    #[test]
    fn reads_what_strtod_reads_whole() {
        let cases = [
            ("1", 1.0),
            ("-0", -0.0),
            ("+1.5", 1.5),
            (".5e1", 5.0),
            ("1e308", 1e308),
            ("4.9e-324", 5e-324),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("0x10", 16.0),
            ("-0x1.8p1", -3.0),
            ("0x1p-1074", 5e-324),
            ("0x1.fffffffffffff8p0", 2.0),
            ("0x0p5", 0.0),
            ("0e999999999999999999999", 0.0),
            ("123456789012345678", 123456789012345680.0),
        ];
        for (text, expected) in cases {
            let value = parse_double(text.as_bytes()).map(f64::to_bits);
            assert_eq!(value, Some(f64::to_bits(expected)), "{text}");
        }
        for text in [
            "",
            " 1",
            "1 ",
            "nan",
            "1e309",
            "1e-400",
            "0x1p1024",
            "0x1p-1076",
            "1x",
            "1e",
        ] {
            assert_eq!(parse_double(text.as_bytes()), None, "{text}");
        }
    }
}
