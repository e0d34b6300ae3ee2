//! The grammar of floating point texts, as C's `strtod` reads them in the C locale when the whole
//! text must be used: sign, decimal or hexadecimal digits, exponent, or a spelled infinity.
//!
//! Leading blanks and NaN, which `strtod` takes, are refused here, because Redis refuses them.
//! Knows nothing of precision: [`crate::double`] and [`crate::long_double`] round.
//!
//! Tests: at the bottom, and through the two users.

/// A text that is a number.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Literal<'a> {
    pub negative: bool,
    pub magnitude: Magnitude<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Magnitude<'a> {
    Infinity,
    /// `whole.fraction · 10^exponent`, digits in ASCII.
    Decimal(Digits<'a>),
    /// `whole.fraction · 2^exponent`, hexadecimal digits in ASCII.
    Hexadecimal(Digits<'a>),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Digits<'a> {
    pub whole: &'a [u8],
    pub fraction: &'a [u8],
    pub exponent: i64,
}

/// Exponents saturate here: far beyond what any text that fits in memory can compensate.
const EXPONENT_MAX: i64 = 1 << 48;

pub(crate) fn parse_literal(text: &[u8]) -> Option<Literal<'_>> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let magnitude = match rest {
        [b'i' | b'I', ..] => {
            let spelled =
                rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity");
            spelled.then_some(Magnitude::Infinity)
        }
        [b'0', b'x' | b'X', rest @ ..] => {
            digits(rest, u8::is_ascii_hexdigit, b'p').map(Magnitude::Hexadecimal)
        }
        rest => digits(rest, u8::is_ascii_digit, b'e').map(Magnitude::Decimal),
    }?;
    Some(Literal {
        negative,
        magnitude,
    })
}

fn digits(text: &[u8], is_digit: fn(&u8) -> bool, marker: u8) -> Option<Digits<'_>> {
    let (whole, rest) = take_while(text, is_digit);
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => take_while(rest, is_digit),
        rest => (&[][..], rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let exponent = match rest {
        [] => 0,
        [first, rest @ ..] if first.eq_ignore_ascii_case(&marker) => exponent(rest)?,
        _ => return None,
    };
    Some(Digits {
        whole,
        fraction,
        exponent,
    })
}

fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude = digits.iter().fold(0, |value: i64, digit| {
        (value * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX)
    });
    Some(if negative { -magnitude } else { magnitude })
}

fn take_while(text: &[u8], accept: fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !accept(byte));
    text.split_at(end.unwrap_or(text.len()))
}

/// A non-zero binary number `(significand + s) · 2^exponent`, where `s`, between 0 and 1, is zero
/// unless `inexact`. An inexact one must have more bits than it will be rounded to, by two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binary {
    pub significand: u128,
    pub inexact: bool,
    pub exponent: i64,
}

impl Binary {
    /// The value of hexadecimal digits; `None` is zero.
    pub fn from_hexadecimal(digits: &Digits<'_>) -> Option<Binary> {
        let mut binary = Binary {
            significand: 0,
            inexact: false,
            exponent: digits.exponent - 4 * digits.fraction.len() as i64,
        };
        for &digit in digits.whole.iter().chain(digits.fraction) {
            let value = char::from(digit).to_digit(16).unwrap_or(0);
            if binary.significand >> 124 == 0 {
                binary.significand = binary.significand << 4 | u128::from(value);
            } else {
                binary.inexact |= value != 0;
                binary.exponent += 4;
            }
        }
        (binary.significand != 0).then_some(binary)
    }

    /// Rounds to nearest, ties to even, to at most `bits` (64 or fewer) significant bits and no
    /// exponent below `exponent_min`. The result has exactly `bits` bits or that exponent.
    pub fn round(self, bits: u32, exponent_min: i64) -> (u64, i64) {
        let used = i64::from(128 - self.significand.leading_zeros());
        let excess = (used - i64::from(bits)).max(exponent_min - self.exponent);
        if excess <= 0 {
            return ((self.significand << -excess) as u64, self.exponent + excess);
        }
        let exponent = self.exponent + excess;
        if excess > 128 {
            return (0, exponent);
        }
        let kept = self.significand.checked_shr(excess as u32).unwrap_or(0);
        let half = 1u128 << (excess - 1);
        let rest = self.significand & (half | (half - 1));
        let up = rest > half || rest == half && (self.inexact || kept & 1 == 1);
        let rounded = kept + u128::from(up);
        if rounded >> bits != 0 {
            return ((rounded >> 1) as u64, exponent + 1);
        }
        (rounded as u64, exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_strtod_takes_whole() {
        for text in [
            "0",
            "-0",
            "+1",
            "1.",
            ".5",
            "1.5",
            "1e5",
            "1E+5",
            "1.e-5",
            "inf",
            "-INF",
            "+Infinity",
            "0x1",
            "0X.8",
            "0x1.p3",
            "0xfP-2",
            "00012",
        ] {
            assert!(parse_literal(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "",
            "+",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            "1.5.",
            "--1",
            "+-1",
            " 1",
            "1 ",
            "nan",
            "-nan",
            "nan(1)",
            "infinit",
            "infinityx",
            "0x",
            "0x.",
            "0xp1",
            "0x1p",
            "1p3",
            "0xg",
            "1_0",
            "1\x002",
            "x",
        ] {
            assert!(parse_literal(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn rounds_to_nearest_even() {
        let round = |significand, inexact| {
            Binary {
                significand,
                inexact,
                exponent: 0,
            }
            .round(3, -100)
        };
        assert_eq!(round(0b1, false), (0b100, -2));
        assert_eq!(round(0b10110, false), (0b110, 2));
        assert_eq!(round(0b10010, false), (0b100, 2));
        assert_eq!(round(0b10010, true), (0b101, 2));
        assert_eq!(round(0b11110, false), (0b100, 3));
        let tiny = Binary {
            significand: 0b11,
            inexact: false,
            exponent: -103,
        };
        assert_eq!(tiny.round(3, -101), (0b1, -101));
        assert_eq!(tiny.round(3, -100), (0b0, -100));
    }
}
