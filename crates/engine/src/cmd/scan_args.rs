//! The arguments that SCAN, HSCAN, SSCAN and ZSCAN share.
//!
//! Order of complaints as Redis 7.4: the cursor first, then (for a container) the key, then the
//! options. So callers use [`parse_cursor`], look the key up, and only then call
//! [`ScanArgs::parse`]; a missing key answers an empty scan whatever the options say.
//!
//! A type name is not judged here: one that no type has simply matches nothing.

use crate::ctx::Args;
use crate::error::{ReplyError, texts};

/// How many elements a step visits unless COUNT says otherwise.
const COUNT_DEFAULT: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanArgs<'a> {
    /// `None` when everything matches.
    pub pattern: Option<&'a [u8]>,
    /// At least 1.
    pub count: usize,
    pub type_name: Option<&'a [u8]>,
    pub novalues: bool,
    pub noscores: bool,
}

impl<'a> ScanArgs<'a> {
    /// Reads ZSCAN's options: no TYPE, but NOSCORES (an option of Valkey 8).
    pub fn parse_for_zscan(args: Args<'a>, from: usize) -> Result<ScanArgs<'a>, ReplyError> {
        ScanArgs::parse_allowing(args, from, false, true)?.refuse_novalues()
    }

    /// Reads the options that begin at `args[from]`; TYPE is a syntax error unless `allow_type`.
    pub fn parse(
        args: Args<'a>,
        from: usize,
        allow_type: bool,
    ) -> Result<ScanArgs<'a>, ReplyError> {
        ScanArgs::parse_allowing(args, from, allow_type, false)
    }

    fn parse_allowing(
        args: Args<'a>,
        from: usize,
        allow_type: bool,
        allow_noscores: bool,
    ) -> Result<ScanArgs<'a>, ReplyError> {
        let mut parsed = ScanArgs {
            pattern: None,
            count: COUNT_DEFAULT,
            type_name: None,
            novalues: false,
            noscores: false,
        };
        let mut options = args[from..].iter();
        while let Some(option) = options.next() {
            if option.eq_ignore_ascii_case(b"novalues") {
                parsed.novalues = true;
                continue;
            }
            if allow_noscores && option.eq_ignore_ascii_case(b"noscores") {
                parsed.noscores = true;
                continue;
            }
            let Some(value) = options.next() else {
                return Err(texts::SYNTAX);
            };
            if option.eq_ignore_ascii_case(b"count") {
                let count = resp::parse_i64(value).ok_or(texts::NOT_AN_INTEGER)?;
                if count < 1 {
                    return Err(texts::SYNTAX);
                }
                parsed.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else if option.eq_ignore_ascii_case(b"match") {
                parsed.pattern = (*value != b"*").then_some(*value);
            } else if allow_type && option.eq_ignore_ascii_case(b"type") {
                parsed.type_name = Some(value);
            } else {
                return Err(texts::SYNTAX);
            }
        }
        Ok(parsed)
    }

    /// For every scan but HSCAN.
    pub fn refuse_novalues(self) -> Result<Self, ReplyError> {
        match self.novalues {
            true => Err(ReplyError::new(
                "ERR NOVALUES option can only be used in HSCAN",
            )),
            false => Ok(self),
        }
    }

    pub fn matches(&self, text: &[u8]) -> bool {
        self.pattern
            .is_none_or(|pattern| structures::glob::matches(pattern, text))
    }
}

/// A cursor. Besides the plain form, what C's `strtoull` takes counts: blanks and a plus before it,
/// leading zeros (observed from Redis 7.0).
pub fn parse_cursor(text: &[u8]) -> Result<u64, ReplyError> {
    resp::parse_u64(text)
        .or_else(|| parse_loosely(text))
        .ok_or(texts::INVALID_CURSOR)
}

fn parse_loosely(text: &[u8]) -> Option<u64> {
    let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
    let digits = text[..end].trim_ascii_start();
    let (digits, negative) = match digits {
        [b'-', digits @ ..] => (digits, true),
        [b'+', digits @ ..] => (digits, false),
        digits => (digits, false),
    };
    if digits.is_empty()
        || !digits.iter().all(u8::is_ascii_digit)
        || resp::parse_i64(text).is_some()
    {
        return None;
    }
    let value: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_any_order_and_case() {
        let args: [&[u8]; 9] = [
            b"scan",
            b"0",
            b"TYPE",
            b"hash",
            b"count",
            b"3",
            b"Match",
            b"a*",
            b"novalues",
        ];
        let parsed = ScanArgs::parse(&args, 2, true).expect("valid");
        let expected = ScanArgs {
            pattern: Some(b"a*"),
            count: 3,
            type_name: Some(b"hash"),
            novalues: true,
            noscores: false,
        };
        assert_eq!(parsed, expected);
        assert!(parsed.matches(b"abc") && !parsed.matches(b"bc"));
        assert_eq!(ScanArgs::parse(&args, 2, false), Err(texts::SYNTAX));
        assert!(parsed.refuse_novalues().is_err());
    }

    #[test]
    fn bad_options_are_refused_with_the_reference_texts() {
        fn parse<'a>(args: &'a [&'a [u8]]) -> Result<ScanArgs<'a>, ReplyError> {
            ScanArgs::parse(args, 0, false)
        }
        assert_eq!(parse(&[b"count", b"0"]), Err(texts::SYNTAX));
        assert_eq!(parse(&[b"count", b"x"]), Err(texts::NOT_AN_INTEGER));
        assert_eq!(parse(&[b"count"]), Err(texts::SYNTAX));
        assert_eq!(parse(&[b"nope", b"x"]), Err(texts::SYNTAX));
        assert_eq!(parse(&[]).map(|p| p.count), Ok(COUNT_DEFAULT));
        assert_eq!(parse_cursor(b"x"), Err(texts::INVALID_CURSOR));
        assert_eq!(parse_cursor(b"18446744073709551615"), Ok(u64::MAX));
        assert_eq!(parse_cursor(b" 007"), Ok(7));
        for refused in [&b"-1"[..], b"", b" ", b"1 ", b"18446744073709551616"] {
            assert_eq!(parse_cursor(refused), Err(texts::INVALID_CURSOR));
        }
    }
}
