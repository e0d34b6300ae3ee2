//! BITCOUNT and BITPOS: a range of bytes or bits, counted or searched.
//!
//! Tests: at the bottom.

use super::bits;
use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, ReplyError, texts};
use keyspace::IntText;
use std::ops::RangeInclusive;

pub fn bitcount(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let span = Span::parse(&args[2..])?;
    let mut text = IntText::new();
    let string = ctx.engine.keyspace.string(ctx.session.db, args[1])?;
    let bytes = string.as_ref().map_or(&b""[..], |s| s.as_bytes(&mut text));
    let range = if span.is_backwards() {
        None
    } else {
        span.bits_of(bytes.len())
    };
    let count = range.map_or(0, |range| bits::count(bytes, range));
    ctx.out.integer(count as i64);
    Ok(())
}

pub fn bitpos(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let wanted = match resp::parse_i64(args[2]).ok_or(texts::NOT_AN_INTEGER)? {
        0 => false,
        1 => true,
        _ => return Err(ReplyError::new("ERR The bit argument must be 1 or 0.")),
    };
    let span = Span::parse(&args[3..])?;
    let mut text = IntText::new();
    let Some(string) = ctx.engine.keyspace.string(ctx.session.db, args[1])? else {
        // No string is an endless one of zeros.
        ctx.out.integer(if wanted { -1 } else { 0 });
        return Ok(());
    };
    let bytes = string.as_bytes(&mut text);
    let position = match span.bits_of(bytes.len()) {
        None => -1,
        Some(range) => match bits::find(bytes, range, wanted) {
            Some(at) => at as i64,
            // Without an explicit end, zeros follow the string.
            None if !wanted && span.end.is_none() => bytes.len() as i64 * 8,
            None => -1,
        },
    };
    ctx.out.integer(position);
    Ok(())
}

/// `[start [end [BYTE|BIT]]]`, both included, negative ones counted from the end.
struct Span {
    start: i64,
    end: Option<i64>,
    in_bits: bool,
}

impl Span {
    fn parse(args: Args<'_>) -> Result<Span, ReplyError> {
        let number = |text| resp::parse_i64(text).ok_or(texts::NOT_AN_INTEGER);
        let mut span = Span {
            start: 0,
            end: None,
            in_bits: false,
        };
        if args.len() > 3 {
            return Err(texts::SYNTAX);
        }
        if let Some(start) = args.first() {
            span.start = number(start)?;
        }
        if let Some(unit) = args.get(2) {
            span.in_bits = unit.eq_ignore_ascii_case(b"BIT");
            if !span.in_bits && !unit.eq_ignore_ascii_case(b"BYTE") {
                return Err(texts::SYNTAX);
            }
        }
        // Redis since 7.2 complains of the unit before the end.
        if let Some(end) = args.get(1) {
            span.end = Some(number(end)?);
        }
        Ok(span)
    }

    /// Both ends count from the end, in the wrong order. Only BITCOUNT asks: in BITPOS such a range
    /// may still mean the first byte, once both are cut at 0.
    fn is_backwards(&self) -> bool {
        self.end
            .is_some_and(|end| self.start < 0 && end < 0 && self.start > end)
    }

    /// The numbers of the bits meant in a string of `len` bytes, if there are any.
    fn bits_of(&self, len: usize) -> Option<RangeInclusive<u64>> {
        let units = if self.in_bits {
            len as i64 * 8
        } else {
            len as i64
        };
        let from_front = |at: i64| {
            if at < 0 {
                at.saturating_add(units).max(0)
            } else {
                at
            }
        };
        let start = from_front(self.start);
        let end = self
            .end
            .map_or(units - 1, |end| from_front(end).min(units - 1));
        if start > end {
            return None;
        }
        let (start, end) = (start as u64, end as u64);
        Some(if self.in_bits {
            start..=end
        } else {
            start * 8..=end * 8 + 7
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(args: &[&[u8]], len: usize) -> Option<RangeInclusive<u64>> {
        Span::parse(args).unwrap().bits_of(len)
    }

    #[test]
    fn ranges_are_cut_to_the_string() {
        assert_eq!(bits(&[], 3), Some(0..=23));
        assert_eq!(bits(&[b"1"], 3), Some(8..=23));
        assert_eq!(bits(&[b"-2", b"-2"], 3), Some(8..=15));
        assert_eq!(bits(&[b"-100", b"100"], 3), Some(0..=23));
        assert_eq!(
            bits(
                &[b"-9223372036854775808", b"9223372036854775807", b"bit"],
                3
            ),
            Some(0..=23)
        );
        assert_eq!(bits(&[b"5", b"-5", b"BIT"], 3), Some(5..=19));
        assert_eq!(bits(&[b"2", b"1"], 3), None);
        assert_eq!(bits(&[b"0", b"0"], 0), None);
        assert_eq!(bits(&[], 0), None);
    }

    #[test]
    fn units_have_two_names() {
        assert_eq!(
            Span::parse(&[b"0", b"1", b"bits"]).err(),
            Some(texts::SYNTAX)
        );
        assert_eq!(Span::parse(&[b"0", b"x", b"y"]).err(), Some(texts::SYNTAX));
        assert_eq!(
            Span::parse(&[b"0", b"x", b"bit"]).err(),
            Some(texts::NOT_AN_INTEGER)
        );
        assert_eq!(
            Span::parse(&[b"0", b"1", b"bit", b"x"]).err(),
            Some(texts::SYNTAX)
        );
    }
}
