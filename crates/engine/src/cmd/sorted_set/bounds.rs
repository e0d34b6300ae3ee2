//! Reading the two ends of a range: scores (`1.5`, `(1.5`, `-inf`), names (`[a`, `(a`, `-`, `+`)
//! and ranks.

use crate::error::{ReplyError, texts};
use keyspace::sorted_set::{LexBound, LexRange, ScoreRange};
use std::ops::Range;

/// The scores between two arguments.
pub fn score_range(min: &[u8], max: &[u8]) -> Result<ScoreRange, ReplyError> {
    let (Some((min, min_excluded)), Some((max, max_excluded))) =
        (score_bound(min), score_bound(max))
    else {
        return Err(ReplyError::new("ERR min or max is not a float"));
    };
    Ok(ScoreRange {
        min,
        min_excluded,
        max,
        max_excluded,
    })
}

fn score_bound(text: &[u8]) -> Option<(f64, bool)> {
    match text {
        [b'(', rest @ ..] => Some((bound_value(rest)?, true)),
        text => Some((bound_value(text)?, false)),
    }
}

/// Bounds are read more loosely than scores (observed): nothing at all is 0, what is beyond a
/// double's range is infinite or 0, and a zero byte ends the text.
fn bound_value(text: &[u8]) -> Option<f64> {
    let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
    let text = &text[..end];
    if let Some(value) = resp::parse_double(text) {
        return Some(value);
    }
    if text.is_empty() {
        return Some(0.0);
    }
    let text = text.trim_ascii_start();
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!value.is_nan()).then_some(value)
}

/// The names between two arguments.
pub fn lex_range<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>, ReplyError> {
    let (Some(min), Some(max)) = (lex_bound(min), lex_bound(max)) else {
        return Err(ReplyError::new(
            "ERR min or max not valid string range item",
        ));
    };
    Ok(LexRange { min, max })
}

fn lex_bound(text: &[u8]) -> Option<LexBound<'_>> {
    match text {
        b"-" => Some(LexBound::Lowest),
        b"+" => Some(LexBound::Highest),
        [b'[', rest @ ..] => Some(LexBound::Including(rest)),
        [b'(', rest @ ..] => Some(LexBound::Excluding(rest)),
        _ => None,
    }
}

/// Ranks as two arguments name them: from `start` to `stop`, both included, negative ones from
/// the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankArgs {
    start: i64,
    stop: i64,
}

impl RankArgs {
    pub fn parse(start: &[u8], stop: &[u8]) -> Result<RankArgs, ReplyError> {
        let parse = |text| resp::parse_i64(text).ok_or(texts::NOT_AN_INTEGER);
        Ok(RankArgs {
            start: parse(start)?,
            stop: parse(stop)?,
        })
    }

    /// The ranks that exist in a set of `len` members.
    pub fn within(self, len: usize) -> Range<usize> {
        let len = len as i64;
        let from_end = |index: i64| {
            if index < 0 {
                index.saturating_add(len)
            } else {
                index
            }
        };
        let start = from_end(self.start).max(0);
        let stop = from_end(self.stop).min(len - 1);
        if start > stop {
            0..0
        } else {
            start as usize..stop as usize + 1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn score_bounds_are_read_as_the_reference_reads_them() {
        let bound = |text: &str| score_bound(text.as_bytes());
        assert_eq!(bound("1.5"), Some((1.5, false)));
        assert_eq!(bound("(1.5"), Some((1.5, true)));
        assert_eq!(bound("(-inf"), Some((f64::NEG_INFINITY, true)));
        assert_eq!(bound("+inf"), Some((f64::INFINITY, false)));
        assert_eq!(bound("1e400"), Some((f64::INFINITY, false)));
        assert_eq!(bound(""), Some((0.0, false)));
        assert_eq!(bound(" 1"), Some((1.0, false)));
        for bad in ["1x", "nan", "(", "x", " ", "1 ", "((1"] {
            let expected = (bad == "(").then_some((0.0, true));
            assert_eq!(bound(bad), expected, "{bad:?}");
        }
    }

    #[test]
    fn name_bounds_need_their_mark() {
        assert_eq!(lex_bound(b"[a"), Some(LexBound::Including(b"a")));
        assert_eq!(lex_bound(b"("), Some(LexBound::Excluding(b"")));
        for bad in ["", "a", "++", "-a"] {
            assert_eq!(lex_bound(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn ranks_count_from_either_end() {
        let within = |start, stop, len| RankArgs { start, stop }.within(len);
        assert_eq!(within(0, -1, 5), 0..5);
        assert_eq!(within(-3, 100, 5), 2..5);
        assert_eq!(within(-100, -5, 5), 0..1);
        assert_eq!(within(i64::MIN, i64::MAX, 5), 0..5);
        assert!(within(3, 2, 5).is_empty());
        assert!(within(5, 9, 5).is_empty());
        assert!(within(0, -6, 5).is_empty());
        assert!(within(0, -1, 0).is_empty());
    }
}
