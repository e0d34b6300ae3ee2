//! The arithmetic of INCRBYFLOAT and HINCRBYFLOAT: x86's 80 bit long double, in software.
//!
//! Redis reads both numbers with `strtold`, adds them, and prints the sum with 17 decimals less
//! trailing zeros. On x86-64 that means 64 bit significands, and users see it: 3 + 1.1 is "4.1",
//! while doubles would give "4.09999999999999964". So the same steps are done here exactly: read
//! the decimal text, round once to 64 bits; add, round once; print the exact binary value rounded
//! to 17 decimals. Each rounding is to nearest, ties to even, as the hardware and glibc do. Short
//! numbers stay within 128 bit integers, others go through [`Natural`].
//!
//! Compared with gcc and glibc on x86-64 over millions of random pairs when it was written.
//!
//! Tests: at the bottom, with results observed from glibc.

use std::fmt;

use crate::bignum::{Natural, write_padded};
use crate::literal::{Binary, Digits, Magnitude, parse_literal};

/// Bits of a significand; its top bit is explicit.
const PRECISION: u32 = 64;
/// The exponents of a 64 bit integer significand: of the subnormals, and of the largest number.
const EXPONENT_MIN: i64 = -16445;
const EXPONENT_MAX: i64 = 16383 - 63;

/// Redis refuses texts from this length on.
const TEXT_MAX: usize = 5 * 1024;

/// Where decimal texts leave the range whatever their digits are: above 10^4933, below 10^-4952.
const DECIMAL_POINT_MAX: i64 = 4933;
const DECIMAL_POINT_MIN: i64 = -4951;

const DECIMALS: usize = 17;
const DECIMALS_SCALE: u64 = 100_000_000_000_000_000;

/// Not NaN: nothing here produces one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble(Repr);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repr {
    Infinite,
    /// `significand · 2^exponent`; the top bit is set unless the exponent is the least.
    Finite {
        negative: bool,
        significand: u64,
        exponent: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatError {
    NotAFloat,
    NanOrInfinity,
}

impl fmt::Display for FloatError {
    /// The reference's texts, without the code before them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FloatError::NotAFloat => "value is not a valid float",
            FloatError::NanOrInfinity => "increment would produce NaN or Infinity",
        })
    }
}

impl std::error::Error for FloatError {}

/// The text that INCRBYFLOAT stores for a value and an increment.
pub fn incr_by_float(current: &[u8], incr: &[u8]) -> Result<Vec<u8>, FloatError> {
    let current = LongDouble::parse(current).ok_or(FloatError::NotAFloat)?;
    let incr = LongDouble::parse(incr).ok_or(FloatError::NotAFloat)?;
    let sum = current.checked_add(incr).ok_or(FloatError::NanOrInfinity)?;
    let mut out = Vec::new();
    sum.write_human(&mut out);
    Ok(out)
}

