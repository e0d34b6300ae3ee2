//! What commands on containers share: replying with an element, counts of random picks, and the
//! rounds of a SCAN step.
//!
//! Tests: through the commands.

use crate::error::{ReplyError, texts};
use resp::Writer;
use structures::listpack::Item;

/// A SCAN step looks at up to this many times COUNT places that turn out empty.
const EMPTY_ROUNDS: usize = 10;

#[inline]
pub fn reply_item(out: &mut Writer, item: Item<'_>) {
    match item {
        Item::Int(value) => out.bulk_int(value),
        Item::Str(text) => out.bulk(text),
    }
}

/// How many random elements are wanted: a negative number allows repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomCount {
    pub count: usize,
    pub repeats: bool,
}

impl RandomCount {
    pub fn parse(text: &[u8]) -> Result<RandomCount, ReplyError> {
        let count = resp::parse_i64(text).ok_or(texts::NOT_AN_INTEGER)?;
        if count == i64::MIN {
            return Err(ReplyError::new(
                "ERR value is out of range, value must between \
                 -9223372036854775807 and 9223372036854775807",
            ));
        }
        Ok(RandomCount {
            count: usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
            repeats: count < 0,
        })
    }

    /// With repetitions, or when one is wanted, every pick is independent.
    pub fn is_drawn(&self) -> bool {
        self.repeats || self.count == 1
    }
}

/// Repeats `step` (which takes a cursor and returns the next one and how many elements it met) until
/// it met `count` elements, is through, or met nothing for long. Returns the next cursor.
pub fn scan_rounds(cursor: u64, count: usize, mut step: impl FnMut(u64) -> (u64, usize)) -> u64 {
    let mut rounds = count.saturating_mul(EMPTY_ROUNDS);
    let (mut cursor, mut met) = (cursor, 0);
    loop {
        let (next, met_now) = step(cursor);
        (cursor, met) = (next, met + met_now);
        if cursor == 0 || met >= count || rounds == 0 {
            return cursor;
        }
        rounds -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_count_allows_repetitions() {
        let parse = |text: &str| RandomCount::parse(text.as_bytes());
        assert_eq!(
            parse("-3"),
            Ok(RandomCount {
                count: 3,
                repeats: true
            })
        );
        assert_eq!(
            parse("3"),
            Ok(RandomCount {
                count: 3,
                repeats: false
            })
        );
        assert_eq!(parse("x"), Err(texts::NOT_AN_INTEGER));
        assert!(parse("-9223372036854775808").is_err());
        assert!(parse("-9223372036854775807").is_ok());
    }

    #[test]
    fn scanning_stops_at_the_end_when_enough_was_met_or_after_many_empty_rounds() {
        assert_eq!(
            scan_rounds(0, 10, |at| if at == 4 { (0, 1) } else { (at + 1, 1) }),
            0
        );
        assert_eq!(scan_rounds(0, 10, |at| (at + 1, 3)), 4);
        assert_eq!(scan_rounds(0, 2, |at| (at + 1, 0)), 21);
    }
}