impl LongDouble {
    /// Reads a whole text; refuses NaN, blanks, and what overflows or vanishes. Takes infinity.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() >= TEXT_MAX {
            return None;
        }
        let literal = parse_literal(text)?;
        let binary = match &literal.magnitude {
            Magnitude::Infinity => return Some(LongDouble(Repr::Infinite)),
            Magnitude::Decimal(digits) => decimal_to_binary(digits)?,
            Magnitude::Hexadecimal(digits) => Binary::from_hexadecimal(digits),
        };
        let Some(binary) = binary else {
            return Some(LongDouble::zero(literal.negative));
        };
        let rounded = LongDouble::round(literal.negative, binary);
        (!rounded.is_infinite() && !rounded.is_zero()).then_some(rounded)
    }

    pub fn from_i64(value: i64) -> LongDouble {
        if value == 0 {
            return LongDouble::zero(false);
        }
        let significand = u128::from(value.unsigned_abs());
        LongDouble::round(
            value < 0,
            Binary {
                significand,
                inexact: false,
                exponent: 0,
            },
        )
    }

    pub fn is_infinite(&self) -> bool {
        self.0 == Repr::Infinite
    }

    /// The sum, unless it is infinite or undefined.
    pub fn checked_add(self, other: LongDouble) -> Option<LongDouble> {
        let (
            Repr::Finite {
                negative: a_negative,
                significand: a,
                exponent: a_exponent,
            },
            Repr::Finite {
                negative: b_negative,
                significand: b,
                exponent: b_exponent,
            },
        ) = (self.0, other.0)
        else {
            return None;
        };
        if a_exponent < b_exponent {
            return other.checked_add(self);
        }
        if b == 0 {
            return Some(if a == 0 {
                LongDouble::zero(a_negative && b_negative)
            } else {
                self
            });
        }
        // 62 bits below the greater significand, one above it for the carry. What is shifted out
        // of the smaller one survives as its lowest bit, too far down to meet a rounding edge.
        let distance = (a_exponent - b_exponent).min(127) as u32;
        let a = u128::from(a) << 62;
        let wide = u128::from(b) << 62;
        let kept = wide >> distance;
        let b = kept | u128::from(kept << distance != wide);
        let (negative, significand) = if a_negative == b_negative {
            (a_negative, a + b)
        } else if a >= b {
            (a_negative, a - b)
        } else {
            (b_negative, b - a)
        };
        if significand == 0 {
            return Some(LongDouble::zero(false));
        }
        let binary = Binary {
            significand,
            inexact: false,
            exponent: a_exponent - 62,
        };
        let sum = LongDouble::round(negative, binary);
        (!sum.is_infinite()).then_some(sum)
    }

    /// Appends the value in plain decimals: at most 17 of them, no trailing zeros, no "-0".
    pub fn write_human(&self, out: &mut Vec<u8>) {
        let Repr::Finite {
            negative,
            significand,
            exponent,
        } = self.0
        else {
            out.extend_from_slice(b"inf");
            return;
        };
        if exponent >= 0 {
            if negative && significand != 0 {
                out.push(b'-');
            }
            let mut whole = Natural::from_u64(significand);
            whole.shift_left(exponent as usize);
            whole.write_decimal(out);
            return;
        }
        let (whole, decimals) = split_decimals(significand, exponent.unsigned_abs());
        if negative && (whole, decimals) != (0, 0) {
            out.push(b'-');
        }
        crate::int::write_u64(out, whole);
        if decimals != 0 {
            out.push(b'.');
            write_padded(out, decimals, DECIMALS);
            let zeros = out.iter().rev().take_while(|&&byte| byte == b'0').count();
            out.truncate(out.len() - zeros);
        }
    }

    fn zero(negative: bool) -> LongDouble {
        LongDouble(Repr::Finite {
            negative,
            significand: 0,
            exponent: EXPONENT_MIN,
        })
    }

    fn is_zero(&self) -> bool {
        matches!(self.0, Repr::Finite { significand: 0, .. })
    }

    fn round(negative: bool, binary: Binary) -> LongDouble {
        let (significand, exponent) = binary.round(PRECISION, EXPONENT_MIN);
        if exponent > EXPONENT_MAX {
            return LongDouble(Repr::Infinite);
        }
        LongDouble(Repr::Finite {
            negative,
            significand,
            exponent,
        })
    }
}

/// Whole part and 17 decimals of `significand / 2^shift`, rounded.
fn split_decimals(significand: u64, shift: u64) -> (u64, u64) {
    if shift > 127 {
        // Below 2^64 / 2^128, far less than half a unit of the last decimal.
        return (0, 0);
    }
    let wide = u128::from(significand);
    let whole = (wide >> shift) as u64;
    let scaled = (wide - (u128::from(whole) << shift)) * u128::from(DECIMALS_SCALE);
    let rest = scaled & ((1 << shift) - 1);
    let half = 1u128 << (shift - 1);
    let mut decimals = (scaled >> shift) as u64;
    if rest > half || rest == half && decimals & 1 == 1 {
        decimals += 1;
    }
    if decimals == DECIMALS_SCALE {
        // Only when there is a fraction, so the whole part is not the greatest integer.
        return (whole + 1, 0);
    }
    (whole, decimals)
}

/// Outer `None`: out of range. Inner `None`: zero.
fn decimal_to_binary(digits: &Digits<'_>) -> Option<Option<Binary>> {
    let all = || digits.whole.iter().chain(digits.fraction);
    let count = digits.whole.len() + digits.fraction.len();
    let leading = all().take_while(|&&digit| digit == b'0').count();
    if leading == count {
        return Some(None);
    }
    let trailing = all().rev().take_while(|&&digit| digit == b'0').count();
    let significant = || all().skip(leading).take(count - leading - trailing);
    let exponent = digits.exponent - digits.fraction.len() as i64 + trailing as i64;
    let significant_count = count - leading - trailing;
    let point = exponent + significant_count as i64;
    if !(DECIMAL_POINT_MIN..=DECIMAL_POINT_MAX).contains(&point) {
        return None;
    }
    if significant_count <= 19 {
        let value = significant().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
        if let Some(binary) = short_to_binary(value, exponent) {
            return Some(Some(binary));
        }
    }
    let mut numerator = Natural::from_digits(significant());
    // Bounded by the text's length and the range above.
    let power = exponent.unsigned_abs() as u32;
    if exponent >= 0 {
        numerator.multiply_power_of_five(power);
        let (significand, shift, inexact) = numerator.top_bits();
        return Some(Some(Binary {
            significand,
            inexact,
            exponent: exponent + shift as i64,
        }));
    }
    let mut denominator = Natural::from_u64(1);
    denominator.multiply_power_of_five(power);
    Some(Some(divide(numerator, denominator, exponent)))
}

/// `value · 10^exponent` within 128 bits, if it is that short.
fn short_to_binary(value: u64, exponent: i64) -> Option<Binary> {
    let zeros = value.leading_zeros();
    match exponent {
        0..=19 => {
            let significand = u128::from(value) * 10u128.pow(exponent as u32);
            Some(Binary {
                significand,
                inexact: false,
                exponent: 0,
            })
        }
        // 5^26 has 61 bits, so the quotient has at least 67.
        -26..=-1 => {
            let divisor = 5u128.pow(exponent.unsigned_abs() as u32);
            let dividend = u128::from(value) << zeros << 64;
            Some(Binary {
                significand: dividend / divisor,
                inexact: !dividend.is_multiple_of(divisor),
                exponent: exponent - 64 - i64::from(zeros),
            })
        }
        _ => None,
    }
}

/// `numerator / denominator · 2^exponent` by long division, to 67 bits or more.
fn divide(mut numerator: Natural, mut denominator: Natural, exponent: i64) -> Binary {
    const STEPS: usize = 68;
    let (above, below) = (numerator.bit_len(), denominator.bit_len());
    numerator.shift_left(below.saturating_sub(above));
    denominator.shift_left(above.saturating_sub(below));
    let mut quotient = 0u128;
    for _ in 0..STEPS {
        quotient <<= 1;
        if numerator >= denominator {
            numerator.subtract(&denominator);
            quotient |= 1;
        }
        numerator.shift_left(1);
    }
    Binary {
        significand: quotient,
        inexact: !numerator.is_zero(),
        exponent: exponent + above as i64 - below as i64 - (STEPS as i64 - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(current: &str, incr: &str, expected: Result<&str, FloatError>) {
        let sum = incr_by_float(current.as_bytes(), incr.as_bytes());
        let sum = sum.map(|text| String::from_utf8_lossy(&text).into_owned());
        assert_eq!(
            sum.as_deref(),
            expected.as_ref().map(|text| *text),
            "{current} + {incr}"
        );
    }
    //TESTS

    #[test]
    fn sums_are_those_of_the_80_bit_format() {
        // Observed from gcc and glibc on x86-64, and from redis-server.
        let cases = [
            ("3", "1.1", "4.1"),
            ("0.1", "0.2", "0.3"),
            ("1.23", "0.77", "2"),
            ("2", "-0.1", "1.9"),
            ("1", "-1.1", "-0.1"),
            ("10.5", "0.1", "10.6"),
            ("5.0e3", "200", "5200"),
            ("17179869184", "1.5", "17179869185.5"),
            ("0x1p-1", "0x.8", "1"),
            ("100", "-99.99999999999999999", "0.00000000000000001"),
            ("0.99999999999999999999", "0", "1"),
            ("18446744073709551615", "0.5", "18446744073709551616"),
            (
                "9223372036854775807",
                "9223372036854775807",
                "18446744073709551614",
            ),
            ("1e20", "1e-5", "100000000000000000000"),
            ("1.5e-17", "0", "0.00000000000000002"),
            ("2.5e-17", "0", "0.00000000000000002"),
            ("5e-18", "0", "0"),
            ("1e-4950", "0", "0"),
        ];
        for (current, incr, expected) in cases {
            check(current, incr, Ok(expected));
        }
        let huge = incr_by_float(b"1e4931", b"1").unwrap();
        assert_eq!(huge.len(), 4932);
        assert!(
            huge.starts_with(b"10000000000000000000060189493879638913238377742545331147737850")
        );
    }

    #[test]
    fn zero_has_no_sign() {
        check("0.02439024390243902", "-0.02439024390243902", Ok("0"));
        check("-0", "-0", Ok("0"));
        check("-5e-18", "0", Ok("0"));
    }

    #[test]
    fn what_is_no_finite_number_is_refused() {
        let long = "1".repeat(TEXT_MAX);
        for text in [
            "", " 11", "11 ", "nan", "1\x002", "v", "1e4933", "1e-4952", &long,
        ] {
            check(text, "1", Err(FloatError::NotAFloat));
            check("1", text, Err(FloatError::NotAFloat));
        }
        for (current, incr) in [("0", "+inf"), ("inf", "-inf"), ("9e4931", "9e4931")] {
            check(current, incr, Err(FloatError::NanOrInfinity));
        }
        assert!(LongDouble::parse(b"-Infinity").is_some_and(|value| value.is_infinite()));
    }

    #[test]
    fn integers_convert_exactly() {
        for value in [0, 1, -1, 12345, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            LongDouble::from_i64(value).write_human(&mut out);
            assert_eq!(out, value.to_string().into_bytes());
            let parsed = LongDouble::parse(value.to_string().as_bytes());
            assert_eq!(parsed, Some(LongDouble::from_i64(value)));
        }
    }
}
